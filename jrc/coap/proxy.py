"""The stateless Join Proxy: requests of pledges to the registrar, its answers back (RFC 9031 §7.1).

``JoinProxy`` is the whole of it without sockets: datagrams and the time in, datagrams out;
``proxy_endpoint.py`` moves them. Whatever can't be forwarded ends in silence with a count by
reason, also where RFC 7252 §5.7 has a proxy say 4.02, 5.02, 5.04 or 5.05: an unauthenticated
neighbour is not to make a node speak, and a pledge ignores such answers (RFC 9031 §7.3.2).
"""

from collections import Counter
from typing import Final, NamedTuple

from jrc.coap.blocklist import Blocklist
from jrc.coap.proxy_message import acknowledgement, read_request, read_response, write
from jrc.coap.token import MAX_STATE_BYTES, Origin, TokenSealer
from jrc.cojp import message
from jrc.cojp.constants import ENDPOINT_MAX_TOKEN_BYTES, CoapCode, MessageType
from jrc.errors import PeerError, Reason
from jrc.policy.rate import ByteRate

CLIENT_MAX_TOKEN_BYTES: Final = 512
"""Longer tokens of pledges are dropped (RFC 8974 §4.4): sealed, one has to pass through others."""
assert CLIENT_MAX_TOKEN_BYTES + MAX_STATE_BYTES <= ENDPOINT_MAX_TOKEN_BYTES

AF43: Final = 38
"""RFC 9031 §6.1.1, RFC 2597 §6: the mark of what goes to the registrar."""
DSCP_SHIFT: Final = 2
"""RFC 3168 §5: the two low bits of the traffic class are not the DSCP's."""

_CON, _NON, _ACK = int(MessageType.CON), int(MessageType.NON), int(MessageType.ACK)
_POST = int(CoapCode.POST)


class Peer(NamedTuple):
    """Where a pledge is: 16 bytes of address, port, and the interface if link-local.

    ``asked`` is the address of the proxy that it sent to, empty for the usual one.
    """

    address: bytes
    port: int
    scope_id: int
    asked: bytes = b""


class Answer(NamedTuple):
    """What a datagram of the registrar causes; either of the two may be empty.

    ``datagram`` goes to the pledge at ``peer``, ``acknowledgement`` back to the registrar.
    """

    datagram: bytes
    peer: Peer
    acknowledgement: bytes


_NOBODY: Final = Peer(bytes(16), 0, 0)


class JoinProxy:
    """Forwards between pledges and one registrar; all it knows of a pledge travels in tokens.

    ``first_message_id`` is where both directions' message ids begin (RFC 7252 §4.4). ``dropped``,
    ``forwarded`` and ``returned`` count datagrams; ``rate`` and ``blocklist`` may be changed at any
    time.
    """

    __slots__ = (
        "_max_token",
        "_message_id",
        "_sealer",
        "blocklist",
        "dropped",
        "forwarded",
        "rate",
        "returned",
    )

    def __init__(
        self,
        sealer: TokenSealer,
        first_message_id: int,
        rate: ByteRate,
        *,
        max_token: int = CLIENT_MAX_TOKEN_BYTES,
    ) -> None:
        self._sealer = sealer
        self._message_id = first_message_id
        self._max_token = max_token
        self.rate = rate
        self.blocklist = Blocklist()
        self.dropped: Counter[Reason] = Counter()
        self.forwarded = 0
        self.returned = 0

    def from_pledge(self, datagram: bytes, peer: Peer, now_ms: int) -> bytes | None:
        """What goes to the registrar for a datagram of a pledge: a NON (RFC 9031 §7.1).

        Nothing is sealed for what is over the join rate (RFC 9031 §7.2).
        """
        try:
            kind, message_id, token, oscore, body = read_request(datagram, self._max_token)
            if self.blocklist.identifiers and self.blocklist.holds(peer.address, oscore):
                raise PeerError(Reason.BLOCKLISTED)
            if not self.rate.allows(now_ms):
                raise PeerError(Reason.JOIN_RATE)
        except PeerError as error:
            self.dropped[error.reason] += 1
            return None
        address, port, scope_id, asked = peer
        fields = (address, port, scope_id, kind, message_id, token, asked)
        origin = tuple.__new__(Origin, fields)
        self._message_id = own_id = (self._message_id + 1) & 0xFFFF
        forwarded = write(_NON, _POST, own_id, self._sealer.seal(origin, now_ms), body)
        self.rate.charge(len(forwarded))
        self.forwarded += 1
        return forwarded

    def from_jrc(self, datagram: bytes, now_ms: int) -> Answer | None:
        """What a datagram of the registrar causes: an answer to the pledge, as the pledge asked.

        A separate response is acknowledged too, and once more when its copy comes, which is not
        forwarded (RFC 8974 §3.3, RFC 7252 §4.2).
        """
        confirmation = b""
        try:
            kind, code, response_id, token, body = read_response(datagram)
            if kind == _CON:
                confirmation = acknowledgement(response_id)
            origin = self._sealer.open(token, now_ms)
        except PeerError as error:
            self.dropped[error.reason] += 1
            if confirmation and error.reason is Reason.TOKEN_REPLAYED:
                return Answer(b"", _NOBODY, confirmation)
            return None
        address, port, scope_id, kind, message_id, token, asked = origin
        if kind == _CON:
            answer = write(_ACK, code, message_id, token, body)
        else:
            self._message_id = own_id = (self._message_id + 1) & 0xFFFF
            answer = write(_NON, code, own_id, token, body)
        self.returned += 1
        peer = tuple.__new__(Peer, (address, port, scope_id, asked))
        return tuple.__new__(Answer, (answer, peer, confirmation))

    def pledge_of(self, forwarded: bytes) -> Peer | None:
        """The pledge behind a request that was forwarded here; None for any other datagram."""
        try:
            token = message.decode(forwarded, ENDPOINT_MAX_TOKEN_BYTES).token
            address, port, scope_id, _, _, _, asked = self._sealer.peek(token)
        except PeerError:
            return None
        return Peer(address, port, scope_id, asked)

    def drop(self, reason: Reason) -> None:
        """Count a datagram that ended elsewhere."""
        self.dropped[reason] += 1
