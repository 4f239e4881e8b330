"""Security contexts of RFC 9031 §7.3, and the algorithms they are for."""

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import algorithms
from jrc.cojp.algorithms import AEADS, Hkdf
from jrc.cojp.oscore_context import context_from_keys, derive, derive_for_jrc
from tests.cojp.strategies import USABLE_AEADS as USABLE

PSK = bytes(range(32))
PLEDGE = bytes.fromhex("141592cc00000002")
TOO_SHORT = [number for number in AEADS if number not in USABLE]


@pytest.mark.parametrize("aead", USABLE)
@pytest.mark.parametrize("hkdf", list(Hkdf))
@given(st.binary(min_size=1, max_size=248))
def test_b01_derivation_agrees_with_another_hkdf(aead: int, hkdf: Hkdf, pledge_id: bytes) -> None:
    """RFC 8613 §3.2.1 with the parameters of RFC 9031 §7.3, identifiers of 1 to 248 bytes."""
    parameters = AEADS[aead]
    context = derive_for_jrc(PSK, pledge_id, aead, hkdf)

    def expected(identifier: bytes, kind: str, length: int) -> bytes:
        info = cbor2.dumps([identifier, pledge_id, aead, kind, length])
        algorithm = hashes.SHA256() if hkdf == Hkdf.SHA_256 else hashes.SHA512()
        return HKDF(algorithm, length, salt=b"", info=info).derive(PSK)

    assert context.sender_key == expected(b"JRC", "Key", parameters.key_length)
    assert context.recipient_key == expected(b"", "Key", parameters.key_length)
    assert context.common_iv == expected(b"", "IV", parameters.nonce_length)
    assert (context.sender_id, context.recipient_id) == (b"JRC", b"")
    assert context.id_context == pledge_id


@pytest.mark.parametrize("aead", TOO_SHORT)
def test_a07_algorithms_too_short_for_the_registrar_are_refused_by_name(aead: int) -> None:
    """RFC 8613 §3.3: a nonce of 7 bytes has room for one byte of identifier."""
    with pytest.raises(ValueError, match=AEADS[aead].name):
        derive_for_jrc(PSK, PLEDGE, aead)
    with pytest.raises(ValueError, match=AEADS[aead].name):
        algorithms.aead_by_name(AEADS[aead].name)
    context = derive(PSK, b"", None, b"\x01", b"", aead)
    assert len(context.common_iv) == 7


@pytest.mark.parametrize("aead", USABLE)
def test_a07_algorithms_are_found_by_name_and_number(aead: int) -> None:
    """RFC 9031 §7.3: agreed with the key, out of band."""
    name = AEADS[aead].name
    for text in (name, name.lower(), name.replace("-", "_"), f" {name} ", str(aead)):
        assert algorithms.aead_by_name(text) == aead


@pytest.mark.parametrize("text", ["", "AES-CCM", "AES-GCM-SIV", "2", "-10", "10 11"])
def test_a07_unknown_algorithms_are_refused_by_name(text: str) -> None:
    """RFC 9031 §7.3."""
    with pytest.raises(ValueError, match="not supported") as caught:
        algorithms.aead_by_name(text)
    assert repr(text) in str(caught.value)


def test_a07_key_derivation_functions_are_found_or_refused_by_name() -> None:
    """RFC 9031 §7.3."""
    assert algorithms.hkdf_by_name("hkdf sha-256") == algorithms.hkdf_by_name("-10") == Hkdf.SHA_256
    assert algorithms.hkdf_by_name("HKDF-SHA-512") == algorithms.hkdf_by_name("-11") == Hkdf.SHA_512
    for text in ("HKDF AES-MAC-128", "10", ""):
        with pytest.raises(ValueError, match="not supported"):
            algorithms.hkdf_by_name(text)
    with pytest.raises(ValueError, match="-12"):
        derive_for_jrc(PSK, PLEDGE, hkdf=-12)
    with pytest.raises(ValueError, match="99"):
        derive_for_jrc(PSK, PLEDGE, aead=99)


@pytest.mark.parametrize(
    ("sender_key", "recipient_key", "common_iv", "why"),
    [
        (bytes(15), bytes(16), bytes(13), "keys of 16"),
        (bytes(16), bytes(17), bytes(13), "keys of 16"),
        (bytes(16), bytes(15) + b"\x01", bytes(12), "Common IV of 13"),
        (bytes(16), bytes(16), bytes(13), "equal"),
    ],
)
def test_a06_derived_keys_that_do_not_fit_are_refused(
    sender_key: bytes, recipient_key: bytes, common_iv: bytes, why: str
) -> None:
    """RFC 9031 Appendix B: 16, 16 and 13 bytes, the two keys unequal."""
    with pytest.raises(ValueError, match=why):
        context_from_keys(sender_key, recipient_key, common_iv, PLEDGE)


def test_identifiers_too_long_for_the_nonce_are_refused() -> None:
    """RFC 8613 §3.3: 7 bytes at most with a nonce of 13."""
    assert derive(PSK, b"", None, bytes(7), b"").sender_id == bytes(7)
    for sender_id, recipient_id in ((bytes(8), b""), (b"", bytes(8))):
        with pytest.raises(ValueError, match="7 bytes at most"):
            derive(PSK, b"", None, sender_id, recipient_id)


def test_a_context_shows_none_of_its_keys() -> None:
    """Neither keys nor the Common IV are in its text."""
    jrc = derive_for_jrc(PSK, PLEDGE)
    text = repr(jrc)
    for secret in (jrc.sender_key, jrc.recipient_key, jrc.common_iv):
        assert repr(secret) not in text
        assert secret.hex() not in text


def test_b08_both_ends_have_one_context() -> None:
    """RFC 9031 §7.3: keys stay with their endpoint, whatever its role."""
    jrc = derive_for_jrc(PSK, PLEDGE)
    pledge = jrc.mirrored()
    assert pledge.mirrored() == jrc
    assert (pledge.sender_id, pledge.sender_key) == (jrc.recipient_id, jrc.recipient_key)
