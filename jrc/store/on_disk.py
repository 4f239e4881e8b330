"""What an SQLite file says of itself: read unproved and without the lock, no file made or changed.

Nothing here is for a decision on joins; it tells whether a daemon would start.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from jrc.errors import OperatorError
from jrc.model import Condition
from jrc.service.key_records import SlotKind
from jrc.store.migrate import VERSION_TABLE
from jrc.store.schema import SCHEMA_REVISION, instance, key_slot, network

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_IS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


class UnreadableError(Exception):
    """The file can't be read so: its last pages are in a WAL, and that has no index."""


@dataclass(frozen=True, slots=True)
class Seals:
    """The revision of the schema; the key slots by name, kind and the id of their key."""

    revision: str | None
    slots: Sequence[tuple[str, SlotKind, bytes]]


def names_on_disk(database: Path) -> list[str]:
    """Names of the networks.

    Raises:
        UnreadableError: it can't be read without changing a file.
        OperatorError: it is no database.
    """
    query = select(network.c.name).where(network.c.removed_at_ms.is_(None))
    with _reading(database) as connection:
        return [row[0] for row in connection.execute(str(query))]


def seals_on_disk(database: Path) -> Seals:
    """What has to fit before anything else of it can be read; no keys of another schema.

    Raises:
        UnreadableError: it can't be read without changing a file.
        OperatorError: it is no database.
    """
    with _reading(database) as connection:
        revision = _revision(connection)
        if revision != SCHEMA_REVISION:
            return Seals(revision, ())
        query = select(key_slot.c.name, key_slot.c.kind, key_slot.c.key_id)
        rows = connection.execute(str(query)).fetchall()
    return Seals(revision, [(name, SlotKind(kind), key_id) for name, kind, key_id in rows])


def condition_on_disk(database: Path) -> tuple[Condition, str]:
    """Whether it may be used, and why not.

    Raises:
        UnreadableError: it can't be read without changing a file.
        OperatorError: it is no database.
    """
    query = select(instance.c.condition, instance.c.condition_detail)
    with _reading(database) as connection:
        condition, detail = connection.execute(str(query)).fetchone()
    return Condition(condition), detail


def _revision(connection: sqlite3.Connection) -> str | None:
    if connection.execute(_IS_TABLE, (VERSION_TABLE,)).fetchone() is None:
        return None
    found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
    return None if found is None else str(found[0])


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    is_idle = not database.with_name(f"{database.name}-wal").exists()
    how = "mode=ro&immutable=1" if is_idle else "mode=ro&readonly_shm=1"
    url = f"{database.absolute().as_uri()}?{how}"
    try:
        with closing(sqlite3.connect(url, uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        if error.sqlite_errorcode in _DAMAGED:
            raise OperatorError(f"database.url: {error}", "put a good copy back") from None
        raise UnreadableError from None
