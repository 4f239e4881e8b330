"""Nodes that live on while registrars come and go: a mesh with one socket, in a thread of its own.

All of it runs in a network namespace where the nodes' prefix is local (``prepare``).
"""

import asyncio
import subprocess
import threading
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import IPv6Network
from random import Random
from typing import Any, Final, Self, TypeVar

from jrc.lab.link_keys import KeySet
from jrc.lab.mesh import Air, Mesh, Place, connected
from jrc.lab.network import JoinResult, Timing, join
from jrc.lab.node import SimulatedNode
from jrc.lab.pledge import Joined
from jrc.lab.station import Station
from tests.daemon.site import CAFE, Device
from tests.daemon.wire import Address

T = TypeVar("T")

PREFIX: Final = IPv6Network("fd00:1::/64")
"""That of ``Site.add_lab``."""
JRC_ADDRESS: Final = "fd00:2::1"
JRC_LISTEN: Final = f"[{JRC_ADDRESS}]:5690"
"""The nodes have 5683."""
PATIENCE_S: Final = 60.0
JOINING: Final = Timing(ack_timeout_s=2.0)


def prepare() -> None:
    """The addresses of this host: the registrar's, and all of the nodes' prefix."""
    for command in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{JRC_ADDRESS}/128", "dev", "lo", "nodad"),
        ("route", "add", "local", str(PREFIX), "dev", "lo"),
    ):
        subprocess.run(("ip", "-6", *command), check=True, capture_output=True)


class Crew:
    """The nodes of ``devices``, the first of them a 6LBR; a context manager that ends them.

    ``guard_time_s`` is theirs, ``period_s`` is between two frames of a node.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        *,
        guard_time_s: float,
        period_s: float,
        seed: int = 9031,
    ) -> None:
        self.chance = Random(seed)
        self.nodes = [
            SimulatedNode(device.pledge(CAFE, role=int(number == 0)), guard_time_s=guard_time_s)
            for number, device in enumerate(devices)
        ]
        self.by_name = {node.identifier: node for node in self.nodes}
        self._places = connected(self.nodes, self.chance)
        self._air = Air(0.0, self.chance)
        self._period_s = period_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.mesh: Mesh = self.on_loop(self._mesh)
        self._station: Station = self.on_loop(lambda: Station(self.mesh, PREFIX))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.on_loop(self._station.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=PATIENCE_S)
        self._loop.close()

    def on_loop(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, called where the nodes live."""

        async def call() -> T:
            return work()

        return self._run(call())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def _mesh(self) -> Mesh:
        mesh = Mesh(self._places, self._air, now_s=self._loop.time(), period_s=self._period_s)
        self._loop.call_later(self._period_s, self._tick, mesh)
        return mesh

    def _tick(self, mesh: Mesh) -> None:
        mesh.advance(self._loop.time())
        self._loop.call_later(self._period_s, self._tick, mesh)

    @property
    def now_s(self) -> float:
        """The time of the mesh."""
        return self._loop.time()

    def join(self, jrc: Address, *names: bytes) -> list[JoinResult]:
        """Nodes join, again or for the first time, all of them if none is named.

        Each that got in has what the Join Response says; the others have what they had.
        """
        chosen = [self.by_name[name] for name in names] or self.nodes
        return self._run(self._join(jrc, chosen))

    async def _join(self, jrc: Address, nodes: Sequence[SimulatedNode]) -> list[JoinResult]:
        results = await asyncio.gather(*(join(node.pledge, jrc, JOINING) for node in nodes))
        for node, result in zip(nodes, results, strict=True):
            if isinstance(result.outcome, Joined):
                self.place(node).join(result.outcome.configuration)
        return list(results)

    def place(self, node: SimulatedNode) -> Place:
        """Where a node is, to make it sleep or die."""
        return self.mesh.places[node.identifier]

    def lose(self, share: float) -> None:
        """Radio loses so much from now on, each way."""
        self._air.loss = share

    def settle(self, seconds: float) -> None:
        """Let the mesh transmit for so long."""
        self._run(asyncio.sleep(seconds))

    # What the tests ask at the end

    def violations(self) -> list[str]:
        """Sequence numbers that came twice, and key ids that came with a second value."""
        found = [text for node in self.nodes for text in node.record.violations]
        return found + [
            f"{node.identifier.hex()} got key id {key_id} for a second key"
            for node in self.nodes
            for key_id in node.keys.clashes
        ]

    def sending_with(self, key_set: KeySet) -> set[bytes]:
        """Who sends with this set and holds nothing else."""
        ids = {key.key_id for key in key_set}
        return {
            node.identifier
            for node in self.nodes
            if node.keys.sending == key_set and node.keys.held_ids() == ids
        }
