"""A device's public credential: a CWT Claims Set with its key, as devices print it when they boot.

RFC 8392 has the claims, RFC 8747 §3.2 the key among them, RFC 9528 §3.5.2 its use in EDHOC. Both
ends of EDHOC prove the very bytes of a credential, so these are kept as they were printed. Nothing
private is taken, and no message repeats what was given.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec

from jrc.cojp.cbor import (
    BYTES,
    MAP,
    NEGATIVE,
    TEXT,
    UNSIGNED,
    NotWellFormedError,
    encode_bytes,
    encode_int,
    head,
    read_bytes,
    read_container,
    read_head,
    read_int,
    read_text,
)

# --- What the RFCs fix -------------------------------------------------------------------------

CNF: Final = 8
"""The claim that has the key (RFC 8747 §7.1)."""
COSE_KEY: Final = 1
"""The member of ``CNF`` that is a COSE_Key (RFC 8747 §3.2)."""
SUBJECT: Final = 2
"""Whom the claims are about (RFC 8392 §3.1.2)."""
KTY: Final = 1
KID: Final = 2
ALG: Final = 3
"""Labels of every COSE_Key (RFC 9052 §7.1)."""
CRV: Final = -1
X: Final = -2
Y: Final = -3
D: Final = -4
"""Labels of one on a curve (RFC 9053 §7.1-2); ``D`` is the private part."""
OKP: Final = 1
EC2: Final = 2
SYMMETRIC: Final = 4
"""Key types (RFC 9053 §7)."""


class Curve(NamedTuple):
    """A curve (RFC 9053 §7.1): key type, name, bytes of a coordinate; ``points`` tells its own."""

    kty: int
    name: str
    length: int
    points: type[ec.EllipticCurve] | None = None


CURVES: Final[Mapping[int, Curve]] = {
    1: Curve(EC2, "P-256", 32, ec.SECP256R1),
    2: Curve(EC2, "P-384", 48, ec.SECP384R1),
    3: Curve(EC2, "P-521", 66, ec.SECP521R1),
    4: Curve(OKP, "X25519", 32),
    5: Curve(OKP, "X448", 56),
    6: Curve(OKP, "Ed25519", 32),
    7: Curve(OKP, "Ed448", 57),
}

# --- Our own limits ----------------------------------------------------------------------------

MAX_CREDENTIAL_BYTES: Final = 512
_MAX_DEPTH: Final = 3
"""Claims, ``CNF`` and the key in it."""

_SIMPLE: Final = {0xF4: False, 0xF5: True}
_Map: TypeAlias = "dict[int, _Item]"
_Item: TypeAlias = "int | bytes | str | bool | _Map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A public credential.

    ``value`` is its CBOR as it was given. ``thumbprint`` is SHA-256 of key type, curve and x:
    whatever stands around it, and whichever sign y has, it is that of one private key.
    """

    value: bytes
    thumbprint: bytes
    curve: str
    kid: bytes | None
    subject: str | None


def parse(value: bytes) -> Credential:
    """The credential that these bytes are, ``{8: {1: COSE_Key}}`` with a ``sub`` at most.

    Raises:
        ValueError: they are none, or hold something private; says why, and repeats nothing.
    """
    claims = _claims(value)
    key = _key(claims)
    subject, kid = claims.get(SUBJECT), key.get(KID)
    if subject is not None and not isinstance(subject, str):
        raise ValueError("its subject (label 2) is no text")
    if kid is not None and not isinstance(kid, bytes):
        raise ValueError("the key's identifier (kid, label 2) is no byte string")
    number, curve, x = _point(key)
    return Credential(
        value=value,
        thumbprint=_thumbprint(curve.kty, number, x),
        curve=curve.name,
        kid=kid,
        subject=subject,
    )


def edn(value: bytes) -> str:
    """The bytes of a credential in diagnostic notation (RFC 8949 §8), as ``{8: {1: {...}}}``.

    Raises:
        ValueError: they are no CBOR that a credential may be made of.
    """
    return _written(_decoded(value))


def _claims(value: bytes) -> _Map:
    if not value:
        raise ValueError("it is empty")
    if len(value) > MAX_CREDENTIAL_BYTES:
        raise ValueError(f"it has more than {MAX_CREDENTIAL_BYTES} bytes")
    claims = _decoded(value)
    if not isinstance(claims, dict):
        raise ValueError("it is no CBOR map")
    _refuse_private(claims)
    if CNF not in claims and KTY in claims:
        raise ValueError("it is a key alone: put {8: {1: ...}} round it, as in a CWT Claims Set")
    _refuse_others(claims, {SUBJECT, CNF}, "a claim")
    return claims


def _key(claims: _Map) -> _Map:
    cnf = claims.get(CNF)
    if not isinstance(cnf, dict) or not isinstance(key := cnf.get(COSE_KEY), dict):
        raise ValueError("it has no key: {8: {1: COSE_Key}} is missing")
    _refuse_others(cnf, {COSE_KEY}, "a member of cnf")
    _refuse_others(key, {KTY, KID, ALG, CRV, X, Y}, "a parameter of the key")
    if type(key.get(ALG, 0)) is not int:
        raise ValueError("the key's algorithm (label 3) is no number")
    return key


def _refuse_private(item: _Item) -> None:
    """A private part, wherever it stands, before anything else is said."""
    if not isinstance(item, dict):
        return
    if D in item:
        raise ValueError("it holds a private key (label -4), and a public one alone is taken")
    if item.get(KTY) == SYMMETRIC:
        raise ValueError("it holds a symmetric key, which is a secret, and no public one")
    for each in item.values():
        _refuse_private(each)


def _refuse_others(found: _Map, known: set[int], what: str) -> None:
    for label in found:
        if label not in known:
            raise ValueError(f"label {label} as {what} is not taken")


def _point(key: _Map) -> tuple[int, Curve, bytes]:
    """The curve's number, the curve, and x; y is looked at, and left out."""
    number, x, y = key.get(CRV), key.get(X), key.get(Y)
    curve = CURVES.get(number) if type(number) is int else None
    if curve is None or key.get(KTY) != curve.kty:
        known = ", ".join(each.name for each in CURVES.values())
        raise ValueError(f"its key is on no known curve (labels 1 and -1); known are {known}")
    assert type(number) is int
    if not isinstance(x, bytes) or len(x) != curve.length or len(set(x)) == 1:
        raise ValueError(f"x (label -2) is no coordinate of {curve.length} bytes on {curve.name}")
    if y is not None and (curve.kty != EC2 or not isinstance(y, bytes | bool)):
        raise ValueError("y (label -3) is neither a coordinate nor a sign")
    if curve.points is not None:
        _check_on_curve(curve.points(), x, y if isinstance(y, bytes) else None, curve.name)
    return number, curve, x


def _check_on_curve(curve: ec.EllipticCurve, x: bytes, y: bytes | None, name: str) -> None:
    """Half of all numbers are no x of the curve: a line that was cut or mixed up shows so."""
    point = b"\x02" + x if y is None else b"\x04" + x + y
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError:
        raise ValueError(
            f"the key is no point of {name}: a part of it is missing or wrong"
        ) from None


def _thumbprint(kty: int, curve: int, x: bytes) -> bytes:
    """As RFC 9679 §3, but for y."""
    parts = (encode_int(KTY), encode_int(kty), encode_int(CRV), encode_int(curve), encode_int(X))
    return sha256(head(MAP, 3) + b"".join(parts) + encode_bytes(x)).digest()


# CBOR, as far as credentials need it


def _decoded(value: bytes) -> _Item:
    try:
        item, end = _item(value, 0, 0)
    except NotWellFormedError:
        raise ValueError(
            "it is no CBOR that is whole, of definite lengths and not too deep"
        ) from None
    except UnicodeDecodeError:
        raise ValueError("a text in it is not UTF-8") from None
    if end != len(value):
        raise ValueError("something follows the credential")
    return item


_READERS: Final[Mapping[int, Callable[[bytes, int], tuple[int | bytes | str, int]]]] = {
    UNSIGNED: read_int,
    NEGATIVE: read_int,
    BYTES: read_bytes,
    TEXT: read_text,
}


def _item(data: bytes, pos: int, depth: int) -> tuple[_Item, int]:
    major, _, end = read_head(data, pos)
    if major in _READERS:
        return _READERS[major](data, pos)
    if major == MAP and depth < _MAX_DEPTH:
        return _map(data, pos, depth)
    if data[pos] in _SIMPLE:
        return _SIMPLE[data[pos]], end
    raise NotWellFormedError


def _map(data: bytes, pos: int, depth: int) -> tuple[_Map, int]:
    found: _Map = {}
    count, pos = read_container(data, pos, MAP)
    for _ in range(count):
        label, pos = _item(data, pos, _MAX_DEPTH)
        if type(label) is not int:
            raise ValueError("a label in it is no number")
        if label in found:
            raise ValueError(f"label {label} is there twice")
        found[label], pos = _item(data, pos, depth + 1)
    return found, pos


def _written(item: _Item) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, bytes):
        return f"h'{item.hex()}'"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{label}: {_written(each)}" for label, each in item.items()) + "}"
    return json.dumps(item)
