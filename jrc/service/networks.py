"""The operator's hand on networks: add, set, remove (RFC 9031 §8.4)."""

from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv6Address, IPv6Network

from jrc.model import Admission, Event, Network, Profile, ShortIdRange
from jrc.policy.addresses import check_prefix_sharing
from jrc.policy.admission import check_identifier_sharing
from jrc.policy.interface import Seen, follow
from jrc.policy.profiles import accepted_identifiers
from jrc.service.admitting import admits_no_more, admits_otherwise
from jrc.service.key_domains import (
    check_profile,
    choose_domain,
    ensure_keys,
)
from jrc.service.links import NOTHING_SEEN, first_prefix, unfollowed
from jrc.service.network_reports import NetworkReport, find_network, show_network
from jrc.service.network_settings import check_settings, is_name, refused
from jrc.service.network_stages import falls_quiet, forgotten, join_again, lasting, stages
from jrc.service.node_settings import settings_changed
from jrc.service.registry import Registry
from jrc.service.rollover_leaving import end_with_domain, leave_network
from jrc.service.takeover import TakeOver, check_free_short_ids, take_over_keys
from jrc.service.wording import MAX_LISTED, Plan, counted

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
    one of the network's own name. ``identifiers`` are completed with the other byte order where
    devices of ``profile`` use it. ``lease_hours``, ``join_rate_bytes_per_s``: None is no limit.
    ``taken_over``: the keys that its nodes have already, in place of fresh ones. ``prefix`` may be
    None where the interface ``prefix_from`` has one.
    """

    name: str
    identifiers: tuple[bytes, ...]
    prefix: IPv6Network | None
    prefix_from: str | None = None
    key_usages: tuple[int, ...] = ()
    short_ids: ShortIdRange = DEFAULT_SHORT_IDS
    lease_hours: int | None = None
    join_rate_bytes_per_s: int | None = None
    quiet_outside_windows: bool = False
    jrc_address: IPv6Address | None = None
    jrc_address_from: str | None = None
    profile: Profile = Profile.RFC9031
    admission: Admission = Admission.KNOWN
    key_domain: str | None = None
    taken_over: TakeOver | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanges:
    """What to change about a network; ``KEEP`` leaves a setting, None takes it away.

    A prefix or an address ends the following of an interface, unless one is named as well.
    """

    identifiers: tuple[bytes, ...] | Unset = KEEP
    prefix: IPv6Network | Unset = KEEP
    prefix_from: str | Unset | None = KEEP
    key_usages: tuple[int, ...] | Unset = KEEP
    short_ids: ShortIdRange | Unset = KEEP
    lease_hours: int | Unset | None = KEEP
    join_rate_bytes_per_s: int | Unset | None = KEEP
    quiet_outside_windows: bool | Unset = KEEP
    jrc_address: IPv6Address | Unset | None = KEEP
    jrc_address_from: str | Unset | None = KEEP
    profile: Profile | Unset = KEEP
    admission: Admission | Unset = KEEP


# Adding


def add_network(
    tx: Registry, command: AddNetwork, *, actor: str, reason: str = "", seen: Seen = NOTHING_SEEN
) -> NetworkReport:
    """Make a network, and in a key domain without keys the first generation of keys.

    ``seen`` are the interfaces that the command names.

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
    domain = choose_domain(tx, command.key_domain or command.name, _usages(command))
    draft = Network(
        id=0,
        name=command.name,
        domain_id=domain.id,
        domain=domain.name,
        identifiers=accepted_identifiers(command.profile, command.identifiers),
        prefix=command.prefix or first_prefix(command.prefix_from, seen),
        prefix_from=command.prefix_from,
        key_usages=domain.key_usages,
        jrc_address=command.jrc_address,
        jrc_address_from=command.jrc_address_from,
        short_ids=command.short_ids,
        lease_hours=command.lease_hours,
        join_rate_bytes_per_s=command.join_rate_bytes_per_s,
        quiet_outside_windows=command.quiet_outside_windows,
        profile=command.profile,
        admission=command.admission,
    )
    draft = follow(draft, seen)
    check_settings(draft)
    others = tx.networks.all().values()
    check_identifier_sharing(draft, others)
    check_prefix_sharing(draft, others)
    check_profile(tx, draft, draft.profile)
    network = tx.networks.add(draft)
    if command.taken_over is None:
        ensure_keys(tx, domain, actor, reason)
    else:
        check_free_short_ids(network, command.taken_over)
        take_over_keys(tx, domain, command.taken_over, actor, reason)
    tx.record(
        Event("network.added", actor, network=network.name, reason=reason, detail=_facts(network))
    )
    settings_changed(tx, network.id)
    tx.policy_changed()
    return show_network(tx, network.name)


def _usages(command: AddNetwork) -> tuple[int, ...]:
    if command.taken_over is None:
        return command.key_usages
    if command.key_usages:
        raise refused(
            "key-usage: a keys file says what its keys are for",
            "leave --key-usage out, or --keys-file",
        )
    return command.taken_over.key_usages


def _facts(network: Network) -> dict[str, object]:
    """A network's settings for the audit log."""
    return {
        "identifiers": [value.hex() for value in network.identifiers],
        "prefix": str(network.prefix),
        "prefix_from": network.prefix_from,
        "key_domain": network.domain,
        "short_ids": str(network.short_ids),
        "lease_hours": network.lease_hours,
        "join_rate_bytes_per_s": network.join_rate_bytes_per_s,
        "throttle_bytes_per_s": network.throttle_bytes_per_s,
        "quiet_outside_windows": network.quiet_outside_windows,
        "jrc_address": None if network.jrc_address is None else str(network.jrc_address),
        "jrc_address_from": network.jrc_address_from,
        "profile": network.profile.value,
        "admission": network.admission.value,
    }


# Changing


def plan_network_change(
    tx: Registry, name: str, changes: NetworkChanges, seen: Seen = NOTHING_SEEN
) -> Plan:
    """What a change means for those who have joined; ``seen`` are the interfaces it names.

    Raises:
        OperatorError: the change is refused.
    """
    network = find_network(tx, name)
    return _plan_change(tx, network, _changed(tx, network, changes, seen))


def set_network(
    tx: Registry,
    name: str,
    changes: NetworkChanges,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = False,
    seen: Seen = NOTHING_SEEN,
) -> NetworkReport:
    """Change a network. Who has to join again counts as joined no more until it has.

    Raises:
        OperatorError: the change is refused, or its plan needs consent and was not agreed to.
    """
    network = find_network(tx, name)
    wanted = _changed(tx, network, changes, seen)
    if wanted == network:
        return show_network(tx, name)
    _plan_change(tx, network, wanted).require(agreed)
    put_into_force(tx, network, wanted, actor=actor, reason=reason)
    return show_network(tx, name)


def put_into_force(
    tx: Registry, network: Network, wanted: Network, *, actor: str, reason: str
) -> None:
    """Write what changed about a network, with all that follows from it."""
    forgets = forgotten(tx, network, wanted)
    tx.networks.change(wanted)
    admits_otherwise(tx, network, wanted, actor=actor, reason=reason)
    if forgets.somebody:
        tx.pledges.forget_network(network.id, release=False, joined_before_ms=forgets.before_ms)
    settings_changed(tx, network.id)
    before, after = _facts(network), _facts(wanted)
    detail = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
    tx.record(Event("network.changed", actor, network=network.name, reason=reason, detail=detail))
    tx.policy_changed()


def _changed(tx: Registry, network: Network, changes: NetworkChanges, seen: Seen) -> Network:
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
    wanted = follow(replace(network, **{**unfollowed(given), **given}), seen)
    accepted = accepted_identifiers(wanted.profile, wanted.identifiers)
    wanted = replace(wanted, identifiers=accepted)
    check_settings(wanted)
    check_profile(tx, wanted, wanted.profile)
    others = tx.networks.all().values()
    check_identifier_sharing(wanted, others)
    if wanted.prefix != network.prefix:
        check_prefix_sharing(wanted, others)
    return wanted


def _plan_change(tx: Registry, network: Network, wanted: Network) -> Plan:
    if wanted == network:
        return Plan((f"Network {network.name} is so already.",))
    if not tx.pledges.joined(network.id, 0)[0]:
        return Plan((f"Nobody has joined network {network.name}.", *lasting(network, wanted)))
    forgets = forgotten(tx, network, wanted)
    sentences = (
        *join_again(tx, network, wanted, forgets),
        *stages(tx, network, wanted),
        *lasting(network, wanted),
    )
    count, first = tx.pledges.joined(
        network.id, MAX_LISTED, before_ms=forgets.before_ms
    ) if forgets.somebody else (0, ())  # fmt: skip
    pledges = tuple(identifier.hex() for identifier in first)
    asks = bool(count) or falls_quiet(network, wanted)
    return Plan(sentences, pledges, count, needs_consent=asks)


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
    leave_network(tx, network.id, network.domain_id)
    tx.pledges.forget_network(network.id, release=True)
    admits_no_more(tx, network, actor=actor, reason=reason)
    tx.networks.remove(network.id)
    if last:
        end_with_domain(tx, network.domain_id, actor=actor, reason=reason)
        tx.keysets.retire_all(network.domain_id)
    tx.record(
        Event(
            "network.removed",
            actor,
            network=name,
            reason=reason,
            detail={
                **_facts(network),
                "pledges_without_network": plan.count,
                "keys_retired": last,
            },
        )
    )
    tx.policy_changed()
    return plan
