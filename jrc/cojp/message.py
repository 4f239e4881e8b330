"""CoAP datagrams <-> values: RFC 7252 §3 with the token lengths of RFC 8974, and OSCORE plaintexts.

Decoding is strict and says nothing about meaning: an unknown method, an empty NON or a critical
option nobody knows are the endpoint's to judge.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple

from jrc.cojp.constants import (
    MAX_OPTION_BYTES,
    MAX_OPTION_NUMBER,
    MAX_TOKEN_BYTES,
    OptionNumber,
)
from jrc.errors import PeerError, Reason

Options = tuple[tuple[int, bytes], ...]
"""Option number and value, in the order of the message: numbers ascend, equal ones may follow."""

EMPTY_OSCORE: Final = ((int(OptionNumber.OSCORE), b""),)
"""The options of nearly every answer, which are written without looking (RFC 8613 §8.3)."""

_VERSION: Final = 1
_HEADER_BYTES: Final = 4
_PAYLOAD_MARKER: Final = 0xFF
_RESERVED_CLASSES: Final = frozenset({1, 6, 7})
"""RFC 7252 §4.2: a message with such a code is rejected like one of wrong format."""
_number_of: Final = itemgetter(0)


class Message(NamedTuple):
    """One datagram; ``type`` and ``code`` as in ``MessageType`` and ``CoapCode``."""

    type: int
    code: int
    message_id: int
    token: bytes
    options: Options
    payload: bytes


class Inner(NamedTuple):
    """The plaintext of an OSCORE message (RFC 8613 §5.3)."""

    code: int
    options: Options
    payload: bytes


class _FormatError(ValueError):
    """The bytes are no options and payload."""


def is_critical(number: int) -> bool:
    """Whether an option may not be ignored (RFC 7252 §5.4.6)."""
    return number & 1 == 1


def option_values(options: Options, number: int) -> tuple[bytes, ...]:
    """The values of each instance of one option, in their order."""
    return tuple(value for found, value in options if found == number)


# --- Decoding ----------------------------------------------------------------------------------


def decode(datagram: bytes, max_token: int = MAX_TOKEN_BYTES) -> Message:
    """The message that the datagram is; ``max_token`` in bytes.

    Raises:
        PeerError: MALFORMED_MESSAGE, or TOKEN_TOO_LONG for a whole token over ``max_token``.
    """
    try:
        first, code = datagram[0], datagram[1]
        message_id = datagram[2] << 8 | datagram[3]
        pos, token_bytes = _HEADER_BYTES, first & 15
        if token_bytes > 12:
            token_bytes, pos = _extended(datagram, pos, token_bytes)
        if first >> 6 != _VERSION or code >> 5 in _RESERVED_CLASSES:
            raise _FormatError
        if code == 0 and len(datagram) > _HEADER_BYTES:
            raise _FormatError
        end = pos + token_bytes
        if end > len(datagram):
            raise _FormatError
        if token_bytes > max_token:
            raise PeerError(Reason.TOKEN_TOO_LONG)
        options, payload = _read_options(datagram, end)
    except (IndexError, _FormatError):
        raise PeerError(Reason.MALFORMED_MESSAGE) from None
    fields = (first >> 4 & 3, code, message_id, datagram[pos:end], options, payload)
    return tuple.__new__(Message, fields)


def decode_inner(plaintext: bytes) -> Inner:
    """Code, inner options and payload of an OSCORE plaintext (RFC 8613 §5.3).

    Raises:
        PeerError: MALFORMED_INNER; an empty or reserved code is that too.
    """
    try:
        code = plaintext[0]
        if code == 0 or code >> 5 in _RESERVED_CLASSES:
            raise _FormatError
        options, payload = _read_options(plaintext, 1)
    except (IndexError, _FormatError):
        raise PeerError(Reason.MALFORMED_INNER) from None
    return Inner(code, options, payload)


def _read_options(data: bytes, pos: int) -> tuple[Options, bytes]:
    """Options and payload from ``pos`` to the end (RFC 7252 §3.1).

    One flat loop, since every datagram of the join path goes through it.

    Raises:
        _FormatError, IndexError: the bytes are none.
    """
    size = len(data)
    number = 0
    options: list[tuple[int, bytes]] = []
    while pos < size:
        byte = data[pos]
        pos += 1
        if byte == _PAYLOAD_MARKER:
            if pos == size:
                raise _FormatError
            return tuple(options), data[pos:]
        delta, length = byte >> 4, byte & 15
        if delta > 12:
            delta, pos = _extended(data, pos, delta)
        if length > 12:
            length, pos = _extended(data, pos, length)
        number += delta
        end = pos + length
        if end > size or number > MAX_OPTION_NUMBER:
            raise _FormatError
        options.append((number, data[pos:end]))
        pos = end
    return tuple(options), b""


def _extended(data: bytes, pos: int, nibble: int) -> tuple[int, int]:
    """The value that a nibble of 13 or 14 announces, and the position after it.

    Option deltas, option lengths (RFC 7252 §3.1) and token lengths (RFC 8974 §2.1) share the
    form, in which each value has one encoding only.

    Raises:
        _FormatError: the nibble is 15.
        IndexError: truncated.
    """
    if nibble == 13:
        return data[pos] + 13, pos + 1
    if nibble == 14:
        return (data[pos] << 8 | data[pos + 1]) + 269, pos + 2
    raise _FormatError


# --- Encoding ----------------------------------------------------------------------------------


def encode(message: Message) -> bytes:
    """The datagram; options are sorted by number, equal numbers keep their order.

    Raises:
        ValueError: a field is out of its bounds (RFC 7252 §3, RFC 8974 §2.1).
    """
    kind, code, message_id, token, options, payload = message
    return encode_response(kind, code, message_id, token, options, payload)


def encode_response(
    type: int,
    code: int,
    message_id: int,
    token: bytes,
    options: Options,
    payload: bytes,
) -> bytes:
    """What ``encode`` gives, from the fields themselves.

    Raises:
        ValueError: a field is out of its bounds (RFC 7252 §3, RFC 8974 §2.1).
    """
    if not (0 <= type <= 3 and 0 <= code <= 255 and 0 <= message_id <= 0xFFFF):
        raise ValueError("a CoAP header field is out of bounds")
    size = len(token)
    if size > MAX_TOKEN_BYTES:
        raise ValueError(f"a token has at most {MAX_TOKEN_BYTES} bytes, not {size}")
    if code == 0 and (token or options or payload):
        raise ValueError("an empty message has neither token, options nor payload")
    nibble, extension = (size, b"") if size < 13 else _extend(size)
    header = bytes((0x40 | type << 4 | nibble, code, message_id >> 8, message_id & 0xFF))
    return header + extension + token + _write_options(options, payload)


def encode_inner(code: int, options: Options, payload: bytes) -> bytes:
    """The plaintext of an OSCORE message (RFC 8613 §5.3).

    Raises:
        ValueError: a field is out of its bounds.
    """
    return bytes((code,)) + _write_options(options, payload)


def _write_options(options: Options, payload: bytes) -> bytes:
    """Options, and the payload behind its marker where there is one."""
    if not options or options is EMPTY_OSCORE:
        written = b"\x90" if options else b""
        return written + b"\xff" + payload if payload else written
    parts = []
    previous = 0
    for number, value in _sorted(options):
        if not (0 <= number <= MAX_OPTION_NUMBER and len(value) <= MAX_OPTION_BYTES):
            raise ValueError(f"option {number} with {len(value)} bytes can't be written")
        delta, length = number - previous, len(value)
        previous = number
        if delta < 13 and length < 13:
            parts.append(bytes((delta << 4 | length,)) + value)
        elif delta < 13 and length < 269:
            parts.append(bytes((delta << 4 | 13, length - 13)) + value)
        else:
            parts.append(_option_head(delta, length) + value)
    if payload:
        parts.append(b"\xff" + payload)
    return b"".join(parts)


def _sorted(options: Options) -> Iterable[tuple[int, bytes]]:
    return options if len(options) < 2 else sorted(options, key=_number_of)


def _option_head(delta: int, length: int) -> bytes:
    delta_nibble, delta_extension = _extend(delta)
    length_nibble, length_extension = _extend(length)
    return bytes((delta_nibble << 4 | length_nibble,)) + delta_extension + length_extension


def _extend(value: int) -> tuple[int, bytes]:
    """The nibble for a value, and the bytes that follow it (RFC 7252 §3.1, RFC 8974 §2.1)."""
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")
