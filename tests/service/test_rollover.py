"""Rollovers on a real database: what each phase does to keys, nodes, places and the log."""

import json

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.policy.rollover import NodeState, Phase
from jrc.service.enroll import remove_pledge
from jrc.service.rollover import (
    advance,
    pause_rollover,
)
from jrc.service.rollover_records import RolloverSettings
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry
from tests.desk import ACTOR, KEK, NOW_MS, Desk
from tests.rollovers import Floor, floor_at

HOUR_MS = 3_600_000


# --- The whole course ---------------------------------------------------------------------------


def test_e02_a_rollover_goes_through_its_phases(floor: Floor) -> None:
    """6LNs first, then the 6LBR, then the guard, then the old keys go (RFC 9031 §8.4.3.1)."""
    started = floor.start(reason="a leak")
    assert ("distributing", (2,), (1,)) == (
        started.phase,
        started.key_ids,
        started.former_key_ids,
    )
    assert {1: "current", 2: "scheduled"} == floor.generations()
    assert [1, 2, 3] == floor.due()
    assert floor.advance() is Phase.DISTRIBUTING
    floor.to_switching()
    assert {1: "previous", 2: "current"} == floor.generations()
    assert [4] == floor.due()
    assert floor.advance() is Phase.SWITCHING
    floor.tell()
    assert floor.advance() is Phase.GUARDING
    assert {1: "previous", 2: "current"} == floor.generations()
    assert floor.advance() is Phase.GUARDING
    assert floor.advance(guard_over=True) is Phase.DONE
    assert {1: "retired", 2: "current"} == floor.generations()
    assert [] == floor.due()
    assert ["started", "distributing", "switching", "guarding", "done"] == floor.events()


def test_each_phase_has_its_time(floor: Floor) -> None:
    """As listings show them; the deadline counts from when the nodes are told."""
    floor.start()
    floor.desk.now_ms += 1000
    floor.to_switching()
    floor.desk.now_ms += 1000
    floor.tell()
    floor.advance()
    floor.desk.now_ms += 12_000
    floor.advance(guard_over=True)
    record = floor.record()
    assert [0, 0, HOUR_MS, 1000, 2000, 14_000] == [
        (at or 0) - NOW_MS
        for at in (
            record.created_at_ms,
            record.distributing_at_ms,
            record.deadline_at_ms,
            record.switching_at_ms,
            record.guarding_at_ms,
            record.ended_at_ms,
        )
    ]


def test_places_have_the_generation_that_nodes_have_acknowledged(floor: Floor) -> None:
    """6LNs from the switch on, the 6LBR when the guard begins; who was not reached keeps its."""
    floor.start()
    floor.tell(only={1, 2})
    floor.tell(NodeState.UNREACHABLE)
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    places = "SELECT generation_id FROM node ORDER BY pledge_id"
    assert [(2,), (2,), (1,), (1,)] == floor.desk.sql(places)
    floor.tell()
    floor.advance()
    assert [(2,), (2,), (1,), (2,)] == floor.desk.sql(places)


def test_e06_every_step_is_on_disk(floor: Floor) -> None:
    """Another process goes on from what the rows say, at every phase (RFC 9031 §8.3.3)."""

    def look(*, guard_over: bool = False) -> Phase:
        database = Database.open(floor.desk.url, KEK)
        try:
            return database.write(
                lambda tx: advance(StoreRegistry(tx), 1, guard_over=guard_over), floor.desk.now_ms
            ).phase
        finally:
            database.close()

    floor.start()
    assert look() is Phase.DISTRIBUTING
    floor.tell()
    assert look() is Phase.SWITCHING
    floor.tell()
    assert look() is Phase.GUARDING
    assert look(guard_over=True) is Phase.DONE


def test_the_audit_log_tells_keys_cause_and_counts(floor: Floor) -> None:
    """And who asked; never a value."""
    floor.start(reason="a leak")
    floor.tell()
    floor.advance()
    rows = floor.desk.sql(
        "SELECT actor, network, reason, detail FROM event WHERE kind = 'rollover.switching'"
    )
    ((actor, network, reason, detail),) = rows
    assert ("jrc", "lab", "") == (actor, network, reason)
    assert {
        "6lbr": {"pending": 1},
        "6ln": {"reached": 3},
        "cause": "operator",
        "generation": 2,
        "key_ids": [2],
        "networks": ["lab"],
    } == json.loads(str(detail))
    assert [(ACTOR, "a leak")] == floor.desk.sql(
        "SELECT actor, reason FROM event WHERE kind = 'rollover.started'"
    )


def test_joins_hear_of_each_change(floor: Floor) -> None:
    """Every phase is another revision of the policy that joins are decided by."""
    revisions = [floor.desk.database.read_instance().policy_revision]
    floor.start()
    for _ in range(2):
        revisions.append(floor.desk.database.read_instance().policy_revision)
        floor.tell()
        floor.advance()
    floor.advance(guard_over=True)
    revisions.append(floor.desk.database.read_instance().policy_revision)
    assert sorted(set(revisions)) == revisions
    before = revisions[-1]
    floor.advance(guard_over=True)
    assert before == floor.desk.database.read_instance().policy_revision, "nothing has changed"


# --- Share and deadline -------------------------------------------------------------------------


def test_e02_a_deadline_with_less_than_the_share_asks_the_operator(floor: Floor) -> None:
    """It pauses, says how far it is, and tells nobody anything more."""
    floor.start()
    floor.tell(only={1})
    floor.tell(NodeState.UNREACHABLE)
    assert floor.advance() is Phase.DISTRIBUTING
    assert floor.advance(deadline_passed=True) is Phase.PAUSED
    floor.desk.now_ms += HOUR_MS
    assert [] == floor.due()
    shown = floor.status().paused
    assert shown is not None
    assert ("deadline", "distributing") == (shown.cause, shown.phase)
    assert "passed with 1 of 3 6LNs reached, and 100 % are needed" in shown.sentence
    assert "resume lab --anyway" in shown.sentence
    assert floor.advance(deadline_passed=True) is Phase.PAUSED


def test_a_resumed_rollover_has_another_deadline(floor: Floor) -> None:
    """And tells those it has not reached at once."""
    floor.start()
    floor.tell(only={1})
    floor.tell(NodeState.UNREACHABLE)
    floor.advance(deadline_passed=True)
    floor.desk.now_ms += 10
    floor.resume()
    record = floor.record()
    assert (Phase.DISTRIBUTING, floor.desk.now_ms + HOUR_MS) == (
        record.phase,
        record.deadline_at_ms,
    )
    assert [2, 3] == floor.due()
    assert ["paused", "resumed"] == floor.events()[-2:]


def test_the_operators_word_switches_with_fewer(floor: Floor) -> None:
    """The others are told on, and are unreachable in the end (row E5)."""
    floor.start()
    floor.tell(only={1})
    floor.advance(deadline_passed=True)
    floor.resume(anyway=True)
    assert {1: "reached", 2: "unreachable", 3: "unreachable", 4: "pending"} == floor.states()
    assert [2, 3, 4] == floor.due()
    assert ["resumed", "switching"] == floor.events()[-2:]
    floor.tell(only={4})
    assert floor.advance() is Phase.GUARDING
    assert floor.advance(guard_over=True) is Phase.DONE
    assert {1: "reached", 2: "unreachable", 3: "unreachable", 4: "reached"} == floor.states()
    assert floor.desk.read(lambda tx: tx.rollovers.next_due_ms()) is None


def test_e02_with_the_share_reached_a_deadline_switches(desk: Desk) -> None:
    """Nine of ten are enough where the operator said so, once each other one was tried."""
    with floor_at(desk, 10) as floor:
        floor.start(RolloverSettings(quorum_permille=900))
        floor.tell(only=set(range(1, 10)))
        assert floor.advance() is Phase.DISTRIBUTING, "the tenth was not tried yet"
        floor.tell(NodeState.UNREACHABLE)
        assert floor.advance() is Phase.SWITCHING


def test_e04_a_refusal_holds_nobody_up(desk: Desk) -> None:
    """It counts as tried (RFC 9031 §8.3)."""
    with floor_at(desk, 10) as floor:
        floor.start(RolloverSettings(quorum_permille=900))
        floor.tell(only=set(range(1, 10)))
        floor.tell(NodeState.REFUSED)
        assert floor.advance() is Phase.SWITCHING
        assert {"reached": 9, "refused": 1} == (floor.status().counts or {})["6ln"]


# --- Pausing and aborting -----------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["distributing", "switching", "guarding"])
def test_a_paused_rollover_goes_back_to_where_it_was(floor: Floor, phase: str) -> None:
    """Nothing that is looked at meanwhile moves it."""
    floor.start()
    while floor.record().phase != phase:
        floor.tell()
        floor.advance()
    floor.pause()
    assert floor.advance(guard_over=True, deadline_passed=True) is Phase.PAUSED
    floor.desk.now_ms += 5
    floor.resume()
    record = floor.record()
    assert (phase, None, None) == (record.phase, record.paused_from, record.pause_cause)
    assert "resumed" == floor.events()[-1]
    if phase == "guarding":
        assert floor.desk.now_ms == record.guarding_at_ms, "the guard begins anew"


def test_e10_an_abort_tells_the_keys_in_force_again(floor: Floor) -> None:
    """Only those that were sent the others; the aborted keys are shown to nobody (§8.4.3.2)."""
    floor.start()
    floor.tell(only={1})
    floor.tell(NodeState.SENT, only={2})
    floor.abort()
    assert {1: "current", 2: "aborted"} == floor.generations()
    assert {1: "reverting", 2: "reverting", 3: "pending", 4: "pending"} == floor.states()
    assert [1, 2] == floor.due()
    assert "aborted" == floor.status().phase
    assert [1] == [each.generation for each in floor.desk.read(lambda tx: tx.keysets.live(1))]
    assert floor.desk.read(lambda tx: tx.rollovers.running(1)) is None


def test_e10_aborted_ids_are_free_when_a_later_rollover_is_done(floor: Floor) -> None:
    """Until then a node may still have the aborted keys under them."""
    floor.start()
    floor.tell(only={1})
    floor.abort()
    assert (3,) == floor.start().key_ids
    assert [1, 2, 3] == floor.due(), "who was to be told the old keys is told the new ones"
    floor.to_done(2)
    assert {1: "retired", 2: "retired", 3: "current"} == floor.generations()


def test_from_the_switch_on_there_is_no_way_back(floor: Floor) -> None:
    """Some nodes may send with the new keys; pausing does not change that."""
    floor.start()
    floor.to_switching()
    for _ in range(2):
        with pytest.raises(OperatorError, match="can only go forward") as refusal:
            floor.abort()
        assert ExitCode.REFUSED is refusal.value.exit_code
        if floor.record().phase is not Phase.PAUSED:
            floor.pause()
    assert {1: "previous", 2: "current"} == floor.generations()


def test_commands_to_what_is_not_there_are_refused(floor: Floor) -> None:
    """Each with a sentence."""
    for command in (floor.pause, floor.resume, floor.abort):
        with pytest.raises(OperatorError, match="has had no rollover"):
            command()
    with pytest.raises(OperatorError, match="there is no network"):
        floor.desk.write(lambda tx: pause_rollover(tx, "lap", actor=ACTOR))
    floor.start()
    with pytest.raises(OperatorError, match="is not paused"):
        floor.resume()
    floor.abort()
    with pytest.raises(OperatorError, match="over \\(aborted\\)"):
        floor.abort()


# --- Short identifiers --------------------------------------------------------------------------


def test_f03_short_identifiers_are_free_when_the_old_keys_are_retired(floor: Floor) -> None:
    """Not before: a node may still send with them (RFC 9031 §8.4.4.1)."""

    def used() -> int:
        live = [n for n, state in floor.generations().items() if state != "retired"]
        return floor.desk.read(lambda tx: tx.leases.used(1, min(live)))

    floor.hall.act(remove_pledge, 3)
    assert 4 == used()
    floor.start()
    floor.to_switching()
    floor.tell()
    floor.advance()
    assert 4 == used()
    floor.advance(guard_over=True)
    assert 3 == used()


def test_no_key_is_in_what_is_shown(floor: Floor) -> None:
    """Neither in the status nor in the audit log."""
    shown = repr(floor.start()) + repr(floor.desk.sql("SELECT detail FROM event"))
    keys = floor.desk.read(
        lambda tx: [key.key_value for each in tx.keysets.live(1) for key in each.keys]
    )
    assert 2 == len(keys)
    for value in keys:
        assert isinstance(value, Secret)
        assert value.reveal().hex() not in shown
