"""What an overseer wants to know at a glance: pledges, short identifiers that run low, keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jrc.model import KeySetState
from jrc.policy.leases import range_is_low
from jrc.service.key_notices import KeyNotice, key_notices
from jrc.service.key_slots import key_warnings
from jrc.service.recovery_store import NOBODY, RecoveryCounts
from jrc.service.registry import Registry


@dataclass(frozen=True, slots=True)
class Survey:
    """``pledges`` by state; ``short_ids_left`` and whether they are ``low``, by network.

    ``key_warnings`` are about the keys that seal the database, a sentence each; ``events`` counts
    those of the audit log.
    """

    networks: tuple[str, ...] = ()
    pledges: Mapping[str, int] = field(default_factory=dict)
    short_ids_left: Mapping[str, int] = field(default_factory=dict)
    low: tuple[str, ...] = ()
    key_notices: tuple[KeyNotice, ...] = ()
    recovering: RecoveryCounts = NOBODY
    key_warnings: tuple[str, ...] = ()
    events: int = 0


def survey(tx: Registry) -> Survey:
    """The state of things in one view of the database (RFC 9031 §8.4.4.1 for what is left)."""
    networks = sorted(tx.networks.all().values(), key=lambda network: network.name)
    left: dict[str, int] = {}
    low: list[str] = []
    for network in networks:
        generations = tx.keysets.generations(network.domain_id)
        live = [entry.number for entry in generations if entry.state is not KeySetState.RETIRED]
        used = tx.leases.used(network.domain_id, min(live, default=0))
        left[network.name] = max(0, len(network.short_ids) - used)
        if range_is_low(len(network.short_ids), used):
            low.append(network.name)
    states = tx.pledges.counts().get(None, {})
    return Survey(
        tuple(network.name for network in networks),
        {state.value: count for state, count in states.items()},
        left,
        tuple(low),
        tuple(key_notices(tx)),
        tx.recoveries.counts(),
        tuple(key_warnings(tx)),
        tx.events.count(),
    )
