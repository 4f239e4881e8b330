"""CoAP datagrams around aiocoap's options, with the tokens of RFC 8974 that aiocoap can't write.

The lab has its own few lines for this, so that it and ``jrc.cojp`` can't share a mistake.
"""

from typing import NamedTuple

from aiocoap import Message  # type: ignore[import-untyped]
from aiocoap.error import UnparsableMessage  # type: ignore[import-untyped]
from aiocoap.message import Direction  # type: ignore[import-untyped]
from aiocoap.numbers.codes import Code  # type: ignore[import-untyped]

VERSION = 1
PAYLOAD_MARKER = b"\xff"
HEADER_BYTES = 4


class Envelope(NamedTuple):
    """A message and what of its header aiocoap does not carry. ``type``: 0 CON, 1 NON, 2 ACK."""

    type: int
    message_id: int
    token: bytes
    message: Message


def encode(envelope: Envelope) -> bytes:
    """The datagram (RFC 7252 §3)."""
    length, extension = _token_length(len(envelope.token))
    message = envelope.message
    header = bytes((VERSION << 6 | envelope.type << 4 | length, int(message.code)))
    payload = PAYLOAD_MARKER + message.payload if message.payload else b""
    return b"".join(
        (header, envelope.message_id.to_bytes(2), extension, envelope.token,
         message.opt.encode(), payload)
    )  # fmt: skip


def decode(datagram: bytes) -> Envelope | None:
    """The message in a datagram, ``None`` where it is none."""
    if len(datagram) < HEADER_BYTES or datagram[0] >> 6 != VERSION:
        return None
    start, size = _token_place(datagram)
    token = datagram[start : start + size]
    if size < 0 or len(token) != size:
        return None
    message = Message(code=Code(datagram[1]))
    message.direction = Direction.INCOMING
    try:
        message.payload = message.opt.decode(datagram[start + size :])
    except (UnparsableMessage, UnicodeDecodeError):
        return None
    return Envelope(datagram[0] >> 4 & 3, int.from_bytes(datagram[2:4]), token, message)


def _token_length(size: int) -> tuple[int, bytes]:
    """The nibble and its extension (RFC 8974 §2.1)."""
    if size < 13:
        return size, b""
    if size < 269:
        return 13, bytes((size - 13,))
    return 14, (size - 269).to_bytes(2)


def _token_place(datagram: bytes) -> tuple[int, int]:
    """Where the token begins and its length, -1 where there can't be one (RFC 8974 §2.1)."""
    nibble = datagram[0] & 15
    if nibble < 13:
        return HEADER_BYTES, nibble
    extension = {13: 1, 14: 2}.get(nibble)
    if extension is None:
        return HEADER_BYTES, -1
    start = HEADER_BYTES + extension
    base = 13 if extension == 1 else 269
    return start, base + int.from_bytes(datagram[HEADER_BYTES:start])
