"""Statements of the join path: built and compiled by SQLAlchemy once, run with plain tuples.

What this leaves out is SQLAlchemy's work per execution and per row (naming and converting
parameters, describing results), which costs several times what the database does for one row.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from jrc.errors import ConflictError, StateError

Rows = Sequence[Sequence[Any]]


class Prepared:
    """One statement; parameters come as tuples in the order of ``names``."""

    def __init__(self, statement: Executable, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._compiled: dict[object, tuple[str, bool]] = {}

    def _on(self, dialect: Dialect) -> tuple[str, bool]:
        """SQL text for a dialect, and whether it takes positions and not names."""
        # One dialect has two compilers: a reader's locks no rows.
        compiler = dialect.statement_compiler
        ready = self._compiled.get(compiler)
        if ready is None:
            ready = self._compiled[compiler] = self._compile(dialect)
        return ready

    def _compile(self, dialect: Dialect) -> tuple[str, bool]:
        compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        order = tuple(compiled.positiontup or ())
        if compiled.positional and order != self._names:
            raise StateError(f"the statement takes {order}, and is given {self._names}")
        return compiled.string, compiled.positional

    def rows(self, connection: Connection, values: Sequence[Any]) -> Rows:
        """What a SELECT finds."""
        sql, positional = self._on(connection.dialect)
        given = tuple(values) if positional else dict(zip(self._names, values, strict=True))
        with _cursor(connection) as cursor:
            cursor.execute(sql, given)
            found: Rows = cursor.fetchall()
            return found

    def each(self, connection: Connection, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """As ``rows``, one after the other: for a SELECT that finds thousands."""
        sql, positional = self._on(connection.dialect)
        given = tuple(values) if positional else dict(zip(self._names, values, strict=True))
        with _cursor(connection) as cursor:
            cursor.execute(sql, given)
            yield from cursor

    def many(self, connection: Connection, values: Rows) -> int:
        """How many rows it has changed, run once for each tuple."""
        if not values:
            return 0
        sql, positional = self._on(connection.dialect)
        given: Any = values
        if not positional:
            given = [dict(zip(self._names, row, strict=True)) for row in values]
        with _cursor(connection) as cursor:
            cursor.executemany(sql, given)
            count: int = cursor.rowcount
            return count


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    """A cursor of the driver, inside SQLAlchemy's transaction; its errors come as SQLAlchemy's.

    Raises:
        DBAPIError: without the parameters, which may be key material.
    """
    driver: Any = connection.dialect.loaded_dbapi
    try:
        cursor = connection.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error) from error


class PreparedIn:
    """A SELECT with a list of values, such as those of ``IN``; one text for each power of two.

    ``build`` gives the statement for that many parameters named ``in_0``, ``in_1`` and so on;
    ``names`` are those that stand before the list. ``padding`` fills it up; without it, the last
    value is repeated.
    """

    def __init__(
        self,
        build: Callable[[Sequence[str]], Executable],
        names: Sequence[str] = (),
        padding: Any = None,
    ) -> None:
        self._build = build
        self._names = tuple(names)
        self._padding = padding
        self._sized: dict[int, Prepared] = {}

    def rows(
        self, connection: Connection, values: Sequence[Any], before: Sequence[Any] = ()
    ) -> Rows:
        """What it finds; ``values`` has one at least."""
        size = 1 << (len(values) - 1).bit_length()
        prepared = self._sized.get(size)
        if prepared is None:
            listed = tuple(f"in_{index}" for index in range(size))
            prepared = Prepared(self._build(listed), (*self._names, *listed))
            self._sized[size] = prepared
        filler = values[-1] if self._padding is None else self._padding
        padding = (filler,) * (size - len(values))
        return prepared.rows(connection, (*before, *values, *padding))


_ROWS_AT_ONCE = 10


class PreparedRows:
    """An INSERT of rows, ten by ten: SQLite and its driver take a row's time for each statement.

    ``build`` gives the statement for as many rows as it is given lists of parameters' names;
    ``names`` are those of one row.
    """

    def __init__(
        self, build: Callable[[Sequence[Sequence[str]]], Executable], names: Sequence[str]
    ) -> None:
        def of_rows(count: int) -> Prepared:
            listed = [[f"{name}_{row}" for name in names] for row in range(count)]
            return Prepared(build(listed), list(chain.from_iterable(listed)))

        self._one, self._ten = of_rows(1), of_rows(_ROWS_AT_ONCE)

    def many(self, connection: Connection, rows: Rows) -> int:
        """How many rows it has written."""
        whole = len(rows) - len(rows) % _ROWS_AT_ONCE
        tens = [
            tuple(chain.from_iterable(rows[at : at + _ROWS_AT_ONCE]))
            for at in range(0, whole, _ROWS_AT_ONCE)
        ]
        return self._ten.many(connection, tens) + self._one.many(connection, rows[whole:])


def updating(table: Table, keys: Sequence[str], names: Sequence[str]) -> Prepared:
    """UPDATE of ``names`` in the row of ``keys``; takes the names' values, then the keys'."""
    statement = update(table).values({table.c[name]: bindparam(f"b_{name}") for name in names})
    for key in keys:
        statement = statement.where(table.c[key] == bindparam(f"k_{key}"))
    return Prepared(statement, [*(f"b_{name}" for name in names), *(f"k_{key}" for key in keys)])


def change(statement: Prepared, connection: Connection, rows: Rows) -> None:
    """Change each row.

    Raises:
        ConflictError: one is not there, or has another version by now.
    """
    if statement.many(connection, rows) != len(rows):
        raise ConflictError("another transaction has changed a row meanwhile")
