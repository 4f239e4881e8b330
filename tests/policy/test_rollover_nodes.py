"""The rollover's second table: what becomes of one node, and who is told when."""

import pytest

from jrc.cojp.constants import Role
from jrc.errors import StateError
from jrc.policy.rollover import NodeState, Phase, Tally
from jrc.policy.rollover_nodes import (
    NODE_TABLE,
    NodeEvent,
    first_state,
    node_step,
    states_to_tell,
)


def test_e03_only_an_acknowledged_update_counts_as_reached() -> None:
    """Whatever else happens to a node, in every phase (RFC 9031 §8.4.3.1)."""
    for table in NODE_TABLE.values():
        for (before, event), after in table.items():
            if after is NodeState.REACHED and before is not NodeState.REACHED:
                assert NodeEvent.ACKNOWLEDGED is event


def test_a_datagram_is_sent_only_where_the_phase_tells_somebody() -> None:
    """A paused, planned or finished rollover begins no exchange."""
    for phase, table in NODE_TABLE.items():
        told = states_to_tell(phase, Role.NODE) | states_to_tell(phase, Role.LBR)
        sent = {state for state, event in table if event is NodeEvent.SENT_FIRST}
        assert told <= sent
        assert bool(told) == bool(sent)


def test_e02_border_routers_are_told_from_the_switch_on() -> None:
    """And never before, whatever their state (RFC 9031 §8.4.3.1)."""
    assert not states_to_tell(Phase.DISTRIBUTING, Role.LBR)
    assert NodeState.REFUSED in states_to_tell(Phase.SWITCHING, Role.LBR)
    assert NodeState.REFUSED not in states_to_tell(Phase.SWITCHING, Role.NODE)


def test_e04_a_refusal_is_kept_and_holds_nobody_up() -> None:
    """It counts as tried; a later success of the same node counts (RFC 9031 §8.3)."""
    state = node_step(Phase.DISTRIBUTING, NodeState.SENT, NodeEvent.REFUSED)
    assert NodeState.REFUSED is state
    assert not Tally.of({state: 1}).untried
    assert NodeState.REACHED is node_step(Phase.SWITCHING, state, NodeEvent.ACKNOWLEDGED)


@pytest.mark.parametrize("phase", [Phase.DISTRIBUTING, Phase.SWITCHING, Phase.PAUSED])
@pytest.mark.parametrize("state", ["sent", "reached", "refused", "unreachable", "left"])
def test_e03_a_node_that_joins_again_is_told_again(phase: Phase, state: str) -> None:
    """Its Join Response took the place of what it had (RFC 9031 §8.4.3.2)."""
    state_after = node_step(phase, NodeState(state), NodeEvent.JOINED)
    assert NodeState.PENDING is state_after
    late = node_step(phase, state_after, NodeEvent.ACKNOWLEDGED)
    assert NodeState.PENDING is late, "an answer to what was told before it joined"


def test_a_node_that_takes_no_updates_stays_one_that_must_join() -> None:
    """It is never told, and counts nowhere."""
    state = first_state(takes_updates=False)
    assert state is node_step(Phase.SWITCHING, state, NodeEvent.JOINED)
    assert Tally.of({state: 7}).counted == 0
    assert not any(state in states_to_tell(phase, role) for phase in Phase for role in Role)


def test_e05_nodes_not_reached_are_unreachable_in_the_end() -> None:
    """They get the keys when they join again (RFC 9031 §8.4.3.1)."""
    for state in (NodeState.PENDING, NodeState.SENT, NodeState.UNREACHABLE):
        assert NodeState.UNREACHABLE is node_step(Phase.DONE, state, NodeEvent.ENDED)
    late = node_step(Phase.DONE, NodeState.UNREACHABLE, NodeEvent.ACKNOWLEDGED)
    assert NodeState.REACHED is late


def test_e10_a_recalled_node_is_reverted_by_its_answer_or_by_joining() -> None:
    """No answer is no answer: it is told again (RFC 9031 §8.4.3.2)."""
    for state in ("pending", "sent", "reached", "refused", "unreachable"):
        assert "reverting" == node_step(Phase.ABORTED, NodeState(state), NodeEvent.RECALLED)
    for event, after in (
        (NodeEvent.ACKNOWLEDGED, NodeState.REVERTED),
        (NodeEvent.JOINED, NodeState.REVERTED),
        (NodeEvent.NO_ANSWER, NodeState.REVERTING),
        (NodeEvent.REFUSED, NodeState.REFUSED),
    ):
        assert after is node_step(Phase.ABORTED, NodeState.REVERTING, event)


def test_a_node_leaves_in_every_state_and_phase() -> None:
    """Revoking must never fail for what a rollover is doing."""
    for phase in Phase:
        for state in NodeState:
            assert NodeState.LEFT is node_step(phase, state, NodeEvent.LEFT)


def test_what_the_nodes_table_lacks_raises() -> None:
    """An event that can't be is an error of the program."""
    with pytest.raises(StateError, match="sent first came to a node that is pending"):
        node_step(Phase.PAUSED, NodeState.PENDING, NodeEvent.SENT_FIRST)
