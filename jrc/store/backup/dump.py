"""The dump: every table as one read transaction finds it, while others go on writing."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from sqlalchemy import Connection, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from jrc import __version__
from jrc.errors import StateError
from jrc.model import Condition
from jrc.service.backups import BackupWish
from jrc.store import ledger
from jrc.store.backup.content import Head, Value, mac_of
from jrc.store.backup.frames import compressed, encoded
from jrc.store.backup.seal import encrypt
from jrc.store.database import Database
from jrc.store.faults import store_error
from jrc.store.schema import SCHEMA_REVISION, data_key, metadata
from jrc.store.transaction import ReadTransaction

KEY_TABLES = ("instance", "data_key", "key_slot")
"""What is needed to open the rest; these refer to no other table."""
ROWS = 200
"""Rows in a frame, and rows that are in memory at one time."""
FRAME_BYTES = 256 * 1024
"""A frame ends with the row that passes this."""
BESIDE_JOINS = 0.25
"""The share of time that a dump may compute in a process that answers joins."""


class Pace:
    """Rests after each piece of work, so that one thread computes for ``share`` of the time.

    What it waits for, its turn among threads that compute or who takes what it has made, is no
    work: the more joins there are the longer that is, and a dump that rested for it as well would
    keep the database's log from being cut all the longer. For one thread.
    """

    def __init__(
        self,
        share: float,
        sleep: Callable[[float], None] = time.sleep,
        computed_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._rest = 1 / share - 1
        self._sleep = sleep
        self._computed_s = computed_s
        self._begun_s: float | None = None

    def __call__(self) -> None:
        """A piece of work is done; the first call begins."""
        if self._begun_s is not None:
            self._sleep((self._computed_s() - self._begun_s) * self._rest)
        self._begun_s = self._computed_s()


def at_once() -> None:
    """A pace without rest: nobody waits for this process."""


def sealed_dump(
    database: Database,
    take: Callable[[bytes], object],
    wish: BackupWish,
    now_ms: int,
    pace: Callable[[], None] = at_once,
) -> Head:
    """Everything in the database, sealed as ``wish`` has it; ``take`` gets it piece by piece.

    May run in any thread; it holds a few hundred rows in memory.

    Raises:
        OperatorError: the database can't be read, or a recipient is none; else what ``take`` does.
        StateError: a final one is wished, and the database was not moved: it would go on here too.
    """
    with database.read(now_ms) as transaction:
        head = _head(transaction, wish)
        frames = _frames(transaction, head, pace)
        encrypt(compressed(frames), take, wish.recipients)
    return head


def _head(transaction: ReadTransaction, wish: BackupWish) -> Head:
    connection = transaction.connection
    row = ledger.read(connection, transaction.mac)
    if wish.is_final and row.condition != Condition.MOVED:
        raise StateError("a final backup is of a database that was moved")
    return Head(
        id=os.urandom(16),
        created_at_ms=transaction.now_ms,
        program=__version__,
        schema=SCHEMA_REVISION,
        backend=connection.dialect.name,
        epoch=row.epoch,
        commit_number=row.commit_number,
        incarnation=row.incarnation,
        condition=row.condition,
        is_final=wish.is_final,
        event_floor=row.event_floor,
        event_floor_hash=row.event_floor_hash,
        event_number=row.event_number,
        event_hash=row.event_hash,
        kek_ids=tuple(connection.scalars(select(data_key.c.kek_id).distinct())),
        slots=_slots(connection),
        header_digest=wish.header_digest,
    )


def _slots(connection: Connection) -> tuple[str, ...]:
    """Names of the slots that the key encryption key may be taken from."""
    if not inspect(connection).has_table("key_slot"):
        return ()
    return tuple(connection.scalars(text("SELECT name FROM key_slot ORDER BY name")))


def _frames(transaction: ReadTransaction, head: Head, pace: Callable[[], None]) -> Iterator[bytes]:
    head_frame = encoded("head", head.encoded())
    yield head_frame
    tables: dict[str, tuple[int, bytes]] = {}
    for table in _in_order():
        count, digest = 0, sha256()
        for rows, frame in _table_frames(transaction.connection, table):
            count += rows
            digest.update(frame)
            yield frame
            pace()
        tables[table.name] = (count, digest.digest())
    yield encoded("end", tables, mac_of(transaction.mac, head_frame, tables))


def _in_order() -> list[Table]:
    """All tables; what the checks of the others need comes first, then what others refer to."""
    return sorted(metadata.sorted_tables, key=lambda table: table.name not in KEY_TABLES)


def _table_frames(connection: Connection, table: Table) -> Iterator[tuple[int, bytes]]:
    """How many rows are in each frame, and the frame."""
    names = [column.name for column in table.columns]
    yield 0, encoded("table", table.name, names)
    for rows in _chunks(_rows(connection, table, names)):
        yield len(rows), encoded("rows", rows)


def _chunks(rows: Iterator[list[Value]]) -> Iterator[list[list[Value]]]:
    chunk: list[list[Value]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(chunk) == ROWS or size > FRAME_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _rows(connection: Connection, table: Table, names: Sequence[str]) -> Iterator[list[Value]]:
    """Rows as they are stored; a damaged one may hold values of any type.

    In the order of the key where that is the order on disk; events need it for their chain.
    """
    keys = list(table.primary_key)
    order = f" ORDER BY {_quoted(keys[0].name)}" if len(keys) == 1 else ""
    columns = ", ".join(map(_quoted, names))
    statement = text(f"SELECT {columns} FROM {_quoted(table.name)}{order}")  # noqa: S608
    try:
        with connection.execute(statement, execution_options={"yield_per": ROWS}) as result:
            for row in result:
                yield list(row)
    except DBAPIError as error:
        raise store_error(error) from error


def _quoted(name: str) -> str:
    """A table's or column's name of our own schema."""
    return f'"{name}"'
