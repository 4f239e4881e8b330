"""A new security context where the mutable half of one was lost (RFC 8613 App. B.2).

The pledge is the client. Request #1 comes under ID1, the ID Context that it knows; response #1
goes out under R2 || ID1 and carries R2; request #2 comes under ID3 = R2 || R3 and is a Join Request
as any other. R2 is ours and R3 the pledge's, so no key of the new contexts was ever used before.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from jrc.cojp import cbor
from jrc.cojp.oscore import OscoreOption, decode_option, encode_option

R2_BYTES: Final = 16
"""RFC 8613 App. B.2 has 8 at least; so many are never drawn twice."""
MIN_NONCE_BYTES: Final = 8
"""RFC 9031 §8.3.3."""
_MIN_ID3_BYTES: Final = R2_BYTES + MIN_NONCE_BYTES


class Claim(NamedTuple):
    """What a kid context says if it is that of a request #2: ``r2`` is how ``id3`` begins."""

    r2: bytes
    id3: bytes


def claims(kid_context: bytes) -> Iterator[Claim]:
    """The ways to read a kid context as that of a request #2: wrapped in a CBOR bstr, and as is.

    Appendix B.2 has the former; peers that keep ID3 as their ID Context send the latter.
    """
    length = len(kid_context) - 2
    if length >= _MIN_ID3_BYTES and kid_context[:2] == cbor.head(cbor.BYTES, length):
        yield Claim(kid_context[2 : 2 + R2_BYTES], kid_context[2:])
    if len(kid_context) >= _MIN_ID3_BYTES:
        yield Claim(kid_context[:R2_BYTES], kid_context)


def kid_contexts_of(id3: bytes) -> tuple[bytes, bytes]:
    """The kid contexts that name a context with this ID Context: as is, and in a CBOR bstr."""
    return id3, cbor.encode_bytes(id3)


def second_id_context(r2: bytes, id1: bytes) -> bytes:
    """The ID Context of response #1 (RFC 8613 App. B.2 step 2)."""
    return r2 + id1


def response_option(r2: bytes) -> bytes:
    """The OSCORE option of response #1, with R2 in a CBOR bstr (RFC 8613 App. B.2 step 2)."""
    return encode_option(OscoreOption(None, None, cbor.encode_bytes(r2)))


def request_option(option: bytes, id3: bytes) -> bytes:
    """The OSCORE option of a request #2, with ID3 in a CBOR bstr (RFC 8613 App. B.2 step 3)."""
    return encode_option(decode_option(option)._replace(kid_context=cbor.encode_bytes(id3)))


def r2_of(option: OscoreOption) -> bytes | None:
    """R2 of a response #1, for a client; ``None`` if the response is no such (step 3)."""
    kid_context = option.kid_context or b""
    try:
        major, length, pos = cbor.read_head(kid_context, 0)
    except cbor.NotWellFormedError:
        return None
    if major != cbor.BYTES or length < MIN_NONCE_BYTES or pos + length != len(kid_context):
        return None
    return kid_context[pos:]
