"""The security context of OSCORE (RFC 8613 §3), and how that of RFC 9031 §7.3 is derived.

What changes with every message, sequence numbers and replay windows, is kept elsewhere.
"""

import hmac
from functools import cache
from typing import NamedTuple, Self

from jrc.cojp import cbor
from jrc.cojp.algorithms import HASHES, Aead, Hkdf, check_aead, parameters_of
from jrc.cojp.constants import JRC_ID, PLEDGE_ID_KID
from jrc.cojp.hkdf import expand, extract


class _Fields(NamedTuple):
    sender_id: bytes
    recipient_id: bytes
    sender_key: bytes
    recipient_key: bytes
    common_iv: bytes
    id_context: bytes | None
    aead: int


class SecurityContext(_Fields):
    """The immutable part of a security context (RFC 8613 §3.1), seen from one endpoint.

    Raises:
        ValueError: lengths don't fit the algorithm, or the two keys are equal.
    """

    __slots__ = ()

    def __new__(
        cls,
        sender_id: bytes,
        recipient_id: bytes,
        sender_key: bytes,
        recipient_key: bytes,
        common_iv: bytes,
        id_context: bytes | None,
        aead: int = Aead.AES_CCM_16_64_128.value,
    ) -> Self:
        parameters = parameters_of(aead)
        if max(len(sender_id), len(recipient_id)) > parameters.max_id_length:
            most = parameters.max_id_length
            raise ValueError(f"{parameters.name} takes identifiers of {most} bytes at most")
        if not len(sender_key) == len(recipient_key) == parameters.key_length:
            raise ValueError(f"{parameters.name} takes keys of {parameters.key_length} bytes")
        if len(common_iv) != parameters.nonce_length:
            size = parameters.nonce_length
            raise ValueError(f"{parameters.name} takes a Common IV of {size} bytes")
        if hmac.compare_digest(sender_key, recipient_key):
            raise ValueError("sender key and recipient key are equal")
        fields = (sender_id, recipient_id, sender_key, recipient_key, common_iv, id_context, aead)
        return tuple.__new__(cls, fields)

    def __repr__(self) -> str:
        """Without keys."""
        ids = f"sender_id={self.sender_id!r}, recipient_id={self.recipient_id!r}"
        return f"SecurityContext({ids}, id_context={self.id_context!r}, aead={self.aead})"

    def mirrored(self) -> "SecurityContext":
        """The same context as the other endpoint has it."""
        return SecurityContext(
            self.recipient_id,
            self.sender_id,
            self.recipient_key,
            self.sender_key,
            self.common_iv,
            self.id_context,
            self.aead,
        )


def derive(
    master_secret: bytes,
    master_salt: bytes,
    id_context: bytes | None,
    sender_id: bytes,
    recipient_id: bytes,
    aead: int = Aead.AES_CCM_16_64_128,
    hkdf: int = Hkdf.SHA_256,
) -> SecurityContext:
    """The security context that RFC 8613 §3.2.1 derives.

    Raises:
        ValueError: an algorithm is unknown, or an identifier too long for it.
    """
    sender_key, recipient_key, common_iv = _derived(
        master_secret, master_salt, id_context, sender_id, recipient_id, aead, hkdf
    )
    return SecurityContext(
        sender_id, recipient_id, sender_key, recipient_key, common_iv, id_context, int(aead)
    )


def _derived(
    master_secret: bytes,
    master_salt: bytes,
    id_context: bytes | None,
    sender_id: bytes,
    recipient_id: bytes,
    aead: int,
    hkdf: int,
) -> tuple[bytes, bytes, bytes]:
    """Sender key, recipient key and Common IV (RFC 8613 §3.2.1)."""
    if hkdf not in HASHES:
        raise ValueError(f"the key derivation function {hkdf} is not supported")
    (key_tail, key_length), (iv_tail, iv_length) = _info_tails(aead)
    prk = extract(master_salt, master_secret, HASHES[hkdf][1])
    context = cbor.NULL if id_context is None else cbor.encode_bytes(id_context)
    key_tail = context + key_tail
    return (
        expand(prk, b"\x85" + cbor.encode_bytes(sender_id) + key_tail, key_length),
        expand(prk, b"\x85" + cbor.encode_bytes(recipient_id) + key_tail, key_length),
        expand(prk, b"\x85\x40" + context + iv_tail, iv_length),
    )


@cache
def _info_tails(aead: int) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """How the info (RFC 8613 §3.2.1) of a key and of the Common IV ends, with their lengths."""
    parameters, number = parameters_of(aead), cbor.encode_int(aead)
    key_length, iv_length = parameters.key_length, parameters.nonce_length
    return (
        (number + b"\x63Key" + cbor.head(cbor.UNSIGNED, key_length), key_length),
        (number + b"\x62IV" + cbor.head(cbor.UNSIGNED, iv_length), iv_length),
    )


def derive_for_jrc(
    psk: bytes,
    pledge_id: bytes,
    aead: int = Aead.AES_CCM_16_64_128,
    hkdf: int = Hkdf.SHA_256,
) -> SecurityContext:
    """The registrar's context with a pledge (RFC 9031 §7.3).

    ``pledge_id`` is the ID Context: the pledge identifier, or after an RFC 8613 Appendix B.2
    exchange the one it ended with.

    Raises:
        ValueError: an algorithm is unknown, or can't carry the registrar's identifier.
    """
    check_aead(aead)
    return derive(psk, b"", pledge_id, JRC_ID, PLEDGE_ID_KID, aead, hkdf)


def derive_keys_for_jrc(
    psk: bytes, pledge_id: bytes, aead: int, hkdf: int
) -> tuple[bytes, bytes, bytes]:
    """What ``derive_for_jrc`` derives, alone: sender key, recipient key, Common IV.

    Raises:
        ValueError: an algorithm is unknown, or can't carry the registrar's identifier.
    """
    check_aead(aead)
    return _derived(psk, b"", pledge_id, JRC_ID, PLEDGE_ID_KID, aead, hkdf)


def context_from_keys(
    pledge_sender_key: bytes,
    pledge_recipient_key: bytes,
    common_iv: bytes,
    pledge_id: bytes,
    aead: int = Aead.AES_CCM_16_64_128,
) -> SecurityContext:
    """The registrar's context with a pledge that was given derived keys (RFC 9031 Appendix B).

    The keys are named from the pledge's side, as in an import.

    Raises:
        ValueError: lengths don't fit the algorithm, or the two keys are equal.
    """
    check_aead(aead)
    return SecurityContext(
        JRC_ID, PLEDGE_ID_KID, pledge_recipient_key, pledge_sender_key, common_iv, pledge_id, aead
    )
