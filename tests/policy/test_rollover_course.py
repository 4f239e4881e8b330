"""A rollover and its nodes under any order of events: what no course may do."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jrc.cojp.constants import Role
from jrc.errors import OperatorError, StateError
from jrc.policy.rollover import (
    FINAL,
    TOLD_BY_UPDATE,
    Abort,
    Action,
    Begin,
    Counts,
    DeadlinePassed,
    Event,
    GuardOver,
    NodeState,
    Pause,
    Phase,
    Plan,
    Progress,
    Resume,
    Tally,
    step,
)
from jrc.policy.rollover_nodes import NodeEvent, first_state, node_step, states_to_tell

COURSE = (Phase.PLANNED, Phase.DISTRIBUTING, Phase.SWITCHING, Phase.GUARDING, Phase.DONE)
_ENDS = (NodeEvent.ACKNOWLEDGED, NodeEvent.NO_ANSWER, NodeEvent.REFUSED)
_HAS_OR_GONE = {NodeState.REACHED, NodeState.LEFT, NodeState.MUST_JOIN}


class AnyCourse(RuleBasedStateMachine):
    """A rollover and its nodes under whatever order of events."""

    @initialize(permille=st.integers(900, 1000), size=st.integers(0, 12), routers=st.integers(0, 2))
    def begin_with(self, permille: int, size: int, routers: int) -> None:
        self.plan = Plan(quorum_permille=permille)
        self.nodes = [first_state(takes_updates=n % 5 < 4) for n in range(size)]
        self.routers = [first_state(takes_updates=True) for _ in range(routers)]
        self.done: list[Action] = []
        self.word_given = False
        self.guard_began = False
        self.joined_late: set[int] = set()

    @property
    def counts(self) -> Counts:
        is_led = any(state in TOLD_BY_UPDATE for state in self.routers)
        waits = any(state is not NodeState.LEFT for state in self.nodes)
        return Counts(
            nodes=_tally(self.nodes),
            border_routers=_tally(self.routers),
            holding_both=len(self.holding_both),
            without_router=frozenset({1} if waits and not is_led else ()),
        )

    @property
    def holding_both(self) -> list[int]:
        """6LNs that joined after the switch and were not tried to the end since."""
        if Action.ACTIVATE not in self.done:
            return []
        untried = (NodeState.PENDING, NodeState.SENT)
        return [index for index, state in enumerate(self.nodes) if state in untried]

    def take(self, event: Event) -> None:
        """One event; checks what no course of events may do."""
        before = self.plan
        try:
            after, actions = step(before, event)
        except (OperatorError, StateError):
            return
        counts = self.counts.nodes
        if Action.ACTIVATE in actions:
            assert not counts.untried or not isinstance(event, Progress)
            self.word_given = isinstance(event, Resume) and event.anyway
            assert counts.reached * 1000 >= counts.counted * after.quorum_permille or (
                self.word_given and before.paused_from is Phase.DISTRIBUTING
            )
        if Action.START_GUARD in actions and _place(before) is not Phase.GUARDING:
            ended_by_word = isinstance(event, Resume) and event.anyway
            assert ended_by_word or (
                all(state in _HAS_OR_GONE for state in self.routers)
                and not self.counts.without_router
            )
            self.guard_began = True
        if Action.RETIRE in actions:
            assert self.guard_began
            assert isinstance(event, DeadlinePassed) or not self.holding_both
        if after.phase is Phase.ABORTED and before.phase is not Phase.ABORTED:
            assert Action.ACTIVATE not in self.done
        if before.phase is Phase.PAUSED and isinstance(event, Resume) and not event.anyway:
            assert before.paused_from is after.phase
        if before.phase in FINAL:
            assert (before, ()) == (after, actions)
        if _place(after) is not Phase.ABORTED:
            assert COURSE.index(_place(after)) >= COURSE.index(_place(before))
        self.plan = after
        self.done += actions
        self.after(actions)

    def after(self, actions: Iterable[Action]) -> None:
        """What whoever runs the machine does."""
        if Action.TELL_CURRENT_AGAIN in actions:
            self.all_nodes(NodeEvent.RECALLED)
        elif Action.ACTIVATE in actions:
            for index, state in enumerate(self.nodes):
                if state in (NodeState.PENDING, NodeState.SENT):
                    self.to_node(self.nodes, index, NodeEvent.PASSED_OVER)
        elif Action.CLOSE in actions and self.plan.phase is Phase.DONE:
            self.all_nodes(NodeEvent.ENDED)

    def all_nodes(self, event: NodeEvent) -> None:
        for states in (self.nodes, self.routers):
            for index in range(len(states)):
                self.to_node(states, index, event)

    def to_node(self, states: list[NodeState], index: int, event: NodeEvent) -> None:
        try:
            states[index] = node_step(self.plan.phase, states[index], event)
        except StateError:
            return

    @rule(event=st.sampled_from([Begin(), Pause(), Resume(), Resume(), Resume(anyway=True)]))
    def word(self, event: Event) -> None:
        self.take(event)

    @rule(dice=st.integers(0, 7))
    def abort(self, dice: int) -> None:
        """Seldom: what is final teaches no more."""
        if not dice:
            self.take(Abort())

    @rule(kind=st.sampled_from([Progress, DeadlinePassed, GuardOver, Progress]))
    def news(self, kind: type[Progress] | type[DeadlinePassed] | type[GuardOver]) -> None:
        self.take(kind(self.counts))

    @rule(event=st.sampled_from(NodeEvent), which=st.integers(0, 99), router=st.booleans())
    def node(self, event: NodeEvent, which: int, router: bool) -> None:
        states = self.routers if router else self.nodes
        if not states or event in (NodeEvent.RECALLED, NodeEvent.ENDED, NodeEvent.PASSED_OVER):
            return
        index = which % len(states)
        told = states_to_tell(self.plan.phase, Role.LBR if router else Role.NODE)
        if event is not NodeEvent.SENT_FIRST or states[index] in told:
            self.to_node(states, index, event)
            if event is NodeEvent.JOINED and not router:
                self.joined_late.add(index)

    @rule(router=st.booleans(), answers=st.lists(st.sampled_from(_ENDS), min_size=1, max_size=5))
    def each_attempt_ends(self, router: bool, answers: list[NodeEvent]) -> None:
        told = states_to_tell(self.plan.phase, Role.LBR if router else Role.NODE)
        states = self.routers if router else self.nodes
        for index, state in enumerate(states):
            if state in told:
                self.to_node(states, index, NodeEvent.SENT_FIRST)
                self.to_node(states, index, answers[index % len(answers)])

    @invariant()
    def each_thing_is_done_once_and_in_order(self) -> None:
        counted = Counter(self.done)
        once = (Action.ACTIVATE, Action.RETIRE, Action.GIVE_UP, Action.CLOSE)
        assert all(counted[action] <= 1 for action in once)
        if counted[Action.RETIRE]:
            order = [self.done.index(action) for action in (Action.ACTIVATE, Action.RETIRE)]
            assert sorted(order) == order
        assert not (counted[Action.GIVE_UP] and counted[Action.ACTIVATE])

    @invariant()
    def only_who_has_joined_since_is_waited_for_after_the_switch(self) -> None:
        if Action.ACTIVATE in self.done:
            assert set(self.holding_both) <= self.joined_late

    @invariant()
    def no_border_router_has_the_keys_before_the_switch(self) -> None:
        if Action.ACTIVATE not in self.done:
            assert not {NodeState.SENT, NodeState.REACHED} & set(self.routers)


def _tally(states: Iterable[NodeState]) -> Tally:
    return Tally.of(Counter(states))


def _place(plan: Plan) -> Phase:
    return plan.paused_from or plan.phase


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
