"""Heads of CBOR items, written and strictly read: the part of RFC 8949 that CoJP is made of.

``cbor2`` can't give the raw bytes of an item, accepts what follows it, resolves tags and shared
references, and forbids indefinite lengths everywhere or nowhere; CoJP allows them in one place
alone (RFC 9031 §8.4.5, ``parameter_addinfo``). Each read takes and gives positions in one buffer.
"""

from typing import Final

from jrc.cojp.constants import MAX_CBOR_DEPTH

UNSIGNED: Final = 0
NEGATIVE: Final = 1
BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5
TAG: Final = 6
SIMPLE: Final = 7

INDEFINITE: Final = -1
"""The value that ``read_head`` gives for an indefinite length, and for a break."""
NULL: Final = b"\xf6"
_ARGUMENT_BYTES: Final = {24: 1, 25: 2, 26: 4, 27: 8}


class NotWellFormedError(ValueError):
    """The bytes are no CBOR, or CBOR beyond our limits."""


def head(major: int, value: int) -> bytes:
    """The shortest head of an item (RFC 8949 §4.2.1).

    Raises:
        OverflowError: the value needs more than 64 bits.
    """
    if value < 24:
        return bytes((major << 5 | value,))
    for info, size in _ARGUMENT_BYTES.items():
        if value < 1 << 8 * size:
            return bytes((major << 5 | info,)) + value.to_bytes(size, "big")
    raise OverflowError("a CBOR argument has at most 64 bits")


def encode_int(value: int) -> bytes:
    """An integer of either sign."""
    return head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)


def encode_bytes(value: bytes) -> bytes:
    """A byte string of definite length."""
    return head(BYTES, len(value)) + value


def read_head(data: bytes, pos: int) -> tuple[int, int, int]:
    """Major type, value (or ``INDEFINITE``) and the position after the head.

    An argument longer than need be is well-formed (RFC 8949 §3) and read.

    Raises:
        NotWellFormedError: truncated, reserved, or an indefinite length where none is allowed.
    """
    if pos >= len(data):
        raise NotWellFormedError
    major, info = data[pos] >> 5, data[pos] & 31
    if info < 24:
        return major, info, pos + 1
    if info == 31:
        if major in (UNSIGNED, NEGATIVE, TAG):
            raise NotWellFormedError
        return major, INDEFINITE, pos + 1
    end = pos + 1 + _ARGUMENT_BYTES.get(info, len(data))
    if end > len(data):
        raise NotWellFormedError
    value = int.from_bytes(data[pos + 1 : end], "big")
    if major == SIMPLE and info == 24 and value < 32:
        raise NotWellFormedError
    return major, value, end


def read_int(data: bytes, pos: int) -> tuple[int, int]:
    """An integer of either sign and the position after it.

    Raises:
        NotWellFormedError: something else is there.
    """
    major, value, pos = read_head(data, pos)
    if major > NEGATIVE:
        raise NotWellFormedError
    return (value if major == UNSIGNED else -1 - value), pos


def read_unsigned(data: bytes, pos: int) -> tuple[int, int]:
    """An unsigned integer and the position after it.

    Raises:
        NotWellFormedError: something else is there.
    """
    major, value, pos = read_head(data, pos)
    if major != UNSIGNED:
        raise NotWellFormedError
    return value, pos


def read_bytes(data: bytes, pos: int, major: int = BYTES) -> tuple[bytes, int]:
    """A byte string of definite length and the position after it; with ``TEXT`` a text's bytes.

    Raises:
        NotWellFormedError: something else is there.
    """
    found, size, pos = read_head(data, pos)
    if found != major or not 0 <= size <= len(data) - pos:
        raise NotWellFormedError
    return data[pos : pos + size], pos + size


def read_text(data: bytes, pos: int) -> tuple[str, int]:
    """A text of definite length and the position after it.

    Raises:
        NotWellFormedError: something else is there.
        UnicodeDecodeError: it is not UTF-8.
    """
    content, pos = read_bytes(data, pos, TEXT)
    return content.decode(), pos


def read_container(data: bytes, pos: int, major: int) -> tuple[int, int]:
    """The number of entries of an array or map of definite length, and where they begin.

    Raises:
        NotWellFormedError: something else is there.
    """
    found, count, pos = read_head(data, pos)
    if found != major or count == INDEFINITE:
        raise NotWellFormedError
    return count, pos


def skip(data: bytes, pos: int, depth: int = 0) -> int:
    """The position after the item of any type that begins at ``pos``.

    ``depth`` counts the arrays, maps, tags and indefinite strings around it. Text is not checked
    for UTF-8 nor a tag for its content: that is validity, not well-formedness (RFC 8949 §1.2).

    Raises:
        NotWellFormedError: also where the item nests deeper than ``MAX_CBOR_DEPTH``.
    """
    major, value, pos = read_head(data, pos)
    if major in (UNSIGNED, NEGATIVE) or (major == SIMPLE and value != INDEFINITE):
        return pos
    if major in (BYTES, TEXT) and value != INDEFINITE:
        if value > len(data) - pos:
            raise NotWellFormedError
        return pos + value
    if major == SIMPLE or depth >= MAX_CBOR_DEPTH:
        raise NotWellFormedError
    if value == INDEFINITE:
        return _skip_indefinite(data, pos, major, depth + 1)
    return _skip_entries(data, pos, _entries(major, value), depth + 1)


def _entries(major: int, value: int) -> int:
    """How many items a container of definite length, or a tag, holds."""
    if major == TAG:
        return 1
    return 2 * value if major == MAP else value


def _skip_entries(data: bytes, pos: int, count: int, depth: int) -> int:
    if count > len(data) - pos:
        raise NotWellFormedError
    for _ in range(count):
        pos = skip(data, pos, depth)
    return pos


def _skip_indefinite(data: bytes, pos: int, major: int, depth: int) -> int:
    """The position after the break that ends an indefinite array, map or string."""
    step = 2 if major == MAP else 1
    while data[pos : pos + 1] != b"\xff":
        if major in (BYTES, TEXT):
            # A chunk is a definite string of the same type (RFC 8949 §3.2.3).
            _, pos = read_bytes(data, pos, major)
        else:
            pos = _skip_entries(data, pos, step, depth)
    return pos + 1
