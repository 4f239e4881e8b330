"""What an SQLite file says of itself: read unproved and without the lock, no file made or changed.

Nothing here is for a decision on joins; it tells whether a daemon would start.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from jrc.errors import OperatorError
from jrc.model import Condition
from jrc.service.key_records import SlotKind
from jrc.store.migrate import VERSION_TABLE
from jrc.store.schema import SCHEMA_REVISION, event, instance, key_slot, network

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_QUARANTINED, _RECOVERED = "database.quarantined", ("database.recovered", "database.copy_accepted")
_LIVES = ("database.restored", _QUARANTINED, *_RECOVERED)
_IS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


class UnreadableError(Exception):
    """The file can't be read so: its last pages are in a WAL, and that has no index."""


class Reached(NamedTuple):
    """Which database a file is, and how far it had come."""

    epoch: bytes
    commit_number: int


NOTHING = Reached(b"", -1)
"""In a file that holds no more than a part of the schema."""


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


def left_behind(database: Path) -> set[bytes]:
    """Epochs of databases that this one has gone on from and was put to work, by its audit log.

    A final backup goes on at once, what was quarantined once it is recovered. None where the file
    can't be read: it is damaged, or its last pages are in a WAL without an index.
    """
    query = (
        select(event.c.kind, event.c.detail)
        .where(event.c.kind.in_(_LIVES))
        .order_by(event.c.number)
        .compile(compile_kwargs={"literal_binds": True})
    )
    with suppress(OperatorError, UnreadableError), _reading(database) as connection:
        return _gone_on_from(connection.execute(str(query)))
    return set()


def _gone_on_from(lives: Iterable[tuple[str, str]]) -> set[bytes]:
    gone: set[bytes] = set()
    waiting: set[bytes] = set()
    for kind, text in lives:
        if kind in _RECOVERED:
            gone, waiting = gone | waiting, set()
            continue
        with suppress(ValueError, TypeError, KeyError):  # damaged
            detail = json.loads(text)
            before = bytes.fromhex(detail["epoch_before"])
            if kind == _QUARANTINED:
                gone.discard(before)
                waiting.add(before)
            elif detail["final"]:
                gone.add(before)
    return gone


def reached_by_file(database: Path) -> Reached | None:
    """What the file alone holds, without its WAL: the last commit that was checkpointed, or later.

    None where it makes no sense so: a checkpoint that a power failure has ended tears pages, and
    the WAL has them whole.
    """
    return _reached_by(database, "mode=ro&immutable=1")


def reached_with_log(database: Path) -> Reached | None:
    """What the file and its WAL hold together; neither is changed. None where it makes no sense.

    The caller holds the lock. SQLite may leave an index of the WAL beside them.
    """
    return _reached_by(database, "mode=ro")


def _reached_by(database: Path, how: str) -> Reached | None:
    query = select(instance.c.epoch, instance.c.commit_number)
    url = f"{database.absolute().as_uri()}?{how}"
    try:
        with closing(sqlite3.connect(url, uri=True)) as connection:
            if connection.execute(_IS_TABLE, (instance.name,)).fetchone() is None:
                return NOTHING
            row = connection.execute(str(query)).fetchone()
    except sqlite3.Error:
        return None
    return NOTHING if row is None else _reached(*row)


def _reached(epoch: object, number: object) -> Reached | None:
    if isinstance(epoch, bytes) and isinstance(number, int):
        return Reached(epoch, number)
    return None


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
