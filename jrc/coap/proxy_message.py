"""What a Join Proxy lets pass, and in which form it goes on (RFC 9031 §7.1, RFC 7252 §5.7).

Options and payload go on as they came, byte for byte, but for Proxy-Scheme. Messages of the form
that nearly all pledges and registrars send are told by a few bytes in known places; any other is
decoded and looked at option by option, with the same result.
"""

from struct import Struct
from typing import Final, NamedTuple

from jrc.cojp import message
from jrc.cojp.constants import (
    ENDPOINT_MAX_TOKEN_BYTES,
    JRC_HOST,
    MAX_DATAGRAM_BYTES,
    CoapCode,
    MessageType,
    OptionNumber,
)
from jrc.cojp.message import Message, encode_response
from jrc.errors import PeerError, Reason

_SCHEME: Final = b"coap"
_SCHEME_BYTES: Final = len(_SCHEME)
_MAX_SHORT_NIBBLE: Final = 12
"""RFC 7252 §3.1: larger deltas and lengths have a byte more."""
_HEADER_BYTES: Final = 4
_UNSAFE_BIT: Final = 0b10
"""RFC 7252 §5.4.6."""
_MAX_METHOD: Final = 31
# Plain integers: an enum's attribute costs more than the rest of the comparison.
_CON, _NON = int(MessageType.CON), int(MessageType.NON)
_ACK, _RST = int(MessageType.ACK), int(MessageType.RST)
_POST = int(CoapCode.POST)
_OSCORE = int(OptionNumber.OSCORE)
_URI_HOST = int(OptionNumber.URI_HOST)
_PROXY_SCHEME = int(OptionNumber.PROXY_SCHEME)
_OBSERVE = int(OptionNumber.OBSERVE)
_PASSING_IN_REQUESTS: Final = frozenset({int(OptionNumber.URI_PATH), int(OptionNumber.URI_QUERY)})
"""Unsafe options that a request may carry beside those that are looked at."""
_PASSING_IN_RESPONSES: Final = frozenset({int(OptionNumber.MAX_AGE)})
"""The unsafe option that an answer may carry."""
_RESPONSE_CLASSES: Final = (2, 4, 5)

# The usual form of a Join Request and of its answer (RFC 7252 §3, §3.1).
_VERSION_AND_CON: Final = 0x40
_VERSION_BITS: Final = 0xE0
"""Version, and the bit of the type that tells CON and NON from the others."""
_SUCCESS: Final = 2
_HOST_OPTION: Final = bytes((_URI_HOST << 4 | len(JRC_HOST),)) + JRC_HOST
_OSCORE_DELTA: Final = _OSCORE - _URI_HOST
_SCHEME_OPTION: Final = bytes((0xD0 | _SCHEME_BYTES, _PROXY_SCHEME - _OSCORE - 13)) + _SCHEME
_SCHEME_AND_PAYLOAD: Final = _SCHEME_OPTION + b"\xff"
_LEAST_AFTER_TOKEN: Final = len(_HOST_OPTION) + 2 + len(_SCHEME_AND_PAYLOAD)
_EXTENDED_TOKEN_HEAD: Final = 0x4D
_TOKEN_HEAD_BITS: Final = 0xCF
"""Version and length of the token, without the type."""
_PROTECTED_BODY: Final = bytes((_OSCORE << 4, 0xFF))
"""An OSCORE option without a value, and the payload's marker."""

_HEAD: Final = Struct(">BBH")
_HEAD_WITH_LENGTH: Final = Struct(">BBHB")
_ONE_BYTE_LENGTH: Final = range(13, 269)
"""Tokens whose length takes a byte of its own (RFC 8974 §2.1)."""


class Request(NamedTuple):
    """A Join Request of a pledge; ``body`` is what goes on after the new token."""

    type: int
    message_id: int
    token: bytes
    oscore: bytes
    body: bytes


class Response(NamedTuple):
    """An answer of the registrar; ``body`` is what goes on after the pledge's own token."""

    type: int
    code: int
    message_id: int
    token: bytes
    body: bytes


def read_request(datagram: bytes, max_token: int) -> Request:
    """A Join Request as a pledge sends it to its proxy (RFC 9031 §8.1.1).

    Proxy-Scheme may be missing: Uri-Host tells as well that the registrar is meant, and there is
    nobody else a pledge can reach.

    Raises:
        PeerError: it is not forwarded.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise PeerError(Reason.TOO_LONG)
    return _usual_request(datagram) or _any_request(datagram, max_token)


def _usual_request(datagram: bytes) -> Request | None:
    if len(datagram) < _HEADER_BYTES + _LEAST_AFTER_TOKEN:
        return None
    token_bytes = datagram[0] & 15
    if datagram[0] & _VERSION_BITS != _VERSION_AND_CON or datagram[1] != _POST:
        return None
    body_at = _HEADER_BYTES + token_bytes
    if token_bytes > _MAX_SHORT_NIBBLE or len(datagram) < body_at + _LEAST_AFTER_TOKEN:
        return None
    oscore_at = body_at + len(_HOST_OPTION)
    head = datagram[oscore_at]
    size, at = head & 15, oscore_at + 1
    if size > _MAX_SHORT_NIBBLE:
        size, at = datagram[at] + 13, at + 1
    end = at + size
    if head >> 4 != _OSCORE_DELTA or head & 15 > 13 or len(datagram) < end + 8:
        return None
    if not datagram.startswith(_HOST_OPTION, body_at):
        return None
    if not datagram.startswith(_SCHEME_AND_PAYLOAD, end):
        return None
    fields = (
        datagram[0] >> 4 & 3,
        datagram[2] << 8 | datagram[3],
        datagram[_HEADER_BYTES:body_at],
        datagram[at:end],
        datagram[body_at:end] + datagram[end + len(_SCHEME_OPTION) :],
    )
    return tuple.__new__(Request, fields)


def _any_request(datagram: bytes, max_token: int) -> Request:
    request = message.decode(datagram, max_token)
    if request.type > _NON or not 0 < request.code <= _MAX_METHOD:
        raise PeerError(Reason.NOT_A_REQUEST)
    if request.code != _POST:
        raise PeerError(Reason.OUTER_CODE)
    oscore, scheme_at = _screen_request(request)
    if not request.payload:
        raise PeerError(Reason.MALFORMED_OSCORE)
    body = _without_scheme(request, datagram, scheme_at)
    return Request(request.type, request.message_id, request.token, oscore, body)


def _screen_request(request: Message) -> tuple[bytes, int]:
    """The OSCORE option, and which option is Proxy-Scheme, or -1 (RFC 7252 §5.7.1)."""
    oscore: bytes | None = None
    scheme_at, hosts = -1, 0
    for at, (number, value) in enumerate(request.options):
        if number == _URI_HOST:
            hosts += 1 if value.lower() == JRC_HOST else 2
        elif number == _OSCORE:
            oscore = value
        elif number == _PROXY_SCHEME:
            if value.lower() != _SCHEME or scheme_at >= 0:
                raise PeerError(Reason.WRONG_SCHEME)
            scheme_at = at
        elif number & _UNSAFE_BIT and number not in _PASSING_IN_REQUESTS:
            raise PeerError(Reason.OBSERVE if number == _OBSERVE else Reason.UNSAFE_OPTION)
    if hosts != 1:
        raise PeerError(Reason.WRONG_HOST)
    if oscore is None:
        raise PeerError(Reason.UNPROTECTED)
    return oscore, scheme_at


def _without_scheme(request: Message, datagram: bytes, scheme_at: int) -> bytes:
    """Options and payload as they came, but for Proxy-Scheme (RFC 7252 §5.7.2)."""
    body_at = _body_at(request, datagram)
    if scheme_at < 0:
        return datagram[body_at:]
    options = request.options
    if scheme_at + 1 < len(options):
        # The number of what follows is written as its distance from Proxy-Scheme: encode anew.
        kept = options[:scheme_at] + options[scheme_at + 1 :]
        return encode_response(0, _POST, 0, b"", kept, request.payload)[_HEADER_BYTES:]
    previous = options[scheme_at - 1][0]
    payload_at = len(datagram) - len(request.payload) - 1
    size = 1 + (_PROXY_SCHEME - previous > _MAX_SHORT_NIBBLE) + _SCHEME_BYTES
    return datagram[body_at : payload_at - size] + datagram[payload_at:]


def read_response(datagram: bytes) -> Response:
    """A response of the registrar, piggybacked, separate or NON (RFC 8974 §3.3).

    Without OSCORE the pledge would drop it unread, after the whole way through the network.

    Raises:
        PeerError: it is not returned.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise PeerError(Reason.TOO_LONG)
    return _usual_response(datagram) or _any_response(datagram)


def _usual_response(datagram: bytes) -> Response | None:
    if len(datagram) < _HEADER_BYTES + 1 or datagram[0] & _TOKEN_HEAD_BITS != _EXTENDED_TOKEN_HEAD:
        return None
    body_at = _HEADER_BYTES + 1 + datagram[4] + 13
    if len(datagram) <= body_at + 2 or not datagram.startswith(_PROTECTED_BODY, body_at):
        return None
    kind, code = datagram[0] >> 4 & 3, datagram[1]
    if kind == _RST or code >> 5 != _SUCCESS:
        return None
    fields = (kind, code, datagram[2] << 8 | datagram[3], datagram[5:body_at], datagram[body_at:])
    return tuple.__new__(Response, fields)


def _any_response(datagram: bytes) -> Response:
    response = message.decode(datagram, ENDPOINT_MAX_TOKEN_BYTES)
    if response.type == _RST or response.code >> 5 not in _RESPONSE_CLASSES:
        raise PeerError(Reason.NOT_A_RESPONSE)
    numbers = {number for number, _ in response.options}
    if _OBSERVE in numbers:
        raise PeerError(Reason.OBSERVE)
    if any(number & _UNSAFE_BIT and number not in _PASSING_IN_RESPONSES for number in numbers):
        raise PeerError(Reason.UNSAFE_OPTION)
    if _OSCORE not in numbers:
        raise PeerError(Reason.UNPROTECTED)
    if not response.payload:
        raise PeerError(Reason.MALFORMED_OSCORE)
    body = datagram[_body_at(response, datagram) :]
    return Response(response.type, response.code, response.message_id, response.token, body)


def _body_at(decoded: Message, datagram: bytes) -> int:
    """Where the options begin: after header, length of the token, token (RFC 8974 §2.1)."""
    nibble = datagram[0] & 15
    return _HEADER_BYTES + max(0, nibble - _MAX_SHORT_NIBBLE) + len(decoded.token)


def write(kind: int, code: int, message_id: int, token: bytes, body: bytes) -> bytes:
    """A datagram of a new header and token, and of a body that came from another."""
    size = len(token)
    first = 0x40 | kind << 4
    if size in _ONE_BYTE_LENGTH:
        return _HEAD_WITH_LENGTH.pack(first | 13, code, message_id, size - 13) + token + body
    if size <= _MAX_SHORT_NIBBLE:
        return _HEAD.pack(first | size, code, message_id) + token + body
    return encode_response(kind, code, message_id, token, (), b"") + body


def acknowledgement(message_id: int) -> bytes:
    """The empty ACK that a confirmable response asks for (RFC 7252 §4.2)."""
    return _HEAD.pack(0x40 | _ACK << 4, 0, message_id)
