"""The networks of a rehearsal: how big they are, what is assumed of them, what they lose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from jrc.cojp import codec
from jrc.cojp.constants import LINK_LAYER_KEY_BYTES, MAX_KEY_ID, Role
from jrc.cojp.objects import Configuration, LinkLayerKey
from jrc.model import Secret
from jrc.policy.rollover import NodeState

ANSWER_BYTES: Final = 23
"""A piggybacked 2.04 without a payload: 4 of header, 8 of token, 11 of OSCORE (RFC 8613 §6)."""
_SHELL_BYTES: Final = 56
"""What an update has besides its Configuration, for a node with an EUI-64 (RFC 9031 §8.2.1)."""


def update_bytes(key_usages: Sequence[int]) -> int:
    """The CoAP message that tells a node one key for each usage."""
    keys = tuple(
        LinkLayerKey(MAX_KEY_ID, Secret(bytes(LINK_LAYER_KEY_BYTES)), usage) for usage in key_usages
    )
    return _SHELL_BYTES + len(codec.encode_configuration(Configuration(keys=keys)))


class Chance(Protocol):
    """Where a rehearsal's chance comes from, such as `random.Random` with a seed."""

    def random(self) -> float:
        """A number of 0 to 1, 1 left out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One network of the key domain: 6LNs and 6LBRs that are told by update; others must join."""

    nodes: int
    border_routers: int
    must_join: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is not known of a network; shares are 0 to 1, times seconds.

    ``loss`` is for each datagram and direction, each for itself. A sleeping node hears what comes
    within ``awake_s`` after each ``sleep_s``, and nothing in between. A dead one hears nothing.
    ``goes_on_anyway``: the operator does, at once, where the deadline passes with too few.

    Raises:
        ValueError: a share or a time is out of bounds.
    """

    loss: float = 0.1
    round_trip_s: float = 2.0
    sleepy: float = 0.0
    sleep_s: float = 600.0
    awake_s: float = 30.0
    dead: float = 0.0
    goes_on_anyway: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.loss <= 0.9:
            raise ValueError(f"a loss of 0 to 0.9 can be rehearsed, not {self.loss}")
        if min(self.sleepy, self.dead) < 0 or self.sleepy + self.dead > 1:
            raise ValueError("the shares of sleeping and of dead nodes are 0 to 1, together too")
        if min(self.round_trip_s, self.sleep_s) < 0 or self.awake_s <= 0:
            raise ValueError("times are not negative, and a node is awake for some")


class Node:
    """``offset_s`` is where a sleeping node is in its rhythm, None for one that is awake."""

    __slots__ = ("attempts", "dead", "network", "offset_s", "role", "state", "waits")

    def __init__(self, network: int, role: Role) -> None:
        self.network = network
        self.role = role
        self.dead = False
        self.offset_s: float | None = None
        self.state = NodeState.PENDING
        self.attempts = 0
        self.waits = False  # for its turn, for an answer, or for its next attempt


class Mesh:
    """The networks as they are assumed; counts what is on its way in them."""

    def __init__(
        self, sizes: Sequence[Size], update_bytes: int, assumed: Assumptions, chance: Chance
    ) -> None:
        self.datagrams = 0
        self.bytes = 0
        self._update_bytes = update_bytes
        self._assumed = assumed
        self._random = chance.random
        self.nodes = [node for at, size in enumerate(sizes) for node in self._made(at, size)]

    def _made(self, network: int, size: Size) -> Iterator[Node]:
        """Nodes of a network, 6LNs in an order in which the dead and the sleeping are anywhere."""
        yield from (Node(network, Role.LBR) for _ in range(size.border_routers))
        nodes = [Node(network, Role.NODE) for _ in range(size.nodes)]
        by_chance = sorted(nodes, key=lambda node: self._random())
        dead = round(self._assumed.dead * size.nodes)
        sleepy = round(self._assumed.sleepy * size.nodes)
        for node in by_chance[:dead]:
            node.dead = True
        for node in by_chance[dead : dead + sleepy]:
            node.offset_s = self._random() * (self._assumed.sleep_s + self._assumed.awake_s)
        yield from nodes

    def send(self, node: Node, now: float) -> float | None:
        """Send an update to a node; when its answer arrives, None if none does."""
        assumed = self._assumed
        self._count(self._update_bytes)
        if self._is_lost() or not self._hears(node, now + assumed.round_trip_s / 2):
            return None
        self._count(ANSWER_BYTES)
        return None if self._is_lost() else now + assumed.round_trip_s

    def _count(self, size: int) -> None:
        self.datagrams += 1
        self.bytes += size

    def _is_lost(self) -> bool:
        return self._random() < self._assumed.loss

    def _hears(self, node: Node, at: float) -> bool:
        if node.offset_s is None:
            return not node.dead
        rhythm_s = self._assumed.sleep_s + self._assumed.awake_s
        return (at + node.offset_s) % rhythm_s < self._assumed.awake_s
