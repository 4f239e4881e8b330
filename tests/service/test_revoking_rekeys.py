"""The keys that networks get because a pledge is revoked, with a rollover under way and without."""

import os

import pytest

from jrc.errors import OperatorError
from jrc.model import Profile, Secret
from jrc.policy.rollover import NodeState, Phase
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.examine import OnConflict
from jrc.service.rollover import pause_rollover, resume_rollover, start_rollover
from jrc.service.rollover_records import RolloverSettings
from jrc.service.rollover_wishes import start_wanted
from tests.desk import ACTOR, pledge_id
from tests.joining import Hall
from tests.service.revocations import (
    border_router,
    finish,
    generations,
    go_on,
    joined,
    note,
    on,
    outcomes,
    plan,
    revoke,
    rollovers,
    running,
    start,
    states,
)


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
    finish(hall)
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
    hall.desk.write(lambda tx: start_wanted(tx, 1, RolloverSettings()))
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
    hall.desk.write(lambda tx: start_wanted(tx, 1, RolloverSettings()))
    assert rollovers(hall) == [("distributing", "revocation")]


def test_a_switch_does_not_wait_for_a_border_router_that_is_revoked(hall: Hall) -> None:
    """It was not told the new keys, and never will be; the other one begins to send with them."""
    joined(hall, 1)
    border_router(hall, 8)
    border_router(hall, 9)
    start(hall)
    note(hall, NodeState.REACHED, 1)
    assert go_on(hall) is Phase.SWITCHING
    note(hall, NodeState.REACHED, 8)
    assert go_on(hall) is Phase.SWITCHING
    assert outcomes(revoke(hall, 9)) == ["taken_out"]
    assert go_on(hall) is Phase.GUARDING


def test_the_old_keys_stay_good_when_the_only_border_router_is_revoked_in_the_switch(
    hall: Hall,
) -> None:
    """Until another one has joined, which gets the new keys alone (RFC 9031 §8.4.3.2)."""
    joined(hall, 1)
    border_router(hall)
    start(hall)
    note(hall, NodeState.REACHED, 1)
    assert go_on(hall) is Phase.SWITCHING
    assert outcomes(revoke(hall, 9)) == ["taken_out"]
    assert go_on(hall) is Phase.SWITCHING
    assert generations(hall) == ["previous", "current"]
    border_router(hall, 8)
    assert go_on(hall) is Phase.SWITCHING
    finish(hall, 8)
    assert generations(hall) == ["retired", "current"]
