"""Key slots: each opens with its own key, and holds the same key encryption key."""

from dataclasses import replace

import pytest

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.key_records import NewSlot, SlotKind
from jrc.store.keyfile import new_key
from jrc.store.keyslots import (
    WrappedSlot,
    check_opens,
    file_key_id,
    kek_id,
    open_slots,
    recovery_key_id,
    recovery_public_key,
    wrap_slot,
)

KEK, KEY, SPARE, IDENTITY = (Secret(bytes((n,)) * 32) for n in range(1, 5))
PUBLIC = recovery_public_key(IDENTITY)
ANY_KIND = tuple(SlotKind)


@pytest.fixture(scope="module")
def slots() -> list[WrappedSlot]:
    """Two files and a recovery identity."""
    return [
        wrap_slot(NewSlot("file", SlotKind.FILE, key=KEY), KEK),
        wrap_slot(NewSlot("paper", SlotKind.RECOVERY, public_key=PUBLIC), KEK),
        wrap_slot(NewSlot("spare", SlotKind.FILE, key=SPARE), KEK),
    ]


def test_each_key_opens_its_slot(slots: list[WrappedSlot]) -> None:
    """All hold the same."""
    assert [KEK] * 2 == [open_slots(key, slots) for key in (KEY, SPARE)]
    assert KEK == open_slots(IDENTITY, slots, kinds=ANY_KIND)
    assert {kek_id(KEK)} == {slot.kek_id for slot in slots}


def test_a_slot_tells_nothing_of_its_keys(slots: list[WrappedSlot]) -> None:
    """O3: neither in the clear nor in their ids."""
    held = b"".join(slot.wrapped + slot.key_id + slot.kek_id for slot in slots) + PUBLIC
    for secret in (KEK, KEY, SPARE, IDENTITY):
        assert secret.reveal() not in held
        assert secret.reveal()[:8] not in held


def test_a_key_of_none_is_told_which_slots_there_are(slots: list[WrappedSlot]) -> None:
    """By name and by the ids of their keys; no key is repeated."""
    stranger = new_key()
    with pytest.raises(OperatorError, match=r"keys\.kek_file") as caught:
        open_slots(stranger, slots)
    for expected in (
        "file",
        "paper",
        "spare",
        file_key_id(KEY).hex(),
        recovery_key_id(PUBLIC).hex(),
    ):
        assert expected in caught.value.message
    assert file_key_id(stranger).hex() in caught.value.message
    assert stranger.reveal().hex() not in caught.value.message
    assert "jrc keys restore" in caught.value.hint


def test_the_recovery_identity_is_not_for_every_day(slots: list[WrappedSlot]) -> None:
    """A registrar does not start with it, and says what it is for."""
    with pytest.raises(OperatorError, match="recovery identity") as caught:
        open_slots(IDENTITY, slots)
    assert "jrc keys restore" in caught.value.hint
    names = [(slot.name, slot.kind, slot.key_id) for slot in slots]
    with pytest.raises(OperatorError, match="recovery identity"):
        check_opens(IDENTITY, names, "keys.kek_file")
    check_opens(SPARE, names, "keys.kek_file")


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("change", ["wrapped", "name", "kek_id"])
def test_a_slot_that_was_changed_is_not_opened(
    slots: list[WrappedSlot], place: int, change: str
) -> None:
    """Its name and the id of what it holds are bound to it."""
    slot, key = slots[place], (KEY, IDENTITY)[place]
    others = {
        "wrapped": slot.wrapped[:-1] + bytes((slot.wrapped[-1] ^ 1,)),
        "name": "other",
        "kek_id": bytes(8),
    }
    changed = replace(slot, **{change: others[change]})  # type: ignore[arg-type]
    with pytest.raises(OperatorError, match="does not authenticate"):
        open_slots(key, [changed], kinds=ANY_KIND)


def test_the_recovery_slot_is_hpke_of_rfc_9180() -> None:
    """Base mode; 32 bytes of encapsulated key, the key and its tag: another program opens it."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    slot = wrap_slot(NewSlot("paper", SlotKind.RECOVERY, public_key=PUBLIC), KEK)
    assert 32 + 32 + 16 == len(slot.wrapped)
    info = f"jrc1|key_slot|paper|recovery|{kek_id(KEK).hex()}".encode()
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    secret = X25519PrivateKey.from_private_bytes(IDENTITY.reveal())
    assert KEK.reveal() == suite.decrypt(slot.wrapped, secret, info)


def test_a_public_key_that_is_none_is_refused() -> None:
    """It comes over the admin socket."""
    with pytest.raises(OperatorError, match="32 bytes"):
        wrap_slot(NewSlot("paper", SlotKind.RECOVERY, public_key=bytes(31)), KEK)
