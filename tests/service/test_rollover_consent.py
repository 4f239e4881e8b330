"""What a person is told before a rollover is started, aborted, or leaves nodes behind."""

from collections.abc import Iterator

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.policy.rollover import NodeState
from jrc.service.rollover_consent import plan_abort, plan_resume, plan_start
from jrc.service.wording import Plan
from tests.desk import NOW_MS, Desk
from tests.rollovers import Floor, floor_at


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Three 6LNs (rows 1 to 3) and a 6LBR (row 4)."""
    with floor_at(desk, 3) as opened:
        yield opened


def _abort(floor: Floor) -> Plan:
    return floor.desk.read(lambda tx: plan_abort(tx, "lab"))


def _resume(floor: Floor, *, anyway: bool) -> Plan:
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
    with pytest.raises(OperatorError, match="waits for no share"):
        _resume(floor, anyway=True)


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
