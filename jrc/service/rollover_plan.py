"""What a rollover will do, before it is started: whom it reaches, and whom it can't."""

from collections.abc import Iterator, Sequence

from jrc.cojp.constants import Role
from jrc.model import KeySetState, Network
from jrc.policy.profiles import TRAITS, key_ids_for
from jrc.service.key_domains import key_ids_in_use, next_number, profiles_in
from jrc.service.network_reports import find_network
from jrc.service.records import Generation
from jrc.service.registry import Registry
from jrc.service.rollover_course import networks_of, nodes_with_keys
from jrc.service.rollover_records import JoinedNode
from jrc.service.wording import MAX_LISTED, Plan, counted, listed


def plan_rollover(tx: Registry, network_name: str) -> Plan:
    """What new keys for a network mean; ``pledges`` are those that have to join again.

    Raises:
        OperatorError: there is no such network.
    """
    network = find_network(tx, network_name)
    joined = nodes_with_keys(tx, network.domain_id)
    lost = [each for each in joined if not TRAITS[each.profile].takes_updates]
    sentences = [*effects(tx, network, joined), *_numbers(tx, network)]
    first = tuple(str(each.identifier) for each in lost[:MAX_LISTED])
    return Plan(sentences, first, len(lost), needs_consent=True)


def effects(tx: Registry, network: Network, joined: Sequence[JoinedNode]) -> Iterator[str]:
    """What new keys mean for these nodes of a network's key domain, in sentences."""
    yield from _whom(tx, network, joined)
    yield from _must_join([each for each in joined if not TRAITS[each.profile].takes_updates])
    yield from _border_routers(tx, network, joined)


def _whom(tx: Registry, network: Network, joined: Sequence[JoinedNode]) -> Iterator[str]:
    told = [each for each in joined if TRAITS[each.profile].takes_updates]
    nodes = sum(each.role == Role.NODE for each in told)
    routers = len(told) - nodes
    yield (
        f"Network {network.name} gets new link-layer keys: {counted(nodes, '6LN')}, then"
        f" {counted(routers, '6LBR')}, are told by update."
    )
    others = [each.name for each in networks_of(tx, network.domain_id) if each.id != network.id]
    if others:
        yield f"It shares its keys with {listed(others)}: they switch with it."


def _must_join(lost: Sequence[JoinedNode]) -> Iterator[str]:
    if lost:
        profiles = listed(sorted({each.profile.value for each in lost}))
        yield (
            f"{counted(len(lost), 'node')} of profile {profiles} can't be told new keys, and drop"
            " out of the network until they join again or get a new image."
        )


def _border_routers(tx: Registry, network: Network, joined: Sequence[JoinedNode]) -> Iterator[str]:
    for each in networks_of(tx, network.domain_id):
        here = [node for node in joined if node.network_id == each.id and node.role == Role.LBR]
        told = any(TRAITS[node.profile].takes_updates for node in here)
        if not told and not tx.installations.of(each.id):
            yield (
                f"Nothing here changes the keys of a 6LBR of network {each.name}: configure an"
                " installer for it (docs/border-router.md), or its nodes lose it."
            )


def _numbers(tx: Registry, network: Network) -> Iterator[str]:
    generations = tx.keysets.generations(network.domain_id)
    free = _free_key_ids(tx, network, generations)
    live = [each.number for each in generations if each.state is not KeySetState.RETIRED]
    domain_id = network.domain_id
    used = tx.leases.used(domain_id, min(live, default=0))
    freed = used - tx.leases.used(domain_id, next_number(generations))
    yield (
        f"{counted(free, 'key id')} {'is' if free == 1 else 'are'} free for it;"
        f" {counted(freed, 'short identifier')} that nobody holds any more can be given again"
        " when it is done."
    )


def _free_key_ids(tx: Registry, network: Network, generations: Sequence[Generation]) -> int:
    allowed = key_ids_for(profiles_in(tx, network.domain_id))
    return len(allowed - key_ids_in_use(generations))
