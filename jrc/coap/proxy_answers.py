"""What the Join Proxy as a CoJP node reads in messages of its registrar (RFC 9031 §8)."""

from collections.abc import Sequence
from typing import Final

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner, Message, option_values
from jrc.errors import OperatorError, PeerError, Reason

GIVEN_KEYS: Final = (
    "the registrar takes this proxy for a border router with a radio, and changes the keys of its"
    " network when it joins again: run there `jrc pledge set {0} --profile join-proxy`, and restart"
    " this proxy"
)
"""For link-layer keys that the registrar has told, by pledge identifier."""


def content_of(answer: Inner) -> bytes:
    """The Configuration in a Join Response.

    Raises:
        OperatorError: the registrar has refused.
    """
    if answer.code != CoapCode.CHANGED:
        name = f"{answer.code >> 5}.{answer.code & 31:02}"
        raise OperatorError(f"the registrar refuses: {name} {answer.payload.hex()}".rstrip())
    return answer.payload


def oscore_value(received: Message) -> bytes:
    """The one OSCORE option.

    Raises:
        PeerError: UNPROTECTED.
    """
    values = option_values(received.options, OptionNumber.OSCORE)
    if len(values) != 1:
        raise PeerError(Reason.UNPROTECTED)
    return values[0]


def acknowledgement(received: Message) -> Sequence[bytes]:
    """The empty ACK that a separate response asks for (RFC 7252 §4.2)."""
    if received.type != MessageType.CON:
        return ()
    return (
        message.encode(Message(MessageType.ACK, CoapCode.EMPTY, received.message_id, b"", (), b"")),
    )
