"""OSCORE (RFC 8613) for the profile of RFC 9031 §7.3, as server and as client.

Nothing here remembers anything but what it would compute again: sequence numbers, replay windows,
contexts and random values come in. Who calls ``protect_response`` without a Partial IV must do so
once a request (RFC 8613 §5.2).
"""

from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from jrc.cojp import cbor
from jrc.cojp.algorithms import AEADS
from jrc.cojp.constants import (
    MAX_ECHO_BYTES,
    MAX_PIV_BYTES,
    MAX_SEQUENCE_NUMBER,
    CoapCode,
    OptionNumber,
)
from jrc.cojp.message import Inner, Options, option_values
from jrc.cojp.oscore_context import SecurityContext
from jrc.errors import PeerError, Reason, StateError

_MAX_PLAINTEXT_BYTES: Final = 65535
"""A CCM nonce of 13 bytes leaves two for the length (RFC 3610 §2.1); no datagram is longer."""


# --- The OSCORE option (RFC 8613 §6.1) ---------------------------------------------------------


class OscoreOption(NamedTuple):
    """The header of the COSE object; ``None`` is absent, which an empty kid is not."""

    piv: bytes | None
    kid: bytes | None
    kid_context: bytes | None


_EMPTY_OPTION: Final = OscoreOption(None, None, None)
_RESERVED_FLAGS: Final = 0xE0
_KID_CONTEXT_FLAG: Final = 0x10
_KID_FLAG: Final = 0x08
_PIV_LENGTH_MASK: Final = 0x07


def decode_option(value: bytes) -> OscoreOption:
    """The fields of an option value.

    A Partial IV with leading zeros is malformed: encoders SHALL remove them (RFC 8613 §5), and
    two encodings of one number would share a nonce.

    Raises:
        PeerError: MALFORMED_OSCORE (RFC 8613 §2, §6.1).
    """
    if not value:
        return _EMPTY_OPTION
    flags, size = value[0], len(value)
    piv_length = flags & _PIV_LENGTH_MASK
    if not flags or flags & _RESERVED_FLAGS or piv_length > MAX_PIV_BYTES:
        raise PeerError(Reason.MALFORMED_OSCORE)
    pos = 1 + piv_length
    piv = value[1:pos] if piv_length else None
    if pos > size or (piv_length > 1 and value[1] == 0):
        raise PeerError(Reason.MALFORMED_OSCORE)
    kid_context = None
    if flags & _KID_CONTEXT_FLAG:
        begin = pos + 1
        pos = begin + value[pos] if begin <= size else size + 1
        kid_context = value[begin:pos]
    if pos > size or (pos < size and not flags & _KID_FLAG):
        raise PeerError(Reason.MALFORMED_OSCORE)
    return OscoreOption(piv, value[pos:] if flags & _KID_FLAG else None, kid_context)


def encode_option(option: OscoreOption) -> bytes:
    """The value of the option; nothing in it gives an empty value (RFC 8613 §2).

    Raises:
        ValueError: a Partial IV has not 1..5 bytes, or a kid context more than 255.
    """
    piv, kid, kid_context = option
    if piv is not None and not 1 <= len(piv) <= MAX_PIV_BYTES:
        raise ValueError(f"a Partial IV has 1 to {MAX_PIV_BYTES} bytes, not {len(piv)}")
    flags, rest = len(piv or b""), piv or b""
    if kid_context is not None:
        if len(kid_context) > 255:
            raise ValueError("a kid context has at most 255 bytes")
        flags |= _KID_CONTEXT_FLAG
        rest += bytes((len(kid_context),)) + kid_context
    if kid is not None:
        flags |= _KID_FLAG
        rest += kid
    return bytes((flags,)) + rest if flags else b""


def encode_piv(number: int) -> bytes:
    """A sequence number as Partial IV: no leading zeros, 0 is one zero byte (RFC 8613 §5).

    Raises:
        StateError: the number is past 2^40 - 1, where a context ends (RFC 8613 §7.2.1).
    """
    if not 0 <= number <= MAX_SEQUENCE_NUMBER:
        raise StateError(f"sequence number {number} is out of bounds")
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


def decode_piv(piv: bytes) -> int:
    """The sequence number that a Partial IV is."""
    return int.from_bytes(piv, "big")


# --- Nonce and associated data (RFC 8613 §5.2, §5.4) -------------------------------------------


@lru_cache(maxsize=512)
def nonce(common_iv: bytes, id_piv: bytes, piv: bytes) -> bytes:
    """The AEAD nonce; ``id_piv`` is the Sender ID of who made ``piv`` (RFC 8613 §5.2).

    Remembered, since nearly every response takes that of its request.

    Raises:
        ValueError: one of the two is too long for the nonce.
    """
    size = len(common_iv)
    if len(piv) > MAX_PIV_BYTES or len(id_piv) > size - 6:
        raise ValueError("a Partial IV or identifier is too long for the nonce")
    mask = int.from_bytes(piv, "big")
    if id_piv:
        mask |= int.from_bytes(id_piv, "big") << 40 | len(id_piv) << 8 * (size - 1)
    return (int.from_bytes(common_iv, "big") ^ mask).to_bytes(size, "big")


_AAD_HEAD: Final = b"\x83\x68Encrypt0\x40"


def _aad_before_piv(aead: int, kid: bytes) -> bytes:
    """oscore_version, algorithms and request_kid of the aad_array (RFC 8613 §5.4)."""
    return b"\x85\x01\x81" + cbor.encode_int(aead) + cbor.encode_bytes(kid)


@lru_cache(maxsize=64)
def _aad_start(aead: int, kid: bytes, piv_bytes: int) -> bytes:
    """The associated data before a Partial IV of this length."""
    start = _aad_before_piv(aead, kid) + cbor.head(cbor.BYTES, piv_bytes)
    return _AAD_HEAD + cbor.head(cbor.BYTES, len(start) + piv_bytes + 1) + start


_READY_AADS: Final = {
    int(number): tuple(_aad_start(int(number), b"", size) for size in range(MAX_PIV_BYTES + 1))
    for number in AEADS
}
"""By length of the Partial IV, for an empty kid."""


def aad(aead: int, request_kid: bytes, request_piv: bytes) -> bytes:
    """The associated data of request and response, without Class I options (RFC 8613 §5.4).

    Raises:
        ValueError: the algorithm is unknown, or the Partial IV too long.
    """
    if len(request_piv) > MAX_PIV_BYTES or aead not in _READY_AADS:
        raise ValueError("no associated data for this algorithm or Partial IV")
    size = len(request_piv)
    if not request_kid:
        return _READY_AADS[aead][size] + request_piv + b"\x40"
    return _aad_start(aead, request_kid, size) + request_piv + b"\x40"


# --- Protecting and unprotecting (RFC 8613 §8) -------------------------------------------------


def unprotect_request(ctx: SecurityContext, piv: bytes, kid: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of a request that the other endpoint sent (RFC 8613 §8.2).

    Raises:
        PeerError: BAD_TAG.
    """
    return _open(ctx, nonce(ctx.common_iv, ctx.recipient_id, piv), kid, piv, ciphertext)


def protect_response(
    ctx: SecurityContext,
    request_kid: bytes,
    request_piv: bytes,
    plaintext: bytes,
    piv: bytes | None = None,
) -> tuple[bytes, bytes]:
    """Option value and ciphertext of our response (RFC 8613 §8.3).

    ``piv`` is a number of our own that was never used; ``None`` takes the nonce of the request,
    which must happen once only.
    """
    if piv is None:
        option, iv = b"", nonce(ctx.common_iv, request_kid, request_piv)
    else:
        option = encode_option(OscoreOption(piv, None, None))
        iv = nonce(ctx.common_iv, ctx.sender_id, piv)
    cipher = AEADS[ctx.aead].make(ctx.sender_key)
    return option, cipher.encrypt(iv, plaintext, aad(ctx.aead, request_kid, request_piv))


def protect_request(
    ctx: SecurityContext, piv: bytes, plaintext: bytes, *, with_kid_context: bool
) -> tuple[bytes, bytes]:
    """Option value and ciphertext of our request (RFC 8613 §8.1); ``piv`` was never used."""
    kid_context = ctx.id_context if with_kid_context else None
    option = encode_option(tuple.__new__(OscoreOption, (piv, ctx.sender_id, kid_context)))
    cipher = AEADS[ctx.aead].make(ctx.sender_key)
    iv = nonce(ctx.common_iv, ctx.sender_id, piv)
    return option, cipher.encrypt(iv, plaintext, aad(ctx.aead, ctx.sender_id, piv))


def unprotect_response(
    ctx: SecurityContext,
    request_kid: bytes,
    request_piv: bytes,
    option: OscoreOption,
    ciphertext: bytes,
) -> bytes:
    """The plaintext of the other endpoint's response to our request (RFC 8613 §8.4).

    Raises:
        PeerError: BAD_TAG.
    """
    if option.piv is None:
        iv = nonce(ctx.common_iv, request_kid, request_piv)
    else:
        iv = nonce(ctx.common_iv, ctx.recipient_id, option.piv)
    return _open(ctx, iv, request_kid, request_piv, ciphertext)


def _open(ctx: SecurityContext, iv: bytes, kid: bytes, piv: bytes, ciphertext: bytes) -> bytes:
    """The plaintext; the cipher object is made anew, for keeping it costs 530 bytes a pledge."""
    parameters = AEADS[ctx.aead]
    if not 0 <= len(ciphertext) - parameters.tag_length <= _MAX_PLAINTEXT_BYTES:
        raise PeerError(Reason.BAD_TAG)
    cipher = parameters.make(ctx.recipient_key)
    try:
        return cipher.decrypt(iv, ciphertext, aad(ctx.aead, kid, piv))
    except InvalidTag:
        raise PeerError(Reason.BAD_TAG) from None


# --- Echo (RFC 9175 §2) ------------------------------------------------------------------------


def echo_of(response: Inner) -> bytes | None:
    """The Echo value of a 4.01 that asks for the request again, else ``None`` (RFC 9175 §2.3)."""
    if response.code != CoapCode.UNAUTHORIZED:
        return None
    values = option_values(response.options, OptionNumber.ECHO)
    if len(values) != 1 or not 1 <= len(values[0]) <= MAX_ECHO_BYTES:
        return None
    return values[0]


def with_echo(options: Options, echo: bytes) -> Options:
    """The inner options of the repeated request: the same, and the Echo value (RFC 9175 §2.3)."""
    kept = [option for option in options if option[0] != OptionNumber.ECHO]
    return tuple(sorted([*kept, (OptionNumber.ECHO.value, echo)], key=lambda option: option[0]))
