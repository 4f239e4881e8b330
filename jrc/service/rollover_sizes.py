"""How big the networks of a key domain are, as far as a rehearsal wants to know."""

from collections import Counter
from dataclasses import dataclass

from jrc.cojp.constants import Role
from jrc.policy.profiles import TRAITS
from jrc.service.network_reports import find_network
from jrc.service.registry import Registry
from jrc.service.rollover_course import networks_of, nodes_with_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """6LNs and 6LBRs that are told by update, and nodes that are not and must join again."""

    network: str
    nodes: int
    border_routers: int
    must_join: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSize:
    """All networks that switch together; ``sleepy`` 6LNs are known to sleep, for ``sleep_s``.

    ``sleep_s`` is the longest of them, None for none.
    """

    key_usages: tuple[int, ...]
    networks: tuple[NetworkSize, ...]
    sleepy: int
    sleep_s: int | None


def sizes_of(tx: Registry, network_name: str) -> DomainSize:
    """The networks that share a network's keys.

    Raises:
        OperatorError: there is no such network.
    """
    network = find_network(tx, network_name)
    found: Counter[tuple[int, str]] = Counter()
    sleeps = []
    for each in nodes_with_keys(tx, network.domain_id):
        takes_updates = TRAITS[each.profile].takes_updates
        is_router = each.role == Role.LBR
        kind = ("border_routers" if is_router else "nodes") if takes_updates else "must_join"
        found[each.network_id, kind] += 1
        if kind == "nodes" and each.sleep_s:
            sleeps.append(each.sleep_s)
    return DomainSize(
        key_usages=tuple(network.key_usages),
        networks=tuple(
            NetworkSize(
                network=one.name,
                nodes=found[one.id, "nodes"],
                border_routers=found[one.id, "border_routers"],
                must_join=found[one.id, "must_join"],
            )
            for one in networks_of(tx, network.domain_id)
        ),
        sleepy=len(sleeps),
        sleep_s=max(sleeps, default=None),
    )
