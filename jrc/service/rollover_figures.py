"""What an overseer wants to know of rollovers at a glance, network by network."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jrc.policy.rollover import Counts, NodeState, Phase, Tally
from jrc.service.key_domains import current_generation
from jrc.service.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverFigures:
    """A network, its running or else its last rollover, and its keys; times are ms since 1970.

    ``phase`` is None where there was no rollover yet. ``nodes`` counts those of all networks of the
    key domain, in any role. ``keys_since_ms``: since when the keys in force are in force.
    """

    network: str
    phase: Phase | None = None
    nodes: Mapping[NodeState, int] = field(default_factory=dict)
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    keys_since_ms: int | None = None


def rollover_figures(tx: Registry) -> list[RolloverFigures]:
    """The figures of every network, by name; no node's row is read."""
    of_domain: dict[int, RolloverFigures] = {}
    found = []
    for network in sorted(tx.networks.all().values(), key=lambda network: network.name):
        if network.domain_id not in of_domain:
            of_domain[network.domain_id] = _of_domain(tx, network.domain_id)
        found.append(replace(of_domain[network.domain_id], network=network.name))
    return found


def _of_domain(tx: Registry, domain_id: int) -> RolloverFigures:
    keys = current_generation(tx.keysets.generations(domain_id))
    since_ms = None if keys is None else keys.activated_at_ms
    latest = tx.rollovers.latest(domain_id)
    if not latest:
        return RolloverFigures(network="", keys_since_ms=since_ms)
    return RolloverFigures(
        network="",
        phase=latest[0].phase,
        nodes=by_state(tx.rollovers.counts(latest[0].id)),
        started_at_ms=latest[0].created_at_ms,
        ended_at_ms=latest[0].ended_at_ms,
        keys_since_ms=since_ms,
    )


def by_state(counts: Counts) -> Mapping[NodeState, int]:
    """How many nodes are in each state, whatever their role."""
    return Counter(_states(counts.nodes)) + Counter(_states(counts.border_routers))


def _states(tally: Tally) -> dict[NodeState, int]:
    return {state: getattr(tally, state.value) for state in NodeState}
