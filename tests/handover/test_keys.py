"""Keys of a hand-over, and the files that hold them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jrc.errors import ExitCode, OperatorError
from jrc.handover.keys import PrivateKey, new_key, parse_private, parse_public
from jrc.handover.role import Role
from jrc.model import Secret

BUILDER, REGISTRAR = new_key(Role.BUILDER), new_key(Role.REGISTRAR)


@pytest.mark.parametrize("key", [BUILDER, REGISTRAR])
def test_a_key_is_read_as_it_was_written(key: PrivateKey) -> None:
    """PKCS #8 and SubjectPublicKeyInfo in PEM, as OpenSSL has them."""
    role = key.public.role
    assert parse_private(key.pem(), role, "f").public.key_id == key.public.key_id
    assert parse_public(key.public.pem(), role, "f").key_id == key.public.key_id


def test_a_private_key_is_not_printed() -> None:
    """Its fingerprint is."""
    assert repr(BUILDER) == f"PrivateKey({BUILDER.public.fingerprint})"
    assert "redacted" in repr(BUILDER.pem())


def _private(pem: bytes, role: Role = Role.BUILDER) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        parse_private(Secret(pem), role, "the.key")
    return caught.value


def _public(pem: bytes, role: Role = Role.BUILDER) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        parse_public(pem, role, "the.pub")
    return caught.value


def test_a_file_that_holds_no_key_is_named() -> None:
    """With the command that makes one."""
    for error in (_private(b""), _private(b"-----BEGIN PRIVATE KEY-----\n"), _private(b"\xff" * 9)):
        assert error.message == "the.key holds no private key"
        assert error.hint == "`jrc handover keygen --for builder` makes one"
    assert _public(b"ssh-ed25519 AAAA").message == "the.pub holds no public key"


def test_public_and_private_keys_are_told_apart() -> None:
    """Whoever mixes them up is told which is which."""
    assert "name the file without .pub" in _private(BUILDER.public.pem()).hint
    told = _public(BUILDER.pem().reveal())
    assert told.message == "the.pub is a private key, and the public one is wanted"


def test_keys_of_the_other_end_are_refused_with_their_fingerprint() -> None:
    """Two files were mixed up."""
    for told in (
        _private(REGISTRAR.pem().reveal()),
        _public(REGISTRAR.public.pem()),
    ):
        assert f"is the key of a registrar ({REGISTRAR.public.fingerprint})" in told.message
    told = _private(BUILDER.pem().reveal(), Role.REGISTRAR)
    assert "is the key of a builder" in told.message
    assert told.exit_code is ExitCode.USAGE


def test_keys_of_other_kinds_are_refused() -> None:
    """Another curve, RSA."""
    for other in (
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ):
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        assert "is a key of another kind" in _private(pem).message
        shown = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert "is a key of another kind" in _public(shown).message


def test_a_key_under_a_passphrase_says_how_to_take_it_off() -> None:
    """Commands are run by scripts, which type nothing."""
    pem = BUILDER.native.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    told = _private(pem)
    assert told.message == "the.key: the private key is under a passphrase"
    assert "openssl pkey -in the.key" in told.hint
