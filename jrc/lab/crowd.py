"""Simulated devices that join a registrar and stay as nodes of one mesh, all at one address.

Loopback has one address, so updates for all of them come to one socket: the node is the one whose
security context opens the request. A registrar sends them there by ``[lab] nodes``.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import SystemRandom
from typing import Final

from jrc.lab import demo
from jrc.lab.mesh import PERIOD_S, Mesh, connected
from jrc.lab.network import Address, JoinResult
from jrc.lab.node import LBR, SimulatedNode
from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.lab.station import MAX_DATAGRAM_BYTES

RECEIVE_BUFFER_BYTES: Final = 1 << 20


class Crowd:
    """Pledges, and the nodes that they become; the 6LBR, if there is one, is the mesh's root.

    Time is that of the event loop.
    """

    def __init__(self, pledges: Sequence[SimulatedPledge]) -> None:
        self._pledges = sorted(pledges, key=lambda pledge: pledge.role != LBR)
        nodes = [SimulatedNode(pledge) for pledge in self._pledges]
        self._loop = asyncio.get_running_loop()
        self._mesh = Mesh(connected(nodes, SystemRandom()), now_s=self._loop.time())

    async def join(self, jrc: Address, on_result: Callable[[JoinResult], None]) -> list[JoinResult]:
        """Everybody joins; whoever got in is a node from then on.

        Raises:
            OSError: an address can't be bound or reached.
        """

        def settle(result: JoinResult) -> None:
            if isinstance(result.outcome, Joined):
                self._mesh.places[result.pledge_id].join(result.outcome.configuration)
            on_result(result)

        return await demo.join_pledges(self._pledges, jrc, settle)

    @asynccontextmanager
    async def listening(self, address: Address) -> AsyncIterator[None]:
        """Updates that come to the address reach the nodes.

        Raises:
            OSError: it can't be bound.
        """
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ear:
            ear.setblocking(False)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            ear.bind(address)
            self._loop.add_reader(ear, self._read, ear)
            try:
                yield
            finally:
                self._loop.remove_reader(ear)

    async def live(self, on_switch: Callable[[int, Sequence[int]], None]) -> None:
        """The mesh transmits for ever; ``on_switch`` hears when all send with other keys.

        It is given how many nodes there are, and the ids of their keys.
        """
        told = self._sent_with()
        while True:
            await asyncio.sleep(PERIOD_S)
            self._mesh.advance(self._loop.time())
            keys = self._sent_with()
            if keys and keys != told:
                told = keys
                on_switch(len(self._nodes()), keys)

    def _nodes(self) -> list[SimulatedNode]:
        """Those that have joined."""
        places = self._mesh.places.values()
        return [place.node for place in places if place.node.keys.sending]

    def _sent_with(self) -> tuple[int, ...]:
        """The ids of the keys that all nodes send with; none while they differ."""
        sets = {tuple(key.key_id for key in node.keys.sending) for node in self._nodes()}
        return sets.pop() if len(sets) == 1 else ()

    def _read(self, ear: socket.socket) -> None:
        """What has arrived; an answer that the kernel has no room for is lost."""
        with suppress(BlockingIOError):
            while True:
                data, peer = ear.recvfrom(MAX_DATAGRAM_BYTES)
                answer = self._answer(data)
                if answer is not None:
                    ear.sendto(answer, peer)

    def _answer(self, data: bytes) -> bytes | None:
        """The answer of the node that can open a datagram."""
        now_s = self._loop.time()
        for name in self._mesh.places:
            answer = self._mesh.deliver(name, data, now_s)
            if answer is not None:
                return answer
        return None
