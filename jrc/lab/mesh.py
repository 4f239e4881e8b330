"""Nodes that transmit: whether any frame is lost because its receiver lacks the key.

Each node sends a beacon and a data frame in every period, each under the key it uses at that
moment; whoever hears it decodes it with what it has installed. Time is given: virtual or real.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from jrc.lab.configuration import LabConfiguration
from jrc.lab.link_keys import Frames
from jrc.lab.node import SimulatedNode

PERIOD_S: Final = 1.0
"""Between two frames of one kind of a node: about a slotframe of 101 slots of 10 ms."""
PARENTS: Final = 3
"""Neighbours that a node of a mesh that is made up has nearer to the root."""


class Unread(NamedTuple):
    """Frames that a neighbour heard and had no key for; ``key_id`` None: no key was for them."""

    sender: bytes
    receiver: bytes
    key_id: int | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """A node that is awake for ``awake_s`` of every ``every_s``, from ``phase_s`` on."""

    every_s: float
    awake_s: float
    phase_s: float = 0.0

    def is_awake(self, now_s: float) -> bool:
        """Whether its radio is on."""
        return (now_s - self.phase_s) % self.every_s < self.awake_s


@dataclass(slots=True)
class Place:
    """A node in the mesh. One that has slept longer than a period listens before it sends (TSCH).

    In a mesh that is to lose no frame a sleeper is not the only way to the others: while it sleeps
    the switch does not come past it, and the guard time of those before it runs out.
    """

    node: SimulatedNode
    neighbours: tuple[bytes, ...] = ()
    sleep: Sleep | None = None
    is_dead: bool = False
    listening: bool = False

    def is_up(self, now_s: float) -> bool:
        """Whether it hears what it is told."""
        return not self.is_dead and (self.sleep is None or self.sleep.is_awake(now_s))

    def join(self, given: LabConfiguration) -> None:
        """The node has joined: a 6LN sends after it has heard with which keys the others do.

        The frame of its Join Response says so, which it has to open first (RFC 9031 §5.1).
        """
        self.node.joined(given)
        self.listening = not self.node.is_border_router


@dataclass(slots=True)
class Air:
    """What radio does to frames and datagrams: each is lost with this probability, by chance."""

    loss: float
    chance: Random

    def takes(self) -> bool:
        """Whether this one is lost."""
        return self.chance.random() < self.loss


class Mesh:
    """All nodes, which begin to transmit at ``now_s``.

    ``unread`` counts frames that a neighbour has no key for, of those that radio did not lose;
    ``sent`` counts all that were sent.
    """

    def __init__(
        self,
        places: Iterable[Place],
        air: Air | None = None,
        *,
        now_s: float = 0.0,
        period_s: float = PERIOD_S,
    ) -> None:
        self.places = {place.node.identifier: place for place in places}
        self._air = air
        self.unread: Counter[Unread] = Counter()
        self.sent = 0
        self._period_s = period_s
        self._next_s = now_s

    def deliver(self, identifier: bytes, data: bytes, now_s: float) -> bytes | None:
        """What becomes of a datagram for a node: its answer, None if either was lost."""
        self.advance(now_s)
        place = self.places.get(identifier)
        if place is None or not place.is_up(now_s) or self._is_lost():
            return None
        answer = place.node.receive(data, now_s)
        return None if self._is_lost() else answer

    def advance(self, now_s: float) -> None:
        """Let everybody transmit, period by period, up to ``now_s``."""
        while self._next_s <= now_s:
            self._round(self._next_s)
            self._next_s += self._period_s

    def lost_between(self, nodes: Collection[bytes]) -> dict[Unread, int]:
        """The frames that got lost for want of a key with both ends among ``nodes``."""
        return {
            unread: count
            for unread, count in self.unread.items()
            if unread.sender in nodes and unread.receiver in nodes
        }

    def _is_lost(self) -> bool:
        return self._air is not None and self._air.takes()

    def _round(self, now_s: float) -> None:
        up: dict[bytes, Place] = {}
        for identifier, place in self.places.items():
            place.node.keys.expire(now_s)
            if not place.node.keys.sending:
                continue  # It has not joined.
            if place.is_up(now_s):
                up[identifier] = place
            else:
                place.listening = True
        if _all_alike(up.values()):
            self.sent += len(Frames) * len(up)
            return
        # The last ones first: a switch that begins at the root then takes a period a hop.
        for place in reversed(up.values()):
            if not place.listening:
                self._transmit(place, up, now_s)
        for place in up.values():
            # One that hears nobody at all must not stay silent for ever.
            place.listening = place.listening and any(
                each in up and not up[each].listening for each in place.neighbours
            )

    def _transmit(self, sender: Place, up: Mapping[bytes, Place], now_s: float) -> None:
        self.sent += len(Frames)
        for frames in Frames:
            key = sender.node.keys.key_for(frames)
            for identifier in sender.neighbours:
                receiver = up.get(identifier)
                if receiver is None or self._is_lost():
                    continue
                if key is not None and receiver.node.keys.hears(key, now_s):
                    receiver.listening = False
                elif not receiver.listening:
                    key_id = None if key is None else key.key_id
                    self.unread[Unread(sender.node.identifier, identifier, key_id)] += 1


def _all_alike(places: Collection[Place]) -> bool:
    """Whether everybody sends with the same keys and nobody is to change: all frames are read."""
    first = next(iter(places), None)
    return first is None or (
        bool(first.node.keys.sending)
        and all(
            not place.listening
            and place.node.keys.is_settled
            and place.node.keys.sending == first.node.keys.sending
            for place in places
        )
    )


def connected(nodes: Sequence[SimulatedNode], chance: Random) -> list[Place]:
    """Places for nodes in a mesh that is made up; the first one is the root.

    200 nodes are 12 hops deep, 2,000 are 19.
    """
    links: dict[int, set[int]] = {number: set() for number in range(len(nodes))}
    for number in range(1, len(nodes)):
        near = range(max(0, number * 2 // 3 - 1), number)
        for other in chance.sample(near, min(len(near), PARENTS)):
            links[number].add(other)
            links[other].add(number)
    return [
        Place(node, tuple(nodes[other].identifier for other in sorted(links[number])))
        for number, node in enumerate(nodes)
    ]
