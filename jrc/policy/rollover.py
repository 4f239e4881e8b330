"""The rollover of a key domain's link-layer keys as a state machine (RFC 9031 §8.4.3.1-2).

One table for the rollover, one for each node in it; what neither has raises and changes nothing.
`docs/rollover.md` shows the first, drawn from the table. Nothing here looks at a clock: who runs
the machine says when the deadline or the guard time is over, and does the actions that come out,
in their order and in the transaction that stores the plan.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from jrc.errors import ExitCode, OperatorError, StateError

# Ours.
QUORUM_FLOOR_PERMILLE: Final = 900
"""What RFC 9031 §8.4.3.1 calls an overwhelming majority; only a person's word goes below."""


class Phase(StrEnum):
    """Where a rollover is."""

    PLANNED = "planned"
    DISTRIBUTING = "distributing"
    """The 6LNs are told; everybody sends with the old keys."""
    SWITCHING = "switching"
    """The 6LBRs are told, and begin to send with the new keys. From here only forward."""
    GUARDING = "guarding"
    """Every 6LBR has the new keys; the old ones are still good (RFC 9031 §8.5)."""
    DONE = "done"
    PAUSED = "paused"
    ABORTED = "aborted"


FINAL: Final = frozenset({Phase.DONE, Phase.ABORTED})


class PauseCause(StrEnum):
    """Why a rollover waits for a person."""

    OPERATOR = "operator"
    DEADLINE = "deadline"


class NodeState(StrEnum):
    """How far a rollover is with one node."""

    PENDING = "pending"
    SENT = "sent"
    """A datagram with the new keys may have left: its short identifier is burned with them."""
    REACHED = "reached"
    """It acknowledged an update, and the answer verified. Nothing else counts."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """Tried to the end at least once, or not reached when the network switched without it."""
    MUST_JOIN = "must_join"
    """It takes no updates, and counts nowhere."""
    LEFT = "left"
    REVERTING = "reverting"
    REVERTED = "reverted"


TOLD_BY_UPDATE: Final = frozenset(
    {
        NodeState.PENDING,
        NodeState.SENT,
        NodeState.REACHED,
        NodeState.REFUSED,
        NodeState.UNREACHABLE,
    }
)
"""States of those that are to get the new keys by update."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many nodes of one role are in each state; the fields are those of `NodeState`."""

    pending: int = 0
    sent: int = 0
    reached: int = 0
    refused: int = 0
    unreachable: int = 0
    must_join: int = 0
    left: int = 0
    reverting: int = 0
    reverted: int = 0

    @classmethod
    def of(cls, counted: Mapping[NodeState, int]) -> "Tally":
        """From a count by state, such as a `Counter`; absent states are 0."""
        return cls(**{state.value: count for state, count in counted.items()})

    @property
    def untried(self) -> int:
        """Those whose first attempt has not ended."""
        return self.pending + self.sent

    @property
    def counted(self) -> int:
        """Those in a state of `TOLD_BY_UPDATE`."""
        return self.untried + self.reached + self.refused + self.unreachable

    def has_share(self, permille: int) -> bool:
        """Whether so many of a thousand are reached; of none, all are."""
        return self.reached * 1000 >= self.counted * permille


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a rollover has come to, over all networks of the domain.

    ``border_routers`` has the installers as well, as `reached` where the radio has the new keys.
    ``holding_both``: 6LNs that joined after the switch and were sent both sets, and neither have
    acknowledged the new one alone nor been tried to the end with it. ``without_router``: networks,
    by number, that have 6LNs and nobody who begins to send with the new keys, which 6LNs wait to
    hear (RFC 9031 §8.4.3.2): no 6LBR that is told by update, and no installer.
    """

    nodes: Tally = Tally()
    border_routers: Tally = Tally()
    holding_both: int = 0
    without_router: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Begin:
    """It is due: at once, or when the time has come that the operator gave."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Something about its nodes has changed, or a process has started and looks again."""

    counts: Counts


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The time for telling the 6LNs is over, before the switch or after it."""

    counts: Counts


@dataclass(frozen=True, slots=True)
class GuardOver:
    """The guard time is over; said again at each later look while the phase stays."""

    counts: Counts


@dataclass(frozen=True, slots=True)
class Pause:
    """The operator wants it to wait."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The operator lets it go on; ``anyway`` with the nodes that are reached, however few.

    That is 6LNs before the switch, and 6LBRs and radios after it.
    """

    anyway: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """The operator, or a revocation that comes in between, calls it off."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A 6LBR was restarted that had been sent the new keys, and gets others (RFC 9031 §5.1)."""


Event: TypeAlias = (
    Begin | Progress | DeadlinePassed | GuardOver | Pause | Resume | Abort | Superseded
)


class Action(StrEnum):
    """What whoever runs the machine does, in the transaction that stores the new plan."""

    TELL_NODES = "tell nodes"
    """The new set alone to each 6LN that is not reached (RFC 9031 §8.4.3.2)."""
    SET_DEADLINE = "set deadline"
    """Count ``deadline_s`` from now."""
    HOLD = "hold"
    """Begin no more exchanges; those under way end by themselves and are recorded."""
    ACTIVATE = "activate"
    """The current generation becomes the previous one, the scheduled one the current one.

    `PASSED_OVER` for each 6LN whose first attempt has not ended.
    """
    TELL_BORDER_ROUTERS = "tell border routers"
    """The new set alone to each 6LBR, again and again (RFC 9031 §8.4.3.1)."""
    START_GUARD = "start guard"
    """Count ``guard_time_s`` from now, on a clock that nobody sets."""
    RETIRE = "retire"
    """The previous generation is retired."""
    GIVE_UP = "give up"
    """The scheduled generation is aborted; its values are never used, its key ids not yet."""
    TELL_CURRENT_AGAIN = "tell current again"
    """`RECALLED` for each node that was ever sent the scheduled set, and tell it."""
    CLOSE = "close"
    """`ENDED` for each node that is not reached; start the successor, if one is wanted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The state of a rollover: what the table decides upon, and nothing else.

    ``paused_from`` is where a paused one goes back to. ``quorum_permille``: how many of a thousand
    6LNs have to be reached before the switch.

    Raises:
        ValueError: the share lies under the floor or above all; or a pause without its origin.
    """

    phase: Phase = Phase.PLANNED
    quorum_permille: int = 1000
    paused_from: Phase | None = None
    pause_cause: PauseCause | None = None

    def __post_init__(self) -> None:
        if not QUORUM_FLOOR_PERMILLE <= self.quorum_permille <= 1000:
            raise ValueError(
                f"a rollover switches with {QUORUM_FLOOR_PERMILLE} to 1000 of 1000 nodes,"
                f" not {self.quorum_permille}"
            )
        paused = self.phase is Phase.PAUSED
        if (self.paused_from is not None, self.pause_cause is not None) != (paused, paused):
            raise ValueError("a paused rollover, and no other, has a cause and a way back")


class When(StrEnum):
    """Under what condition a row of the table holds; the diagram shows these words."""

    ALWAYS = ""
    NODES_READY = "all 6LNs reached, or the share and each other one tried"
    SHARE = "share reached"
    LESS = "share not reached"
    BORDER_ROUTERS_READY = "all 6LBRs reached, one in each network"
    NONE_HOLDS_BOTH = "no 6LN left to tell the new set alone"
    PLAIN = "plain"
    ANYWAY = "--anyway"


_Condition: TypeAlias = Callable[[Plan, Event], bool]


def _nodes_ready(plan: Plan, event: Event) -> bool:
    nodes = _counts(event).nodes
    return not nodes.untried and nodes.has_share(plan.quorum_permille)


def _share(plan: Plan, event: Event) -> bool:
    return _counts(event).nodes.has_share(plan.quorum_permille)


def _border_routers_ready(plan: Plan, event: Event) -> bool:
    counts = _counts(event)
    return counts.border_routers.has_share(1000) and not counts.without_router


def _counts(event: Event) -> Counts:
    assert isinstance(event, Progress | DeadlinePassed | GuardOver), "the table pairs them"
    return event.counts


_HOLDS: Final[Mapping[When, _Condition]] = {
    When.ALWAYS: lambda plan, event: True,
    When.NODES_READY: _nodes_ready,
    When.SHARE: _share,
    When.LESS: lambda plan, event: not _share(plan, event),
    When.BORDER_ROUTERS_READY: _border_routers_ready,
    When.NONE_HOLDS_BOTH: lambda plan, event: not _counts(event).holding_both,
    When.PLAIN: lambda plan, event: isinstance(event, Resume) and not event.anyway,
    When.ANYWAY: lambda plan, event: isinstance(event, Resume) and event.anyway,
}


@dataclass(frozen=True, slots=True)
class Row:
    """``at`` and ``on`` what, it goes ``to`` where and does what, if ``when`` holds.

    ``paused_from`` is None for every phase but `paused`, which has rows for each origin.
    """

    at: Phase
    on: type[Event]
    to: Phase
    do: tuple[Action, ...] = ()
    when: When = When.ALWAYS
    paused_from: Phase | None = None


_P = Phase
_SWITCH: Final = (Action.ACTIVATE, Action.TELL_BORDER_ROUTERS)
_TELL: Final = (Action.TELL_NODES, Action.SET_DEADLINE)
_DROP: Final = (Action.GIVE_UP, Action.CLOSE)
_REVERT: Final = (Action.GIVE_UP, Action.TELL_CURRENT_AGAIN, Action.CLOSE)
_HOLD: Final = (Action.HOLD,)
_END: Final = (Action.RETIRE, Action.CLOSE)

TABLE: Final = (
    Row(_P.PLANNED, Begin, _P.DISTRIBUTING, _TELL),
    Row(_P.PLANNED, Pause, _P.PAUSED, _HOLD),
    Row(_P.PLANNED, Abort, _P.ABORTED, _DROP),
    Row(_P.DISTRIBUTING, Progress, _P.SWITCHING, _SWITCH, When.NODES_READY),
    Row(_P.DISTRIBUTING, DeadlinePassed, _P.SWITCHING, _SWITCH, When.SHARE),
    Row(_P.DISTRIBUTING, DeadlinePassed, _P.PAUSED, _HOLD, When.LESS),
    Row(_P.DISTRIBUTING, Pause, _P.PAUSED, _HOLD),
    Row(_P.DISTRIBUTING, Abort, _P.ABORTED, _REVERT),
    Row(_P.SWITCHING, Progress, _P.GUARDING, (Action.START_GUARD,), When.BORDER_ROUTERS_READY),
    # Who is gone for good, or never was there, keeps the old keys good: a person's word ends that.
    Row(_P.SWITCHING, Resume, _P.GUARDING, (Action.START_GUARD,), When.ANYWAY),
    Row(_P.SWITCHING, Pause, _P.PAUSED, _HOLD),
    Row(_P.GUARDING, Progress, _P.GUARDING),
    Row(_P.GUARDING, GuardOver, _P.DONE, _END, When.NONE_HOLDS_BOTH),
    # A 6LN that joins again and again would hold both for ever.
    Row(_P.GUARDING, DeadlinePassed, _P.DONE, _END),
    Row(_P.GUARDING, Pause, _P.PAUSED, _HOLD),
    # Others follow at once: what is previous then are the keys that this one has brought.
    Row(_P.SWITCHING, Superseded, _P.DONE, _END),
    Row(_P.GUARDING, Superseded, _P.DONE, _END),
    Row(_P.PAUSED, Superseded, _P.DONE, _END, paused_from=_P.SWITCHING),
    Row(_P.PAUSED, Superseded, _P.DONE, _END, paused_from=_P.GUARDING),
    # A paused rollover goes back to where it was; only the operator's word takes it further.
    Row(_P.PAUSED, Resume, _P.PLANNED, (), When.PLAIN, _P.PLANNED),
    Row(_P.PAUSED, Abort, _P.ABORTED, _DROP, paused_from=_P.PLANNED),
    Row(_P.PAUSED, Resume, _P.DISTRIBUTING, _TELL, When.PLAIN, _P.DISTRIBUTING),
    Row(_P.PAUSED, Resume, _P.SWITCHING, _SWITCH, When.ANYWAY, _P.DISTRIBUTING),
    Row(_P.PAUSED, Abort, _P.ABORTED, _REVERT, paused_from=_P.DISTRIBUTING),
    Row(_P.PAUSED, Resume, _P.SWITCHING, (Action.TELL_BORDER_ROUTERS,), When.PLAIN, _P.SWITCHING),
    Row(_P.PAUSED, Resume, _P.GUARDING, (Action.START_GUARD,), When.ANYWAY, _P.SWITCHING),
    Row(_P.PAUSED, Resume, _P.GUARDING, (Action.START_GUARD,), When.PLAIN, _P.GUARDING),
    # What is under way may end in any phase; news alone moves none of these.
    Row(_P.PLANNED, Progress, _P.PLANNED),
    *(
        Row(_P.PAUSED, Progress, _P.PAUSED, paused_from=origin)
        for origin in (_P.PLANNED, _P.DISTRIBUTING, _P.SWITCHING, _P.GUARDING)
    ),
    Row(_P.DONE, Progress, _P.DONE),
    Row(_P.ABORTED, Progress, _P.ABORTED),
)
"""All a rollover does. Where rows of a pair have conditions and none holds, it stays."""

_Key: TypeAlias = tuple[Phase, Phase | None, type[Event]]


def _index(table: Iterable[Row]) -> Mapping[_Key, tuple[Row, ...]]:
    index: dict[_Key, tuple[Row, ...]] = {}
    for row in table:
        key = (row.at, row.paused_from, row.on)
        index[key] = (*index.get(key, ()), row)
    return MappingProxyType(index)


_ROWS: Final = _index(TABLE)


def step(plan: Plan, event: Event) -> tuple[Plan, tuple[Action, ...]]:
    """The plan after an event, and what is to be done; a plan that stays is the same object.

    Raises:
        OperatorError: the operator asks for what this phase does not have, with what it has.
        StateError: an event of the program's own that this phase does not have.
    """
    rows = _ROWS.get((plan.phase, plan.paused_from, type(event)))
    if rows is None:
        raise _not_in_table(plan, event)
    for row in rows:
        if _HOLDS[row.when](plan, event):
            return _moved(plan, row, event), row.do
    if isinstance(event, Resume):
        raise _nothing_to_force(plan) if event.anyway else _not_paused(plan)
    return plan, ()


def settle(plan: Plan, counts: Counts) -> tuple[Plan, tuple[Action, ...]]:
    """`Progress` until nothing moves: a domain without nodes passes through."""
    done: tuple[Action, ...] = ()
    while True:
        after, actions = step(plan, Progress(counts))
        done += actions
        if after == plan:
            return after, done
        plan = after


def _moved(plan: Plan, row: Row, event: Event) -> Plan:
    if row.to is plan.phase:
        return plan
    if row.to is not Phase.PAUSED:
        return replace(plan, phase=row.to, paused_from=None, pause_cause=None)
    cause = PauseCause.DEADLINE if isinstance(event, DeadlinePassed) else PauseCause.OPERATOR
    return replace(plan, phase=Phase.PAUSED, paused_from=plan.phase, pause_cause=cause)


_FORWARD: Final = (
    "the network is switching to the new keys; it can only go forward, since some nodes may"
    " already send with them"
)
_ENDED: Final = "this rollover is over ({phase})"


def _not_in_table(plan: Plan, event: Event) -> OperatorError | StateError:
    """The error for a pair that the table lacks."""
    if not isinstance(event, Pause | Resume | Abort):
        return StateError(f"{type(event).__name__} came to a rollover that is {plan.phase}")
    if plan.phase in FINAL:
        return _refusal(_ENDED.format(phase=plan.phase), "see `jrc rollover status`")
    if isinstance(event, Abort):
        return _refusal(_FORWARD, "let it end, then start another with `jrc rollover start`")
    if isinstance(event, Pause):
        return _refusal("this rollover is paused already", "go on with `jrc rollover resume`")
    return _not_paused(plan)


def _not_paused(plan: Plan) -> OperatorError:
    return _refusal(
        f"this rollover is not paused, but {plan.phase}", "watch it with `jrc rollover watch`"
    )


def _nothing_to_force(plan: Plan) -> OperatorError:
    return _refusal(
        f"--anyway goes on with fewer nodes than asked for, and this rollover was paused while"
        f" {plan.paused_from}, which waits for no share of them",
        "use `jrc rollover resume` without it",
    )


def _refusal(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.REFUSED)
