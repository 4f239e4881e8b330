"""What each aggregate works with inside one transaction, and row numbers known in advance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from sqlalchemy import Connection, Table, func, select, text

from jrc.store.keyring import Keyring
from jrc.store.prepared import Prepared
from jrc.store.rowmac import RowMac

_T = TypeVar("_T")

CHUNK = 500
"""Values in one ``IN`` list; SQLite's limit on variables lies far above."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One transaction's connection, the keys it works with, and its time in ms since 1970.

    ``learned`` takes the kid contexts that can be looked up from its commit on.
    """

    connection: Connection
    keyring: Keyring
    mac: RowMac
    now_ms: int
    learned: list[bytes] = field(default_factory=list)


def draw_ids(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Numbers for ``count`` new rows: a row's number is needed before its secret is wrapped.

    SQLite has one writer, so the numbers after the highest are free until the commit; PostgreSQL
    takes them from the sequence.
    """
    if connection.dialect.name == "postgresql":
        draw = text(
            "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :n)"
        )
        return list(connection.scalars(draw, {"name": table.name, "n": count}))
    ((highest,),) = _highest(table).rows(connection, ())
    first = (highest or 0) + 1
    return range(first, first + count)


@cache
def _highest(table: Table) -> Prepared:
    return Prepared(select(func.max(table.c.id)), ())


def chunked(values: Sequence[_T], size: int = CHUNK) -> Sequence[Sequence[_T]]:
    """``values`` in slices of at most ``size``."""
    return [values[at : at + size] for at in range(0, len(values), size)]
