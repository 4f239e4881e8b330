"""The operator's hand on networks: add, list, show, set, remove (RFC 9031 §8.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv6Address, IPv6Network

from jrc.errors import OperatorError
from jrc.model import Event, KeySetState, Network, PledgeState, Profile, ShortIdRange
from jrc.policy.admission import check_identifier_sharing
from jrc.policy.leases import range_is_low
from jrc.service.key_domains import choose_domain, current_generation, ensure_keys
from jrc.service.network_settings import check_settings, is_name, refused
from jrc.service.registry import Registry
from jrc.service.wording import MAX_LISTED, Plan, counted, nearest

DEFAULT_SHORT_IDS = ShortIdRange()
"""RFC 4944 §12 has 0001 to 7fff for unicast (RFC 9031 §8.4.4.1)."""


class Unset(Enum):
    """Stands for a setting that a change leaves as it is, where None has a meaning."""

    KEEP = "keep"


KEEP = Unset.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNetwork:
    """A network to make.

    ``key_usages``: empty takes those of an existing key domain, or 0. ``key_domain``: None makes
    one of the network's own name. ``lease_hours``, ``join_rate_bytes_per_s``: None is no limit.
    """

    name: str
    identifiers: tuple[bytes, ...]
    prefix: IPv6Network
    key_usages: tuple[int, ...] = ()
    short_ids: ShortIdRange = DEFAULT_SHORT_IDS
    lease_hours: int | None = None
    join_rate_bytes_per_s: int | None = None
    jrc_address: IPv6Address | None = None
    profile: Profile = Profile.RFC9031
    key_domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanges:
    """What to change about a network; ``KEEP`` leaves a setting, None takes it away."""

    identifiers: tuple[bytes, ...] | Unset = KEEP
    prefix: IPv6Network | Unset = KEEP
    key_usages: tuple[int, ...] | Unset = KEEP
    short_ids: ShortIdRange | Unset = KEEP
    lease_hours: int | Unset | None = KEEP
    join_rate_bytes_per_s: int | Unset | None = KEEP
    jrc_address: IPv6Address | Unset | None = KEEP
    profile: Profile | Unset = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReport:
    """A network as listings show it; identifiers in hex, never a key value."""

    name: str
    identifiers: tuple[str, ...]
    prefix: str
    key_domain: str
    key_usages: tuple[int, ...]
    generation: int | None
    key_ids: tuple[int, ...]
    short_ids: str
    short_ids_used: int
    short_ids_low: bool
    lease_hours: int | None
    join_rate_bytes_per_s: int | None
    jrc_address: str | None
    profile: str
    pledges: int
    joined: int
    revoked: int


# Adding


def add_network(
    tx: Registry, command: AddNetwork, *, actor: str, reason: str = ""
) -> NetworkReport:
    """Make a network, and in a key domain without keys the first generation of keys.

    Raises:
        OperatorError: a setting is refused; says which and why.
    """
    if not is_name(command.name):
        raise refused(
            f"{command.name!r} can't be a network's name",
            "a name has 1 to 64 letters, digits, dots, dashes or underscores",
        )
    if tx.networks.by_name(command.name) is not None:
        raise refused(f"network {command.name} exists already", "`jrc network set` changes it")
    domain = choose_domain(tx, command.key_domain or command.name, command.key_usages)
    draft = Network(
        id=0,
        name=command.name,
        domain_id=domain.id,
        domain=domain.name,
        identifiers=command.identifiers,
        prefix=command.prefix,
        key_usages=domain.key_usages,
        jrc_address=command.jrc_address,
        short_ids=command.short_ids,
        lease_hours=command.lease_hours,
        join_rate_bytes_per_s=command.join_rate_bytes_per_s,
        profile=command.profile,
    )
    check_settings(draft)
    check_identifier_sharing(draft, tx.networks.all().values())
    ensure_keys(tx, domain, actor, reason)
    network = tx.networks.add(draft)
    tx.record(
        Event("network.added", actor, network=network.name, reason=reason, detail=_facts(network))
    )
    tx.policy_changed()
    return show_network(tx, network.name)


def _facts(network: Network) -> dict[str, object]:
    """A network's settings for the audit log."""
    return {
        "identifiers": [value.hex() for value in network.identifiers],
        "prefix": str(network.prefix),
        "key_domain": network.domain,
        "short_ids": str(network.short_ids),
        "lease_hours": network.lease_hours,
        "join_rate_bytes_per_s": network.join_rate_bytes_per_s,
        "jrc_address": None if network.jrc_address is None else str(network.jrc_address),
        "profile": network.profile.value,
    }


# Looking


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
        key_domain=network.domain,
        key_usages=network.key_usages,
        generation=None if current is None else current.number,
        key_ids=() if current is None else current.key_ids,
        short_ids=str(network.short_ids),
        short_ids_used=used,
        short_ids_low=range_is_low(len(network.short_ids), used),
        lease_hours=network.lease_hours,
        join_rate_bytes_per_s=network.join_rate_bytes_per_s,
        jrc_address=None if network.jrc_address is None else str(network.jrc_address),
        profile=network.profile.value,
        pledges=sum(counts.values()),
        joined=tx.pledges.joined(network.id, 0)[0],
        revoked=counts.get(PledgeState.REVOKED, 0),
    )


# Changing


def plan_network_change(tx: Registry, name: str, changes: NetworkChanges) -> Plan:
    """What a change means for those who have joined.

    Raises:
        OperatorError: the change is refused.
    """
    network = find_network(tx, name)
    return _plan_change(tx, network, _changed(tx, network, changes))


def set_network(
    tx: Registry,
    name: str,
    changes: NetworkChanges,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = False,
) -> NetworkReport:
    """Change a network. Who has to join again counts as joined no more until it has.

    Raises:
        OperatorError: the change is refused, or its plan needs consent and was not agreed to.
    """
    network = find_network(tx, name)
    wanted = _changed(tx, network, changes)
    if wanted == network:
        return show_network(tx, name)
    _plan_change(tx, network, wanted).require(agreed)
    tx.networks.change(wanted)
    if _must_join_again(network, wanted):
        tx.pledges.forget_network(network.id, release=False)
    before, after = _facts(network), _facts(wanted)
    detail = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
    tx.record(Event("network.changed", actor, network=name, reason=reason, detail=detail))
    tx.policy_changed()
    return show_network(tx, name)


def _changed(tx: Registry, network: Network, changes: NetworkChanges) -> Network:
    if changes.key_usages is not KEEP and changes.key_usages != network.key_usages:
        raise refused(
            f"the key usage of network {network.name} can't be changed while its keys are in use",
            "another usage means new keys for everybody; make a new network with it",
        )
    given = {
        name: getattr(changes, name)
        for name in NetworkChanges.__dataclass_fields__
        if name != "key_usages" and getattr(changes, name) is not KEEP
    }
    wanted = replace(network, **given)
    check_settings(wanted)
    check_identifier_sharing(wanted, tx.networks.all().values())
    return wanted


def _must_join_again(network: Network, wanted: Network) -> bool:
    """Nodes know one identifier and one prefix: neither may go while they are there."""
    gone = set(network.identifiers) - set(wanted.identifiers)
    return bool(gone) or network.prefix != wanted.prefix


def _plan_change(tx: Registry, network: Network, wanted: Network) -> Plan:
    count, first = tx.pledges.joined(network.id, MAX_LISTED)
    if wanted == network:
        return Plan((f"Network {network.name} is so already.",))
    if not count:
        return Plan((f"Nobody has joined network {network.name}.",))
    pledges = tuple(identifier.hex() for identifier in first)
    if not _must_join_again(network, wanted):
        sentence = (
            f"{counted(count, 'node')} of network {network.name} will hear of it when joining next."
        )
        return Plan((sentence,), (), count)
    what = "prefix" if network.prefix != wanted.prefix else "identifier"
    sentence = (
        f"A new {what} makes {counted(count, 'node')} of network {network.name} join again;"
        " until then nothing can be sent to them."
    )
    return Plan((sentence,), pledges, count, needs_consent=True)


# Removing


def plan_network_removal(tx: Registry, name: str) -> Plan:
    """Whom removing a network concerns: those who can join nowhere else, those who have joined."""
    network = find_network(tx, name)
    only, first = tx.pledges.assigned_only(network.id, MAX_LISTED)
    joined, _ = tx.pledges.joined(network.id, 0)
    sentences = [f"Network {name} is removed; its name is free again."]
    if only:
        sentences.append(f"{counted(only, 'pledge')} can join nowhere then.")
    if joined:
        sentences.append(
            f"{counted(joined, 'node')} that joined it can't be given new keys any more."
        )
    if _is_last(tx, network):
        sentences.append(f"The keys of key domain {network.domain} are retired.")
    pledges = tuple(identifier.hex() for identifier in first)
    return Plan(sentences, pledges, only, needs_consent=True)


def _is_last(tx: Registry, network: Network) -> bool:
    others = [other for other in tx.networks.all().values() if other.id != network.id]
    return all(other.domain_id != network.domain_id for other in others)


def remove_network(
    tx: Registry, name: str, *, actor: str, reason: str = "", agreed: bool = False
) -> Plan:
    """Remove a network; pledges keep their other networks. What was done comes back.

    Raises:
        OperatorError: there is none of this name, or its plan was not agreed to.
    """
    network = find_network(tx, name)
    plan = plan_network_removal(tx, name)
    plan.require(agreed)
    last = _is_last(tx, network)
    tx.pledges.forget_network(network.id, release=True)
    tx.networks.remove(network.id)
    if last:
        tx.keysets.retire_all(network.domain_id)
    tx.record(
        Event(
            "network.removed",
            actor,
            network=name,
            reason=reason,
            detail={"pledges_without_network": plan.count, "keys_retired": last},
        )
    )
    tx.policy_changed()
    return plan
