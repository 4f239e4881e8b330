"""Which identifiers and keys are refused: short, patterned, or computable (RFC 9031 §3, §9).

No message contains a byte of a key. Whether a key is another pledge's is the store's to say: it
alone can compare.
"""

import hashlib
from binascii import hexlify
from collections.abc import Sequence
from itertools import pairwise

from jrc.cojp.algorithms import AEADS, Aead, check_aead
from jrc.cojp.cbor import BYTES, NotWellFormedError, read_bytes
from jrc.model import PledgeId
from jrc.policy.published_keys import PUBLISHED_KEYS

MIN_KEY_BYTES = 16
"""At least 128 bits of entropy (RFC 9031 §3)."""

# Ours.
MAX_PSK_BYTES = 64
"""RFC 8613 §3.2 takes a Master Secret of any length; beyond a hash's block nothing is gained."""
MIN_WRAPPED_BYTES = 8
"""The shortest nonce of an RFC 8613 App. B.2 run (RFC 9031 §8.3.3)."""
MIN_REPEAT_BYTES = 8
"""Chance repeats the last 8 bytes of a key in one of 2**64 keys."""
MIN_TELLING_BYTES = 6
"""An identifier's form of at least this length is found inside a random key by no chance."""
MAX_TEXT_BYTES = 21
"""Letters, digits and blanks carry under 6 bits a byte, so 21 of them less than 128 bits."""

_BYTE_STRINGS = frozenset(bytes((BYTES << 5 | info,)) for info in range(32))
"""How an item of CBOR's byte strings begins (RFC 8949 §3.1)."""
_COMPLEMENT = bytes(range(0xFF, -1, -1))
_SHORTEST_DIGEST = 16
_BEGUN = (
    hashlib.md5(usedforsecurity=False),
    hashlib.sha1(usedforsecurity=False),
    hashlib.sha256(),
    hashlib.sha512(),
)
"""Copied faster than begun anew, and a key is compared with 32 of them."""


def check_identifier(identifier: bytes) -> None:
    """Refuses what could not be told from the kid context of an RFC 8613 App. B.2 run.

    Raises:
        ValueError: the identifier is itself a CBOR byte string with at least 8 bytes of content.
    """
    content = unwrapped(identifier)
    if content is not None and len(content) >= MIN_WRAPPED_BYTES:
        raise ValueError(
            "the identifier is itself a complete CBOR byte string, which is how a nonce of RFC"
            " 8613 App. B.2 looks; choose another one"
        )


def unwrapped(value: bytes) -> bytes | None:
    """The content of a value that is one definite-length CBOR byte string and nothing more.

    Longer heads than needed count too (RFC 8949 §3.1 has them well-formed).
    """
    if value[:1] not in _BYTE_STRINGS:  # nearly none is, and an exception takes its time
        return None
    try:
        content, end = read_bytes(value, 0)
    except NotWellFormedError:
        return None
    return content if end == len(value) else None


def check_psk(identifier: PledgeId, psk: bytes, *, allow_weak: bool = False) -> None:
    """Refuses a pre-shared key that does not have, or can't have, 128 bits of entropy.

    ``allow_weak`` looks at the length alone, for a lab whose devices have a key of their firmware.

    Raises:
        ValueError: with one sentence that names the weakness. RFC 9031 §3, §9
    """
    if not MIN_KEY_BYTES <= len(psk) <= MAX_PSK_BYTES:
        raise ValueError(
            f"the PSK has {len(psk)} bytes, and {MIN_KEY_BYTES} to {MAX_PSK_BYTES} are needed"
        )
    if not allow_weak:
        _check_strength(identifier, psk, "the PSK")


def check_derived(
    identifier: PledgeId,
    sender_key: bytes,
    recipient_key: bytes,
    common_iv: bytes,
    aead: int = Aead.AES_CCM_16_64_128,
    *,
    allow_weak: bool = False,
) -> None:
    """Refuses keys of a pledge that comes without PSK (RFC 9031 App. B) and are of no use.

    ``aead`` is the COSE number of the algorithm, which gives the lengths: 16, 16 and 13 bytes by
    default (AES-CCM-16-64-128). ``allow_weak`` is as for ``check_psk``.

    Raises:
        ValueError: unfit algorithm, wrong length, equal or weak keys.
    """
    check_aead(aead)
    key_bytes, nonce_bytes = AEADS[aead].key_length, AEADS[aead].nonce_length
    for name, value, length in (
        ("the pledge's sender key", sender_key, key_bytes),
        ("the pledge's recipient key", recipient_key, key_bytes),
        ("the common IV", common_iv, nonce_bytes),
    ):
        if len(value) != length:
            raise ValueError(f"{name} has {len(value)} bytes, and its algorithm wants {length}")
    if sender_key == recipient_key:
        raise ValueError("the pledge's sender key and recipient key are equal")
    if allow_weak:
        return
    _check_strength(identifier, sender_key, "the pledge's sender key")
    _check_strength(identifier, recipient_key, "the pledge's recipient key")


def _check_strength(identifier: PledgeId, key: bytes, name: str) -> None:
    weakness = weakness_of(identifier, key)
    if weakness:
        raise ValueError(f"{name} is weak: {weakness}")


def weakness_of(identifier: PledgeId, key: bytes) -> str | None:
    """What makes a key weak, in words that go on after "is weak"; ``None`` where nothing does."""
    return _pattern(key) or _origin(identifier.value, key)


def _pattern(key: bytes) -> str | None:
    """What makes the key guessable whoever has it, ``None`` if nothing does."""
    if len(set(key)) == 1:
        return "all its bytes are equal"
    step = key[1] - key[0] if len(key) > 1 else 0
    if all((after - before - step) % 256 == 0 for before, after in pairwise(key)):
        return "its bytes ascend or descend in equal steps"
    if _is_repeated(key):
        return "a short block of bytes is repeated"
    if key in PUBLISHED_KEYS:
        return f"it is published ({PUBLISHED_KEYS[key]})"
    if len(key) <= MAX_TEXT_BYTES and key.replace(b" ", b"").isalnum():
        return "it is text; if these are hex digits, give the bytes that they stand for"
    return None


def _is_repeated(key: bytes) -> bool:
    """Whether a block of under 16 bytes makes up the key, and at least 8 bytes repeat it."""
    period = key.find(key[:1], 1)
    while 0 < period < MIN_KEY_BYTES and period <= len(key) - MIN_REPEAT_BYTES:
        if key[period:] == key[:-period]:
            return True
        period = key.find(key[:1], period + 1)
    return False


def is_patterned(key: bytes) -> bool:
    """Whether the key is guessable whoever has it: a pattern, text, or a published example."""
    return _pattern(key) is not None


def _origin(identifier: bytes, key: bytes) -> str | None:
    """How the key comes from the identifier alone, ``None`` if it does not (RFC 9031 §9)."""
    texts = _texts(identifier)
    forms = _forms(identifier, texts)
    if _may_hold(forms, len(identifier), key) and any(_is_made_of(form, key) for form in forms):
        return "it is the identifier, padded, repeated, reversed or written as text"
    digests = _digests([identifier, identifier[::-1], *texts])
    if _may_hold(digests, _SHORTEST_DIGEST, key) and any(
        _is_made_of(digest, key) for digest in digests
    ):
        return "it is a hash of the identifier"
    return None


def _forms(identifier: bytes, texts: Sequence[bytes]) -> list[bytes]:
    """The identifier as bytes: itself, reversed, complemented, as half of an address, as text."""
    return [
        identifier,
        identifier[::-1],
        identifier.translate(_COMPLEMENT),
        bytes((identifier[0] ^ 0x02,)) + identifier[1:],
        *texts,
    ]


def _texts(identifier: bytes) -> list[bytes]:
    plain = (hexlify(identifier), hexlify(identifier, ":"), hexlify(identifier, "-"))
    return [*plain, *map(bytes.upper, plain)]


def _digests(sources: Sequence[bytes]) -> list[bytes]:
    digests = []
    for begun in _BEGUN:
        for source in sources:
            digest = begun.copy()
            digest.update(source)
            digests.append(digest.digest())
    return digests


def _may_hold(materials: Sequence[bytes], shortest: int, key: bytes) -> bool:
    """Whether ``_is_made_of`` has to look: False for nearly every key, and with few searches.

    ``shortest`` is the length of the shortest material, in bytes.
    """
    return key in b"".join(materials) or (
        shortest < len(key) and any(material in key for material in materials)
    )


def _is_made_of(material: bytes, key: bytes) -> bool:
    """Whether the key is a slice of the material, its repetition, or holds it with a filling.

    Long material may be amid any bytes as long as fewer than 16 others are there: these alone
    would have to bring the entropy. Short material counts only amid one repeated byte.
    """
    if len(material) >= len(key):
        return key in material
    at = key.find(material)
    if at == 0 and key == (material * len(key))[: len(key)]:
        return True
    while at >= 0:
        rest = key[:at] + key[at + len(material) :]
        if len(set(rest)) <= 1:
            return True
        if len(material) >= MIN_TELLING_BYTES and len(rest) < MIN_KEY_BYTES:
            return True
        at = key.find(material, at + 1)
    return False
