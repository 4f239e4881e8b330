"""Rows of a backup on their way into an empty database that has the backup's schema."""

from collections.abc import Sequence

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    column,
    func,
    insert,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.sql.dml import Insert

from jrc.store.backup.content import Head, Rows
from jrc.store.backup.frames import FrameError
from jrc.store.migrate import VERSION_TABLE, migrate


class Loader:
    """As ``content.Sink``, inside the transaction that is open on ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self.rows_loaded = 0
        self._connection = connection
        self._known: dict[str, set[str]] = {}
        self._insert: Insert | None = None
        self._names: Sequence[str] = ()

    def head(self, head: Head) -> None:
        """As ``Sink.head``: make the tables as they were when the backup was."""
        migrate(self._connection, head.schema)
        found = inspect(self._connection)
        for name in set(found.get_table_names()) - {VERSION_TABLE}:
            self._known[name] = {each["name"] for each in found.get_columns(name)}

    def table(self, name: str, columns: Sequence[str]) -> None:
        """As ``Sink.table``.

        Raises:
            FrameError: the schema has no such table or columns, or others as well.
        """
        if self._known.pop(name, None) != set(columns):
            raise FrameError(f"table {name} has other columns than its schema")
        self._names = [f"v{place}" for place in range(len(columns))]
        target = table(name, *map(column, columns))
        values = dict(zip(columns, map(_parameter, self._names), strict=True))
        self._insert = insert(target).values(values)

    def rows(self, rows: Rows) -> None:
        """As ``Sink.rows``."""
        assert self._insert is not None, "a table comes first"
        if rows:
            given = [dict(zip(self._names, row, strict=True)) for row in rows]
            self._connection.execute(self._insert, given)
        self.rows_loaded += len(rows)

    def end(self) -> None:
        """Every table was there; the numbers of rows to come follow those that are.

        Raises:
            FrameError: a table is missing.
        """
        if self._known:
            raise FrameError(f"table {min(self._known)} is missing")
        if self._connection.dialect.name == "postgresql":
            _set_sequences(self._connection)


def _parameter(name: str) -> BindParameter[object]:
    return bindparam(name)


def _set_sequences(connection: Connection) -> None:
    found = inspect(connection)
    for name in found.get_table_names():
        if not any(each["name"] == "id" for each in found.get_columns(name)):
            continue
        which = text("SELECT pg_get_serial_sequence(:name, 'id')")
        sequence = connection.scalar(which, {"name": name})
        highest = connection.scalar(select(func.max(column("id"))).select_from(table(name)))
        if sequence is not None and highest is not None:
            connection.execute(
                text("SELECT setval(:sequence, :highest)"),
                {"sequence": sequence, "highest": highest},
            )
