"""Nodes, networks and key domains that a rollover goes on without, or ends with."""

from dataclasses import replace

from jrc.policy.rollover import NodeState, Phase
from jrc.policy.rollover_nodes import NodeEvent, node_step
from jrc.service.registry import Registry
from jrc.service.rollover_course import record_event


def leave(tx: Registry, pledge_id: int) -> None:
    """A pledge is revoked, removed, or joins elsewhere: no rollover tells it anything more."""
    for record, node in tx.rollovers.of_pledge(pledge_id):
        after = node_step(record.phase, node.state, NodeEvent.LEFT)
        tx.rollovers.save_nodes([node._replace(state=after, next_at_ms=None)])


def leave_network(tx: Registry, network_id: int, domain_id: int) -> None:
    """As ``leave``, for all nodes of a network that is removed."""
    for record in tx.rollovers.latest(domain_id):
        tx.rollovers.set_states(record.id, list(NodeState), NodeState.LEFT, network_id=network_id)


def end_with_domain(tx: Registry, domain_id: int, *, actor: str, reason: str = "") -> None:
    """The last network of a key domain is removed, and all its keys are retired."""
    tx.rollovers.forget_wanted(domain_id)
    running = tx.rollovers.running(domain_id)
    if running is None:
        return
    has_switched = running.course in (Phase.SWITCHING, Phase.GUARDING)
    phase = Phase.DONE if has_switched else Phase.ABORTED
    after = replace(running, phase=phase, paused_from=None, pause_cause=None, ended_at_ms=tx.now_ms)
    after = tx.rollovers.save(after)
    record_event(tx, after, phase.value, actor, reason)
