"""The JRC's datagram endpoint: sockets, addresses, marks. It decides nothing.

One socket a listening address, never SO_REUSEPORT (a second registrar on the port would split the
replay windows). A drain loop reads many datagrams a wake-up; each comes with the address it was
sent to, which is where its answer leaves from (row C13).
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from jrc.cojp.constants import MAX_DATAGRAM_BYTES
from jrc.errors import OperatorError

COAP_PORT: Final = 5683
"""RFC 7252 §12.6."""
DSCP_AF42 = 36
"""RFC 9031 §6.1.2."""
_TRAFFIC_CLASS = DSCP_AF42 << 2
"""The DSCP is the upper six bits of the traffic class (RFC 2474 §3)."""
UNMARKED: Final = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("@i", 0))
"""Ancillary data for what is no join traffic, whatever its socket is set to."""

RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
"""The kernel counts about 800 bytes for a datagram of 100 (``skb->truesize``): 10,000 may wait."""
SO_RCVBUFFORCE = 33
"""asm-generic/socket.h; needs CAP_NET_ADMIN. Without it net.core.rmem_max is the limit."""
_SO_MEMINFO = 55
"""asm-generic/socket.h: what ``struct sock`` counts."""
_MEMINFO = struct.Struct("@9I")
_QUEUE_FIELDS = (0, 1, 8)
"""linux/sock_diag.h: SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF, SK_MEMINFO_DROPS."""
IPV6_FREEBIND = 78
"""linux/in6.h; Python has no name for it."""
DRAIN = 64
"""Datagrams read a wake-up, before the loop turns to its other work."""

_IPV6_PKTINFO = struct.Struct("@16sI")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_IPV6_PKTINFO.size)
_LINK_LOCAL = b"\xfe\x80"
_OWN = b""
"""In place of the address that a datagram was sent to: the only one its socket has."""


Name = tuple[str, int, int, int]
"""Of an IPv6 socket: address, port, flow, number of the interface."""


class Way(NamedTuple):
    """How a datagram came: the peer's address and port, and our address it was sent to.

    ``local`` is empty where the socket is bound to one address, so that it can be no other.
    """

    peer: Name
    local: bytes
    interface: int
    socket: socket.socket

    def peer_address(self) -> bytes:
        """The peer's address without its port and scope, 16 bytes."""
        return socket.inet_pton(socket.AF_INET6, self.peer[0].partition("%")[0])

    def forwarded_for(self) -> tuple[bytes, str] | None:
        """As ``service.ports.Way.forwarded_for``; see ``proxy_way.py``."""
        return None


class Queues(NamedTuple):
    """The kernel's queues: bytes that wait, the room for them, datagrams that found none."""

    used_bytes: int
    size_bytes: int
    lost: int


class Datagram(NamedTuple):
    """One datagram as it was read; ``truncated`` where it was longer than our buffer."""

    payload: bytes
    way: Way
    truncated: bool

    @property
    def to_multicast(self) -> bool:
        """Whether it was sent to a group (RFC 7252 §11.3)."""
        return self.way.local[:1] == b"\xff"


def bind(host: str, port: int, interface: str = "") -> socket.socket:
    """A socket that listens on an IPv6 address; a link-local one needs its interface.

    The address may come later, go and come back (IPV6_FREEBIND); an interface may not, since the
    socket is bound to its number.

    Raises:
        OperatorError: ``coap.listen`` names a port in use, or an interface that isn't here.
    """
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        scope_id = socket.if_nametoindex(interface) if interface else 0
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        listener.bind((host, port, 0, scope_id))
        prepare(listener)
        # Not longer: nothing may leave from an address that is not ours.
        listener.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 0)
    except OSError as error:
        listener.close()
        raise OperatorError(
            f"coap.listen: [{host}]:{port} can't be bound ({error.strerror or error})",
            "another program may hold the port (`ss -ulpn`), or the interface is not on this host",
        ) from None
    return listener


def is_here(host: str, interface: str = "") -> bool:
    """Whether an IPv6 address is on this host now; a link-local one on its interface."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0, 0, socket.if_nametoindex(interface) if interface else 0))
        except OSError:
            return False
    return True


def prepare(listener: socket.socket) -> None:
    """Set what the endpoint relies on, once it is bound; also for a service manager's sockets."""
    listener.setblocking(False)
    if not _has_one_address(listener):
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _TRAFFIC_CLASS)
    _enlarge(listener)


def receive_buffer_bytes(listener: socket.socket) -> int:
    """What may wait in the kernel; it doubles what was asked for, and says that (socket(7))."""
    return listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def _enlarge(listener: socket.socket) -> None:
    """Room for what comes while others are read; a service manager may have made more already."""
    if receive_buffer_bytes(listener) >= RECEIVE_BUFFER_BYTES:
        return
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        before = receive_buffer_bytes(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(before, RECEIVE_BUFFER_BYTES))


def _tells_addresses(listener: socket.socket) -> bool:
    """Whether the kernel says of each datagram what address it was sent to."""
    return bool(listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO))


def _has_one_address(listener: socket.socket) -> bool:
    """Whether the kernel lets nothing else in and sends from there by itself, which costs less.

    A link-local one is told by its address from others, for a Join Proxy may share the socket.
    """
    address = IPv6Address(listener.getsockname()[0].partition("%")[0])
    return not (address.is_unspecified or address.is_multicast or address.is_link_local)


class Endpoint:
    """Reads datagrams into ``receive`` and sends answers back the way their requests came.

    While ``is_held()``, what arrives is left to the kernel's queue, until ``resume``.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        receive: Callable[[list[Datagram]], None],
        is_held: Callable[[], bool] = lambda: False,
        send_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._listeners = list(listeners)
        # What each is bound to, which does not change.
        self._names: list[tuple[socket.socket, Name]] = [
            (listener, listener.getsockname()) for listener in listeners
        ]
        self._receive = receive
        self._is_held = is_held
        self._send_failed = send_failed
        self._waiting: set[socket.socket] = set()
        # A byte more than is taken: what fills it was longer.
        self._buffer = memoryview(bytearray(MAX_DATAGRAM_BYTES + 1))
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self._loop = loop
        for listener in self._listeners:
            loop.add_reader(listener, self._drain, listener)

    def add(self, listener: socket.socket) -> None:
        """Read from one more socket, whose address has come."""
        self._listeners = [*self._listeners, listener]
        self._names = [*self._names, (listener, listener.getsockname())]
        if self._loop is not None:
            self._loop.add_reader(listener, self._drain, listener)

    def drop(self, listener: socket.socket) -> None:
        """Close a socket whose interface has gone; answers on their way to it are lost."""
        if self._loop is not None:
            self._loop.remove_reader(listener)
        self._waiting.discard(listener)
        self._listeners = [other for other in self._listeners if other is not listener]
        self._names = [named for named in self._names if named[0] is not listener]
        listener.close()

    @property
    def is_waiting(self) -> bool:
        """Whether datagrams were left to the kernel's queue; ``resume`` has to be called."""
        return bool(self._waiting)

    def resume(self) -> None:
        """Read again what was left while held."""
        if self._loop is not None:
            for listener in self._waiting:
                self._loop.add_reader(listener, self._drain, listener)
        self._waiting.clear()

    def stop_reading(self) -> None:
        """Read no more; answers may still leave."""
        if self._loop is not None:
            for listener in self._listeners:
                self._loop.remove_reader(listener)
        self._loop = None

    def close(self) -> None:
        """Give the ports back."""
        self.stop_reading()
        for listener in self._listeners:
            listener.close()

    def addresses(self) -> list[str]:
        """Where it listens, as ``[address]:port``, a link-local one with its interface."""
        return [f"[{name[0]}{_zone(name[3])}]:{name[1]}" for _, name in self._names]

    def queues(self) -> Queues:
        """What the kernel says of the queues of all sockets, since they were made."""
        told = [
            _MEMINFO.unpack(each.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
            for each in self._listeners
        ]
        return Queues(*(sum(each[field] for each in told) for field in _QUEUE_FIELDS))

    def covering(self, address: IPv6Address, port: int, interface: int) -> socket.socket | None:
        """The socket that gets what is sent to a link-local address of an interface, if any."""
        for listener, (host, own_port, _, scope_id) in self._names:
            if own_port == port and (host, scope_id) in (("::", 0), (str(address), interface)):
                return listener
        return None

    def read(self) -> None:
        """Read what has arrived by now, without waiting for the loop to say so."""
        if self._loop is not None:
            for listener in self._listeners:
                self._read_some(listener)

    def _drain(self, listener: socket.socket) -> None:
        if self._is_held() and self._loop is not None:
            self._loop.remove_reader(listener)
            self._waiting.add(listener)
        else:
            self._read_some(listener)

    def _read_some(self, listener: socket.socket) -> None:
        batch: list[Datagram] = []
        read = _read if _tells_addresses(listener) else self._read_plain
        # Empty (EAGAIN), an ICMP error, a lost interface: what comes next is read all the same.
        with suppress(OSError):
            for _ in range(DRAIN):
                batch.append(read(listener))
        if batch:
            self._receive(batch)

    def _read_plain(self, listener: socket.socket) -> Datagram:
        """As ``_read``, at half the cost, where the kernel need not say what was sent where."""
        length, peer = listener.recvfrom_into(self._buffer)
        return _datagram(
            bytes(self._buffer[:length]), (peer, _OWN, 0, listener), length > MAX_DATAGRAM_BYTES
        )

    def way_to(self, address: IPv6Address, port: int = COAP_PORT, interface: int = 0) -> Way | None:
        """How a request of our own leaves; None while no listening socket could send it.

        ``interface`` counts for a link-local address alone. From a wildcard socket it leaves with
        the address that the kernel chooses; of several sockets it is the one the kernel would use.
        """
        packed = address.packed
        is_link_local = packed[:2] == _LINK_LOCAL
        if is_link_local and not interface:
            return None
        host = socket.inet_ntop(socket.AF_INET6, packed)
        peer = (host, port, 0, interface if is_link_local else 0)
        fitting = [
            (each, own[0])
            for each, own in self._names
            # One on a link-local address sends on its own interface alone.
            if own[0] == "::" or own[3] == peer[3]
        ]
        if not fitting:
            return None
        listener, own_host = fitting[0] if len(fitting) == 1 else _usual(fitting, peer)
        if own_host == "::":
            return Way(peer, _OWN, 0, listener)
        # Named, so that nothing leaves while the address of the socket is not on this host.
        return Way(peer, socket.inet_pton(socket.AF_INET6, own_host), peer[3], listener)

    def ask(self, datagram: bytes, way: Way) -> bool:
        """Send a request of our own, which is no join traffic (RFC 9031 §6.1); whether it left."""
        try:
            source = _source(way) if way.local else []
            way.socket.sendmsg((datagram,), (UNMARKED, *source), 0, way.peer)
        except OSError:
            return False
        return True

    def send(self, datagram: bytes, way: Way) -> None:
        """Send an answer the way back; one that can't leave is counted, and asked for again."""
        try:
            if way.local is _OWN:
                way.socket.sendto(datagram, way.peer)
            else:
                way.socket.sendmsg([datagram], _source(way), 0, way.peer)
        except OSError:
            self._send_failed()


def _usual(listeners: Sequence[tuple[socket.socket, str]], peer: Name) -> tuple[socket.socket, str]:
    """The one with the address that the kernel takes to send there, a wildcard one before all."""
    by_host = {host: (each, host) for each, host in listeners}
    if "::" in by_host:
        return by_host["::"]
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.connect(peer)
        return by_host.get(probe.getsockname()[0], listeners[0])
    return listeners[0]


def _source(way: Way) -> list[tuple[int, int, bytes]]:
    """Ancillary data that have an answer leave from where its request was sent to."""
    interface = way.interface if way.local[:2] == _LINK_LOCAL else 0
    information = _IPV6_PKTINFO.pack(way.local, interface)
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)]


def _zone(index: int) -> str:
    if not index:
        return ""
    try:
        return f"%{socket.if_indextoname(index)}"
    except OSError:
        return f"%{index}"


def _read(listener: socket.socket) -> Datagram:
    payload, ancillary, flags, peer = listener.recvmsg(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
    local, interface = _OWN, 0
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            local, interface = _IPV6_PKTINFO.unpack(data)
    return _datagram(payload, (peer, local, interface, listener), bool(flags & socket.MSG_TRUNC))


def _datagram(payload: bytes, way: tuple[object, ...], truncated: bool) -> Datagram:
    # A NamedTuple's own constructor costs as much as the rest.
    return tuple.__new__(Datagram, (payload, tuple.__new__(Way, way), truncated))
