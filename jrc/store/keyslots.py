"""Slots: each holds the key encryption key, wrapped for one key that is kept outside the database.

``slot key -> key encryption key -> data keys -> rows`` (docs/keys.md). A slot of kind ``file`` is
wrapped by AES-256-GCM under the 32 bytes of a file or of a systemd credential. One of kind
``recovery`` is wrapped by HPKE (RFC 9180: DHKEM(X25519), HKDF-SHA256, AES-256-GCM) to a public key,
so that a new key encryption key reaches it while its private half, the recovery identity, stays
offline. Each wrapped value is bound to the slot's name and to the key encryption key's id.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.key_records import FOR_EVERY_DAY, NewSlot, SlotKind

FIRST_SLOT = "file"
"""The name of the slot that ``jrc init`` makes."""
ID_BYTES = 8
_NONCE_BYTES = 12
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class WrappedSlot:
    """A slot as the database holds it. ``kek_id`` names the key encryption key inside."""

    name: str
    kind: SlotKind
    key_id: bytes
    public_key: bytes | None
    kek_id: bytes
    wrapped: bytes


def key_id_of(slot: NewSlot) -> bytes:
    """8 bytes that name the key that will open a slot."""
    if slot.kind is SlotKind.FILE:
        assert slot.key is not None
        return file_key_id(slot.key)
    assert slot.public_key is not None
    return recovery_key_id(slot.public_key)


def file_key_id(key: Secret) -> bytes:
    """8 bytes that name the key of a ``file`` slot without giving it away."""
    return hmac.digest(key.reveal(), b"jrc slot key", hashlib.sha256)[:ID_BYTES]


def recovery_key_id(public_key: bytes) -> bytes:
    """8 bytes that name a recovery identity."""
    return hashlib.sha256(b"jrc recovery identity" + public_key).digest()[:ID_BYTES]


def recovery_public_key(identity: Secret) -> bytes:
    """The public half of a recovery identity, 32 bytes (RFC 7748 §6.1)."""
    return X25519PrivateKey.from_private_bytes(identity.reveal()).public_key().public_bytes_raw()


def kek_id(kek: Secret) -> bytes:
    """8 bytes that name a key encryption key without giving it away."""
    return hmac.digest(kek.reveal(), b"jrc key encryption key", hashlib.sha256)[:ID_BYTES]


def wrap_slot(slot: NewSlot, kek: Secret, random: RandomBytes = os.urandom) -> WrappedSlot:
    """``kek`` in a new slot.

    Raises:
        OperatorError: the public key is none.
    """
    name = kek_id(kek)
    associated = _associated(slot.name, slot.kind, name)
    if slot.kind is SlotKind.FILE:
        assert slot.key is not None
        nonce = random(_NONCE_BYTES)
        wrapped = nonce + AESGCM(slot.key.reveal()).encrypt(nonce, kek.reveal(), associated)
    else:
        assert slot.public_key is not None
        wrapped = _HPKE.encrypt(kek.reveal(), _public(slot.public_key), associated)
    return WrappedSlot(slot.name, slot.kind, key_id_of(slot), slot.public_key, name, wrapped)


def _public(value: bytes) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(value)
    except ValueError:
        raise OperatorError("public_key must be 32 bytes of X25519") from None


def opened_by(
    key: Secret, slots: Iterable[WrappedSlot], kinds: Collection[SlotKind] = FOR_EVERY_DAY
) -> WrappedSlot | None:
    """The slot of one of ``kinds`` that ``key`` belongs to, by their ids."""
    ids = {
        SlotKind.FILE: file_key_id(key),
        SlotKind.RECOVERY: recovery_key_id(recovery_public_key(key)),
    }
    return next((s for s in slots if s.kind in kinds and s.key_id == ids[s.kind]), None)


def open_slots(
    key: Secret,
    slots: Collection[WrappedSlot],
    *,
    kinds: Collection[SlotKind] = FOR_EVERY_DAY,
    setting: str = "keys.kek_file",
) -> Secret:
    """The key encryption key, from the slot that ``key`` opens; ``setting`` is where it came from.

    Raises:
        OperatorError: it opens none, naming those that there are; or that slot is damaged.
    """
    slot = opened_by(key, slots, kinds)
    if slot is None:
        raise _opens_none(key, slots, setting)
    associated = _associated(slot.name, slot.kind, slot.kek_id)
    try:
        if slot.kind is SlotKind.FILE:
            nonce, wrapped = slot.wrapped[:_NONCE_BYTES], slot.wrapped[_NONCE_BYTES:]
            kek = AESGCM(key.reveal()).decrypt(nonce, wrapped, associated)
        else:
            identity = X25519PrivateKey.from_private_bytes(key.reveal())
            kek = _HPKE.decrypt(slot.wrapped, identity, associated)
    except (InvalidTag, ValueError):
        raise OperatorError(
            f"the key slot {slot.name} does not authenticate: the database was damaged",
            "open it with the key of another slot (`jrc keys restore`), or restore a backup",
        ) from None
    return Secret(kek)


def check_opens(key: Secret, names: Iterable[tuple[str, SlotKind, bytes]], setting: str) -> None:
    """Nothing, if ``key`` opens a ``file`` slot among ``names`` (name, kind, key id).

    Raises:
        OperatorError: it opens none, naming those that there are.
    """
    slots = [WrappedSlot(name, kind, key_id, None, b"", b"") for name, kind, key_id in names]
    if opened_by(key, slots) is None:
        raise _opens_none(key, slots, setting)


def _opens_none(key: Secret, slots: Collection[WrappedSlot], setting: str) -> OperatorError:
    known = ", ".join(f"{slot.name} ({slot.kind}, key {slot.key_id.hex()})" for slot in slots)
    if opened_by(key, slots, (SlotKind.RECOVERY,)) is not None:
        return OperatorError(
            f"{setting}: this is the recovery identity, which is not for every day",
            "run `jrc keys restore --identity-file FILE`, which makes a new key file, and take the"
            " identity off this host again",
        )
    return OperatorError(
        f"{setting}: key {file_key_id(key).hex()} opens no slot of this database; its slots:"
        f" {known or 'none'}",
        "put the right key file in place; with the recovery identity, `jrc keys restore` makes a"
        " new one; without either the stored keys can't be opened",
    )


def _associated(name: str, kind: SlotKind, kek: bytes) -> bytes:
    return f"jrc1|key_slot|{name}|{kind}|{kek.hex()}".encode()
