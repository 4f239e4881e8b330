"""Public credentials of devices: what is taken, what is not, and how they are written."""

import json
import re
from hashlib import sha256

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.credential import CURVES, MAX_CREDENTIAL_BYTES, SUBJECT, edn, parse
from tests.identities import PRINTED, PRINTED_X, claims, coordinates, cose_key

SECRET = b"\x5a" * 31 + b"\x01"


def test_a_credential_is_kept_as_it_was_printed() -> None:
    """RFC 9528 §3.5.2: both ends prove the bytes."""
    value = cbor2.dumps({8: {1: {1: 2, 2: b"", -1: 1, -2: PRINTED_X}}})
    found = parse(value)
    assert (found.value, found.curve, found.kid, found.subject) == (value, "P-256", b"", None)
    assert re.sub(r"\s", "", PRINTED) == re.sub(r"\s", "", edn(value))


def test_the_credential_of_rfc_9529_is_taken() -> None:
    """RFC 9529 §3.2, CRED_R: with subject, key identifier and both coordinates."""
    value = bytes.fromhex(
        "a2026b6578616d706c652e65647508a101a501020241322001215820bbc34960526ea4d32e940cad2a234148"
        "ddc21791a12afbcbac93622046dd44f02258204519e257236b2a0ce2023f0931f1f386ca7afda64fcde0108c"
        "224c51eabf6072"
    )
    found = parse(value)
    assert (found.subject, found.kid, found.curve) == ("example.edu", b"2", "P-256")
    assert edn(value).startswith("{2: \"example.edu\", 8: {1: {1: 2, 2: h'32', -1: 1, -2: h'bbc3")


def test_one_private_key_has_one_thumbprint() -> None:
    """Whatever stands around it, and whichever of its two points is shown."""
    x, y = coordinates(1)
    mirrored = (2**256 - 2**224 + 2**192 + 2**96 - 1 - int.from_bytes(y)).to_bytes(32)
    shown = [
        {8: {1: cose_key(1)}},
        {2: "lamp", 8: {1: {1: 2, -1: 1, -2: x, -3: y}}},
        {8: {1: {1: 2, 2: b"7", 3: -9, -1: 1, -2: x, -3: mirrored}}},
        {8: {1: {1: 2, -1: 1, -2: x, -3: True}}},
    ]
    expected = sha256(cbor2.dumps({1: 2, -1: 1, -2: x}, canonical=True)).digest()
    assert {parse(cbor2.dumps(each)).thumbprint for each in shown} == {expected}
    assert parse(claims(2)).thumbprint != expected


def test_keys_without_a_second_coordinate_are_taken_as_they_are() -> None:
    """X25519, for EDHOC's suites 0 and 1 (RFC 9528 §3.6)."""
    x = x25519.X25519PrivateKey.from_private_bytes(SECRET).public_key().public_bytes_raw()
    found = parse(cbor2.dumps({8: {1: {1: 1, -1: 4, -2: x}}}))
    assert (found.curve, len(found.thumbprint), CURVES[4].length) == ("X25519", 32, 32)


X, Y = coordinates(1)
PRIVATE = [
    {8: {1: {**cose_key(1), -4: SECRET}}},
    {1: 2, -1: 1, -2: X, -4: SECRET},
    {8: {1: {1: 4, -1: SECRET}}},
    {1: 4, -1: SECRET},
    {8: {1: cose_key(1)}, 9: {-4: SECRET}},
]


@pytest.mark.parametrize("claim", PRIVATE)
def test_whatever_is_private_is_refused_and_never_repeated(claim: dict[int, object]) -> None:
    """A private key (-4) wherever it stands, and a symmetric one."""
    with pytest.raises(ValueError, match=r"private key|symmetric key") as caught:
        parse(cbor2.dumps(claim))
    said = repr(caught.value) + repr(caught.value.__cause__)
    assert SECRET.hex() not in said
    assert repr(SECRET) not in said


REFUSED = [
    (b"", "empty"),
    (bytes(MAX_CREDENTIAL_BYTES + 1), "more than 512 bytes"),
    (claims(1)[:-1], "no CBOR"),
    (claims(1) + b"\x00", "something follows"),
    (b"\xbf\x08\xff", "no CBOR"),
    (b"\xa1\x08" * 5 + b"\x01", "no CBOR"),
    (cbor2.dumps(5), "no CBOR map"),
    (cbor2.dumps({"8": 1}), "no number"),
    (cbor2.dumps(cose_key(1)), "a key alone"),
    (cbor2.dumps({8: {1: 5}}), "no key"),
    (cbor2.dumps({2: "lamp"}), "no key"),
    (cbor2.dumps({2: 5, 8: {1: cose_key(1)}}), "subject"),
    (cbor2.dumps({8: {1: {**cose_key(1), 2: "x"}}}), "identifier"),
    (cbor2.dumps({8: {1: {**cose_key(1), 3: b""}}}), "algorithm"),
    (cbor2.dumps({4: 1, 8: {1: cose_key(1)}}), "label 4 as a claim"),
    (cbor2.dumps({8: {1: cose_key(1), 3: b""}}), "label 3 as a member"),
    (cbor2.dumps({8: {1: {**cose_key(1), -5: b""}}}), "label -5 as a parameter"),
    (cbor2.dumps({8: {1: {**cose_key(1), -1: 8}}}), "no known curve"),
    (cbor2.dumps({8: {1: {**cose_key(1), 1: 1}}}), "no known curve"),
    (cbor2.dumps({8: {1: {**cose_key(1), -2: X[:-1]}}}), "no coordinate of 32 bytes"),
    (cbor2.dumps({8: {1: {**cose_key(1), -2: b"\xff" * 32}}}), "no coordinate of 32 bytes"),
    (cbor2.dumps({8: {1: {**cose_key(1), -2: bytes(31) + b"\x01"}}}), "no point of P-256"),
    (cbor2.dumps({8: {1: {**cose_key(1), -3: X}}}), "no point of P-256"),
    (cbor2.dumps({8: {1: {**cose_key(1), -3: 5}}}), "neither a coordinate nor a sign"),
    (b"\xa2\x08\xa1\x01\xa0\x08\xa0", "label 8 is there twice"),
    (b"\xa1\x02\x62\xff\xfe", "not UTF-8"),
]


@pytest.mark.parametrize(("value", "why"), REFUSED)
def test_what_is_no_public_credential_is_refused_in_a_sentence(value: bytes, why: str) -> None:
    """Nothing is guessed, and what is unknown is named by its label."""
    with pytest.raises(ValueError, match=why):
        parse(value)


def test_a_bit_that_changes_in_a_printed_key_is_seen_half_of_the_time() -> None:
    """So a device whose line was mixed up is rarely stored, and never under another's key."""
    value = claims(1)
    taken = 0
    for bit in range(8 * len(value)):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            taken += parse(bytes(changed)).thumbprint != parse(value).thumbprint
        except ValueError:
            continue
    assert taken < 8 * 32 * 0.7


@given(st.binary(max_size=80))
def test_whatever_the_bytes_there_is_a_credential_or_a_sentence(value: bytes) -> None:
    """No other error; what is taken can be written."""
    try:
        found = parse(value)
    except ValueError as error:
        assert str(error)
    else:
        assert edn(found.value).startswith("{")


@given(st.text(max_size=60))
def test_text_is_written_as_json_has_it(subject: str) -> None:
    """Quotes and control characters of a subject end no line (RFC 8949 §8)."""
    value = cbor2.dumps({SUBJECT: subject, 8: {1: cose_key(1)}})
    written = edn(value)
    assert written.isprintable()
    assert json.loads(written[len("{2: ") : written.index(", 8: ")]) == subject
