"""Weak, short and computable keys, and identifiers that could be mistaken."""

import hashlib
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.algorithms import Aead
from jrc.model import PledgeId
from jrc.policy.credentials import check_derived, check_identifier, check_psk, unwrapped

EUI64 = PledgeId.from_hex("00124b0014b5b67e")
GOOD = bytes.fromhex("5c9e0f4ab6d37128ef41a09326bd7cd8")
OTHER = bytes.fromhex("b72a66d1904fe83c05dd19fb8a4276ce")
IV = bytes.fromhex("da79295561aac8af3d084011f4")


def random_like(size: int, purpose: bytes = b"") -> st.SearchStrategy[bytes]:
    """Bytes as a generator gives them: hypothesis alone prefers zeros and repeats."""
    return st.integers(0, 2**64).map(
        lambda seed: hashlib.shake_256(purpose + seed.to_bytes(9)).digest(size)
    )


def weakness(identifier: PledgeId, psk: bytes) -> str:
    with pytest.raises(ValueError, match="PSK") as caught:
        check_psk(identifier, psk)
    return str(caught.value)


@given(st.sampled_from((16, 17, 24, 32, 64)).flatmap(random_like), random_like(8, b"id"))
def test_a02_a_random_psk_is_taken(psk: bytes, identifier: bytes) -> None:
    """Keys of at least 128 bits of entropy are not refused (RFC 9031 §3)."""
    check_psk(PledgeId(identifier), psk)


@given(random_like(16, b"key"), st.sampled_from((1, 2, 3, 5, 248)).flatmap(random_like))
def test_a04_identifiers_of_every_length_leave_random_keys_alone(
    psk: bytes, identifier: bytes
) -> None:
    """A short identifier turns up in a random key by chance (RFC 9031 §10)."""
    check_psk(PledgeId(identifier), psk)


def test_a02_a_key_that_ends_as_it_begins_by_chance_is_taken() -> None:
    """One random key in 256 ends with its first byte: that is no repetition (RFC 9031 §3)."""
    check_psk(EUI64, GOOD[:15] + GOOD[:1])
    check_psk(EUI64, GOOD[:9] + GOOD[:7])
    assert "repeated" in weakness(EUI64, GOOD[:8] + GOOD[:8])


@pytest.mark.parametrize("size", [0, 1, 8, 15, 65, 1000])
def test_a02_a_psk_of_wrong_length_is_refused(size: int) -> None:
    """128 bits at least (RFC 9031 §3); 64 bytes are our limit."""
    assert f"{size} bytes" in weakness(EUI64, hashlib.shake_256(b"x").digest(size))


@given(st.integers(0, 255), st.integers(16, 64))
def test_a02_a_psk_of_equal_bytes_is_refused(byte: int, size: int) -> None:
    """It carries 8 bits at most (RFC 9031 §3)."""
    assert "all its bytes" in weakness(EUI64, bytes((byte,)) * size)


@given(st.integers(0, 255), st.integers(1, 255), st.integers(16, 64))
def test_a02_an_ascending_or_descending_psk_is_refused(first: int, step: int, size: int) -> None:
    """1, 2, 3 and 00112233 alike carry 16 bits at most (RFC 9031 §3)."""
    assert "steps" in weakness(EUI64, bytes((first + step * at) % 256 for at in range(size)))


@given(random_like(15), st.integers(2, 15), st.integers(24, 64))
def test_a02_a_repeated_block_is_refused(block: bytes, period: int, size: int) -> None:
    """A block of under 16 bytes has under 128 bits however often it comes (RFC 9031 §3)."""
    weakness(EUI64, (block[:period] * size)[:size])


@pytest.mark.parametrize(
    "psk",
    [
        "deadbeefcafedeadbeefcafedeadbeef",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdeffedcba9876543210",
        "000102030405060708090a0b0c0d0e0f",
        "e6bf4287c2d7618d6a9687445ffd33e6",
        "2b7e151628aed2a6abf7158809cf4f3c",
        b"6TiSCH minimal15".hex(),
        b"ZigBeeAlliance09".hex(),
        b"5c9e0f4ab6d37128".hex(),
    ],
)
def test_a02_keys_seen_in_the_field_and_in_print_are_refused(psk: str) -> None:
    """Published keys and text of 16 letters are known or guessable (RFC 9031 §3)."""
    weakness(EUI64, bytes.fromhex(psk))


FILLS = (b"\0", b"\xff", b"\x20", b"\xa5")
TEXT_FORMS: tuple[Callable[[bytes], str], ...] = (
    lambda value: value.hex(),
    lambda value: value.hex().upper(),
    lambda value: value.hex(":"),
    lambda value: value.hex(":").upper(),
    lambda value: value.hex("-"),
    lambda value: value.hex("-").upper(),
)


@given(random_like(15), st.integers(1, 15), st.sampled_from(FILLS), st.booleans(), st.booleans())
def test_a03_a_padded_identifier_is_refused(
    material: bytes, size: int, fill: bytes, left: bool, backwards: bool
) -> None:
    """Padded on either side, also reversed, by whatever byte (RFC 9031 §9)."""
    identifier = PledgeId(material[:size])
    value = identifier.value[::-1] if backwards else identifier.value
    weakness(identifier, value.rjust(16, fill) if left else value.ljust(16, fill))


@given(random_like(40), st.integers(1, 40), st.integers(16, 64), st.booleans())
def test_a03_a_repeated_identifier_is_refused(
    material: bytes, size: int, psk_size: int, backwards: bool
) -> None:
    """Repeated to the length, also reversed (RFC 9031 §9)."""
    identifier = PledgeId(material[:size])
    value = identifier.value[::-1] if backwards else identifier.value
    weakness(identifier, (value * psk_size)[:psk_size])


@given(st.integers(16, 248).flatmap(random_like), st.booleans())
def test_a03_a_slice_of_a_long_identifier_is_refused(value: bytes, first: bool) -> None:
    """Whoever reads the identifier reads the key (RFC 9031 §9)."""
    weakness(PledgeId(value), value[:16] if first else value[-16:])


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
@given(value=st.integers(1, 32).flatmap(random_like), first=st.booleans(), size=st.integers(16, 32))
def test_a03_a_hash_of_the_identifier_is_refused(
    name: str, value: bytes, first: bool, size: int
) -> None:
    """Whole or its first or last bytes, of the bytes or of any text form (RFC 9031 §9)."""
    sources = [value, *(form(value).encode() for form in TEXT_FORMS)]
    for source in sources:
        digest = hashlib.new(name, source).digest()
        weakness(PledgeId(value), digest[:size] if first else digest[-size:])


def test_a03_a_hash_of_the_identifier_that_is_repeated_is_refused() -> None:
    """An MD5 stretched to 256 bits is no stronger (RFC 9031 §9)."""
    weakness(EUI64, hashlib.md5(EUI64.value).digest() * 2)


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_a03_the_identifier_as_text_is_refused(form: Callable[[bytes], str]) -> None:
    """An EUI-64 in hex has just the 16 bytes of a key (RFC 9031 §9)."""
    text = form(EUI64.value).encode()
    weakness(EUI64, text)
    weakness(EUI64, text[:16])


def test_a03_an_identifier_amid_a_constant_is_refused() -> None:
    """Eight bytes of identifier leave 64 bits to a 128-bit key, whatever is beside them (§9)."""
    weakness(EUI64, b"factory!" + EUI64.value)
    weakness(EUI64, bytes.fromhex("fe80000000000000") + bytes.fromhex("02124b0014b5b67e"))
    check_psk(EUI64, GOOD + EUI64.value)


@given(st.integers(4, 15).flatmap(random_like), st.sampled_from((1, 2, 8)))
def test_a03_no_message_contains_the_key(block: bytes, times: int) -> None:
    """Refusals are printed and logged; keys are not (RFC 9031 §9)."""
    psk = block * times if times > 1 else block.ljust(16, b"\0")
    message = weakness(PledgeId(block), psk)
    assert block.hex() not in message
    assert repr(block)[2:-1] not in message


def test_a06_derived_keys_of_16_16_and_13_bytes_are_taken() -> None:
    """The default algorithm is AES-CCM-16-64-128 (RFC 9031 App. B, §7.3.3)."""
    check_derived(EUI64, GOOD, OTHER, IV)
    check_derived(EUI64, GOOD + OTHER, OTHER + GOOD, IV, aead=Aead.AES_CCM_16_64_256)


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ((15, 16, 13), "sender key has 15"),
        ((16, 17, 13), "recipient key has 17"),
        ((16, 16, 12), "common IV has 12"),
        ((0, 16, 13), "sender key has 0"),
    ],
)
def test_a06_derived_keys_of_other_lengths_are_refused_by_name(
    sizes: tuple[int, int, int], named: str
) -> None:
    """Lengths follow from the algorithm (RFC 9031 App. B)."""
    sender, recipient, iv = (GOOD + OTHER)[: sizes[0]], (OTHER + GOOD)[: sizes[1]], IV[: sizes[2]]
    with pytest.raises(ValueError, match=named):
        check_derived(EUI64, sender, recipient, iv)


def test_a06_lengths_follow_the_algorithm_given() -> None:
    """A 256-bit algorithm wants 32 bytes (RFC 9031 App. B)."""
    with pytest.raises(ValueError, match="wants 32"):
        check_derived(EUI64, GOOD, OTHER, IV, aead=Aead.AES_CCM_16_64_256)


def test_a07_an_unknown_algorithm_is_refused_by_its_number() -> None:
    """What is not honoured is refused (RFC 9031 §7.3)."""
    with pytest.raises(ValueError, match="4711"):
        check_derived(EUI64, GOOD, OTHER, IV, aead=4711)


def test_a07_an_algorithm_that_cannot_carry_the_registrars_name_is_refused_by_its_own() -> None:
    """A nonce of 7 bytes leaves one to an identifier, and JRC has three (RFC 8613 §3.3)."""
    with pytest.raises(ValueError, match="AES-CCM-64-64-128"):
        check_derived(EUI64, GOOD, OTHER, IV[:7], aead=Aead.AES_CCM_64_64_128)


def test_a06_two_equal_derived_keys_are_refused() -> None:
    """Both directions would share their nonces (RFC 9031 App. B; RFC 8613 §3.3)."""
    with pytest.raises(ValueError, match="equal"):
        check_derived(EUI64, GOOD, GOOD, IV)


@pytest.mark.parametrize("weak", [bytes(16), EUI64.value * 2, hashlib.md5(EUI64.value).digest()])
def test_a06_weak_derived_keys_are_refused(weak: bytes) -> None:
    """What is refused as a PSK is refused in either place (RFC 9031 §9)."""
    with pytest.raises(ValueError, match="sender key is weak"):
        check_derived(EUI64, weak, GOOD, IV)
    with pytest.raises(ValueError, match="recipient key is weak"):
        check_derived(EUI64, GOOD, weak, IV)


def heads(content: bytes) -> list[bytes]:
    """Every head that a CBOR byte string of this content may have (RFC 8949 §3.1)."""
    size = len(content)
    wide = [
        bytes((0x58 + at,)) + size.to_bytes(1 << at) for at in range(4) if size >> (8 << at) == 0
    ]
    return wide + ([bytes((0x40 + size,))] if size < 24 else [])


@given(st.binary(max_size=300))
def test_a08_unwrapping_agrees_with_an_independent_decoder(content: bytes) -> None:
    """One whole CBOR byte string, with whatever head, and nothing after it (RFC 8949 §3.1)."""
    for head in heads(content):
        assert content == unwrapped(head + content) == cbor2.loads(head + content)
        assert unwrapped(head + content + b"\0") is None


@given(st.binary(max_size=40))
def test_a08_what_unwraps_is_a_byte_string_to_an_independent_decoder(value: bytes) -> None:
    """Nothing else is taken for a byte string (RFC 8949 §3.1)."""
    content = unwrapped(value)
    if content is not None:
        assert content == cbor2.loads(value)


@given(st.binary(min_size=8, max_size=200))
def test_a08_an_identifier_that_is_a_wrapped_nonce_is_refused(content: bytes) -> None:
    """It could not be told from a kid context of App. B.2 (RFC 8613 App. B.2)."""
    for head in heads(content):
        with pytest.raises(ValueError, match="CBOR"):
            check_identifier(head + content)
        check_identifier((head + content)[:-1])


@given(st.binary(min_size=8, max_size=8))
def test_a08_no_eui64_is_refused(value: bytes) -> None:
    """Eight bytes hold a byte string of seven at most (RFC 8613 App. B.2; RFC 9031 §8.3.3)."""
    check_identifier(value)
