"""What an overseer wants to know at a glance: pledges, short identifiers that run low, keys."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from jrc.model import KeySetState, PledgeState
from jrc.policy.leases import range_is_low
from jrc.service.backups import FAILED, MADE
from jrc.service.installers import InstallerId
from jrc.service.key_notices import KeyNotice, key_notices
from jrc.service.key_slots import key_warnings
from jrc.service.records import Wanted
from jrc.service.recovery_store import NOBODY, RecoveryCounts
from jrc.service.registry import Registry

NOTED: Final = (
    *(FAILED, MADE, "import.published", "pledge.revoked", "rollover.started", "window.opened"),
)
"""Kinds of events of which the last one is worth knowing; each is one look into an index."""


@dataclass(frozen=True, slots=True)
class Survey:
    """``pledges`` by state, ``network_pledges`` by network and state; ``short_ids_left`` of
    ``short_ids``, and whether they are ``low``, by network.

    ``key_warnings`` are about the keys that seal the database, a sentence each; ``events`` counts
    those of the audit log. ``last_events_ms`` says when the newest of each of ``NOTED`` was.
    """

    networks: tuple[str, ...] = ()
    pledges: Mapping[str, int] = field(default_factory=dict)
    network_pledges: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    short_ids: Mapping[str, int] = field(default_factory=dict)
    short_ids_left: Mapping[str, int] = field(default_factory=dict)
    low: tuple[str, ...] = ()
    key_notices: tuple[KeyNotice, ...] = ()
    recovering: RecoveryCounts = NOBODY
    key_warnings: tuple[str, ...] = ()
    events: int = 0
    last_events_ms: Mapping[str, int] = field(default_factory=dict)


def survey(tx: Registry, installers: Collection[InstallerId] | None = None) -> Survey:
    """The state of things in one view of the database (RFC 9031 §8.4.4.1 for what is left).

    ``installers`` as for ``key_notices``.
    """
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
    pledges = tx.pledges.counts()
    return Survey(
        networks=tuple(network.name for network in networks),
        pledges=_by_word(pledges.get(None, {})),
        network_pledges={each.name: _by_word(pledges.get(each.id, {})) for each in networks},
        short_ids={each.name: len(each.short_ids) for each in networks},
        short_ids_left=left,
        low=tuple(low),
        key_notices=tuple(key_notices(tx, installers)),
        recovering=tx.recoveries.counts(),
        key_warnings=tuple(key_warnings(tx)),
        events=tx.events.count(),
        last_events_ms=_last_events(tx),
    )


def _by_word(states: Mapping[PledgeState, int]) -> dict[str, int]:
    return {state.value: count for state, count in states.items()}


def _last_events(tx: Registry) -> dict[str, int]:
    found = {}
    for kind in NOTED:
        for entry in tx.events.page(Wanted(kind), after=0, limit=1, newest=True):
            found[kind] = entry.at_ms
    return found
