"""The AEAD and key derivation algorithms that a pledge may have (COSE registry, RFC 9053 §4, §5).

AES-CCM-16-64-128 and HKDF SHA-256 are the defaults, and all that RFC 9031 §7.3.3 asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from jrc.cojp.constants import JRC_ID


class Aead(IntEnum):
    """AEAD algorithms by their COSE number (RFC 9053 §4)."""

    A128GCM = 1
    A256GCM = 3
    AES_CCM_16_64_128 = 10
    AES_CCM_16_64_256 = 11
    AES_CCM_64_64_128 = 12
    AES_CCM_64_64_256 = 13
    CHACHA20_POLY1305 = 24
    AES_CCM_16_128_128 = 30
    AES_CCM_16_128_256 = 31
    AES_CCM_64_128_128 = 32
    AES_CCM_64_128_256 = 33


class Hkdf(IntEnum):
    """Key derivation functions by their COSE number (RFC 9053 §5.1)."""

    SHA_256 = -10
    SHA_512 = -11


class Cipher(Protocol):
    """What `cryptography`'s AEAD classes have in common."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class AeadParameters:
    """What an AEAD algorithm needs; lengths in bytes."""

    name: str
    key_length: int
    nonce_length: int
    tag_length: int
    make: Callable[[bytes], Cipher] = field(repr=False)

    @property
    def max_id_length(self) -> int:
        """The longest Sender ID (RFC 8613 §3.3)."""
        return self.nonce_length - 6


def _ccm8(key: bytes) -> Cipher:
    return AESCCM(key, tag_length=8)


def _ccm16(key: bytes) -> Cipher:
    return AESCCM(key, tag_length=16)


AEADS: Final[dict[int, AeadParameters]] = {
    Aead.A128GCM: AeadParameters("A128GCM", 16, 12, 16, AESGCM),
    Aead.A256GCM: AeadParameters("A256GCM", 32, 12, 16, AESGCM),
    Aead.AES_CCM_16_64_128: AeadParameters("AES-CCM-16-64-128", 16, 13, 8, _ccm8),
    Aead.AES_CCM_16_64_256: AeadParameters("AES-CCM-16-64-256", 32, 13, 8, _ccm8),
    Aead.AES_CCM_64_64_128: AeadParameters("AES-CCM-64-64-128", 16, 7, 8, _ccm8),
    Aead.AES_CCM_64_64_256: AeadParameters("AES-CCM-64-64-256", 32, 7, 8, _ccm8),
    Aead.CHACHA20_POLY1305: AeadParameters("ChaCha20/Poly1305", 32, 12, 16, ChaCha20Poly1305),
    Aead.AES_CCM_16_128_128: AeadParameters("AES-CCM-16-128-128", 16, 13, 16, _ccm16),
    Aead.AES_CCM_16_128_256: AeadParameters("AES-CCM-16-128-256", 32, 13, 16, _ccm16),
    Aead.AES_CCM_64_128_128: AeadParameters("AES-CCM-64-128-128", 16, 7, 16, _ccm16),
    Aead.AES_CCM_64_128_256: AeadParameters("AES-CCM-64-128-256", 32, 7, 16, _ccm16),
}
HASHES: Final[dict[int, tuple[str, str]]] = {
    Hkdf.SHA_256: ("HKDF SHA-256", "sha256"),
    Hkdf.SHA_512: ("HKDF SHA-512", "sha512"),
}
"""Name and digest of each key derivation function."""


def aead_by_name(text: str) -> Aead:
    """The AEAD algorithm of a COSE name or number, in any case.

    Raises:
        ValueError: it is unknown, or its nonce is too short for the registrar's identifier.
    """
    found = _by_name(text, {number: entry.name for number, entry in AEADS.items()})
    if found is None:
        raise ValueError(f"the AEAD algorithm {text!r} is not supported")
    check_aead(found)
    return Aead(found)


def hkdf_by_name(text: str) -> Hkdf:
    """The key derivation function of a COSE name or number, in any case.

    Raises:
        ValueError: it is unknown.
    """
    names = {number: name for number, (name, _) in HASHES.items()}
    found = _by_name(text, names)
    if found is None:
        raise ValueError(f"the key derivation function {text!r} is not supported")
    return Hkdf(found)


def _by_name(text: str, names: dict[int, str]) -> int | None:
    wanted = _bare(text)
    for number, name in names.items():
        if wanted in (_bare(name), str(number)):
            return number
    return None


def _bare(name: str) -> str:
    """A name for comparing: in lower case, one separator (``-``, in front it is a sign)."""
    return name.strip().lower().replace("_", "-").replace(" ", "-").replace("/", "-")


def check_aead(aead: int) -> None:
    """Nothing, where a pledge can have this algorithm.

    Raises:
        ValueError: it is unknown, or its nonce is too short for the registrar's identifier
            (RFC 8613 §3.3, RFC 9031 §7.3).
    """
    parameters = parameters_of(aead)
    if parameters.max_id_length < len(JRC_ID):
        raise ValueError(
            f"{parameters.name} has a nonce of {parameters.nonce_length} bytes: too short for"
            " the registrar's identifier of 3 bytes"
        )


def parameters_of(aead: int) -> AeadParameters:
    """What an AEAD algorithm needs.

    Raises:
        ValueError: it is unknown.
    """
    try:
        return AEADS[aead]
    except KeyError:
        raise ValueError(f"the AEAD algorithm {aead} is not supported") from None
