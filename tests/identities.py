"""Credentials of devices that tests make up."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from jrc.cojp.credential import Credential, parse

PRINTED = (
    "{8:{1:{1:2, 2:h'', -1:1,"
    " -2:h'b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07'}}}"
)
"""As a board with Ariel OS prints it."""
PRINTED_X = bytes.fromhex("b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07")


def private_key(number: int) -> ec.EllipticCurvePrivateKey:
    """A board's own key."""
    value = int.from_bytes(sha256(f"board {number}".encode()).digest()) % 2**255
    return ec.derive_private_key(value, ec.SECP256R1())


def coordinates(number: int) -> tuple[bytes, bytes]:
    """Those of the public half."""
    numbers = private_key(number).public_key().public_numbers()
    return numbers.x.to_bytes(32), numbers.y.to_bytes(32)


def cose_key(number: int) -> dict[int, object]:
    """The public half as a COSE_Key, with y left out."""
    return {1: 2, 2: b"", -1: 1, -2: coordinates(number)[0]}


def claims(number: int) -> bytes:
    """The credential of a board as CBOR, in the order in which it is printed."""
    return cbor2.dumps({8: {1: cose_key(number)}})


def credential(number: int) -> Credential:
    """The credential of a board."""
    return parse(claims(number))
