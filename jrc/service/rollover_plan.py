"""What a rollover will do, before it is started: whom it reaches, and whom it can't."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from jrc.cojp.constants import Role
from jrc.model import KeySetState, Network, Profile
from jrc.policy.profiles import TRAITS, key_ids_for
from jrc.service.installers import InstallerId
from jrc.service.key_domains import key_ids_in_use, next_number, profiles_in
from jrc.service.network_reports import find_network
from jrc.service.records import Generation
from jrc.service.registry import Registry
from jrc.service.rollover_course import networks_of, nodes_with_keys
from jrc.service.rollover_records import JoinedNode
from jrc.service.wording import MAX_LISTED, Plan, counted, listed


@dataclass(slots=True)
class Reach:
    """Whom new keys reach: counted, since there may be many thousand nodes.

    ``told`` are those that are told by update, by network and role; ``lost`` those that are not, by
    profile; ``first_lost`` names some of them.
    """

    told: Counter[tuple[int, int]] = field(default_factory=Counter)
    lost: Counter[Profile] = field(default_factory=Counter)
    first_lost: list[str] = field(default_factory=list)

    def add(self, each: JoinedNode) -> None:
        """One more node."""
        if TRAITS[each.profile].takes_updates:
            self.told[each.network_id, each.role] += 1
            return
        self.lost[each.profile] += 1
        if len(self.first_lost) < MAX_LISTED:
            self.first_lost.append(str(each.identifier))


def plan_rollover(
    tx: Registry, network_name: str, installers: Collection[InstallerId] | None = None
) -> Plan:
    """What new keys for a network mean; ``pledges`` are those that have to join again.

    ``installers`` are those that are configured; None counts each one that was ever run.

    Raises:
        OperatorError: there is no such network.
    """
    network = find_network(tx, network_name)
    reach = Reach()
    for each in nodes_with_keys(tx, network.domain_id):
        reach.add(each)
    sentences = [*effects(tx, network, reach, installers), *_numbers(tx, network)]
    return Plan(sentences, tuple(reach.first_lost), reach.lost.total(), needs_consent=True)


def effects(
    tx: Registry,
    network: Network,
    reach: Reach,
    installers: Collection[InstallerId] | None = None,
) -> Iterator[str]:
    """What new keys mean for these nodes of a network's key domain, in sentences."""
    yield from _whom(tx, network, reach)
    yield from _must_join(reach)
    yield from _border_routers(tx, network, reach, installers)


def _whom(tx: Registry, network: Network, reach: Reach) -> Iterator[str]:
    nodes = sum(count for (_, role), count in reach.told.items() if role == Role.NODE)
    routers = reach.told.total() - nodes
    yield (
        f"Network {network.name} gets new link-layer keys: {counted(nodes, '6LN')}, then"
        f" {counted(routers, '6LBR')}, are told by update."
    )
    others = [each.name for each in networks_of(tx, network.domain_id) if each.id != network.id]
    if others:
        yield f"It shares its keys with {listed(others)}: they switch with it."


def _must_join(reach: Reach) -> Iterator[str]:
    if reach.lost:
        profiles = listed(sorted(profile.value for profile in reach.lost))
        yield (
            f"{counted(reach.lost.total(), 'node')} of profile {profiles} can't be told new keys,"
            " and drop out of the network until they join again or get a new image."
        )


def _border_routers(
    tx: Registry,
    network: Network,
    reach: Reach,
    installers: Collection[InstallerId] | None,
) -> Iterator[str]:
    configured = {one.network for one in installers or ()}
    counts_all = installers is None or tx.is_shared
    for each in networks_of(tx, network.domain_id):
        is_set = each.name in configured or (counts_all and tx.installations.of(each.id))
        if not reach.told[each.id, Role.LBR] and not is_set:
            yield (
                f"Nothing here changes the keys of a 6LBR of network {each.name}: the switch waits"
                " until one joins or an installer sets them (docs/border-router.md), or you end it"
                f" with `jrc rollover resume {each.name} --anyway`."
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
