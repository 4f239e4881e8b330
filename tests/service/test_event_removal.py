"""Old events go, and the rest of the audit log can still be verified."""

import pytest

from jrc.errors import OperatorError, StateError
from jrc.model import Event
from jrc.service.event_chain import event_hash
from jrc.service.event_check import verify_stretch
from jrc.service.event_removal import (
    CHUNK,
    Removal,
    begin_removal,
    go_on_removing,
    removal_due,
)
from jrc.service.events import list_events
from jrc.service.registry import Registry
from tests.desk import ACTOR, NOW_MS, Desk

DAY_MS = 86_400_000
ADDED_AGAIN = (
    "INSERT INTO event SELECT 700, at_ms, kind, pledge, network, actor, reason, detail, hash"
    " FROM event WHERE number = 1202"
)


def logged(desk: Desk, count: int, at_ms: int) -> None:
    """So many joins at a time."""
    desk.now_ms = at_ms

    def work(tx: Registry) -> None:
        for _ in range(count):
            tx.record(Event("pledge.joined", "pledge"))

    desk.write(work)


def due(desk: Desk, before_ms: int, keep_at_least: int = 0) -> Removal | None:
    return desk.read(lambda tx: removal_due(tx, before_ms, keep_at_least))


def removed(desk: Desk, removal: Removal) -> int:
    """Carried out; the number of transactions."""
    turns = 1
    more = desk.write(lambda tx: begin_removal(tx, removal, actor=ACTOR, reason="yearly"))
    while more:
        turns += 1
        more = desk.write(lambda tx: go_on_removing(tx, removal))
    return turns


def old_and_new(desk: Desk, old: int = 1200, new: int = 5) -> Removal:
    """A log of old and new events, and the removal of the old ones."""
    logged(desk, old, NOW_MS)
    logged(desk, new, NOW_MS + 10 * DAY_MS)
    removal = due(desk, NOW_MS + 5 * DAY_MS)
    assert removal is not None
    return removal


def test_old_events_go_in_chunks_and_the_rest_is_verified(desk: Desk) -> None:
    """The chain goes on from the last one that went, which an event names with its hash."""
    removal = old_and_new(desk)
    (before,) = desk.sql("SELECT hash FROM event WHERE number = 1200")
    assert (removal.first, removal.last, removal.hash) == (1, 1200, before[0].hex())  # type: ignore[attr-defined]
    assert removed(desk, removal) == 1200 // CHUNK + 1
    assert desk.sql("SELECT min(number), max(number) FROM event") == [(1201, 1206)]
    report = desk.read(verify_stretch)
    assert (report.intact, report.count, report.first) == (True, 6, 1201)
    (said,) = desk.read(lambda tx: list_events(tx, kind="events.removed"))
    assert (said.actor, said.reason) == (ACTOR, "yearly")
    assert said.detail == {
        "first": 1, "last": 1200, "hash": removal.hash, "before": "2026-12-05T00:53:20.000Z",
    }  # fmt: skip


def test_a_removal_that_was_broken_off_leaves_a_log_that_verifies(desk: Desk) -> None:
    """Each chunk moves the floor with it; the rest goes with the next removal."""
    removal = old_and_new(desk)
    assert desk.write(lambda tx: begin_removal(tx, removal, actor=ACTOR))
    report = desk.read(verify_stretch)
    assert (report.intact, report.first) == (True, CHUNK + 1)
    rest = due(desk, NOW_MS + 5 * DAY_MS)
    assert rest is not None
    assert (rest.first, rest.last, rest.hash) == (CHUNK + 1, 1200, removal.hash)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE event SET reason = 'other' WHERE number = 1201", 1201),
        ("DELETE FROM event WHERE number = 1201", 1201),
        (ADDED_AGAIN, 700),
    ],
)
def test_what_is_changed_after_a_removal_is_found(
    desk: Desk, statement: str, broken_at: int
) -> None:
    """Also an event that was removed and is there again."""
    removed(desk, old_and_new(desk))
    desk.sql(statement)
    report = desk.read(verify_stretch)
    assert (report.intact, report.broken_at) == (False, broken_at)


def test_who_moves_the_floor_past_the_program_is_found_out(desk: Desk) -> None:
    """The floor is under the MAC of the instance row: deleting alone hides nothing."""
    old_and_new(desk, 10)
    desk.sql("DELETE FROM event WHERE number <= 3")
    assert desk.read(verify_stretch).broken_at == 1
    desk.sql("UPDATE instance SET event_floor = 3")
    with pytest.raises(StateError, match="does not authenticate"):
        desk.read(verify_stretch)


def test_the_last_events_stay_however_old_they_are(desk: Desk) -> None:
    """Joins must not push out who has revoked whom last."""
    logged(desk, 10, NOW_MS)
    found = due(desk, NOW_MS + DAY_MS, keep_at_least=4)
    assert found is not None
    assert (found.first, found.last) == (1, 6)
    assert due(desk, NOW_MS + DAY_MS, keep_at_least=10) is None


def test_nothing_goes_before_an_event_that_is_younger(desk: Desk) -> None:
    """A clock that was ahead keeps the log, since the order of the numbers is what is sure."""
    logged(desk, 3, NOW_MS)
    logged(desk, 1, NOW_MS + 100 * DAY_MS)
    logged(desk, 3, NOW_MS)
    found = due(desk, NOW_MS + DAY_MS)
    assert found is not None
    assert found.last == 3


def test_a_removal_that_was_overtaken_is_refused(desk: Desk) -> None:
    """Two registrars on one database do not both say that they removed the same events."""
    removal = old_and_new(desk, 10)
    removed(desk, removal)
    with pytest.raises(OperatorError, match="somebody else has removed events"):
        removed(desk, removal)
    assert len(desk.read(lambda tx: list_events(tx, kind="events.removed"))) == 1


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE event SET reason = 'other' WHERE number = 2", 2),
        ("DELETE FROM event WHERE number BETWEEN 3 AND 5", 3),
        ("DELETE FROM event WHERE number = 1", 1),
        ("DELETE FROM event WHERE number = 10", 10),
    ],
)
def test_events_that_are_not_as_they_were_written_do_not_go(
    desk: Desk, statement: str, broken_at: int
) -> None:
    """What shows that the log was changed is evidence, and a cut would heal with it."""
    removal = old_and_new(desk, 10)
    desk.sql(statement)
    before = desk.sql("SELECT * FROM event")
    with pytest.raises(OperatorError, match=f"nothing was removed from event {broken_at} on"):
        removed(desk, removal)
    assert before == desk.sql("SELECT * FROM event")
    assert desk.read(verify_stretch).broken_at == broken_at


def test_what_was_put_in_again_stays_to_be_found(desk: Desk) -> None:
    """A later removal does not sweep it away."""
    removed(desk, old_and_new(desk))
    desk.sql(ADDED_AGAIN)
    logged(desk, 1, NOW_MS + 30 * DAY_MS)
    again = due(desk, NOW_MS + 20 * DAY_MS)
    assert again is not None
    removed(desk, again)
    assert desk.read(verify_stretch).broken_at == 700


def test_an_event_changed_together_with_its_hash_does_not_go(desk: Desk) -> None:
    """Neither as the last of those that are old, where the next one shows it, nor as the newest."""
    removal = old_and_new(desk, 10)
    row = desk.read(lambda tx: tx.events.chain(after=9, limit=1))[0]
    head = desk.read(lambda tx: tx.events.hash_of(9))
    assert head is not None
    forged = event_hash(head, row._replace(reason="other").fields)
    desk.sql(f"UPDATE event SET reason = 'other', hash = x'{forged.hex()}' WHERE number = 10")
    with pytest.raises(OperatorError, match="nothing was removed from event 11 on"):
        removed(desk, removal)
    desk.sql("DELETE FROM event WHERE number > 10")
    with pytest.raises(OperatorError, match="nothing was removed from event 11 on"):
        removed(desk, removal)


def test_without_consent_nothing_goes(desk: Desk) -> None:
    """It says what would."""
    removal = old_and_new(desk, 10)
    with pytest.raises(
        OperatorError, match="10 events of the audit log, up to event 10, deleted for good"
    ):
        desk.write(lambda tx: begin_removal(tx, removal, actor=ACTOR, agreed=False))
    assert desk.read(verify_stretch).first == 1


def test_a_log_is_verified_a_stretch_at_a_time_while_it_grows_and_shrinks(desk: Desk) -> None:
    """Where events went between two stretches, it goes on from what is there."""
    removal = old_and_new(desk)
    some = desk.read(lambda tx: verify_stretch(tx, None, 100))
    assert (some.intact, some.done, some.number, some.last) == (True, False, 100, 1205)
    place = type(desk.read(lambda tx: tx.events.ends())[0])(some.number, bytes.fromhex(some.hash))
    removed(desk, removal)
    rest = desk.read(lambda tx: verify_stretch(tx, place, 100))
    assert (rest.intact, rest.done, rest.number) == (True, True, 1206)
