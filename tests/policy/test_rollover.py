"""The rollover's table: when it goes forward, when no more back, and what it refuses."""

from dataclasses import replace

import pytest

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.policy import rollover
from jrc.policy.rollover import (
    TABLE,
    Abort,
    Action,
    Begin,
    Counts,
    DeadlinePassed,
    Event,
    GuardOver,
    Pause,
    PauseCause,
    Phase,
    Plan,
    Progress,
    Resume,
    Superseded,
    Tally,
    settle,
    step,
)

NOBODY = Counts()
COURSE = (Phase.PLANNED, Phase.DISTRIBUTING, Phase.SWITCHING, Phase.GUARDING, Phase.DONE)


def nodes(border_routers: Tally | None = None, **states: int) -> Counts:
    """Counts of 6LNs by state, with one 6LBR that has nothing yet."""
    return Counts(nodes=Tally(**states), border_routers=border_routers or Tally(pending=1))


def paused(origin: Phase, cause: PauseCause = PauseCause.OPERATOR, permille: int = 1000) -> Plan:
    return Plan(Phase.PAUSED, permille, origin, cause)


PLANS = (*(Plan(phase) for phase in Phase if phase is not Phase.PAUSED), *map(paused, COURSE[:-1]))
UNLED = Counts(nodes=Tally(reached=3), without_router=frozenset({1}))
ALL_READY = Counts(nodes=Tally(reached=3), border_routers=Tally(reached=1))
EVENTS: tuple[Event, ...] = (
    Begin(), Pause(), Resume(), Resume(anyway=True), Abort(), Superseded(),
    *(kind(counts) for kind in (Progress, DeadlinePassed, GuardOver)
      for counts in (NOBODY, ALL_READY, nodes(pending=1), Counts(holding_both=1), UNLED)),
)  # fmt: skip


def test_a_rollover_goes_its_way() -> None:
    """6LNs first, then the 6LBRs, then the guard time (RFC 9031 §8.4.3.1-2)."""
    plan, actions = step(Plan(), Begin())
    assert (Phase.DISTRIBUTING, (Action.TELL_NODES, Action.SET_DEADLINE)) == (plan.phase, actions)
    assert (plan, ()) == step(plan, Progress(nodes(reached=2, sent=1)))
    plan, actions = step(plan, Progress(nodes(reached=3)))
    assert (Phase.SWITCHING, (Action.ACTIVATE, Action.TELL_BORDER_ROUTERS)) == (plan.phase, actions)
    assert (plan, ()) == step(plan, Progress(nodes(reached=3)))
    plan, actions = step(plan, Progress(ALL_READY))
    assert (Phase.GUARDING, (Action.START_GUARD,)) == (plan.phase, actions)
    plan, actions = step(plan, GuardOver(ALL_READY))
    assert (Phase.DONE, (Action.RETIRE, Action.CLOSE)) == (plan.phase, actions)


@pytest.mark.parametrize(
    ("permille", "counts", "forward"),
    [
        (1000, nodes(reached=999, unreachable=1), False),
        (1000, nodes(reached=1000), True),
        (900, nodes(reached=900, unreachable=60, refused=40), True),
        (900, nodes(reached=899, unreachable=101), False),
        (900, nodes(reached=999, sent=1), False),
        (900, nodes(reached=999, pending=1), False),
        (900, nodes(reached=9, must_join=90, left=90), True),
        (900, nodes(must_join=5), True),
        (900, NOBODY, True),
    ],
)
def test_e02_border_routers_wait_for_all_or_for_the_share_with_each_other_node_tried(
    permille: int, counts: Counts, forward: bool
) -> None:
    """All 6LNs, or the overwhelming majority that was configured (RFC 9031 §8.4.3.1)."""
    plan, actions = step(Plan(Phase.DISTRIBUTING, permille), Progress(counts))
    assert forward == (plan.phase is Phase.SWITCHING) == (Action.ACTIVATE in actions)


@pytest.mark.parametrize(
    ("permille", "counts", "forward"),
    [(900, nodes(reached=9, sent=1), True), (900, nodes(reached=89, sent=11), False)],
)
def test_e02_a_deadline_with_less_than_the_share_asks_the_operator(
    permille: int, counts: Counts, forward: bool
) -> None:
    """At the deadline the share alone decides, tried or not (RFC 9031 §8.4.3.1)."""
    plan, actions = step(Plan(Phase.DISTRIBUTING, permille), DeadlinePassed(counts))
    if forward:
        assert Phase.SWITCHING is plan.phase
    else:
        assert paused(Phase.DISTRIBUTING, PauseCause.DEADLINE, permille) == plan
        assert (Action.HOLD,) == actions


@pytest.mark.parametrize("missing", ["pending", "sent", "refused", "unreachable"])
def test_the_switch_ends_when_every_border_router_has_the_keys(missing: str) -> None:
    """One that is missing keeps the old keys alive, for ever if need be (RFC 9031 §8.4.3.1)."""
    plan = Plan(Phase.SWITCHING, 900)
    routers = Tally(reached=99, **{missing: 1})
    assert (plan, ()) == step(plan, Progress(Counts(border_routers=routers)))
    assert Phase.GUARDING is step(plan, Progress(Counts(border_routers=Tally(left=1))))[0].phase


def test_a_switch_does_not_end_in_a_network_where_nobody_begins() -> None:
    """6LNs go on with the old keys until they hear the new ones (RFC 9031 §8.4.3.2)."""
    plan = Plan(Phase.SWITCHING)
    assert (plan, ()) == step(plan, Progress(UNLED))
    one_of_two = replace(ALL_READY, without_router=frozenset({2}))
    assert (plan, ()) == step(plan, Progress(one_of_two))


@pytest.mark.parametrize("plan", [Plan(Phase.SWITCHING), paused(Phase.SWITCHING)])
def test_the_operators_word_ends_a_switch_without_those_that_are_missing(plan: Plan) -> None:
    """The guard time is kept all the same (RFC 9031 §8.5)."""
    after = (Plan(Phase.GUARDING), (Action.START_GUARD,))
    assert after == step(plan, Resume(anyway=True))


@pytest.mark.parametrize("origin", COURSE[:-1])
def test_a_paused_rollover_goes_back_to_where_it_was(origin: Phase) -> None:
    """News alone never moves it; a guard time begins anew."""
    plan, actions = step(Plan(origin), Pause())
    assert (paused(origin), (Action.HOLD,)) == (plan, actions)
    assert (plan, ()) == step(plan, Progress(ALL_READY))
    plan, actions = step(plan, Resume())
    assert Plan(origin) == plan
    assert (Action.START_GUARD in actions) == (origin is Phase.GUARDING)


@pytest.mark.parametrize("permille", [0, 500, 899, 1001])
def test_e02_no_setting_goes_below_the_floor(permille: int) -> None:
    """Nine of ten (RFC 9031 §8.4.3.1 says an overwhelming majority)."""
    with pytest.raises(ValueError, match="900 to 1000 of 1000"):
        Plan(quorum_permille=permille)


def test_e02_the_operators_word_goes_on_with_fewer() -> None:
    """And with it the switch is made, though the share is not there."""
    plan, actions = step(paused(Phase.DISTRIBUTING, PauseCause.DEADLINE), Resume(anyway=True))
    assert (Plan(Phase.SWITCHING), (Action.ACTIVATE, Action.TELL_BORDER_ROUTERS)) == (plan, actions)


def test_a_plain_resume_gives_another_deadline() -> None:
    """Nothing is switched by it."""
    plan, actions = step(paused(Phase.DISTRIBUTING, PauseCause.DEADLINE), Resume())
    assert (Phase.DISTRIBUTING, (Action.TELL_NODES, Action.SET_DEADLINE)) == (plan.phase, actions)


def test_a_domain_without_nodes_passes_through() -> None:
    """Nobody has to be told, and the guard time is kept all the same."""
    plan, actions = settle(step(Plan(), Begin())[0], NOBODY)
    assert Phase.GUARDING is plan.phase
    assert (Action.ACTIVATE, Action.TELL_BORDER_ROUTERS, Action.START_GUARD) == actions


def test_e03_the_guard_waits_for_nodes_that_hold_both_sets() -> None:
    """They are told the new set alone before the end (RFC 9031 §8.4.3.2)."""
    plan = Plan(Phase.GUARDING)
    assert (plan, ()) == step(plan, GuardOver(Counts(holding_both=1)))
    assert Phase.DONE is step(plan, GuardOver(Counts(nodes=Tally(sent=1))))[0].phase


@pytest.mark.parametrize("phase", [Phase.SWITCHING, Phase.GUARDING])
def test_e07_a_switch_gives_way_to_keys_that_nobody_has(phase: Phase) -> None:
    """The network sends with some of its nodes, so its keys are the former ones next."""
    for plan in (Plan(phase), paused(phase)):
        assert step(plan, Superseded()) == (Plan(Phase.DONE), (Action.RETIRE, Action.CLOSE))
    for early in (Plan(), Plan(Phase.DISTRIBUTING), paused(Phase.DISTRIBUTING)):
        with pytest.raises(StateError):
            step(early, Superseded())


def test_e03_the_guard_does_not_wait_for_ever_for_a_node_that_joins_again_and_again() -> None:
    """Who revokes a device must not depend on the good will of another one."""
    after = (Plan(Phase.DONE), (Action.RETIRE, Action.CLOSE))
    assert after == step(Plan(Phase.GUARDING), DeadlinePassed(Counts(holding_both=1)))


def test_e10_an_abort_recalls_what_was_told_and_nothing_else() -> None:
    """Before anybody was told there is nothing to send again (RFC 9031 §8.4.3.2)."""
    for plan in (Plan(Phase.DISTRIBUTING), paused(Phase.DISTRIBUTING)):
        assert step(plan, Abort()) == (
            Plan(Phase.ABORTED),
            (Action.GIVE_UP, Action.TELL_CURRENT_AGAIN, Action.CLOSE),
        )
    for plan in (Plan(), paused(Phase.PLANNED)):
        assert (Plan(Phase.ABORTED), (Action.GIVE_UP, Action.CLOSE)) == step(plan, Abort())


@pytest.mark.parametrize(
    ("plan", "event", "message", "hint"),
    [
        (Plan(Phase.SWITCHING), Abort(), "can only go forward", "start another"),
        (Plan(Phase.GUARDING), Abort(), "can only go forward", "start another"),
        (paused(Phase.SWITCHING), Abort(), "can only go forward", "start another"),
        (Plan(Phase.DONE), Abort(), "over (done)", "status"),
        (Plan(Phase.ABORTED), Abort(), "over (aborted)", "status"),
        (Plan(Phase.DONE), Resume(), "over (done)", "status"),
        (Plan(Phase.DISTRIBUTING), Resume(), "not paused, but distributing", "watch"),
        (Plan(Phase.DISTRIBUTING), Resume(anyway=True), "not paused", "watch"),
        (paused(Phase.DISTRIBUTING), Pause(), "paused already", "resume"),
        (paused(Phase.PLANNED), Resume(anyway=True), "paused while planned", "without it"),
        (Plan(Phase.SWITCHING), Resume(), "not paused, but switching", "watch"),
        (paused(Phase.GUARDING), Resume(anyway=True), "paused while guarding", "without it"),
    ],
)
def test_what_the_operator_cannot_have_is_said_in_a_sentence(
    plan: Plan, event: Event, message: str, hint: str
) -> None:
    """RFC 9031 §8.4.3.1: from the switch on there is no way back."""
    with pytest.raises(OperatorError) as caught:
        step(plan, event)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert ExitCode.REFUSED is caught.value.exit_code


def test_each_pair_is_in_the_table_or_raises_and_changes_nothing() -> None:
    """For each state and each event; the operator's ones always get a hint."""
    pairs = {(row.at, row.paused_from, row.on) for row in TABLE}
    for plan in PLANS:
        for event in EVENTS:
            known = (plan.phase, plan.paused_from, type(event)) in pairs
            try:
                after, actions = step(plan, event)
            except OperatorError as error:
                assert isinstance(event, Pause | Resume | Abort)
                assert error.hint
            except StateError:
                assert not known
                assert isinstance(event, Begin | DeadlinePassed | GuardOver | Superseded)
            else:
                assert known
                assert not actions or after != plan


def test_each_state_is_reachable_and_each_row_is_taken() -> None:
    """A row that no course of events takes would be a line of the diagram that lies."""
    taken = set()
    seen, todo = {Plan(quorum_permille=900)}, [Plan(quorum_permille=900)]
    while todo:
        plan = todo.pop()
        for event in EVENTS:
            try:
                after, _ = step(plan, event)
            except (OperatorError, StateError):
                continue
            taken.add((plan.phase, plan.paused_from, type(event), after.phase))
            if after not in seen:
                seen.add(after)
                todo.append(after)
    assert set(Phase) == {plan.phase for plan in seen}
    assert {(row.at, row.paused_from, row.on, row.to) for row in TABLE} <= taken


def test_rows_of_one_pair_exclude_each_other() -> None:
    """So the order of the table decides nothing."""
    for plan in PLANS:
        for event in EVENTS:
            rows = rollover._ROWS.get((plan.phase, plan.paused_from, type(event)), ())
            assert len([row for row in rows if rollover._HOLDS[row.when](plan, event)]) <= 1


def test_a_plan_is_paused_with_cause_and_way_back_or_not_at_all() -> None:
    """A row of the database that says otherwise is no plan."""
    for wrong in (
        (Phase.PAUSED, None, None),
        (Phase.PAUSED, Phase.PLANNED, None),
        (Phase.PLANNED, Phase.PLANNED, PauseCause.OPERATOR),
        (Phase.DONE, None, PauseCause.OPERATOR),
    ):
        with pytest.raises(ValueError, match="way back"):
            Plan(wrong[0], 1000, wrong[1], wrong[2])
