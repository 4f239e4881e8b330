"""The rollover's second table: how far it is with one node (RFC 9031 §8.4.3.1-2).

A node's row is written by whoever runs the rollover, in the transaction that learns of the event;
`SENT_FIRST` is stored before the datagram leaves.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

from jrc.cojp.constants import Role
from jrc.errors import StateError
from jrc.policy.rollover import NodeState, Phase


class NodeEvent(StrEnum):
    """What happens to one node. Answers are those to what this rollover told it last.

    An answer to the scheduled set that comes after an abort is none of these: it is dropped.
    """

    SENT_FIRST = "sent first"
    """The first datagram of an attempt is about to leave."""
    ACKNOWLEDGED = "acknowledged"
    """A success that verified came back."""
    REFUSED = "refused"
    """An error that verified came back, such as a 4.00 (RFC 9031 §8.3)."""
    NO_ANSWER = "no answer"
    """An attempt has ended without an answer that verifies."""
    JOINED = "joined"
    """It joined (again) and holds what its Join Response had; it is due at once."""
    LEFT = "left"
    """Revoked, removed, or in another key domain now: it is told nothing more."""
    RECALLED = "recalled"
    """The rollover is aborted, and this node was sent its keys."""
    PASSED_OVER = "passed over"
    """The network switches without it; it is told on, and nothing waits for it any more."""
    ENDED = "ended"
    """The rollover is done."""


_Moves: TypeAlias = Mapping[tuple[NodeState, NodeEvent], NodeState]

_S = NodeState
_E = NodeEvent
_TOLD: Final = (_S.SENT, _S.REACHED, _S.REFUSED, _S.UNREACHABLE)
_LIVE: Final = (_S.PENDING, *_TOLD)


def _all(states: Iterable[NodeState], event: NodeEvent, to: NodeState) -> _Moves:
    return {(state, event): to for state in states}


_LEAVING: Final = _all(_S, _E.LEFT, _S.LEFT)
_ANSWERS: Final = {
    **_all(_TOLD, _E.ACKNOWLEDGED, _S.REACHED),
    (_S.SENT, _E.REFUSED): _S.REFUSED,
    (_S.UNREACHABLE, _E.REFUSED): _S.REFUSED,
    (_S.REFUSED, _E.REFUSED): _S.REFUSED,
    (_S.SENT, _E.NO_ANSWER): _S.UNREACHABLE,
    (_S.UNREACHABLE, _E.NO_ANSWER): _S.UNREACHABLE,
    # It was refused before, and the last word of a node counts.
    (_S.REFUSED, _E.NO_ANSWER): _S.REFUSED,
    # A node is told again, by the operator or by other settings, and keeps what it has.
    (_S.REACHED, _E.REFUSED): _S.REACHED,
    (_S.REACHED, _E.NO_ANSWER): _S.REACHED,
    # It joined while an attempt was open: that one says nothing about what it holds now.
    **{(_S.PENDING, event): _S.PENDING for event in (_E.ACKNOWLEDGED, _E.REFUSED, _E.NO_ANSWER)},
}
_JOINING: Final = {
    **_all((*_LIVE, _S.LEFT), _E.JOINED, _S.PENDING),
    (_S.MUST_JOIN, _E.JOINED): _S.MUST_JOIN,
}
_TELLING: Final = {
    **_LEAVING,
    **_ANSWERS,
    **_JOINING,
    (_S.PENDING, _E.SENT_FIRST): _S.SENT,
    **{(state, _E.SENT_FIRST): state for state in _TOLD},
}
_REVERTING: Final = {
    **_LEAVING,
    **_all(_LIVE, _E.RECALLED, _S.REVERTING),
    (_S.REVERTING, _E.SENT_FIRST): _S.REVERTING,
    (_S.REVERTING, _E.ACKNOWLEDGED): _S.REVERTED,
    (_S.REVERTING, _E.REFUSED): _S.REFUSED,
    (_S.REVERTING, _E.NO_ANSWER): _S.REVERTING,
    # Its Join Response had the current set, and there is no other one any more.
    (_S.REVERTING, _E.JOINED): _S.REVERTED,
    **{(_S.REVERTED, event): _S.REVERTED for event in (_E.ACKNOWLEDGED, _E.JOINED)},
}
_CLOSED: Final = {
    **_LEAVING,
    **_ANSWERS,
    **_all((_S.PENDING, _S.SENT), _E.ENDED, _S.UNREACHABLE),
    **{
        (state, _E.ENDED): state
        for state in (_S.REACHED, _S.REFUSED, _S.UNREACHABLE, _S.MUST_JOIN, _S.LEFT)
    },
}

_SWITCHING: Final = {
    **_TELLING,
    **_all((_S.PENDING, _S.SENT), _E.PASSED_OVER, _S.UNREACHABLE),
}

NODE_TABLE: Final[Mapping[Phase, _Moves]] = MappingProxyType(
    {
        Phase.PLANNED: {**_LEAVING, **_JOINING},
        Phase.DISTRIBUTING: _TELLING,
        Phase.SWITCHING: _SWITCHING,
        Phase.GUARDING: _TELLING,
        # Attempts are called off by the pause; answers that came before it still count.
        Phase.PAUSED: {**_LEAVING, **_ANSWERS, **_JOINING},
        Phase.DONE: _CLOSED,
        Phase.ABORTED: _REVERTING,
    }
)
"""What each event makes of a node's state, in each phase of the rollover."""


def first_state(*, takes_updates: bool) -> NodeState:
    """The state of a node that a rollover takes in: at its start, or when the node joins."""
    return NodeState.PENDING if takes_updates else NodeState.MUST_JOIN


@cache
def node_step(phase: Phase, state: NodeState, event: NodeEvent) -> NodeState:
    """A node's state after an event.

    Raises:
        StateError: the phase does not have the event for that state.
    """
    after = NODE_TABLE[phase].get((state, event))
    if after is None:
        raise StateError(f"{event} came to a node that is {state} while the rollover is {phase}")
    return after


_NOBODY: Final[frozenset[NodeState]] = frozenset()
_WAITING: Final = frozenset({_S.PENDING, _S.SENT, _S.UNREACHABLE})


_TO_TELL: Final[Mapping[tuple[Phase, int], frozenset[NodeState]]] = MappingProxyType(
    {
        (Phase.DISTRIBUTING, Role.NODE): _WAITING,
        (Phase.SWITCHING, Role.NODE): _WAITING,
        (Phase.SWITCHING, Role.LBR): _WAITING | {_S.REFUSED},
        (Phase.GUARDING, Role.NODE): _WAITING,
        (Phase.GUARDING, Role.LBR): _WAITING | {_S.REFUSED},
        (Phase.ABORTED, Role.NODE): frozenset({_S.REVERTING}),
        (Phase.ABORTED, Role.LBR): frozenset({_S.REVERTING}),
    }
)


def states_to_tell(phase: Phase, role: int) -> frozenset[NodeState]:
    """The states in which nodes of a role are told by update in a phase.

    6LNs first, 6LBRs from the switch on (RFC 9031 §8.4.3.1). A 6LN that refused is told again when
    it joins, or by the operator; a 6LBR that refused again and again, since there is no way back.
    """
    return _TO_TELL.get((phase, role), _NOBODY)
