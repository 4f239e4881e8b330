"""One UDP socket for all nodes of a mesh: they have a whole /64 of addresses on this host.

It needs a host where the prefix is local (``ip -6 route add local PREFIX dev lo``), such as a
network namespace of its own: the nodes are then where the registrar expects them, at their global
addresses (RFC 9031 §8.2.1).
"""

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NamedTuple

from jrc.lab.mesh import Mesh, Place
from jrc.lab.node import SimulatedNode

COAP_PORT: Final = 5683
"""RFC 7252 §6.1."""
RECEIVE_BUFFER_BYTES: Final = 8 << 20
MAX_DATAGRAM_BYTES: Final = 4096
_PKTINFO: Final = struct.Struct("@16sI")
"""``in6_pktinfo``: address and interface (RFC 3542 §6)."""
_IPV6_FREEBIND: Final = 78
"""Send from addresses that no interface has (``linux/in6.h``; Python has no name for it)."""
_UNIVERSAL_LOCAL_BIT: Final = 1 << 57
_SHORT_IID: Final = 0x0000_00FF_FE00_0000
"""RFC 4291 App. A, RFC 6282 §3.2.2."""


class Asked(NamedTuple):
    """A datagram, to which address it came, and from where."""

    data: bytes
    address: bytes
    peer: tuple[str, int, int, int]


class Station:
    """Takes datagrams for every node of ``mesh`` and sends their answers from where they came to.

    Time is that of the event loop.
    """

    def __init__(self, mesh: Mesh, prefix: IPv6Network, port: int = COAP_PORT) -> None:
        """Binds the port.

        Raises:
            OSError: it can't be bound.
        """
        self.mesh = mesh
        self._prefix = prefix
        self._loop = asyncio.get_running_loop()
        self._long: dict[bytes, bytes] = {long_address(prefix, name): name for name in mesh.places}
        self._socket = open_socket(port)
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Let go of the port."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def add(self, places: Iterable[Place]) -> None:
        """More nodes."""
        for place in places:
            name = place.node.identifier
            self.mesh.places[name] = place
            self._long[long_address(self._prefix, name)] = name

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self._answer(receive(self._socket))

    def _answer(self, asked: Asked) -> None:
        name = self._long.get(asked.address) or self._named_short(asked.address)
        answer = name and self.mesh.deliver(name, asked.data, self._loop.time())
        if answer:
            send(self._socket, answer, asked)

    def _named_short(self, address: bytes) -> bytes | None:
        """The node that has a short address; two that have it are none."""
        found = [
            name
            for name, place in self.mesh.places.items()
            if short_address(self._prefix, place.node) == address
        ]
        return found[0] if len(found) == 1 else None


def long_address(prefix: IPv6Network, identifier: bytes) -> bytes:
    """Where a node with an EUI-64 is reached (RFC 4944 §6)."""
    iid = int.from_bytes(identifier) ^ _UNIVERSAL_LOCAL_BIT
    return IPv6Address(int(prefix.network_address) | iid).packed


def short_address(prefix: IPv6Network, node: SimulatedNode) -> bytes | None:
    """Where a node with a short identifier is reached (RFC 4944 §6, RFC 6282 §3.2.2)."""
    if node.short_id is None:
        return None
    iid = _SHORT_IID | int.from_bytes(node.short_id)
    return IPv6Address(int(prefix.network_address) | iid).packed


def open_socket(port: int) -> socket.socket:
    """A socket that hears every address of this host and says which one was meant.

    Raises:
        OSError: the port can't be bound.
    """
    opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        opened.bind(("::", port))
    except OSError:
        opened.close()
        raise
    return opened


def receive(sock: socket.socket) -> Asked:
    """The next datagram.

    Raises:
        BlockingIOError: none waits.
    """
    data, ancillary, _, peer = sock.recvmsg(MAX_DATAGRAM_BYTES, socket.CMSG_SPACE(_PKTINFO.size))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            address, _ = _PKTINFO.unpack(content)
            return Asked(data, address, peer)
    return Asked(data, bytes(16), peer)


def send(sock: socket.socket, data: bytes, asked: Asked) -> None:
    """An answer, from the address that was asked; what the kernel has no room for is lost."""
    source = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO.pack(asked.address, 0))
    with suppress(BlockingIOError):
        sock.sendmsg([data], [source], 0, asked.peer)
