"""The messages of a Parameter Update as the registrar, its client, sees them (RFC 9031 §8.2.1).

What may leave has a type of its own, and there are two: a request that OSCORE protects, and the
empty ACK of an answer that has verified. Nothing else is ever sent to a node (RFC 9031 §7.3.2).
"""

from typing import Final, NamedTuple, NewType

from jrc.cojp import message, oscore
from jrc.cojp.constants import JOIN_PATH, JRC_HOST, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner, Options, option_values
from jrc.cojp.oscore_context import SecurityContext
from jrc.errors import PeerError, Reason

ProtectedDatagram = NewType("ProtectedDatagram", bytes)
"""A request under OSCORE; ``protect`` makes it."""
Acknowledgement = NewType("Acknowledgement", bytes)
"""An empty ACK; ``acknowledge`` makes it of an answer that has verified."""
Outgoing = ProtectedDatagram | Acknowledgement

TOKEN_BYTES: Final = 8
"""RFC 7252 §5.3.1: enough that nobody guesses one; longer ones need RFC 8974 at the node."""

_CON = int(MessageType.CON)
_ACK = int(MessageType.ACK)
_RST = int(MessageType.RST)
_POST = int(CoapCode.POST)
_EMPTY = int(CoapCode.EMPTY)
_OSCORE = int(OptionNumber.OSCORE)
_HEAD: Final[Options] = ((int(OptionNumber.URI_HOST), JRC_HOST),)
_PATH: Final[Options] = ((int(OptionNumber.URI_PATH), JOIN_PATH),)
_BEFORE_PAYLOAD: Final = message.encode_inner(_POST, _PATH, b"?")[:-1]
"""The plaintext of nearly every request, which is written without looking (RFC 8613 §5.3)."""
_CHANGED: Final = Inner(int(CoapCode.CHANGED), (), b"")
_PLAIN_CHANGED: Final = message.encode_inner(*_CHANGED)
"""Nearly every answer, which is known without reading it (RFC 9031 §8.2)."""
_RESPONSES: Final = range(0x40, 0xC0)
"""Classes 2 to 5; 3 has no code, and whoever sends one has said no (RFC 7252 §12.1)."""


class Asked(NamedTuple):
    """One protected message: what its answer has to fit to, and the datagram itself."""

    security: SecurityContext
    token: bytes
    message_id: int
    piv: bytes
    datagram: ProtectedDatagram


class VerifiedAnswer(NamedTuple):
    """An answer whose tag has verified; ``read`` makes it."""

    type: int
    message_id: int
    inner: Inner


def protect(
    security: SecurityContext,
    number: int,
    token: bytes,
    message_id: int,
    payload: bytes,
    echo: bytes | None,
    *,
    with_kid_context: bool,
    with_uri_host: bool,
) -> Asked:
    """A confirmable POST of a Configuration to ``j`` (RFC 9031 §8.2.1).

    ``number`` was never used; ``echo`` is what a former answer wanted back (RFC 9175 §2.3).
    """
    piv = oscore.encode_piv(number)
    if echo is None and payload:
        plaintext = _BEFORE_PAYLOAD + payload
    else:
        options = _PATH if echo is None else oscore.with_echo(_PATH, echo)
        plaintext = message.encode_inner(_POST, options, payload)
    value, ciphertext = oscore.protect_request(
        security, piv, plaintext, with_kid_context=with_kid_context
    )
    outer: Options = ((_OSCORE, value),)
    if with_uri_host:
        outer = _HEAD + outer
    datagram = message.encode_response(_CON, _POST, message_id, token, outer, ciphertext)
    return tuple.__new__(Asked, (security, token, message_id, piv, datagram))


def read(datagram: bytes, asked: Asked) -> VerifiedAnswer:
    """The answer to what was asked, whose token it has; piggybacked, separate or non-confirmable.

    Nothing outside of OSCORE counts, its outer code included (RFC 8613 §8.4).

    Raises:
        PeerError: it is none, or not to be trusted.
    """
    outer = message.decode(datagram, TOKEN_BYTES)
    if outer.type == _RST or (outer.type == _ACK and outer.message_id != asked.message_id):
        raise PeerError(Reason.NOT_A_RESPONSE)
    option = oscore.decode_option(_oscore_value(outer.options))
    security = asked.security
    plaintext = oscore.unprotect_response(
        security, security.sender_id, asked.piv, option, outer.payload
    )
    if plaintext == _PLAIN_CHANGED:
        return tuple.__new__(VerifiedAnswer, (outer.type, outer.message_id, _CHANGED))
    inner = message.decode_inner(plaintext)
    if inner.code not in _RESPONSES:
        raise PeerError(Reason.NOT_A_RESPONSE)
    if inner.options and any(message.is_critical(number) for number, _ in inner.options):
        raise PeerError(Reason.CRITICAL_OPTION)
    return VerifiedAnswer(outer.type, outer.message_id, inner)


def _oscore_value(options: Options) -> bytes:
    """The one OSCORE option; no other critical one is known in an answer (RFC 7252 §5.4.1)."""
    if options == message.EMPTY_OSCORE:
        return b""
    values = option_values(options, _OSCORE)
    if not values:
        raise PeerError(Reason.UNPROTECTED)
    if len(values) > 1:
        raise PeerError(Reason.MALFORMED_OSCORE)
    if any(number != _OSCORE and message.is_critical(number) for number, _ in options):
        raise PeerError(Reason.CRITICAL_OPTION)
    return values[0]


def acknowledge(answer: VerifiedAnswer) -> Acknowledgement | None:
    """What a separate confirmable answer asks for, and no other (RFC 7252 §5.2.2)."""
    if answer.type != _CON:
        return None
    return Acknowledgement(message.encode_response(_ACK, _EMPTY, answer.message_id, b"", (), b""))
