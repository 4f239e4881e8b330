"""Key domains: networks that share link-layer keys, and their first keys (RFC 9031 §8.4.3)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jrc.cojp.constants import DEFAULT_KEY_USAGE, LINK_LAYER_KEY_BYTES
from jrc.errors import StateError
from jrc.model import Event, KeySetState, Network, Profile, Secret
from jrc.policy.keys import (
    KeySet,
    check_key_values,
    check_usages,
    choose_key_ids,
    choose_key_ids_apart,
    make_key_set,
)
from jrc.policy.profiles import check_keys, key_ids_for
from jrc.service.network_settings import is_name, refused
from jrc.service.records import Domain, Generation, Provenance
from jrc.service.registry import Registry
from jrc.service.wording import listed


def choose_domain(tx: Registry, name: str, key_usages: tuple[int, ...]) -> Domain:
    """The key domain of a new network, made or given other usages where that is safe.

    ``key_usages``: empty takes those of an existing domain, or 0.

    Raises:
        OperatorError: name or usages are refused, or differ from those of keys in use.
    """
    if not is_name(name):
        raise refused(f"{name!r} can't be a key domain's name", "use letters, digits and dashes")
    found = tx.keysets.domain(name)
    usages = key_usages or (found.key_usages if found else (DEFAULT_KEY_USAGE,))
    try:
        check_usages(usages)
    except ValueError as error:
        raise refused(f"key-usage: {error}") from None
    if found is None:
        return tx.keysets.add_domain(name, usages)
    if usages == found.key_usages:
        return found
    if current_generation(tx.keysets.generations(found.id)) is not None:
        had = listed(str(usage) for usage in found.key_usages)
        raise refused(
            f"key domain {name} has the key usage {had}, which its networks share",
            "leave --key-usage out, or choose another --key-domain",
        )
    tx.keysets.change_usages(found.id, usages)
    return Domain(found.id, name, usages)


def ensure_keys(tx: Registry, domain: Domain, actor: str, reason: str) -> None:
    """A current generation of keys; fresh ones, under ids that no node may still know (D5).

    Raises:
        OperatorError: devices of a profile in this domain can't take such keys.
    """
    if current_generation(tx.keysets.generations(domain.id)) is None:
        draw_keys(tx, domain, KeySetState.CURRENT, actor, reason)


def draw_keys(
    tx: Registry,
    domain: Domain,
    state: KeySetState,
    actor: str,
    reason: str,
    addinfos: Mapping[int, bytes | None] = MappingProxyType({}),
    *,
    after_loss: bool = False,
) -> Generation:
    """A new generation of fresh keys, under ids that no node may still know (row D5).

    ``addinfos`` are the key sources by key usage that they have; none where it says nothing.
    ``after_loss``: there may have been generations since of which nothing is known (row E8).

    Raises:
        OperatorError: devices of a profile in this domain can't take such keys, or key ids have
            run out.
    """
    generations = tx.keysets.generations(domain.id)
    number, in_use = next_number(generations), key_ids_in_use(generations)
    profiles = profiles_in(tx, domain.id)
    has_addinfo = any(addinfos.get(usage) is not None for usage in domain.key_usages)
    check_keys(profiles, domain.key_usages, has_addinfo=has_addinfo)
    count, allowed = len(domain.key_usages), key_ids_for(profiles)
    if after_loss:
        newest = {key_id for entry in generations[-1:] for key_id in entry.key_ids}
        known = {key_id for entry in generations for key_id in entry.key_ids}
        chance = int.from_bytes(tx.random(2))
        key_ids = choose_key_ids_apart(count, newest, known, chance, allowed)
    else:
        key_ids = choose_key_ids(count, in_use, allowed)
    values = [Secret(tx.random(LINK_LAYER_KEY_BYTES)) for _ in domain.key_usages]
    listed_addinfos = [addinfos.get(usage) for usage in domain.key_usages]
    key_set = make_key_set(number, state, domain.key_usages, key_ids, values, listed_addinfos)
    _check_fresh(tx, key_set)
    row_number = tx.keysets.add(domain.id, key_set, Provenance.GENERATED)
    detail = {"key_domain": domain.name, "generation": number, "key_ids": key_ids}
    tx.record(Event("key_generation.created", actor, reason=reason, detail=detail))
    return Generation(row_number, number, state, key_ids, has_addinfo=has_addinfo)


def _check_fresh(tx: Registry, key_set: KeySet) -> None:
    """Nothing, if no key domain ever had any of these values (rows D3, D5 and E10).

    Raises:
        ValueError: one was used with another MIC length. RFC 9031 §8.4.3.3
        StateError: one was used before.
    """
    prints = [(tx.keysets.fingerprint(key.key_value), key.mic_length) for key in key_set.keys]
    known = tx.keysets.known_values([key.key_value for key in key_set.keys])
    check_key_values(prints, known)
    if known:
        raise StateError("the random generator gave a link-layer key that was used before")


def profiles_in(tx: Registry, domain_id: int) -> frozenset[Profile]:
    """The profiles of a key domain: those of its networks, and of pledges that have their own."""
    networks = tx.networks.all().values()
    of_networks = {each.profile for each in networks if each.domain_id == domain_id}
    return frozenset(of_networks.union(tx.pledges.profiles(domain_id)))


def check_profile(tx: Registry, network: Network, profile: Profile) -> None:
    """Returns if devices of ``profile`` can take the keys that this network gives out.

    Raises:
        OperatorError: they can't; says what.
    """
    check_keys((profile,), network.key_usages)
    for entry in tx.keysets.generations(network.domain_id):
        if entry.state in (KeySetState.CURRENT, KeySetState.SCHEDULED):
            check_keys((profile,), network.key_usages, entry.key_ids, has_addinfo=entry.has_addinfo)


def next_number(generations: Sequence[Generation]) -> int:
    """That of the next generation of a key domain."""
    return generations[-1].number + 1 if generations else 1


def key_ids_in_use(generations: Sequence[Generation]) -> set[int]:
    """Ids of generations that are not retired, and of the last one, whoever may still know it.

    So those of an aborted generation are in use until a later rollover retires it.
    """
    live = [entry for entry in generations if entry.state is not KeySetState.RETIRED]
    return {key_id for entry in (*live, *generations[-1:]) for key_id in entry.key_ids}


def current_generation(generations: Sequence[Generation]) -> Generation | None:
    """The generation in force."""
    states = {entry.state: entry for entry in generations}
    return states.get(KeySetState.CURRENT)
