"""The cryptography of a sealed file, by pycose (RFC 9052, RFC 9053).

What it computes with a key, it lets the package cryptography compute: Ed25519, ECDH on P-256,
HKDF, AES-GCM. Of the pure-Python package ecdsa, which it loads too, nothing is used. Its decoder is
not used either, as ``envelope.py`` reads more strictly (docs/adr/0029).
"""

import os
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jrc.handover.envelope import (
    IV_BYTES,
    Cover,
    Inner,
    Outer,
    body_protected,
    outer_protected,
    recipient_protected,
)
from jrc.handover.keys import COORDINATE_BYTES, PrivateKey, PublicKey, coordinates
from jrc.model import Secret


class DoesNotOpenError(Exception):
    """The ciphertext is not what the key and the headers say."""


def seal(
    content: Secret,
    cover: Cover,
    builder: PrivateKey,
    registrar: PublicKey,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """The sealed file with ``content``, which ``cover`` is about."""
    from pycose.keys.curves import Ed25519
    from pycose.keys.okp import OKPKey
    from pycose.messages.sign1message import Sign1Message

    assert isinstance(builder.native, Ed25519PrivateKey)
    message = Sign1Message(
        phdr_encoded=outer_protected(cover.builder),
        payload=_encrypted(content, cover, registrar, random(IV_BYTES)),
        key=OKPKey(Ed25519, d=builder.native.private_bytes_raw()),
    )
    return bytes(message.encode())


def _encrypted(content: Secret, cover: Cover, registrar: PublicKey, iv: bytes) -> bytes:
    from pycose.headers import EphemeralKey, StaticKey
    from pycose.keys.curves import P256
    from pycose.keys.ec2 import EC2Key
    from pycose.messages.encmessage import EncMessage
    from pycose.messages.recipient import DirectKeyAgreement

    assert isinstance(registrar.native, EllipticCurvePublicKey)
    ephemeral = EC2Key.generate_key(P256)
    recipient = DirectKeyAgreement(
        phdr_encoded=recipient_protected(cover.registrar),
        uhdr={EphemeralKey: _key(ephemeral.x, ephemeral.y)},
    )
    recipient.key = ephemeral
    static: Any = {StaticKey: EC2Key(P256, *coordinates(registrar.native))}
    recipient.local_attrs = static
    message = EncMessage(
        phdr_encoded=body_protected(cover, iv), payload=content.reveal(), recipients=[recipient]
    )
    return bytes(message.encode())


def is_signed(outer: Outer, builder: PublicKey) -> bool:
    """Whether the signature of a file is of this key."""
    from pycose.keys.curves import Ed25519
    from pycose.keys.okp import OKPKey
    from pycose.messages.sign1message import Sign1Message

    assert isinstance(builder.native, Ed25519PublicKey)
    message = Sign1Message(
        phdr_encoded=outer_protected(outer.builder),
        payload=outer.payload,
        key=OKPKey(Ed25519, x=builder.native.public_bytes_raw()),
    )
    message.signature = outer.signature
    return bool(message.verify_signature())


def decrypt(inner: Inner, registrar: PrivateKey) -> Secret:
    """The content.

    Raises:
        DoesNotOpenError: the key or a header is another one than it was sealed with.
    """
    from pycose.headers import EphemeralKey
    from pycose.keys.curves import P256
    from pycose.keys.ec2 import EC2Key
    from pycose.messages.encmessage import EncMessage
    from pycose.messages.recipient import DirectKeyAgreement

    assert isinstance(registrar.native, EllipticCurvePrivateKey)
    cover = inner.cover
    recipient = DirectKeyAgreement(
        phdr_encoded=recipient_protected(cover.registrar),
        uhdr={EphemeralKey: _key(*inner.ephemeral_key)},
    )
    scalar = registrar.native.private_numbers().private_value
    recipient.key = EC2Key(
        P256,
        *coordinates(registrar.native.public_key()),
        scalar.to_bytes(COORDINATE_BYTES, "big"),
    )
    message = EncMessage(
        phdr_encoded=body_protected(cover, inner.iv),
        payload=inner.ciphertext,
        recipients=[recipient],
    )
    try:
        return Secret(message.decrypt(recipient))
    except (InvalidTag, ValueError):
        # ValueError: the ephemeral key is no point on the curve (RFC 9053 §6.3).
        raise DoesNotOpenError from None


def _key(x: bytes, y: bytes) -> dict[int, object]:
    """A COSE_Key on P-256 (RFC 9053 §7.1.1)."""
    return {1: 2, -1: 1, -2: x, -3: y}
