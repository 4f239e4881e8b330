"""One rollover under virtual time.

The machine, the nodes' table, exchanges, pacing and retries are those that a real rollover has;
what is made up is the network alone (``rehearsal_mesh.py``).
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Final, TypeAlias

from jrc.cojp.constants import Role
from jrc.cojp.exchange import Exchanges, RetransmissionTiming
from jrc.policy.pacing import Pace, Pacing
from jrc.policy.rollover import (
    FINAL,
    Action,
    Begin,
    Counts,
    DeadlinePassed,
    Event,
    GuardOver,
    NodeState,
    Phase,
    Plan,
    Resume,
    Tally,
    settle,
    step,
)
from jrc.policy.rollover_nodes import NodeEvent, node_step, states_to_tell
from jrc.service.outcomes import Retry
from jrc.service.rehearsal_mesh import Assumptions, Chance, Mesh, Node, Size, update_bytes

HORIZON_S: Final = 30 * 86_400
"""A rollover that takes longer is not rehearsed to its end."""
AHEAD: Final = 2
"""Updates that are prepared for each that may be under way, as the daemon does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator has set of a rollover; times in seconds. The usages are the domain's."""

    key_usages: tuple[int, ...]
    timing: RetransmissionTiming
    pace: Pace
    retry: Retry
    quorum_permille: int
    deadline_s: float
    guard_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run came to; times are seconds from its start, None for what it never came to.

    ``paused_s``: when the deadline passed with too few. ``reached_s``: when each 6LN was, sorted.
    ``states``: of the 6LNs at the end. ``datagrams`` and ``bytes``: both ways, all networks.
    """

    distributed_s: float | None
    switched_s: float | None
    done_s: float | None
    paused_s: float | None
    reached_s: tuple[float, ...]
    reached_at_switch: int
    states: Mapping[NodeState, int]
    datagrams: int
    bytes: int


class _Attempt:
    __slots__ = ("has_ended", "has_turn", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.has_turn = False
        self.has_ended = False


class _Queue:
    """Nodes of one network that are due, 6LBRs before 6LNs, and how many may be prepared."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._due: Mapping[Role, deque[Node]] = {Role.LBR: deque(), Role.NODE: deque()}

    def add(self, node: Node) -> None:
        self._due[node.role].append(node)

    def next(self) -> Iterator[Node]:
        """As many as there is room for."""
        for due in self._due.values():
            while due and self._room:
                self._room -= 1
                yield due.popleft()

    def done(self) -> None:
        self._room += 1


@dataclass(slots=True)
class _Course:
    """What an `Outcome` says, as it comes to pass."""

    distributed_s: float | None = None
    switched_s: float | None = None
    done_s: float | None = None
    paused_s: float | None = None
    reached_s: list[float] = field(default_factory=list)
    reached_at_switch: int = 0


_Later: TypeAlias = tuple[float, int, Callable[[], None]]


class Run:
    """A rollover from its start to its end, to a pause nobody ends, or to ``max_datagrams``."""

    def __init__(
        self,
        sizes: Sequence[Size],
        settings: Settings,
        assumed: Assumptions,
        chance: Chance,
        max_datagrams: int,
    ) -> None:
        self._max_datagrams = max_datagrams
        self._settings = settings
        self._assumed = assumed
        self._chance = chance
        self._update_bytes = update_bytes(settings.key_usages)
        self._mesh = Mesh(sizes, self._update_bytes, assumed, chance)
        self._plan = Plan(quorum_permille=settings.quorum_permille)
        self._states = {
            role: Counter(node.state for node in self._mesh.nodes if node.role is role)
            for role in Role
        }
        self._now = 0.0
        self._later: list[_Later] = []
        self._turn = 0
        self._exchanges: Exchanges[_Attempt] = Exchanges(settings.timing)
        self._pacing: Pacing[_Attempt] = Pacing(settings.pace)
        self._queues: list[_Queue] = [_Queue(AHEAD * settings.pace.in_flight) for _ in sizes]
        self._course = _Course()

    def go(self) -> Outcome:
        """Run it."""
        self._take(Begin())
        self._look()
        while self._plan.phase not in FINAL:
            self._send_what_may_leave()
            at = self._next_due()
            if at is None or at > HORIZON_S or self._mesh.datagrams >= self._max_datagrams:
                break
            self._now = max(self._now, at)
            self._do_what_is_due()
        return self._outcome()

    # Time

    def _next_due(self) -> float | None:
        due = (
            self._later[0][0] if self._later else None,
            self._exchanges.next_due(),
            self._pacing.next_due(),
        )
        return min((at for at in due if at is not None), default=None)

    def _do_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= self._now:
            heappop(self._later)[2]()
        again, ended = self._exchanges.due(self._now)
        for attempt in again:
            self._pacing.again(attempt.node.network, attempt, self._now)
        for attempt in ended:
            self._ended(attempt, NodeEvent.NO_ANSWER)

    def _do_at(self, at: float, what: Callable[[], None]) -> None:
        self._turn += 1
        heappush(self._later, (at, self._turn, what))

    # Nodes

    def _tell(self, role: Role) -> None:
        """Each node of a role is due."""
        for node in self._mesh.nodes:
            if node.role is role and not node.waits:
                self._due(node)

    def _due(self, node: Node) -> None:
        node.waits = node.state in states_to_tell(self._plan.phase, node.role)
        if node.waits:
            self._queues[node.network].add(node)

    def _send_what_may_leave(self) -> None:
        for network, queue in enumerate(self._queues):
            for node in queue.next():
                self._pacing.start(network, _Attempt(node), self._now)
        while (attempt := self._pacing.take(self._now)) is not None:
            if not attempt.has_turn:
                self._begin(attempt)
                self._send(attempt)
            elif self._exchanges.repeat(attempt, self._now):
                self._send(attempt)

    def _begin(self, attempt: _Attempt) -> None:
        attempt.has_turn = True
        attempt.node.attempts += 1
        self._exchanges.begin(attempt, self._now, self._chance.random())
        self._node_step(attempt.node, NodeEvent.SENT_FIRST)

    def _send(self, attempt: _Attempt) -> None:
        node = attempt.node
        answered_at = self._mesh.send(node, self._now)
        self._pacing.charge(node.network, self._update_bytes)
        if answered_at is not None:
            self._do_at(answered_at, partial(self._ended, attempt, NodeEvent.ACKNOWLEDGED))

    def _ended(self, attempt: _Attempt, event: NodeEvent) -> None:
        """An attempt ends with its first answer, or with none."""
        if attempt.has_ended:
            return
        attempt.has_ended = True
        node = attempt.node
        self._exchanges.end(attempt)
        self._pacing.done(node.network)
        self._queues[node.network].done()
        self._node_step(node, event)
        if event is NodeEvent.NO_ANSWER:
            sleep_s = None if node.offset_s is None else int(self._assumed.sleep_s)
            wait_s = self._settings.retry.after_ms(node.attempts, sleep_s) / 1000
            self._do_at(self._now + wait_s, partial(self._due, node))
        else:
            node.waits = False
        self._look()

    def _node_step(self, node: Node, event: NodeEvent) -> None:
        states = self._states[node.role]
        states[node.state] -= 1
        before, node.state = node.state, node_step(self._plan.phase, node.state, event)
        states[node.state] += 1
        if node.state is NodeState.REACHED is not before and node.role is Role.NODE:
            self._course.reached_s.append(self._now)

    # The rollover

    def _counts(self) -> Counts:
        nodes, border_routers = (Tally.of(self._states[role]) for role in (Role.NODE, Role.LBR))
        return Counts(nodes=nodes, border_routers=border_routers)

    def _look(self) -> None:
        """What each change of a node's state asks for."""
        self._moved(*settle(self._plan, self._counts()))

    def _take(self, event: Event) -> None:
        self._moved(*step(self._plan, event))

    def _moved(self, plan: Plan, actions: Iterable[Action]) -> None:
        self._plan = plan
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        """The actions that take time; the others are rows of a database."""
        if action is Action.TELL_NODES:
            self._tell(Role.NODE)
        elif action is Action.SET_DEADLINE:
            self._do_at(self._now + self._settings.deadline_s, self._deadline)
        elif action is Action.HOLD:
            self._paused()
        elif action is Action.ACTIVATE:
            self._course.distributed_s = self._now
            self._course.reached_at_switch = len(self._course.reached_s)
            self._pass_over()
        elif action is Action.TELL_BORDER_ROUTERS:
            self._tell(Role.LBR)
        elif action is Action.START_GUARD:
            self._course.switched_s = self._now
            self._do_at(self._now + self._settings.guard_time_s, self._guard_over)
        elif action is Action.RETIRE:
            self._course.done_s = self._now

    def _pass_over(self) -> None:
        for node in self._mesh.nodes:
            if node.role is Role.NODE and node.state in (NodeState.PENDING, NodeState.SENT):
                self._node_step(node, NodeEvent.PASSED_OVER)

    def _deadline(self) -> None:
        if self._plan.phase is Phase.DISTRIBUTING:
            self._take(DeadlinePassed(self._counts()))
            self._look()

    def _paused(self) -> None:
        """Only the deadline pauses here; attempts under way end by themselves."""
        self._course.paused_s = self._now
        if self._assumed.goes_on_anyway:
            self._do_at(self._now, self._goes_on)

    def _goes_on(self) -> None:
        self._take(Resume(anyway=True))
        self._look()

    def _guard_over(self) -> None:
        self._take(GuardOver(self._counts()))

    def _outcome(self) -> Outcome:
        course = self._course
        for node in self._mesh.nodes:
            if self._plan.phase is Phase.DONE:
                self._node_step(node, NodeEvent.ENDED)
        return Outcome(
            distributed_s=course.distributed_s,
            switched_s=course.switched_s,
            done_s=course.done_s,
            paused_s=course.paused_s,
            reached_s=tuple(course.reached_s),
            reached_at_switch=course.reached_at_switch,
            states=MappingProxyType(+self._states[Role.NODE]),
            datagrams=self._mesh.datagrams,
            bytes=self._mesh.bytes,
        )
