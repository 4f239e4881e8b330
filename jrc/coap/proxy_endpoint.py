"""The Join Proxy's sockets: one towards pledges, one connected to the registrar; both may change.

Connected, the kernel hands over nothing but what comes from the registrar's own address and port
(RFC 7252 §5.3.2). A socket towards pledges is bound to one unicast address, so that answers leave
from where was asked and nothing sent to a group comes in (RFC 7252 §11.3); where the registrar
itself listens on that address and port, its socket is shared and the proxy is given what is its:
all that was sent to or from a link-local address on its interface. None of that is ever the
registrar's, for a neighbour would have walked round join rate and blocklist.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address
from typing import Final, Protocol

from jrc.coap.endpoint import UNMARKED, Datagram, Way
from jrc.coap.proxy import AF43, DSCP_SHIFT, JoinProxy, Peer
from jrc.coap.proxy_way import forwarded
from jrc.cojp.constants import MAX_DATAGRAM_BYTES
from jrc.errors import Reason

_PKTINFO: Final = struct.Struct("@16sI")

DRAIN: Final = 64
"""Datagrams read before others get their turn on the loop."""
BUFFER_BYTES: Final = 1024 * 1024
_LINK_LOCAL_BEGIN: Final = b"\xfe"
_LINK_LOCAL_BITS: Final = 0x80
"""Of the second byte; the prefix is fe80::/10 (RFC 4291 §2.4)."""
_METHODS: Final = 32
"""Codes below are requests and empty messages (RFC 7252 §3)."""
_LONGEST_PLAIN_TOKEN: Final = 8
"""RFC 7252 §3; a sealed token is longer."""

SocketAddress = tuple[str, int, int, int]
"""Host, port, flow information, number of the interface."""


class Inbox(Protocol):
    """Who takes what the registrar sends to the proxy itself (``proxy_node.py``)."""

    def receive(self, datagram: bytes) -> Sequence[bytes]:
        """What goes back to the registrar at once."""
        ...


class PledgeSide(Protocol):
    """A way to pledges."""

    def send(self, datagram: bytes, peer: Peer) -> None:
        """Send to a pledge.

        Raises:
            OSError: it can't leave.
        """
        ...


class ProxyEndpoint:
    """Moves datagrams for a ``JoinProxy``, and to ``inbox`` what is for the proxy itself.

    ``now_ms`` is a clock that never goes back; ``is_ours`` says of the number of an interface
    whether it is the proxy's, also while the proxy can't serve there; ``link`` is its name.
    """

    def __init__(
        self,
        proxy: JoinProxy,
        now_ms: Callable[[], int],
        inbox: Inbox | None = None,
        is_ours: Callable[[int], bool] = lambda _interface: False,
        link: str = "",
    ) -> None:
        self.proxy = proxy
        self._now_ms = now_ms
        self._inbox = inbox
        self._is_ours = is_ours
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._pledges: list[socket.socket] = []
        self._shared: SharedSide | None = None
        self._side: PledgeSide | None = None
        self._jrc: socket.socket | None = None
        self._upstream: SocketAddress | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where pledges reach the proxy usually on a socket of its own."""
        host, port = self._pledges[0].getsockname()[:2]
        return host, port

    @property
    def upstream(self) -> SocketAddress | None:
        """From where requests leave to the registrar; None while they can't."""
        return self._upstream

    def listen(self, *pledges: socket.socket) -> None:
        """Serve pledges on these sockets from now on, on none if none; the former are closed.

        The first has the usual address: tokens of what was asked there need not name it.
        """
        self._leave()
        self._pledges = list(pledges)
        if pledges:
            self._side = OwnSide(pledges)
        for number, sock in enumerate(pledges):
            asked = address_of(sock) if number else b""
            self._loop.add_reader(sock, self._read_pledges, sock, asked)

    def share(self, side: "SharedSide") -> None:
        """Serve pledges on the registrar's socket from now on; ``take`` is given what came."""
        self._leave()
        self._shared = self._side = side

    def _leave(self) -> None:
        for sock in self._pledges:
            self._loop.remove_reader(sock)
            sock.close()
        self._pledges = []
        self._shared = self._side = None

    def connect(self, jrc: socket.socket | None) -> None:
        """Reach the registrar through this socket from now on; the former one is closed."""
        if self._jrc is not None:
            self._loop.remove_reader(self._jrc)
            self._jrc.close()
        self._jrc = jrc
        self._upstream = None if jrc is None else jrc.getsockname()
        if jrc is not None:
            self._loop.add_reader(jrc, self._read_jrc, jrc)

    def close(self) -> None:
        """End it; the sockets are closed."""
        self._leave()
        self.connect(None)

    def take(self, datagrams: list[Datagram]) -> list[Datagram]:
        """Forward what is the proxy's, or drop it; what is left is the registrar's.

        To or from a link-local address on its interface is the proxy's; so what is left there goes
        from one global address to another, as what proxies elsewhere in the mesh send. What this
        proxy sent has the way's ``forwarded_for``.
        """
        left, upstream = [], self._upstream
        for datagram in datagrams:
            way = datagram.way
            peer = way.peer
            interface = _link_of(way) if peer[3] or way.local[:1] == _LINK_LOCAL_BEGIN else 0
            if interface and self._is_ours(interface):
                self._take_one(datagram, interface)
            elif peer == upstream:
                left.append(self._own(datagram))
            else:
                left.append(datagram)
        return left

    def _own(self, datagram: Datagram) -> Datagram:
        """A request that comes from this proxy, with the pledge behind it where there is one."""
        pledge = self.proxy.pledge_of(datagram.payload)
        if pledge is None:
            return datagram
        return datagram._replace(way=forwarded(datagram.way, pledge, self._link))

    def _take_one(self, datagram: Datagram, interface: int) -> None:
        way, shared = datagram.way, self._shared
        if datagram.to_multicast:
            self.proxy.drop(Reason.MULTICAST)
        elif datagram.truncated:
            self.proxy.drop(Reason.TOO_LONG)
        elif shared is None or not shared.serves(way, interface):
            self.proxy.drop(Reason.SEND_FAILED)
        else:
            asked = b"" if way.local == shared.local else way.local
            self._from_pledge(datagram.payload, way.peer, self._now_ms(), asked)

    def send(self, datagram: bytes) -> bool:
        """Send something of the proxy's own to the registrar, unmarked; whether it left."""
        if self._jrc is None:
            return False
        try:
            self._jrc.sendmsg([datagram], [UNMARKED])
        except OSError:
            self.proxy.drop(Reason.SEND_FAILED)
            return False
        return True

    def _read_pledges(self, sock: socket.socket, asked: bytes) -> None:
        now_ms = self._now_ms()
        for _ in range(DRAIN):
            try:
                datagram, source = sock.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # What ICMP told about an earlier datagram of ours; there is none to read.
                self.proxy.drop(Reason.SEND_FAILED)
                continue
            self._from_pledge(datagram, source, now_ms, asked)

    def _from_pledge(
        self, datagram: bytes, source: SocketAddress, now_ms: int, asked: bytes
    ) -> None:
        if self._jrc is None:
            self.proxy.drop(Reason.SEND_FAILED)
            return
        request = self.proxy.from_pledge(datagram, peer_of(source, asked), now_ms)
        if request is not None:
            try:
                self._jrc.send(request)
            except OSError:
                self.proxy.drop(Reason.SEND_FAILED)

    def _read_jrc(self, sock: socket.socket) -> None:
        now_ms = self._now_ms()
        for _ in range(DRAIN):
            try:
                datagram = sock.recv(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                self.proxy.drop(Reason.SEND_FAILED)
                continue
            if self._inbox is not None and _is_own(datagram):
                for answer in self._inbox.receive(datagram):
                    self.send(answer)
            else:
                self._from_jrc(datagram, now_ms)

    def _from_jrc(self, datagram: bytes, now_ms: int) -> None:
        answer = self.proxy.from_jrc(datagram, now_ms)
        if answer is None:
            return
        try:
            if answer.datagram:
                if self._side is None:
                    raise OSError("there is no interface")
                self._side.send(answer.datagram, answer.peer)
            if answer.acknowledgement and self._jrc is not None:
                self._jrc.send(answer.acknowledgement)
        except OSError:
            # A full buffer or a pledge that can't be reached is one more way to lose a datagram.
            self.proxy.drop(Reason.SEND_FAILED)


class OwnSide:
    """Sockets of the proxy's own, one for each address; the first is the usual one."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {address_of(sock): sock for sock in sockets}
        self._sockets[b""] = sockets[0]

    def send(self, datagram: bytes, peer: Peer) -> None:
        """As ``PledgeSide.send``."""
        sock = self._sockets.get(peer.asked)
        if sock is None:
            raise OSError("the address that was asked is no more")
        sock.sendto(datagram, _sockaddr(peer))


class SharedSide:
    """The registrar's socket, which also gets what is the proxy's on ``interface``.

    ``local`` is the proxy's usual address there.
    """

    def __init__(self, sock: socket.socket, local: bytes, interface: int) -> None:
        self.local = local
        self.interface = interface
        self._socket = sock
        self._usual = self._leaving_from(local)

    def serves(self, way: Way, interface: int) -> bool:
        """Whether an answer can leave the way that a datagram came on an interface."""
        return way.socket is self._socket and interface == self.interface

    def send(self, datagram: bytes, peer: Peer) -> None:
        """As ``PledgeSide.send``."""
        ancillary = self._leaving_from(peer.asked) if peer.asked else self._usual
        self._socket.sendmsg([datagram], ancillary, 0, _sockaddr(peer))

    def _leaving_from(self, local: bytes) -> Iterable[tuple[int, int, bytes]]:
        source = _PKTINFO.pack(local, self.interface)
        return (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, source), UNMARKED


def open_pledge_socket(address: str, port: int, scope_id: int = 0) -> socket.socket:
    """A socket towards pledges; ``scope_id`` is the interface of a link-local address.

    Raises:
        OSError: the address can't be bound.
        ValueError: it is no unicast address.
    """
    parsed = IPv6Address(address)
    if parsed.is_unspecified or parsed.is_multicast:
        raise ValueError(f"the proxy listens on one unicast address, and {parsed} is none")
    return _opened(lambda sock: sock.bind((address, port, 0, scope_id)))


def open_jrc_socket(jrc: SocketAddress, source: tuple[str, int] | None = None) -> socket.socket:
    """A socket connected to the registrar, marked AF43 (RFC 9031 §6.1.1), bound to ``source``.

    Raises:
        OSError: the registrar can't be reached, or ``source`` can't be bound.
    """

    def prepare(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, AF43 << DSCP_SHIFT)
        if source is not None:
            sock.bind(source)
        sock.connect(jrc)

    return _opened(prepare)


def _opened(prepare: Callable[[socket.socket], None]) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        prepare(sock)
    except OSError:
        sock.close()
        raise
    return sock


def _is_own(datagram: bytes) -> bool:
    """Whether a message is no answer with a token that the proxy could have sealed."""
    return len(datagram) > 1 and (
        datagram[1] < _METHODS or datagram[0] & 15 <= _LONGEST_PLAIN_TOKEN
    )


def _link_of(way: Way) -> int:
    """The interface of a datagram to or from a link-local address, 0 for any other."""
    scope_id = way.peer[3]
    if scope_id:
        return scope_id
    local = way.local
    is_link_local = local[:1] == _LINK_LOCAL_BEGIN and local[1] & 0xC0 == _LINK_LOCAL_BITS
    return way.interface if is_link_local else 0


def address_of(sock: socket.socket) -> bytes:
    """The address that a socket is bound to, 16 bytes."""
    host: str = sock.getsockname()[0]
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])


def peer_of(source: SocketAddress, asked: bytes = b"") -> Peer:
    """The pledge behind a socket address, which sent to ``asked`` (see ``Peer``)."""
    host, port, _, scope_id = source
    address = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return tuple.__new__(Peer, (address, port, scope_id, asked))


def _sockaddr(peer: Peer) -> SocketAddress:
    return socket.inet_ntop(socket.AF_INET6, peer.address), peer.port, 0, peer.scope_id
