"""Connections to the database, with the settings that safety hangs on, read back.

SQLite: WAL with synchronous=FULL (NORMAL does not sync at commit), an explicit BEGIN IMMEDIATE
(SQLAlchemy's default transaction loses updates), one writer connection that alone checkpoints
(SQLite before 3.51.3 can corrupt a WAL database where two do).
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from jrc.errors import OperatorError
from jrc.store import postgresql

BUSY_TIMEOUT_MS = 2000
"""Under ACK_TIMEOUT (RFC 9031 §7.2): a datagram that waits longer is asked for again anyway."""

CHECKPOINT_PAGES = 4000
"""16 MB of WAL: a page that many joins change is written back once and not each time."""
COMMAND_CHECKPOINT_PAGES = 500
"""2 MB, for transactions of commands: what an import of many rows leaves is written back in pieces
that no join has to wait for long."""
WRITER_CACHE_KIB = 8192
"""What joins of 10,000 pledges touch; a page that has to be read again costs more than a join."""

# What the driver does with each of these values where it knows no adapter of their types: it asks
# value and protocol for one, and raises within. That takes a microsecond, and a join has twenty.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(NoneType, {}.get)  # type: ignore[arg-type]  # None for None, in C

_SYNCHRONOUS_FULL = 2
_SECRETS = ("password", "sslpassword")
"""Parameters of a server's URL that are shown nowhere."""
_PRIVATE_UMASK = 0o077


def database_path(url: str) -> Path | None:
    """The file of an SQLite URL, or None for a server's.

    Raises:
        OperatorError: the URL can't be read, or names an SQLite database in memory.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise OperatorError(
            "database.url: a database in memory forgets replay windows",
            "name a file: sqlite:////var/lib/jrc/jrc.db",
        )
    return Path(parsed.database)


def shown_url(url: str) -> str:
    """The URL without a password."""
    parsed = _parse(url)
    return parsed.difference_update_query(_SECRETS).render_as_string(hide_password=True)


def has_password(url: str) -> bool:
    """Whether there is one in the URL."""
    parsed = _parse(url)
    return parsed.password is not None or any(name in parsed.query for name in _SECRETS)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise OperatorError(
            "database.url can't be read as a URL",
            "write it as sqlite:////var/lib/jrc/jrc.db or postgresql+psycopg://jrc@HOST/jrc",
        ) from None
    if "@" in (parsed.host or ""):  # the rest of a password, which is to be shown nowhere
        raise OperatorError(
            "database.url can't be read as a URL: there is more than one @ before the host",
            "write an @ in the password as %40, or put the password into the file that PGPASSFILE"
            " names (docs/postgresql.md)",
        )
    return parsed


def writer_engine(url: str) -> Engine:
    """The engine of the one writer: every transaction takes the write lock as it begins."""
    if database_path(url) is None:
        return postgresql.writer(url)
    return _engine(url, begin="BEGIN IMMEDIATE", prepare=_prepare_writer)


def reader_engine(url: str) -> Engine:
    """An engine for consistent views: its connections can't write and never checkpoint."""
    if database_path(url) is None:
        return postgresql.reader(url)
    return _engine(url, begin="BEGIN", prepare=_prepare_reader)


def lookup_engine(url: str) -> Engine:
    """As ``reader_engine``, but each statement sees what is committed when it runs."""
    if database_path(url) is None:
        return postgresql.lookup(url)
    return _engine(url, begin=None, prepare=_prepare_reader)


def connected(engine: Engine) -> Connection:
    """A connection.

    Raises:
        OperatorError: the database can't be opened.
    """
    try:
        return engine.connect()
    except DBAPIError as error:
        shown = shown_url(engine.url.render_as_string(hide_password=False))
        raise OperatorError(
            f"database.url: {shown} can't be opened ({postgresql.said_by(error)})",
            postgresql.UNOPENED if database_path(shown) is None else "",
        ) from None


def _engine(
    url: str, *, begin: str | None, prepare: Callable[[sqlite3.Connection], None]
) -> Engine:
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: Any, where: Any, settings: Any) -> Any:
        return dialect.loaded_dbapi.connect(_existing(*where), **{**settings, "uri": True})

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.text_factory = _text
        prepare(connection)

    if begin is not None:

        @event.listens_for(engine, "begin")
        def _begun(connection: Any) -> None:
            connection.exec_driver_sql(begin)

    return engine


def _existing(path: str) -> str:
    """The URI of a file that has to be there: SQLite would make an empty one, for all to read."""
    return f"{Path(path).absolute().as_uri()}?mode=rw"


def _text(stored: bytes) -> str:
    """Text as it is stored; in a damaged row it may be no UTF-8, and then its MAC does not fit.

    The driver's own way would fail the whole SELECT, and all the good rows with the bad one.
    """
    return stored.decode("utf-8", "replace")


def _prepare_writer(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    # Pages as they were before a statement that may fail in its midst: each would be written into
    # a file of the host's folder for temporary ones, which may be full, or not there at all.
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
    _expect(connection, "journal_mode", "wal")
    _expect(connection, "synchronous", _SYNCHRONOUS_FULL)
    _expect(connection, "foreign_keys", 1)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA query_only = ON")


@contextmanager
def short_checkpoints(connection: Connection) -> Iterator[None]:
    """Commits within write SQLite's log back after fewer pages: sooner, and in less time each."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    pages = min(COMMAND_CHECKPOINT_PAGES, CHECKPOINT_PAGES)
    driver.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def truncate_log(connection: Connection) -> bool:
    """Write SQLite's log into the file and empty it, between transactions of the one writer.

    Pages that were overwritten are gone then. False where that can't be: somebody still reads an
    old state after ``BUSY_TIMEOUT_MS``, or the disk is full; the next checkpoints do it. What is
    committed stands all the same. A server has its own ways.
    """
    if connection.dialect.name != "sqlite":
        return False
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy


def _expect(connection: sqlite3.Connection, pragma: str, expected: object) -> None:
    actual = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    if actual != expected:
        raise OperatorError(
            f"database.url: SQLite answers {pragma}={actual!r} where {expected!r} was set;"
            " without it an answered join could be forgotten",
            "put the database on a local file system (not NFS, SMB or 9p)",
        )


def create_private_file(path: Path) -> None:
    """An empty file of mode 0600 at ``path``, which must not exist; SQLite's WAL inherits the mode.

    Raises:
        OperatorError: it exists, or can't be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise OperatorError(f"{path} exists; nothing was overwritten") from None
    except OSError as error:
        raise OperatorError(f"{path} can't be made ({error.strerror})") from None


def check_private(path: Path) -> None:
    """Refuse a database that others can read.

    Raises:
        OperatorError: it is missing or its mode lets others in.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise OperatorError(
            f"database.url: {path} does not exist", "`jrc init` makes a new one"
        ) from None
    except OSError as error:
        raise OperatorError(f"database.url: {path} can't be opened ({error.strerror})") from None
    if mode & _PRIVATE_UMASK:
        raise OperatorError(
            f"database.url: {path} can be read by others (mode {mode:04o})",
            f"run: chmod 600 {path}",
        )
