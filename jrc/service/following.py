"""The daemon's hand on networks: they follow the interfaces of this host (RFC 9031 §8.4.2)."""

from dataclasses import dataclass

from jrc.model import Network
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


def lags_behind(tx: Registry, seen: Seen) -> bool:
    """Whether a network says something else than its interfaces."""
    return any(follow(network, seen) != network for network in tx.networks.all().values())


def follow_interfaces(tx: Registry, seen: Seen) -> list[Followed]:
    """Put into force what the interfaces in ``seen`` say; what was done comes back."""
    done = []
    for network in tx.networks.all().values():
        wanted = follow(network, seen)
        if wanted != network:
            moved = network.prefix != wanted.prefix
            joined = tx.pledges.joined(network.id, 0)[0] if moved else 0
            put_into_force(tx, network, wanted, actor=ACTOR, reason=_reason(network, wanted))
            done.append(Followed(network, wanted, joined))
    return done


def _reason(network: Network, wanted: Network) -> str:
    moved = network.prefix != wanted.prefix
    name = network.prefix_from if moved else network.jrc_address_from
    return f"follows interface {name}"
