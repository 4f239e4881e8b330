"""What a person is told before a rollover is started, aborted, or leaves nodes behind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledges
from jrc.service.rollover_consent import RolloverPlan, Shown, plan_abort, plan_resume, plan_start
from jrc.service.wording import Plan
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.rollovers import Floor, floor_at


def _abort(floor: Floor) -> RolloverPlan:
    return floor.desk.read(lambda tx: plan_abort(tx, "lab"))


def _resume(floor: Floor, *, anyway: bool) -> RolloverPlan:
    return floor.desk.read(lambda tx: plan_resume(tx, "lab", anyway=anyway))


def test_an_abort_counts_those_that_may_know_the_new_keys(floor: Floor) -> None:
    """Whoever was sent them, whatever came of it; nobody before the first datagram."""
    floor.start()
    assert "No node has been told them." in _abort(floor).sentences[1]
    floor.tell(NodeState.UNREACHABLE, only=[1])
    floor.tell(only=[2])
    assert "2 nodes may have been told them, and are told" in _abort(floor).sentences[1]
    assert "key ids 2" in _abort(floor).sentences[1]
    assert _abort(floor).needs_consent


def test_a_rollover_that_has_switched_has_no_plan_for_an_abort(floor: Floor) -> None:
    """As the command itself is refused."""
    floor.start()
    floor.to_switching()
    with pytest.raises(OperatorError, match="can only go forward"):
        _abort(floor)


def test_going_on_anyway_counts_those_who_are_cut_off(floor: Floor) -> None:
    """It needs consent, and plainly going on does not."""
    floor.start()
    floor.tell(only=[1])
    floor.tell(NodeState.UNREACHABLE)
    floor.advance(deadline_passed=True)
    plan = _resume(floor, anyway=True)
    assert "come into force with 1 of 3 6LNs" in plan.sentences[0]
    assert "2 6LNs have not got them: cut off once" in plan.sentences[1]
    assert plan.needs_consent
    assert not _resume(floor, anyway=False).needs_consent


def test_what_is_not_paused_has_no_plan_for_going_on(floor: Floor) -> None:
    """Nor has anyway a sense where nothing waits for a share."""
    floor.start()
    for anyway in (True, False):
        with pytest.raises(OperatorError, match="is not paused, but distributing"):
            _resume(floor, anyway=anyway)
    floor.to_switching()
    floor.pause()
    floor.resume()
    with pytest.raises(OperatorError, match="is not paused, but switching"):
        _resume(floor, anyway=False)
    floor.to_done()
    with pytest.raises(OperatorError, match="is over"):
        _resume(floor, anyway=True)


@pytest.mark.parametrize("is_paused", [False, True])
def test_ending_a_switch_without_a_border_router_says_who_goes_on_with_the_old_keys(
    floor: Floor, is_paused: bool
) -> None:
    """And whoever was revoked can, too: it is not out then."""
    floor.start()
    floor.to_switching()
    if is_paused:
        floor.pause()
    plan = _resume(floor, anyway=True)
    assert plan.shown == Shown(id=1, phase=Phase.SWITCHING, affected=1)
    assert "1 6LBR has not got the new keys" in plan.sentences[1]
    assert "Whoever was revoked can go on" in plan.sentences[-1]
    floor.join(5, role=1)
    said = _refused_yes(floor, lambda tx: plan_resume(tx, "lab", anyway=True, agreed_to=plan.shown))
    assert "it concerns 2 missing radios now, and 1 then" in said
    floor.resume(anyway=True)
    assert floor.advance() is Phase.GUARDING


def test_ending_a_switch_in_a_network_without_border_router_names_it(desk: Desk) -> None:
    """Its 6LNs have both sets, and hear nobody who sends with the new one (RFC 9031 §8.4.3.2)."""
    with floor_at(desk, 1, 0) as floor:
        floor.start()
        floor.to_switching()
        assert ("lab",) == floor.status().without_router
        plan = _resume(floor, anyway=True)
        assert plan.shown == Shown(id=1, phase=Phase.SWITCHING, affected=1)
        assert "Network lab has no 6LBR" in plan.sentences[1]
        floor.resume(anyway=True)
        assert floor.advance(guard_over=True) is Phase.DONE
        assert ("lab",) == floor.status().without_router


def _revoke(floor: Floor, number: int) -> None:
    names = [pledge_id(number)]
    floor.desk.write(lambda tx: revoke_pledges(tx, names, actor="uid 7", reason="stolen"))


def _refused_yes(floor: Floor, plan: Callable[[Registry], Plan]) -> str:
    """What is said to a yes for what is there no more."""
    with pytest.raises(OperatorError) as caught:
        floor.desk.read(plan)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "is not as it was shown any more" in caught.value.message
    assert "`jrc rollover status lab`" in caught.value.hint
    return caught.value.message


def test_a_yes_to_an_abort_is_not_for_the_rollover_of_a_revocation(floor: Floor) -> None:
    """It has replaced the one that was shown, since the device may know the new keys."""
    floor.start()
    floor.tell(only=[1])
    shown = _abort(floor).shown
    assert shown is not None
    floor.desk.read(lambda tx: plan_abort(tx, "lab", shown))
    _revoke(floor, 1)
    said = _refused_yes(floor, lambda tx: plan_abort(tx, "lab", shown))
    assert "another rollover has taken its place, started at 20" in said
    assert "by uid 7 (cause: revocation), which is distributing" in said
    floor.tell(number=2)
    assert floor.advance(2) is Phase.SWITCHING
    assert "another rollover" in _refused_yes(floor, lambda tx: plan_abort(tx, "lab", shown))


def test_a_yes_to_an_abort_is_not_for_a_device_revoked_since(floor: Floor) -> None:
    """The rollover is the same, and is to put the device out now; restored, the yes is good."""
    floor.start()
    shown = _abort(floor).shown
    _revoke(floor, 1)
    said = _refused_yes(floor, lambda tx: plan_abort(tx, "lab", shown))
    assert "it concerns 1 revoked device now, and 0 then" in said
    now = _abort(floor)
    assert now.shown == Shown(id=1, phase=Phase.DISTRIBUTING, affected=1)
    floor.desk.write(lambda tx: restore_pledge(tx, pledge_id(1), actor=ACTOR))
    floor.desk.read(lambda tx: plan_abort(tx, "lab", now.shown))
    floor.desk.read(lambda tx: plan_abort(tx, "lab", shown))


def test_a_yes_to_an_abort_holds_through_a_pause_but_not_a_beginning(floor: Floor) -> None:
    """Nobody had been told anything when it was shown."""
    floor.start(not_before_ms=NOW_MS + 60_000)
    shown = _abort(floor).shown
    floor.pause()
    floor.desk.read(lambda tx: plan_abort(tx, "lab", shown))
    floor.resume()
    floor.desk.now_ms += 60_000
    floor.advance()
    said = _refused_yes(floor, lambda tx: plan_abort(tx, "lab", shown))
    assert "it was planned, and is distributing now" in said


def test_a_yes_to_going_on_anyway_is_for_no_more_nodes_than_were_shown(floor: Floor) -> None:
    """Nor for another rollover; who is reached meanwhile is not cut off."""
    floor.start()
    floor.tell(only=[1])
    floor.tell(NodeState.UNREACHABLE)
    floor.advance(deadline_passed=True)
    shown = _resume(floor, anyway=True).shown
    assert shown == Shown(id=1, phase=Phase.DISTRIBUTING, affected=2)

    def agreed(tx: Registry) -> Plan:
        return plan_resume(tx, "lab", anyway=True, agreed_to=shown)

    floor.desk.read(
        lambda tx: plan_resume(tx, "lab", anyway=True, agreed_to=replace(shown, affected=3))
    )
    floor.join(5)
    assert "it concerns 3 6LNs now, and 2 then" in _refused_yes(floor, agreed)
    _revoke(floor, 5)
    floor.desk.read(agreed)
    _revoke(floor, 1)
    assert "another rollover has taken its place" in _refused_yes(floor, agreed)


def test_a_start_says_when_and_refuses_a_time_that_is_over(floor: Floor) -> None:
    """A slip of the pen must not begin a rollover at once."""

    def plan(at_ms: int | None) -> Plan:
        return floor.desk.read(lambda tx: plan_start(tx, "lab", at_ms))

    usual = plan(None)
    later = plan(NOW_MS + 3_600_000)
    assert (later.needs_consent, later.sentences[:-1]) == (True, tuple(usual.sentences))
    assert later.sentences[-1].startswith("It begins at 20")
    with pytest.raises(OperatorError, match="is over; it is") as caught:
        plan(NOW_MS - 1)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("plan", [_abort, lambda floor: _resume(floor, anyway=False)])
def test_without_a_rollover_there_is_nothing_to_plan(floor: Floor, plan: object) -> None:
    """The hint starts one."""
    with pytest.raises(OperatorError, match="has had no rollover") as caught:
        plan(floor)  # type: ignore[operator]
    assert "jrc rollover start" in caught.value.hint


@pytest.mark.parametrize(
    ("move", "said", "unsaid"),
    [
        (None, ("watch", "pause", "abort"), "resume"),
        ("pause", ("watch", "resume", "abort"), "pause"),
        ("to_switching", ("watch", "pause"), "abort"),
    ],
)
def test_there_is_no_plan_while_a_rollover_runs(
    floor: Floor, move: str | None, said: tuple[str, ...], unsaid: str
) -> None:
    """The refusal names it, and what can be done with it in its phase."""
    floor.start()
    if move is not None:
        getattr(floor, move)()
    with pytest.raises(OperatorError, match="has a rollover already, started at 2026-11-30") as no:
        floor.desk.read(lambda tx: plan_start(tx, "lab", None))
    assert no.value.exit_code is ExitCode.REFUSED
    assert [word for word in said if f"`jrc rollover {word} lab`" in no.value.hint] == [*said]
    assert f"rollover {unsaid}" not in no.value.hint
