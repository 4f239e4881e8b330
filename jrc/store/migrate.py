"""Bringing a database's schema to the one this program works with.

Alembic is imported when something is migrated and not before: the daemon only compares revisions.
A migration runs in one explicit transaction (without ``BEGIN`` SQLite keeps DDL that was rolled
back), on a database of which a copy was made.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from jrc.errors import OperatorError
from jrc.store import postgresql
from jrc.store.engine import check_private, create_private_file, database_path, writer_engine
from jrc.store.schema import SCHEMA_REVISION
from jrc.store.syncing import sync

if TYPE_CHECKING:
    from alembic.config import Config

_PACKAGE = Path(__file__).resolve().parent.parent
VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade did; ``copy`` is the file as it was before, None where nothing was done."""

    before: str | None
    after: str
    copy: Path | None


def current_revision(connection: Connection) -> str | None:
    """The revision of a database's schema, None where there is none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return None if found is None else str(found)


def check_schema(connection: Connection) -> None:
    """Nothing, if the schema is the one this program works with.

    Raises:
        OperatorError: it is older, newer, none of ours, or no database; names `jrc db upgrade`.
    """
    try:
        revision = current_revision(connection)
    except DBAPIError as error:
        raise OperatorError(
            f"database.url: {postgresql.said_by(error)}", "put a good copy back"
        ) from None
    check_revision(revision)


def check_revision(revision: str | None) -> None:
    """Nothing, if a schema is the one this program works with; ``None`` is no schema.

    Raises:
        OperatorError: as ``check_schema``.
    """
    if revision == SCHEMA_REVISION:
        return
    if revision is None:
        raise OperatorError(
            "database.url: the database holds none of our schemas",
            "`jrc init` makes a new database",
        )
    if revision > SCHEMA_REVISION:
        raise _newer(revision)
    raise OperatorError(
        f"database.url: the database has schema {revision}, older than {SCHEMA_REVISION}",
        "run `jrc db upgrade`, which copies an SQLite file first",
    )


def _newer(revision: str) -> OperatorError:
    return OperatorError(
        f"database.url: the database has schema {revision}, newer than {SCHEMA_REVISION}:"
        " a later version of this program has worked on it",
        "install that version again, or go back to the copy that its `jrc db upgrade` made",
    )


def migrations_folder() -> Path:
    """Where the migrations are: in the installed package, else in the checkout.

    Raises:
        OperatorError: they are in neither place.
    """
    for folder in (_PACKAGE / "migrations", _PACKAGE.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise OperatorError("the migrations are missing from this installation", "install it again")


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's settings, for ``connection`` if one is given."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that are missing, inside the transaction that is open."""
    from alembic import command

    command.upgrade(alembic_config(connection), revision)


def upgrade(url: str, now_ms: int) -> UpgradeReport:
    """Bring a database to this program's schema; the file is copied first.

    The caller holds the lock on the state directory: nobody else works on the database.

    Raises:
        OperatorError: the database is missing, newer, or can't be migrated; it is unchanged then.
    """
    path = database_path(url)
    if path is not None:
        check_private(path)
    try:
        with writer_engine(url).connect() as connection:
            return _upgrade(connection, path, now_ms)
    except DBAPIError as error:
        raise OperatorError(
            f"database.url: the database can't be migrated ({postgresql.said_by(error)})",
            "it is unchanged",
        ) from None


def _upgrade(connection: Connection, path: Path | None, now_ms: int) -> UpgradeReport:
    with connection.begin():
        before = current_revision(connection)
    if before == SCHEMA_REVISION:
        return UpgradeReport(before, before, None)
    if before is None:
        with connection.begin():
            check_schema(connection)
    if before is not None and before > SCHEMA_REVISION:
        raise _newer(before)
    if path is None:
        postgresql.use_alone(connection.connection)
    copy = None if path is None else copy_file(path, _copy_name(path, before, now_ms))
    with foreign_keys_off(connection), connection.begin():
        migrate(connection)
        check_foreign_keys(connection)
    return UpgradeReport(before, SCHEMA_REVISION, copy)


def _copy_name(path: Path, revision: str | None, now_ms: int) -> Path:
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    return path.with_name(f"{path.name}.before-{revision}-{moment:%Y%m%dT%H%M%SZ}")


def copy_file(source: Path, target: Path) -> Path:
    """A consistent copy of an SQLite database, mode 0600, on disk when this returns.

    Raises:
        OperatorError: ``target`` exists or can't be written.
    """
    create_private_file(target)
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise OperatorError(
            f"{target} can't be written ({error})", "the database is unchanged"
        ) from None
    sync(target)
    sync(target.parent)
    return target


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let SQLite tables be made anew, which is how it alters them; outside of transactions."""
    if connection.dialect.name != "sqlite":
        yield
        return
    _pragma(connection, "foreign_keys = OFF")
    try:
        yield
    finally:
        _pragma(connection, "foreign_keys = ON")


def _pragma(connection: Connection, setting: str) -> None:
    """Past SQLAlchemy, whose ``execute`` would begin a transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"PRAGMA {setting}")


def check_foreign_keys(connection: Connection) -> None:
    """Refuse to commit a migration that left a row without the one it refers to.

    Raises:
        OperatorError: naming the table.
    """
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise OperatorError(
            f"database.url: rows of {broken[0]} refer to rows of {broken[2]} that are missing",
            "the database is unchanged; it was damaged before",
        )
