"""A sealed file is COSE: opened with cbor2 and cryptography alone, as RFC 9052 and RFC 9053 say."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import ecdsa  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jrc.handover.keys import PrivateKey, PublicKey
from tests.handover.making import NOW_MS, PSKS, Ends, content

VECTORS = Path(__file__).parent.parent / "vectors"
EDDSA, A256GCM, ECDH_ES_HKDF_256 = -8, 3, -25
"""RFC 9053 §2.2, §4.1, §6.3.1."""


@pytest.fixture(scope="module")
def ends() -> Ends:
    return Ends.new()


def _verified(data: bytes, key: Ed25519PublicKey) -> tuple[dict[Any, Any], bytes]:
    """Headers and payload of a COSE_Sign1 (RFC 9052 §4.2, §4.4)."""
    tagged = cbor2.loads(data)
    protected, unprotected, payload, signature = tagged.value
    assert (tagged.tag, unprotected) == (18, {})
    key.verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))
    return cbor2.loads(protected), payload


def _content_key(recipient: Any, key: EllipticCurvePrivateKey) -> bytes:
    """The key that two agree on (RFC 9053 §5.1, §5.2, §6.3.1)."""
    protected, unprotected, empty = recipient
    assert empty == b""
    shown = unprotected[-1]
    assert (shown[1], shown[-1], set(unprotected)) == (2, 1, {-1})
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(shown[-2], "big"), int.from_bytes(shown[-3], "big"), ec.SECP256R1()
    )
    nobody = [None, None, None]
    context = cbor2.dumps([A256GCM, nobody, nobody, [256, protected]])
    secret = key.exchange(ECDH(), numbers.public_key())
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(secret)


def _decrypted(
    payload: bytes, key: EllipticCurvePrivateKey
) -> tuple[dict[Any, Any], dict[Any, Any], bytes]:
    """Both layers' headers and the content of a COSE_Encrypt (RFC 9052 §5.1, §5.3)."""
    tagged = cbor2.loads(payload)
    protected, unprotected, ciphertext, (recipient,) = tagged.value
    assert (tagged.tag, unprotected) == (96, {})
    headers, of_recipient = cbor2.loads(protected), cbor2.loads(recipient[0])
    aad = cbor2.dumps(["Encrypt", protected, b""])
    plain = AESGCM(_content_key(recipient, key)).decrypt(headers[5], ciphertext, aad)
    return headers, of_recipient, plain


def test_a_sealed_file_is_opened_by_the_standards_alone(ends: Ends) -> None:
    """RFC 9052, RFC 9053, RFC 9596, RFC 9597: nothing of pycose's or ours is needed."""
    signer, opener = ends.builder.native, ends.registrar.native
    assert isinstance(signer, Ed25519PrivateKey)
    assert isinstance(opener, EllipticCurvePrivateKey)
    outer, payload = _verified(ends.sealed, signer.public_key())
    headers, of_recipient, plain = _decrypted(payload, opener)
    builder, registrar = ends.builder.public.key_id, ends.registrar.public.key_id
    assert outer == {
        1: EDDSA,
        3: 'application/cose; cose-type="cose-encrypt"',
        4: builder,
        16: "application/vnd.jrc.handover+cose",
    }
    assert of_recipient == {1: ECDH_ES_HKDF_256, 4: registrar}
    made_at_s = NOW_MS // 1000
    assert headers == {
        1: A256GCM,
        2: [15],
        3: "application/vnd.jrc.pledges+cbor",
        5: headers[5],
        15: {
            1: builder.hex(),
            3: registrar.hex(),
            4: made_at_s + 3600,
            6: made_at_s,
            7: b"batch-7",
            -70001: 2,
        },
    }
    assert plain == content().reveal()
    rows = cbor2.loads(plain)
    assert [row["psk"].hex() for row in rows] == list(PSKS)


def test_the_check_by_the_standards_can_fail(ends: Ends) -> None:
    """With the key of another builder the signature is none."""
    with pytest.raises(InvalidSignature):
        _verified(ends.sealed, Ed25519PrivateKey.generate().public_key())


def _thumbprint(key: PublicKey) -> bytes:
    """RFC 9679 §3: SHA-256 of the required parameters in their deterministic order."""
    native = key.native
    if isinstance(native, Ed25519PublicKey):
        x = native.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return sha256(cbor2.dumps({1: 1, -1: 6, -2: x}, canonical=True)).digest()
    point = native.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shown = {1: 2, -1: 1, -2: point[1:33], -3: point[33:]}
    return sha256(cbor2.dumps(shown, canonical=True)).digest()


def test_a_key_is_known_by_half_of_its_thumbprint(ends: Ends) -> None:
    """RFC 9679 §3, so that other tools find it too; people see it in groups of four."""
    for key in (ends.builder.public, ends.registrar.public):
        assert _thumbprint(key)[:16] == key.key_id
        assert key.fingerprint.replace("-", "") == key.key_id.hex()
        assert [4] * 8 == [len(group) for group in key.fingerprint.split("-")]


def test_the_thumbprint_is_that_of_the_standards_example() -> None:
    """RFC 9679 §6: its example key and what its thumbprint is."""
    x = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    )
    key = PublicKey(numbers.public_key())
    expected = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert expected == _thumbprint(key).hex()
    assert key.key_id.hex() == expected[:32]


def test_nothing_is_computed_in_the_package_of_pure_python(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pycose loads ecdsa, whose times tell of private keys; with all of it broken we still work."""

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("ecdsa was called")

    for kind in (ecdsa.SigningKey, ecdsa.VerifyingKey, ecdsa.ellipticcurve.Point):
        monkeypatch.setattr(kind, "__init__", broken)
        for name in ("from_secret_exponent", "from_public_point", "generate", "from_string"):
            monkeypatch.setattr(kind, name, broken, raising=False)
    for name in ("__mul__", "__rmul__", "__add__", "double"):
        monkeypatch.setattr(ecdsa.ellipticcurve.PointJacobi, name, broken)
    fresh = Ends.new()
    assert fresh.open(fresh.sealed).content == content()


def test_a_file_that_was_sealed_once_is_opened_for_ever() -> None:
    """Its keys are known, so that any implementation can be tried with it."""
    vector = json.loads((VECTORS / "sealed_file.json").read_text())
    scalar = int(vector["registrar_key"], 16)
    ends = Ends(
        PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["builder_key"]))),
        PrivateKey(ec.derive_private_key(scalar, ec.SECP256R1())),
    )
    opened = ends.open(bytes.fromhex(vector["sealed"]), vector["now_ms"])
    assert opened.cover.serial == vector["serial"]
    assert ends.builder.public.fingerprint == vector["builder"]
    assert ends.registrar.public.fingerprint == vector["registrar"]
    assert [row["psk"].hex() for row in cbor2.loads(opened.content.reveal())] == vector["psks"]
