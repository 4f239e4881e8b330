"""The keys of both ends: a builder's signs (Ed25519), a registrar's is sealed to (P-256).

They are PEM files as OpenSSL has them, PKCS #8 and SubjectPublicKeyInfo. A key is known by its
fingerprint: the first half of its COSE Key Thumbprint (RFC 9679 §3) with SHA-256.
"""

from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from jrc.cojp.cbor import MAP, encode_bytes, encode_int, head
from jrc.errors import ExitCode, OperatorError
from jrc.handover.role import Role
from jrc.model import Secret
from jrc.service.handovers import KEY_ID_BYTES, fingerprint_text

COORDINATE_BYTES = 32
"""Of a point on P-256 (RFC 9053 §7.1.1)."""
_KEYGEN = "`jrc handover keygen --for {role}` makes one"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that others may know."""

    native: Ed25519PublicKey | EllipticCurvePublicKey

    @property
    def role(self) -> Role:
        """Whose it is, which its curve tells."""
        return Role.BUILDER if isinstance(self.native, Ed25519PublicKey) else Role.REGISTRAR

    @property
    def key_id(self) -> bytes:
        """What a sealed file names it by."""
        return sha256(_cose_key(self.native)).digest()[:KEY_ID_BYTES]

    @property
    def fingerprint(self) -> str:
        """The same for people."""
        return fingerprint_text(self.key_id)

    def pem(self) -> bytes:
        """Its file."""
        return self.native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A key that its owner alone knows."""

    native: Ed25519PrivateKey | EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """The key that belongs to it."""
        return PublicKey(self.native.public_key())

    def pem(self) -> Secret:
        """Its file."""
        return Secret(self.native.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.fingerprint})"


def new_key(role: Role) -> PrivateKey:
    """A fresh one."""
    if role is Role.BUILDER:
        return PrivateKey(Ed25519PrivateKey.generate())
    return PrivateKey(generate_private_key(SECP256R1()))


def parse_private(pem: Secret, role: Role, name: str) -> PrivateKey:
    """The private key in a PEM file; ``name`` is the file's, for a person.

    Raises:
        OperatorError: it holds none, or not one of ``role``.
    """
    try:
        found = load_pem_private_key(pem.reveal(), None)
    except TypeError:
        raise _wrong(
            f"{name}: the private key is under a passphrase",
            f"take it off: openssl pkey -in {name} -out FILE; chmod 600 FILE",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _wrong(f"{name} holds no private key", _no_private(pem.reveal(), role)) from None
    if isinstance(found, Ed25519PrivateKey):
        return _of_role(PrivateKey(found), role, name)
    if isinstance(found, EllipticCurvePrivateKey) and isinstance(found.curve, SECP256R1):
        return _of_role(PrivateKey(found), role, name)
    raise _other_kind(name, role)


def _no_private(pem: bytes, role: Role) -> str:
    if b"-----BEGIN PUBLIC KEY-----" in pem:
        return "it is a public key; name the file without .pub, which its owner alone has"
    return _KEYGEN.format(role=role)


def _of_role(key: PrivateKey, role: Role, name: str) -> PrivateKey:
    _check_role(key.public, role, name)
    return key


def parse_public(pem: bytes, role: Role, name: str) -> PublicKey:
    """The public key in a PEM file, as ``parse_private``.

    Raises:
        OperatorError: it holds none, or not one of ``role``.
    """
    if b"PRIVATE KEY-----" in pem:
        raise _wrong(
            f"{name} is a private key, and the public one is wanted",
            f"name {name}.pub; the private key stays with its owner",
        )
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _wrong(f"{name} holds no public key", _KEYGEN.format(role=role)) from None
    if isinstance(found, Ed25519PublicKey) or (
        isinstance(found, EllipticCurvePublicKey) and isinstance(found.curve, SECP256R1)
    ):
        key = PublicKey(found)
        _check_role(key, role, name)
        return key
    raise _other_kind(name, role)


def _check_role(key: PublicKey, role: Role, name: str) -> None:
    if key.role is not role:
        raise _wrong(
            f"{name} is the key of a {key.role} ({key.fingerprint}), and a {role}'s is wanted",
            "builders sign with theirs, registrars open with theirs: have two files been mixed up?",
        )


def _other_kind(name: str, role: Role) -> OperatorError:
    return _wrong(
        f"{name} is a key of another kind than those of a hand-over", _KEYGEN.format(role=role)
    )


def _wrong(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.USAGE)


def _cose_key(key: Ed25519PublicKey | EllipticCurvePublicKey) -> bytes:
    """The required parameters in their deterministic order (RFC 9679 §3, §4.1, §4.2)."""
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return head(MAP, 3) + _pair(1, encode_int(1)) + _pair(-1, encode_int(6)) + _bytes(-2, raw)
    return point_as_cose_key(*coordinates(key))


def coordinates(key: EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    """A point on P-256 as COSE has it (RFC 9053 §7.1.1)."""
    numbers = key.public_numbers()
    return numbers.x.to_bytes(COORDINATE_BYTES, "big"), numbers.y.to_bytes(COORDINATE_BYTES, "big")


def point_as_cose_key(x: bytes, y: bytes) -> bytes:
    """A public key on P-256 as a COSE_Key in the deterministic order (RFC 9053 §7.1.1)."""
    start = head(MAP, 4) + _pair(1, encode_int(2)) + _pair(-1, encode_int(1))
    return start + _bytes(-2, x) + _bytes(-3, y)


def _pair(label: int, value: bytes) -> bytes:
    return encode_int(label) + value


def _bytes(label: int, value: bytes) -> bytes:
    return _pair(label, encode_bytes(value))
