"""The audit log: pages, and every kind of tampering is found."""

import pytest

from jrc.errors import StateError
from jrc.model import Event
from jrc.service.event_check import verify_stretch
from jrc.service.events import list_events
from jrc.service.records import Wanted
from jrc.service.registry import Registry
from tests.desk import ACTOR, Desk, pledge_id

ADDED = (
    "INSERT INTO event SELECT 6, at_ms, kind, pledge, network, actor, reason, detail, hash"
    " FROM event WHERE number = 5"
)


@pytest.fixture
def log(desk: Desk) -> Desk:
    """A database with five events."""

    def work(tx: Registry) -> None:
        for number in range(1, 6):
            tx.record(
                Event(
                    "odd" if number % 2 else "even",
                    ACTOR,
                    pledge_id(number % 3).value,
                    "lab" if number > 2 else None,
                    f"reason {number}",
                    {"n": number},
                )
            )

    desk.write(work)
    return desk


def numbers(desk: Desk, **filters: object) -> list[int]:
    found = desk.read(lambda tx: list_events(tx, **filters))  # type: ignore[arg-type]
    return [event.number for event in found]


def test_events_come_in_pages_and_by_kind_pledge_and_network(log: Desk) -> None:
    """Ascending, also where the last ones are asked for."""
    assert numbers(log) == [1, 2, 3, 4, 5]
    assert numbers(log, after=2, limit=2) == [3, 4]
    assert numbers(log, limit=2, newest=True) == [4, 5]
    assert numbers(log, kind="odd") == [1, 3, 5]
    assert numbers(log, pledge=pledge_id(1)) == [1, 4]
    assert numbers(log, network="lab") == [3, 4, 5]


def test_an_event_is_read_as_it_was_recorded(log: Desk) -> None:
    """Time in UTC, pledge in hex."""
    (event,) = log.read(lambda tx: list_events(tx, limit=1))
    assert (event.at, event.pledge, event.reason, event.detail) == (
        "2026-11-30T00:53:20.000Z", "00124b0000000001", "reason 1", {"n": 1},
    )  # fmt: skip


def test_an_untouched_log_is_intact(log: Desk) -> None:
    """Also an empty one."""
    report = log.read(verify_stretch)
    assert (report.intact, report.count, report.broken_at) == (True, 5, None)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE event SET reason = 'other' WHERE number = 3", 3),
        ("UPDATE event SET at_ms = at_ms + 1 WHERE number = 1", 1),
        ("UPDATE event SET hash = x'00' WHERE number = 4", 4),
        ("DELETE FROM event WHERE number = 1", 1),
        ("DELETE FROM event WHERE number = 3", 3),
        ("DELETE FROM event WHERE number = 5", 5),
        ("DELETE FROM event", 1),
        (ADDED, 6),
    ],
)  # fmt: skip
def test_a_changed_log_names_the_first_event_that_does_not_fit(
    log: Desk, statement: str, broken_at: int
) -> None:
    """Edited, deleted, cut off, added."""
    log.sql(statement)
    report = log.read(verify_stretch)
    assert (report.intact, report.broken_at) == (False, broken_at)


def test_a_log_that_was_cut_off_together_with_its_recorded_end_is_found(log: Desk) -> None:
    """The row of an earlier time has a good MAC; who has seen more knows that it is an old one."""
    log.sql("CREATE TABLE kept AS SELECT * FROM instance")
    log.write(lambda tx: tx.record(Event("pledge.revoked", ACTOR)))
    log.sql("DELETE FROM instance")
    log.sql("INSERT INTO instance SELECT * FROM kept")
    log.sql("DELETE FROM event WHERE number = 6")
    known = log.database.instance.event_number
    report = log.read(lambda tx: verify_stretch(tx, None, known=known))
    assert (report.intact, report.broken_at) == (False, 6)
    assert "Event 6 is missing." in report.sentence
    assert log.read(lambda tx: verify_stretch(tx, None, known=5)).intact


def test_a_log_with_recomputed_hashes_still_does_not_fit(log: Desk) -> None:
    """The head of the chain is under a MAC: who can't compute that can't rewrite history."""
    log.sql("DELETE FROM event WHERE number = 5")
    log.sql(
        "UPDATE instance SET event_number = 4,"
        " event_hash = (SELECT hash FROM event WHERE number = 4)"
    )
    with pytest.raises(StateError, match="instance row does not authenticate"):
        log.read(verify_stretch)


def test_the_newest_event_of_a_kind_is_found_by_an_index(log: Desk) -> None:
    """`jrc status` asks for it while a rollover is paused: joins must not be looked through."""
    if log.on_server:
        pytest.skip("the plan is SQLite's")
    statements: list[str] = []
    connection = log.database.writer.connection
    with connection.begin():
        connection.connection.driver_connection.set_trace_callback(statements.append)  # type: ignore[union-attr]
    log.write(
        lambda tx: tx.events.page(Wanted(kind="rollover.paused"), after=0, limit=1, newest=True)
    )
    with connection.begin():
        connection.connection.driver_connection.set_trace_callback(None)  # type: ignore[union-attr]
    (query,) = [each for each in statements if "FROM event" in each]
    assert any("ix_event_kind" in str(row) for row in log.sql(f"EXPLAIN QUERY PLAN {query}"))
