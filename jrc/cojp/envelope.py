"""The outer message of a join exchange: which requests are looked at, how an answer is wrapped.

Whatever is not a Join Request in OSCORE ends here without an answer (RFC 9031 §7.3.2); nothing of
it has been authenticated yet, so nothing but the way back is taken from it (RFC 9031 §8.1.1, §4.4).
"""

from hashlib import sha256
from typing import NamedTuple

from jrc.cojp import message, oscore
from jrc.cojp.constants import (
    JRC_HOST,
    OPENWSN_PROXY_OPTION,
    CoapCode,
    MessageType,
    OptionNumber,
)
from jrc.cojp.message import Message
from jrc.cojp.oscore import OscoreOption
from jrc.errors import PeerError, Reason

_SCHEME = b"coap"
# Plain integers: an enum's attribute costs more than the rest of the comparison.
_CON = int(MessageType.CON)
_NON = int(MessageType.NON)
_ACK = int(MessageType.ACK)
_POST = int(CoapCode.POST)
_CHANGED = int(CoapCode.CHANGED)
_OSCORE = int(OptionNumber.OSCORE)
_URI_HOST = int(OptionNumber.URI_HOST)
_MAX_METHOD = 31
_CLASS_E = frozenset(
    {
        OptionNumber.IF_MATCH,
        OptionNumber.IF_NONE_MATCH,
        OptionNumber.URI_PATH,
        OptionNumber.URI_QUERY,
        OptionNumber.ACCEPT,
    }
)
"""Critical options that the server discards from the outer message (RFC 8613 §4.1.1, §8.2)."""

DIGEST_BYTES = 16


class Envelope(NamedTuple):
    """An outer request worth a look. ``proxy_state`` holds elective options 40, as they came."""

    type: int
    message_id: int
    token: bytes
    partial_iv: bytes
    kid_context: bytes
    ciphertext: bytes
    option_value: bytes
    proxy_state: tuple[tuple[int, bytes], ...]


def open_request(datagram: bytes, max_token: int) -> Envelope:
    """The envelope of a request to the JRC.

    Raises:
        PeerError: it is nothing a JRC answers; there is nothing to send (RFC 9031 §7.3.2).
    """
    outer = message.decode(datagram, max_token)
    if outer.type > _NON or not 0 < outer.code <= _MAX_METHOD:
        raise PeerError(Reason.NOT_A_REQUEST)
    option_value, proxy_state = _screen_options(outer)
    if outer.code != _POST:
        raise PeerError(Reason.OUTER_CODE)
    option = oscore.decode_option(option_value)
    partial_iv, kid_context = _identify(option)
    return Envelope(
        outer.type,
        outer.message_id,
        outer.token,
        partial_iv,
        kid_context,
        outer.payload,
        option_value,
        proxy_state,
    )


def _identify(option: OscoreOption) -> tuple[bytes, bytes]:
    if option.piv is None:
        raise PeerError(Reason.NO_PARTIAL_IV)
    if option.kid != b"":
        raise PeerError(Reason.KID_NOT_EMPTY)
    if not option.kid_context:
        raise PeerError(Reason.NO_KID_CONTEXT)
    return option.piv, option.kid_context


def _screen_options(outer: Message) -> tuple[bytes, tuple[tuple[int, bytes], ...]]:
    option_value: bytes | None = None
    proxy_state: tuple[tuple[int, bytes], ...] = ()
    for number, value in outer.options:
        if number == _OSCORE:
            if option_value is not None:
                raise PeerError(Reason.MALFORMED_OSCORE)
            option_value = value
        elif number == OPENWSN_PROXY_OPTION:
            proxy_state += ((number, value),)
        elif number == _URI_HOST:
            if value.lower() != JRC_HOST:
                raise PeerError(Reason.WRONG_HOST)
        else:
            _screen_other(number, value)
    if option_value is None:
        raise PeerError(Reason.UNPROTECTED)
    return option_value, proxy_state


def _screen_other(number: int, value: bytes) -> None:
    if number == OptionNumber.PROXY_SCHEME:
        if value.lower() != _SCHEME:
            raise PeerError(Reason.WRONG_SCHEME)
    elif number == OptionNumber.OBSERVE:
        raise PeerError(Reason.OBSERVE)
    elif number == OptionNumber.URI_PORT:
        if len(value) > 2:
            raise PeerError(Reason.MALFORMED_MESSAGE)
    elif message.is_critical(number) and number not in _CLASS_E:
        raise PeerError(Reason.CRITICAL_OPTION)


def digest(envelope: Envelope) -> bytes:
    """16 bytes that are equal for copies of one request and for nothing else (row C11).

    A stateless proxy gives each copy another message id and token; the OSCORE option and the
    ciphertext are what stays.
    """
    value = envelope.option_value
    return sha256(bytes((len(value),)) + value + envelope.ciphertext).digest()[:DIGEST_BYTES]


def close_response(
    envelope: Envelope,
    message_id: int,
    option_value: bytes,
    ciphertext: bytes,
    *,
    with_proxy_state: bool = False,
) -> bytes:
    """The datagram that answers ``envelope``: an ACK for a CON, a NON for a NON (RFC 7252 §5.2).

    ``message_id`` is the JRC's own and goes into a NON. The outer code is 2.04 whatever the
    protected one (RFC 8613 §4.2).
    """
    confirmable = envelope.type == _CON
    options = ((_OSCORE, option_value),) if option_value else message.EMPTY_OSCORE
    return message.encode_response(
        _ACK if confirmable else _NON,
        _CHANGED,
        envelope.message_id if confirmable else message_id,
        envelope.token,
        options + envelope.proxy_state if with_proxy_state else options,
        ciphertext,
    )
