"""Statements that are compiled once and run with tuples."""

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from jrc.errors import StateError
from jrc.store.prepared import Prepared, PreparedIn, PreparedRows
from jrc.store.schema import event
from tests.desk import Desk

NAMES = [column.name for column in event.columns]
INSERT = Prepared(insert(event), NAMES)
BY_NUMBER = PreparedIn(
    lambda names: (
        select(event.c.number)
        .where(event.c.kind == bindparam("kind"))
        .where(event.c.number.in_([bindparam(name) for name in names]))
        .order_by(event.c.number)
    ),
    ["kind"],
)


def row(number: int, kind: str = "k") -> tuple[object, ...]:
    return (number, 5, kind, None, None, "jrc", "", "{}", bytes(32))


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Forty events."""
    with desk.database.writer.connection.begin():
        INSERT.many(desk.database.writer.connection, [row(number) for number in range(1, 41)])
        INSERT.many(desk.database.writer.connection, [])
    return desk


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 31, 33])
def test_a_list_of_any_length_finds_what_is_in_it(desk: Desk, count: int) -> None:
    """Padding adds nothing and takes nothing away."""
    wanted = list(range(40, 40 - count, -1))
    with desk.database.read(0) as tx:
        found = BY_NUMBER.rows(tx.connection, wanted, ("k",))
        assert [] == list(BY_NUMBER.rows(tx.connection, wanted, ("other",)))
    assert sorted(wanted) == [number for (number,) in found]


def test_an_error_of_the_driver_comes_without_parameters(desk: Desk) -> None:
    """They may be key material."""
    with pytest.raises(DBAPIError) as caught, desk.database.writer.connection.begin():
        INSERT.many(desk.database.writer.connection, [row(1, "secret")])
    assert "secret" not in str(caught.value)


def test_names_in_another_order_are_refused(desk: Desk) -> None:
    """Values would go into the wrong columns."""
    statement = (
        update(event)
        .values(kind=bindparam("b_kind"))
        .where(event.c.number == bindparam("b_number"))
    )
    wrong = Prepared(statement, ["b_number", "b_kind"])
    with desk.database.read(0) as tx, pytest.raises(StateError, match="takes"):
        wrong.rows(tx.connection, (1, "x"))


def test_postgresql_takes_names() -> None:
    """The same statement, another form of parameter."""
    sql, positional = INSERT._on(postgresql.dialect())  # type: ignore[no-untyped-call]
    assert not positional
    assert "%(number)s" in sql


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 37])
def test_rows_are_written_each_once_however_many(desk: Desk, count: int) -> None:
    """Ten by ten and the rest one by one; how many is said."""
    inserting = PreparedRows(
        lambda listed: insert(event).values(
            [dict(zip(NAMES, map(bindparam, names), strict=True)) for names in listed]
        ),
        NAMES,
    )
    connection = desk.database.writer.connection
    with connection.begin():
        rows = [row(100 + number, f"kind {number}") for number in range(count)]
        assert count == inserting.many(connection, rows)
        written = select(event.c.number, event.c.kind).where(event.c.number >= 100)
        found = connection.execute(written.order_by(event.c.number)).all()
    assert [(number, kind) for number, _, kind, *_ in rows] == [tuple(each) for each in found]
