"""The stateless Join Proxy: requests of pledges to the registrar, its answers back (RFC 9031 §7.1).

``JoinProxy`` is the whole of it without sockets: datagrams and the time in, datagrams out.
``ProxyEndpoint`` moves them. Whatever can't be forwarded ends in silence with a count by reason,
also where RFC 7252 §5.7 has a proxy say 4.02, 5.02, 5.04 or 5.05: an unauthenticated neighbour is
not to make a node speak, and RFC 9031 §7.3.2 has the pledge ignore such answers anyway.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from jrc.coap.token import MAX_STATE_BYTES, Origin, TokenSealer
from jrc.cojp import message
from jrc.cojp.constants import (
    ENDPOINT_MAX_TOKEN_BYTES,
    JRC_HOST,
    MAX_DATAGRAM_BYTES,
    CoapCode,
    MessageType,
    OptionNumber,
)
from jrc.cojp.message import Message, option_values
from jrc.errors import PeerError, Reason

CLIENT_MAX_TOKEN_BYTES: Final = 512
"""Longer tokens of pledges are dropped (RFC 8974 §4.4): sealed, one has to pass through others."""
assert CLIENT_MAX_TOKEN_BYTES + MAX_STATE_BYTES <= ENDPOINT_MAX_TOKEN_BYTES

AF43: Final = 38
"""RFC 9031 §6.1.1, RFC 2597 §6."""
DSCP_SHIFT: Final = 2
"""RFC 3168 §5: the two low bits of the traffic class are not the DSCP's."""

COAP_SCHEME: Final = b"coap"
UNSAFE_BIT: Final = 0b10
"""RFC 7252 §5.4.6."""
REQUEST_OPTIONS: Final = frozenset(
    {
        OptionNumber.URI_HOST,
        OptionNumber.URI_PATH,
        OptionNumber.URI_QUERY,
        OptionNumber.PROXY_SCHEME,
    }
)
"""The unsafe options that a request may carry; of these Proxy-Scheme alone stays behind."""
RESPONSE_OPTIONS: Final = frozenset({OptionNumber.MAX_AGE})
"""The unsafe option that an answer may carry."""
RESPONSE_CLASSES: Final = (2, 4, 5)

DRAIN: Final = 64
"""Datagrams read before others get their turn on the loop."""


SocketAddress = tuple[str, int, int, int]
"""Host, port, flow information, number of the interface."""


class Peer(NamedTuple):
    """Where a pledge is: 16 bytes of address, port, and the interface if link-local."""

    address: bytes
    port: int
    scope_id: int


class Outgoing(NamedTuple):
    """A datagram and the pledge it is for; ``None`` stands for the registrar."""

    datagram: bytes
    peer: Peer | None


class JoinProxy:
    """Forwards between pledges and one registrar; all it knows of a pledge travels in tokens.

    ``first_message_id`` is where both directions' message ids begin (RFC 7252 §4.4). ``dropped``,
    ``forwarded`` and ``returned`` count datagrams.
    """

    def __init__(
        self,
        sealer: TokenSealer,
        first_message_id: int,
        *,
        max_token: int = CLIENT_MAX_TOKEN_BYTES,
    ) -> None:
        self._sealer = sealer
        self._message_id = first_message_id
        self._max_token = max_token
        self.dropped: Counter[Reason] = Counter()
        self.forwarded = 0
        self.returned = 0

    def from_pledge(self, datagram: bytes, peer: Peer, now_ms: int) -> bytes | None:
        """What goes to the registrar for a datagram of a pledge: a NON (RFC 9031 §7.1)."""
        try:
            forwarded = self._forward(datagram, peer, now_ms)
        except PeerError as error:
            self.dropped[error.reason] += 1
            return None
        self.forwarded += 1
        return forwarded

    def from_jrc(self, datagram: bytes, now_ms: int) -> tuple[Outgoing, ...]:
        """What a datagram of the registrar causes: an answer to the pledge, as the pledge asked.

        A separate response is acknowledged too, and once more when its copy comes, which is not
        forwarded (RFC 8974 §3.3, RFC 7252 §4.2).
        """
        try:
            response = _read_response(datagram)
            answer = self._return(response, now_ms)
        except PeerError as error:
            self.dropped[error.reason] += 1
            is_copy = error.reason is Reason.TOKEN_REPLAYED
            return _acknowledge(message.decode(datagram)) if is_copy else ()
        self.returned += 1
        return (answer, *_acknowledge(response))

    def count_failed_send(self) -> None:
        """A datagram could not be handed to the network."""
        self.dropped[Reason.SEND_FAILED] += 1

    def _forward(self, datagram: bytes, peer: Peer, now_ms: int) -> bytes:
        request = _read_request(datagram, self._max_token)
        origin = Origin(*peer, request.type, request.message_id, request.token)
        return message.encode(
            request._replace(
                type=MessageType.NON,
                message_id=self._next_message_id(),
                token=self._sealer.seal(origin, now_ms),
                options=tuple(o for o in request.options if o[0] != OptionNumber.PROXY_SCHEME),
            )
        )

    def _return(self, response: Message, now_ms: int) -> Outgoing:
        origin = self._sealer.open(response.token, now_ms)
        was_con = origin.message_type == MessageType.CON
        answer = response._replace(
            type=MessageType.ACK if was_con else MessageType.NON,
            message_id=origin.message_id if was_con else self._next_message_id(),
            token=origin.token,
        )
        return Outgoing(message.encode(answer), Peer(origin.address, origin.port, origin.scope_id))

    def _next_message_id(self) -> int:
        self._message_id = (self._message_id + 1) % 0x10000
        return self._message_id


def _read_request(datagram: bytes, max_token: int) -> Message:
    """A Join Request as a pledge sends it to its proxy (RFC 9031 §8.1.1).

    Proxy-Scheme may be missing: Uri-Host tells as well that the registrar is meant, and there is
    nobody else a pledge can reach.
    """
    request = _decode(datagram, max_token)
    if request.type not in (MessageType.CON, MessageType.NON) or not 0 < request.code < 32:
        raise PeerError(Reason.NOT_A_REQUEST)
    if request.code != CoapCode.POST:
        raise PeerError(Reason.OUTER_CODE)
    _check_options(request, REQUEST_OPTIONS)
    hosts = option_values(request.options, OptionNumber.URI_HOST)
    if len(hosts) != 1 or hosts[0].lower() != JRC_HOST:
        raise PeerError(Reason.WRONG_HOST)
    if option_values(request.options, OptionNumber.PROXY_SCHEME) not in ((), (COAP_SCHEME,)):
        raise PeerError(Reason.WRONG_SCHEME)
    return request


def _read_response(datagram: bytes) -> Message:
    """A response of the registrar, piggybacked, separate or NON (RFC 8974 §3.3)."""
    response = _decode(datagram, ENDPOINT_MAX_TOKEN_BYTES)
    if response.type == MessageType.RST or response.code >> 5 not in RESPONSE_CLASSES:
        raise PeerError(Reason.NOT_A_RESPONSE)
    _check_options(response, RESPONSE_OPTIONS)
    return response


def _decode(datagram: bytes, max_token: int) -> Message:
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise PeerError(Reason.TOO_LONG)
    return message.decode(datagram, max_token)


def _check_options(forwarded: Message, known: frozenset[OptionNumber]) -> None:
    """Lets pass what is known or safe to forward, of messages in OSCORE (RFC 7252 §5.7.1).

    Without OSCORE the other end would drop it unread, after the whole way through the network.
    """
    numbers = {number for number, _ in forwarded.options}
    if OptionNumber.OBSERVE in numbers:
        raise PeerError(Reason.OBSERVE)
    if any(number & UNSAFE_BIT and number not in known for number in numbers):
        raise PeerError(Reason.UNSAFE_OPTION)
    if OptionNumber.OSCORE not in numbers:
        raise PeerError(Reason.UNPROTECTED)
    if not forwarded.payload:
        raise PeerError(Reason.MALFORMED_OSCORE)


def _acknowledge(response: Message) -> tuple[Outgoing, ...]:
    """The empty ACK that a confirmable response asks for (RFC 7252 §4.2)."""
    if response.type != MessageType.CON:
        return ()
    empty = Message(MessageType.ACK, CoapCode.EMPTY, response.message_id, b"", (), b"")
    return (Outgoing(message.encode(empty), None),)


class ProxyEndpoint:
    """The proxy's two sockets on a loop: one towards pledges, one connected to the registrar.

    Connected, the kernel hands over nothing but what comes from the registrar's own address and
    port (RFC 7252 §5.3.2). ``now_ms`` is a clock that never goes back.
    """

    def __init__(
        self,
        proxy: JoinProxy,
        pledges: socket.socket,
        jrc: socket.socket,
        now_ms: Callable[[], int],
    ) -> None:
        self.proxy = proxy
        self._pledges = pledges
        self._jrc = jrc
        self._now_ms = now_ms

    @property
    def address(self) -> tuple[str, int]:
        """Where pledges reach the proxy."""
        host, port = self._pledges.getsockname()[:2]
        return host, port

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serves from now on."""
        loop.add_reader(self._pledges, self._drain, self._pledges, self._one_from_pledge)
        loop.add_reader(self._jrc, self._drain, self._jrc, self._one_from_jrc)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends it; the sockets are closed."""
        for sock in (self._pledges, self._jrc):
            loop.remove_reader(sock)
            sock.close()

    def _drain(self, sock: socket.socket, handle: Callable[[bytes, SocketAddress], None]) -> None:
        for _ in range(DRAIN):
            try:
                datagram, _, _, source = sock.recvmsg(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # What ICMP told about an earlier datagram of ours; there is none to read.
                self.proxy.count_failed_send()
                continue
            handle(datagram, source)

    def _one_from_pledge(self, datagram: bytes, source: SocketAddress) -> None:
        request = self.proxy.from_pledge(datagram, peer_of(source), self._now_ms())
        if request is not None:
            self._send(Outgoing(request, None))

    def _one_from_jrc(self, datagram: bytes, _source: SocketAddress) -> None:
        for outgoing in self.proxy.from_jrc(datagram, self._now_ms()):
            self._send(outgoing)

    def _send(self, outgoing: Outgoing) -> None:
        """Hands over or drops: a full buffer is one more way to lose a datagram."""
        try:
            if outgoing.peer is None:
                self._jrc.send(outgoing.datagram)
            else:
                self._pledges.sendto(outgoing.datagram, _sockaddr(outgoing.peer))
        except OSError:
            self.proxy.count_failed_send()


def open_sockets(
    listen: tuple[str, int], jrc: tuple[str, int], *, scope_id: int = 0
) -> tuple[socket.socket, socket.socket]:
    """The sockets of a ``ProxyEndpoint``: bound towards pledges, connected to the registrar.

    ``listen`` is one unicast address, so that answers leave from where was asked and nothing sent
    to a multicast address comes in (RFC 7252 §5.3.2, §11.3); ``scope_id`` is its interface.
    What goes to the registrar is marked AF43 (RFC 9031 §6.1.1).

    Raises:
        OSError: an address can't be bound or reached.
        ValueError: ``listen`` is no unicast address.
    """
    address = IPv6Address(listen[0])
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"the proxy listens on one unicast address, and {address} is none")
    pledges = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    upstream = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        pledges.bind((*listen, 0, scope_id))
        upstream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, AF43 << DSCP_SHIFT)
        upstream.connect(jrc)
    except OSError:
        pledges.close()
        upstream.close()
        raise
    return pledges, upstream


def peer_of(source: SocketAddress) -> Peer:
    """The pledge behind a socket address."""
    host, port, _, scope_id = source
    return Peer(socket.inet_pton(socket.AF_INET6, host.partition("%")[0]), port, scope_id)


def _sockaddr(peer: Peer) -> SocketAddress:
    return socket.inet_ntop(socket.AF_INET6, peer.address), peer.port, 0, peer.scope_id
