"""What is shown of networks: settings, keys without their values, counts (RFC 9031 §8.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from jrc.errors import OperatorError
from jrc.model import KeySetState, Network, PledgeState
from jrc.policy.keys import current_keys, is_public
from jrc.policy.leases import range_is_low
from jrc.policy.profiles import TRAITS
from jrc.service.installers import InstallationReport, installations_of
from jrc.service.key_domains import current_generation
from jrc.service.records import Generation, Provenance
from jrc.service.registry import Registry
from jrc.service.wording import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReport:
    """A network as listings show it; identifiers in hex, never a key value.

    ``keys_public`` says that keys in force were taken over that everybody can read somewhere;
    ``short_ids_taken_over`` counts the short addresses of nodes that are unknown here.
    """

    name: str
    identifiers: tuple[str, ...]
    prefix: str
    prefix_from: str | None
    key_domain: str
    key_usages: tuple[int, ...]
    generation: int | None
    key_ids: tuple[int, ...]
    keys_provenance: str | None
    keys_public: bool
    short_ids: str
    short_ids_used: int
    short_ids_taken_over: int
    short_ids_low: bool
    lease_hours: int | None
    join_rate_bytes_per_s: int | None
    throttle_bytes_per_s: int | None
    quiet_outside_windows: bool
    jrc_address: str | None
    jrc_address_from: str | None
    profile: str
    profile_means: str
    admission: str
    installers: tuple[InstallationReport, ...]
    pledges: int
    joined: int
    revoked: int


def find_network(tx: Registry, name: str) -> Network:
    """The network of this name.

    Raises:
        OperatorError: there is none; a near name is offered.
    """
    networks = {network.name: network for network in tx.networks.all().values()}
    if name not in networks:
        raise OperatorError(
            f"there is no network {name!r}{nearest(name, networks)}",
            "`jrc network list` shows them all",
        )
    return networks[name]


def list_networks(tx: Registry) -> list[NetworkReport]:
    """Every network, by name."""
    counts = tx.pledges.counts()
    networks = sorted(tx.networks.all().values(), key=lambda network: network.name)
    return [_report(tx, network, counts.get(network.id, {})) for network in networks]


def show_network(tx: Registry, name: str) -> NetworkReport:
    """One network.

    Raises:
        OperatorError: there is none of this name.
    """
    network = find_network(tx, name)
    return _report(tx, network, tx.pledges.counts().get(network.id, {}))


def _report(tx: Registry, network: Network, counts: Mapping[PledgeState, int]) -> NetworkReport:
    generations = tx.keysets.generations(network.domain_id)
    current = current_generation(generations)
    live = [entry.number for entry in generations if entry.state is not KeySetState.RETIRED]
    used = tx.leases.used(network.domain_id, min(live, default=0))
    return NetworkReport(
        name=network.name,
        identifiers=tuple(value.hex() for value in network.identifiers),
        prefix=str(network.prefix),
        prefix_from=network.prefix_from,
        key_domain=network.domain,
        key_usages=network.key_usages,
        generation=None if current is None else current.number,
        key_ids=() if current is None else current.key_ids,
        keys_provenance=None if current is None else current.provenance.value,
        keys_public=_are_public(tx, network, current),
        short_ids=str(network.short_ids),
        short_ids_used=used,
        short_ids_taken_over=tx.leases.taken_over(network.domain_id, min(live, default=0)),
        short_ids_low=range_is_low(len(network.short_ids), used),
        lease_hours=network.lease_hours,
        join_rate_bytes_per_s=network.join_rate_bytes_per_s,
        throttle_bytes_per_s=network.throttle_bytes_per_s,
        quiet_outside_windows=network.quiet_outside_windows,
        jrc_address=None if network.jrc_address is None else str(network.jrc_address),
        jrc_address_from=network.jrc_address_from,
        profile=network.profile.value,
        profile_means=TRAITS[network.profile].meaning,
        admission=network.admission.value,
        installers=installations_of(tx, network),
        pledges=sum(counts.values()),
        joined=tx.pledges.joined(network.id, 0)[0],
        revoked=counts.get(PledgeState.REVOKED, 0),
    )


def _are_public(tx: Registry, network: Network, current: Generation | None) -> bool:
    if current is None or current.provenance is not Provenance.TAKEOVER:
        return False
    keys = current_keys(tx.keysets.live(network.domain_id))
    return any(is_public(key.key_value) for key in keys)
