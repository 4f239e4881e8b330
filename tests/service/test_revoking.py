"""Revoking, restoring, and the keys that networks get because of it."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile, Secret
from jrc.policy.rollover import NodeState, Phase
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.pledges import list_pledges
from jrc.service.registry import Registry
from jrc.service.revoking import (
    Restored,
    Revoked,
    plan_revocation,
    restore_pledge,
    revoke_pledges,
)
from jrc.service.rollover import (
    advance,
    pause_rollover,
    resume_rollover,
    start_rollover,
)
from jrc.service.rollover_records import RolloverRecord, RolloverSettings
from jrc.service.rollover_wishes import start_wanted
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import Hall, ciphertext, hall_at

JOIN_AS_6LBR = bytes.fromhex("a201010542cafe")


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    desk.network()
    with hall_at(desk) as opened:
        yield opened


def joined(hall: Hall, *numbers: int, **more: Any) -> list[OddPledge]:
    """6LNs that have joined."""
    pledges = [hall.enroll(number, **more) for number in numbers]
    for pledge in pledges:
        hall.join(pledge)
    return pledges


def border_router(hall: Hall, number: int = 9) -> OddPledge:
    pledge = hall.enroll(number, role=1)
    hall.join(pledge, JOIN_AS_6LBR)
    return pledge


def revoke(hall: Hall, *numbers: int, **more: Any) -> Revoked:
    names = [pledge_id(number) for number in numbers]
    return hall.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR, **more))


def restore(hall: Hall, number: int) -> Restored:
    return hall.desk.write(lambda tx: restore_pledge(tx, pledge_id(number), actor=ACTOR))


def plan(hall: Hall, *numbers: int, **more: Any) -> str:
    names = [pledge_id(number) for number in numbers]
    return " ".join(hall.desk.read(lambda tx: plan_revocation(tx, names, **more)).sentences)


def start(hall: Hall, name: str = "lab") -> None:
    hall.desk.write(lambda tx: start_rollover(tx, name, actor=ACTOR))


def on(hall: Hall, use_case: Callable[..., object], name: str = "lab", **more: Any) -> None:
    hall.desk.write(lambda tx: use_case(tx, name, actor=ACTOR, **more))


def running(hall: Hall) -> RolloverRecord:
    found = hall.desk.read(lambda tx: tx.rollovers.running(1))
    assert found is not None
    return found


def rollovers(hall: Hall) -> list[tuple[str, str]]:
    """Phase and cause of all there were in domain 1, the newest first."""
    found = hall.desk.read(lambda tx: tx.rollovers.latest(1, 9))
    return [(record.phase.value, record.cause.value) for record in found]


def states(hall: Hall) -> dict[int, NodeState]:
    """Nodes of the newest rollover by number of the pledge's identifier."""

    def work(tx: Registry) -> dict[int, NodeState]:
        record = tx.rollovers.latest(1)[0]
        nodes = tx.rollovers.nodes(record.id)
        names = tx.rollovers.identifiers([node.pledge_id for node in nodes])
        return {names[node.pledge_id][-1]: node.state for node in nodes}

    return hall.desk.read(work)


def note(hall: Hall, state: NodeState, *numbers: int) -> None:
    """Nodes were told, and some have answered, as the telling writes it down."""

    def work(tx: Registry) -> None:
        records = tx.pledges.find([pledge_id(number).value for number in numbers])
        found = tx.rollovers.find(running_id, [each.id for each in records.values()])
        told = [each._replace(state=state, sent_at_ms=tx.now_ms) for each in found.values()]
        tx.rollovers.save_nodes(told)

    running_id = running(hall).id
    hall.desk.write(work)


def go_on(hall: Hall, *, guard_over: bool = False) -> Phase:
    number = running(hall).id
    return hall.desk.write(lambda tx: advance(tx, number, guard_over=guard_over)).phase


def finish(hall: Hall, *numbers: int) -> None:
    """A rollover to its end, these being reached."""
    note(hall, NodeState.REACHED, *numbers)
    go_on(hall)
    assert go_on(hall, guard_over=True) is Phase.DONE


def generations(hall: Hall) -> list[str]:
    found = hall.desk.read(lambda tx: tx.keysets.generations(1))
    return [each.state.value for each in found]


def outcomes(done: Revoked) -> list[str]:
    return [each.outcome for each in done.rollovers]


# Answers stop


def test_k09_a_revoked_pledge_gets_no_answer_and_no_copy_of_one(hall: Hall) -> None:
    """RFC 9031 §8.4.2: neither to a new request nor to the last one, whatever the cache says."""
    pledge = hall.enroll()
    request = pledge.request(bytes.fromhex("a10542cafe"))
    answer = hall.ask(request)
    assert answer is not None
    hall.desk.now_ms += 2000
    copy = hall.ask(request)
    assert copy is not None
    assert ciphertext(copy) == ciphertext(answer)
    revoke(hall, 1)
    hall.desk.now_ms += 2000
    assert hall.ask(request) is None
    assert hall.ask(pledge.request(bytes.fromhex("a10542cafe"))) is None


def test_k09_the_stored_answer_is_dead_even_if_the_pledge_is_restored(hall: Hall) -> None:
    """A copy of the request from before the revocation gets nothing; a new request does."""
    pledge = hall.enroll()
    request = pledge.request(bytes.fromhex("a10542cafe"))
    assert hall.ask(request) is not None
    revoke(hall, 1, rekey=False)
    assert restore(hall, 1).must_join is False
    hall.contexts.forget_all()
    hall.desk.now_ms += 2000
    assert hall.ask(request) is None
    hall.join(pledge)


def test_revoking_needs_agreement_and_names_all(hall: Hall) -> None:
    """Nothing is changed without it."""
    joined(hall, 1, 2)
    with pytest.raises(OperatorError, match="2 pledges get no more answers") as refusal:
        revoke(hall, 1, 2, agreed=False)
    assert refusal.value.exit_code == ExitCode.REFUSED
    assert rollovers(hall) == []
    assert {each.state for each in hall.desk.read(list_pledges)} == {"joined"}


def test_an_unknown_pledge_among_many_stops_all(hall: Hall) -> None:
    """One transaction: all or none."""
    joined(hall, 1)
    with pytest.raises(OperatorError, match="00124b0000000007 is unknown"):
        revoke(hall, 1, 7)
    assert hall.desk.read(list_pledges)[0].state == "joined"


def test_revoking_twice_changes_nothing_more(hall: Hall) -> None:
    """It is idempotent, also within one command: there is one rollover and one event."""
    joined(hall, 1, 2)
    done = revoke(hall, 1, 1)
    assert [each.changed for each in done.pledges] == [True]
    again = revoke(hall, 1)
    assert ([each.changed for each in again.pledges], again.rollovers) == ([False], ())
    assert len(rollovers(hall)) == 1
    kinds = [entry.kind for entry in hall.desk.read(list_events)]
    assert kinds.count("pledge.revoked") == 1
    assert plan(hall, 1) == "Pledge 00124b0000000001 is revoked already."


def test_too_many_at_once_are_refused(hall: Hall) -> None:
    """Joins wait for the transaction."""
    with pytest.raises(OperatorError, match="1001 pledges are more than the 1000"):
        revoke(hall, *range(1001))


# The keys that they have


def test_k09_revoking_a_node_starts_a_rollover_without_it(hall: Hall) -> None:
    """RFC 9031 §8.4.3.1: the others are told, and it is not among them."""
    joined(hall, 1, 2, 3)
    done = revoke(hall, 2, reason="stolen")
    assert outcomes(done) == ["started"]
    assert rollovers(hall) == [("distributing", "revocation")]
    assert running(hall).reason == "stolen"
    assert states(hall) == {1: NodeState.PENDING, 3: NodeState.PENDING}
    assert "jrc rollover watch lab" in done.said[0]


def test_a_pledge_that_never_joined_starts_none(hall: Hall) -> None:
    """It has no keys: neither does one that was refused."""
    joined(hall, 1)
    pledge = hall.enroll(2)
    assert hall.ask(pledge.request(bytes.fromhex("a10542beef"))) is not None
    done = revoke(hall, 2)
    assert (outcomes(done), rollovers(hall)) == ([], [])
    assert "rollover" not in plan(hall, 2)


def test_several_at_once_have_one_rollover_a_key_domain(hall: Hall) -> None:
    """RFC 9031 §8.4.4.1: networks of one key domain change their keys together."""
    hall.desk.network("win", b"\xbe\xef", prefix="2001:db8:1::/64")
    joined(hall, 1, 2, 3, networks=("lab",))
    other = hall.enroll(4, networks=("win",))
    hall.join(other, bytes.fromhex("a10542beef"))
    done = revoke(hall, 1, 2, 4)
    assert outcomes(done) == ["started", "started"]
    assert [each.networks for each in done.rollovers] == [("lab",), ("win",)]
    assert states(hall) == {3: NodeState.PENDING}


def test_networks_that_share_keys_are_all_said(hall: Hall) -> None:
    """They switch together, whichever of them the pledge was in."""
    hall.desk.network("hut", b"\xbe\xef", prefix="2001:db8:1::/64", key_domain="lab")
    joined(hall, 1, networks=("lab",))
    neighbour = hall.enroll(2, networks=("hut",))
    hall.join(neighbour, bytes.fromhex("a10542beef"))
    assert "everybody else in hut and lab" in plan(hall, 1)
    (rekeyed,) = revoke(hall, 1).rollovers
    assert (rekeyed.networks, states(hall)) == (("hut", "lab"), {2: NodeState.PENDING})


def test_a_pledge_that_was_in_two_key_domains_has_the_keys_of_both(hall: Hall) -> None:
    """Its place is in one; what was burned for it tells of the other (RFC 9031 §8.4.4.1)."""
    hall.desk.network("win", b"\xbe\xef", prefix="2001:db8:1::/64")
    pledge = hall.enroll(1, networks=("lab", "win"))
    hall.join(pledge)
    hall.join(pledge, bytes.fromhex("a10542beef"))
    assert sorted(each.networks for each in revoke(hall, 1).rollovers) == [("lab",), ("win",)]


def test_a_pledge_without_short_identifiers_may_have_the_keys_of_each_of_its_networks(
    hall: Hall,
) -> None:
    """Nothing is burned for it, so no row tells where it was before."""
    hall.desk.network("win", b"\xbe\xef", prefix="2001:db8:1::/64")
    pledge = hall.enroll(1, networks=("lab", "win"), profile=Profile.OPENWSN)
    hall.join(pledge)
    hall.join(pledge, bytes.fromhex("a10542beef"))
    hall.enroll(2, networks=("lab", "win"), profile=Profile.OPENWSN)
    assert outcomes(revoke(hall, 2)) == []
    assert outcomes(revoke(hall, 1)) == ["started", "started"]


def test_keys_from_before_a_new_psk_or_a_move_still_count(hall: Hall) -> None:
    """The device has them, whatever has become of its place."""
    hall.desk.network("win", b"\xbe\xef", prefix="2001:db8:1::/64")
    joined(hall, 1, networks=("lab",))
    moved = Applicant(identifier=pledge_id(1), keys=Secret(os.urandom(16)), networks=("win",))
    hall.desk.write(lambda tx: add_pledge(tx, moved, actor=ACTOR, on_conflict=OnConflict.REPLACE))
    (rekeyed,) = revoke(hall, 1).rollovers
    assert (rekeyed.networks, rekeyed.outcome) == (("lab",), "started")


def test_who_has_retired_keys_alone_starts_none(hall: Hall) -> None:
    """It was not reached by the last rollover: there is nothing to take from it."""
    joined(hall, 1, 2)
    start(hall)
    note(hall, NodeState.REACHED, 2)
    on(hall, pause_rollover)
    on(hall, resume_rollover, anyway=True)
    assert go_on(hall, guard_over=True) is Phase.DONE
    assert "are retired, and good for nothing" in plan(hall, 1)
    assert outcomes(revoke(hall, 1)) == []
    assert rollovers(hall) == [("done", "operator")]


def test_one_that_was_not_sent_the_new_keys_is_taken_out_of_a_running_rollover(
    hall: Hall,
) -> None:
    """The one that is running retires all it has."""
    joined(hall, 1, 2)
    start(hall)
    assert "were not sent to whom you revoke" in plan(hall, 1)
    assert outcomes(revoke(hall, 1)) == ["taken_out"]
    assert rollovers(hall) == [("distributing", "operator")]
    assert states(hall) == {1: NodeState.LEFT, 2: NodeState.PENDING}
    finish(hall, 2)
    assert generations(hall) == ["retired", "current"]


@pytest.mark.parametrize(
    "state",
    [NodeState.SENT, NodeState.REACHED, NodeState.REFUSED, NodeState.UNREACHABLE],
)
@pytest.mark.parametrize("is_paused", [False, True])
def test_one_that_was_sent_the_new_keys_makes_others_of_them(
    hall: Hall, state: NodeState, is_paused: bool
) -> None:
    """The rollover is aborted, and another one starts at once with keys that it was never sent."""
    joined(hall, 1, 2, 3)
    start(hall)
    note(hall, state, 1)
    note(hall, NodeState.REACHED, 2)
    if is_paused:
        on(hall, pause_rollover)
    assert "Another one begins at once" in plan(hall, 1)
    assert outcomes(revoke(hall, 1)) == ["restarted"]
    assert rollovers(hall) == [("distributing", "revocation"), ("aborted", "operator")]
    assert states(hall) == {2: NodeState.PENDING, 3: NodeState.PENDING}
    assert generations(hall) == ["current", "aborted", "scheduled"]


def test_one_that_joins_after_it_was_sent_the_new_keys_has_them_still(hall: Hall) -> None:
    """Its row begins anew with the join, and yet it has heard of the scheduled keys."""
    first, _ = joined(hall, 1, 2)
    start(hall)
    note(hall, NodeState.REACHED, 1)
    hall.contexts.forget_all()
    hall.join(first)
    assert states(hall)[1] is NodeState.PENDING
    assert outcomes(revoke(hall, 1)) == ["restarted"]


def test_a_rollover_that_waits_for_its_time_does_not_wait_for_a_revocation(hall: Hall) -> None:
    """Nobody was told yet; another one begins now."""
    joined(hall, 1, 2)
    later = hall.desk.now_ms + 3_600_000
    hall.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR, not_before_ms=later))
    assert running(hall).phase is Phase.PLANNED
    assert outcomes(revoke(hall, 1)) == ["restarted"]
    assert running(hall).phase is Phase.DISTRIBUTING


def test_a_paused_rollover_stays_paused_and_that_is_said(hall: Hall) -> None:
    """The operator's word counts; the old keys are good until it is resumed."""
    joined(hall, 1, 2)
    start(hall)
    on(hall, pause_rollover)
    assert "`jrc rollover resume lab` lets it go on" in plan(hall, 1)
    assert outcomes(revoke(hall, 1)) == ["taken_out"]
    assert running(hall).phase is Phase.PAUSED


@pytest.mark.parametrize("phase", [Phase.SWITCHING, Phase.GUARDING])
def test_one_that_has_the_keys_that_are_switched_to_makes_a_successor(
    hall: Hall, phase: Phase
) -> None:
    """It can only go forward; another one begins when it has ended, without the revoked."""
    joined(hall, 1, 2)
    border_router(hall)
    start(hall)
    note(hall, NodeState.REACHED, 1, 2)
    assert go_on(hall) is Phase.SWITCHING
    if phase is Phase.GUARDING:
        note(hall, NodeState.REACHED, 9)
        assert go_on(hall) is Phase.GUARDING
    assert "is switching to keys that whom you revoke was sent" in plan(hall, 1)
    assert outcomes(revoke(hall, 1)) == ["wanted"]
    assert rollovers(hall) == [(phase.value, "operator")]
    note(hall, NodeState.REACHED, 9)
    if phase is Phase.SWITCHING:
        go_on(hall)
    assert go_on(hall, guard_over=True) is Phase.DONE
    hall.desk.write(lambda tx: start_wanted(tx, RolloverSettings()))
    assert rollovers(hall) == [("distributing", "revocation"), ("done", "operator")]
    assert set(states(hall)) == {2, 9}


def test_one_that_a_switch_left_behind_is_only_taken_out(hall: Hall) -> None:
    """It was never sent the keys that are switched to, and those it has are about to go."""
    joined(hall, 1, 2)
    border_router(hall)
    start(hall)
    note(hall, NodeState.REACHED, 2)
    on(hall, pause_rollover)
    on(hall, resume_rollover, anyway=True)
    assert running(hall).phase is Phase.SWITCHING
    assert outcomes(revoke(hall, 1)) == ["taken_out"]
    assert hall.desk.read(lambda tx: tx.rollovers.wanted(1)) is None
    finish(hall, 2, 9)


def test_where_no_keys_can_be_drawn_it_is_revoked_all_the_same(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers stop at once; the new keys stay wanted, and the sentence says why."""

    def none_free(*_given: object) -> None:
        raise OperatorError("1 new key ids are needed, and 0 of 254 are free")

    pledge, _ = joined(hall, 1, 2)
    with monkeypatch.context() as patched:
        patched.setattr("jrc.service.rollover.draw_keys", none_free)
        done = revoke(hall, 1)
    assert outcomes(done) == ["wanted"]
    assert "could not be drawn: 1 new key ids are needed" in done.said[0]
    assert hall.ask(pledge.request(bytes.fromhex("a10542cafe"))) is None
    hall.desk.write(lambda tx: start_wanted(tx, RolloverSettings()))
    assert rollovers(hall) == [("distributing", "revocation")]


def test_without_new_keys_it_is_told_loudly(hall: Hall) -> None:
    """`--no-rollover` is the operator's own risk."""
    joined(hall, 1, 2)
    assert "WITHOUT NEW KEYS" in plan(hall, 1, rekey=False)
    done = revoke(hall, 1, rekey=False)
    assert (outcomes(done), rollovers(hall)) == (["omitted"], [])
    assert "ARE NOT CHANGED" in done.said[0]


def test_the_plan_names_nodes_that_must_join_again_and_the_time(hall: Hall) -> None:
    """Before a yes: whom it reaches, whom it can't, when the device is out."""
    joined(hall, 1, 2, 3)
    joined(hall, 4, profile=Profile.OPENWSN)
    border_router(hall)
    told = plan(hall, 1, settings=RolloverSettings(deadline_s=1800))
    assert "2 6LNs, then 1 6LBR, are told by update" in told
    assert "1 node of profile openwsn can't be told new keys" in told
    assert "after 30 min it pauses and asks" in told


# A 6LBR


def test_revoking_the_border_router_says_what_the_network_loses(hall: Hall) -> None:
    """RFC 9031 §8.4.3.1: nobody is left to be told last, so the rollover passes through."""
    joined(hall, 1)
    border_router(hall)
    told = plan(hall, 9)
    assert "00124b0000000009 IS THE BORDER ROUTER (6LBR) of network lab" in told
    assert "Nothing here changes the keys of a 6LBR of network lab" in told
    assert outcomes(revoke(hall, 9)) == ["started"]
    assert states(hall) == {1: NodeState.PENDING}
    note(hall, NodeState.REACHED, 1)
    assert go_on(hall) is Phase.GUARDING


def test_a_switch_does_not_wait_for_a_border_router_that_is_revoked(hall: Hall) -> None:
    """It was not told the new keys, and never will be."""
    joined(hall, 1)
    border_router(hall)
    start(hall)
    note(hall, NodeState.REACHED, 1)
    assert go_on(hall) is Phase.SWITCHING
    assert outcomes(revoke(hall, 9)) == ["taken_out"]
    assert go_on(hall) is Phase.GUARDING


# Short identifiers


def test_f03_a_revoked_pledges_short_identifier_is_held_back_until_its_keys_are_retired(
    hall: Hall,
) -> None:
    """RFC 9031 §8.4.4.1: nobody else has it under keys that the device may have."""
    value = hall.short_id(hall.enroll(1))
    joined(hall, 2)
    assert used(hall) == 2
    revoke(hall, 1)
    assert used(hall) == 2
    assert hall.desk.read(list_pledges)[0].short_id is None
    finish(hall, 2)
    assert used(hall) == 1
    (row,) = hall.desk.sql(f"SELECT last_generation FROM short_identifier WHERE value = {value}")
    assert row == (1,)


def used(hall: Hall) -> int:
    def work(tx: Registry) -> int:
        live = tx.keysets.live(1)
        return tx.leases.used(1, live[0].generation)

    return hall.desk.read(work)


# Restoring


def test_m03_one_restored_with_its_keys_in_force_is_the_node_that_it_was(hall: Hall) -> None:
    """State, window, place and short identifier are those from before (RFC 8613 §7.5)."""
    value = hall.short_id(hall.enroll(1))
    window = hall.desk.sql("SELECT highest, seen FROM context_state")
    revoke(hall, 1, rekey=False)
    done = restore(hall, 1)
    assert (done.state, done.must_join, done.changed) == ("joined", False, True)
    assert hall.desk.sql("SELECT highest, seen FROM context_state") == window
    assert hall.desk.read(list_pledges)[0].short_id == f"{value:04x}"
    kinds = [
        entry.kind for entry in hall.desk.read(lambda tx: list_events(tx, pledge=pledge_id(1)))
    ]
    assert kinds == ["pledge.added", "pledge.joined", "pledge.revoked", "pledge.restored"]


@pytest.mark.parametrize("is_done", [False, True])
def test_m03_one_restored_after_its_keys_were_changed_has_to_join_again(
    hall: Hall, is_done: bool
) -> None:
    """Nobody gets retired keys back; it goes on with its window and its short identifier."""
    pledge = hall.enroll(1)
    value = hall.short_id(pledge)
    joined(hall, 2)
    revoke(hall, 1)
    if is_done:
        finish(hall, 2)
    done = restore(hall, 1)
    assert (done.state, done.must_join) == ("provisioned", True)
    assert "has to join again" in done.said[0]
    hall.contexts.forget_all()
    assert hall.short_id(pledge) == value
    if not is_done:
        assert states(hall)[1] is NodeState.PENDING


def test_restoring_one_that_is_not_revoked_changes_nothing(hall: Hall) -> None:
    """Both are idempotent, and the first state is what comes back."""
    hall.enroll(1)
    assert restore(hall, 1).changed is False
    revoke(hall, 1)
    assert (restore(hall, 1).state, restore(hall, 1).changed) == ("provisioned", False)


# The blocklist


def test_g01_a_full_blocklist_is_said(hall: Hall) -> None:
    """RFC 9031 §8.4.2: the oldest are left out, and the command says so."""
    for number in range(65):
        hall.desk.pledge(number)
    numbers = range(65)
    assert revoke(hall, *numbers[:8]).said == ()
    (sentence,) = revoke(hall, *numbers[8:64]).said
    assert "is full: its nodes hear of the 8 that were revoked last, its 6LBRs of 64;" in sentence
    (sentence,) = revoke(hall, *numbers[64:]).said
    assert "its 6LBRs of 64;" in sentence


def test_g01_the_next_6lbr_is_told_of_who_never_joined_as_well(hall: Hall) -> None:
    """What joins are decided by is read anew, whether keys change or not (RFC 9031 §8.4.2)."""
    border, _ = hall.enroll(9, role=1), hall.enroll(1)
    assert hall.join(border, JOIN_AS_6LBR).blocklist == ()
    revoke(hall, 1)
    assert hall.join(border, JOIN_AS_6LBR).blocklist == (pledge_id(1).value,)


# Leaving otherwise


def test_one_that_is_removed_leaves_a_running_rollover(hall: Hall) -> None:
    """It is told nothing more, and nobody waits for it."""
    joined(hall, 1, 2)
    start(hall)
    hall.act(remove_pledge, 1)
    assert states(hall) == {1: NodeState.LEFT, 2: NodeState.PENDING}
