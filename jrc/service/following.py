"""The daemon's hand on networks: they follow the interfaces of this host (RFC 9031 §8.4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Network

from jrc.model import Network
from jrc.policy.addresses import prefix_holder
from jrc.policy.interface import Seen, follow
from jrc.service.networks import put_into_force
from jrc.service.registry import Registry

ACTOR = "jrc"


@dataclass(frozen=True, slots=True)
class Followed:
    """A network that took something from an interface; ``joined`` nodes have to join again."""

    before: Network
    after: Network
    joined: int


def followed_interfaces(tx: Registry) -> frozenset[str]:
    """The interfaces that networks name."""
    names = {
        name
        for network in tx.networks.all().values()
        for name in (network.prefix_from, network.jrc_address_from)
    }
    return frozenset(name for name in names if name is not None)


@dataclass(frozen=True, slots=True)
class Clash:
    """A network that keeps its prefix, since ``holder`` has that of its interface."""

    network: str
    interface: str
    prefix: IPv6Network
    holder: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the interfaces ask for: the networks that change, as they are and as they are to be."""

    due: tuple[tuple[Network, Network], ...]
    clashes: tuple[Clash, ...]


def outlook(tx: Registry, seen: Seen) -> Outlook:
    """What ``follow_interfaces`` would do with ``seen``, and what it would not."""
    networks = tx.networks.all()
    wanted = {number: follow(network, seen) for number, network in networks.items()}
    clashes = []
    while (found := _clash(networks, wanted)) is not None:
        number, clash = found
        wanted[number] = replace(wanted[number], prefix=networks[number].prefix)
        clashes.append(clash)
    due = ((network, wanted[number]) for number, network in networks.items())
    return Outlook(tuple(pair for pair in due if pair[0] != pair[1]), tuple(clashes))


def _clash(
    networks: Mapping[int, Network], wanted: Mapping[int, Network]
) -> tuple[int, Clash] | None:
    """A network that must not have the prefix it wants; of two that want one, the later made."""
    for number, network in sorted(networks.items(), reverse=True):
        after = wanted[number]
        holder = None
        if after.prefix != network.prefix:
            holder = prefix_holder(after, wanted.values())
        if holder is not None and after.prefix_from is not None:
            return number, Clash(network.name, after.prefix_from, after.prefix, holder.name)
    return None


def follow_interfaces(tx: Registry, seen: Seen) -> list[Followed]:
    """Put into force what the interfaces in ``seen`` say; what was done comes back."""
    done = []
    for network, wanted in outlook(tx, seen).due:
        moved = network.prefix != wanted.prefix
        joined = tx.pledges.joined(network.id, 0)[0] if moved else 0
        put_into_force(tx, network, wanted, actor=ACTOR, reason=_reason(network, wanted))
        done.append(Followed(network, wanted, joined))
    return done


def _reason(network: Network, wanted: Network) -> str:
    moved = network.prefix != wanted.prefix
    name = network.prefix_from if moved else network.jrc_address_from
    return f"follows interface {name}"
