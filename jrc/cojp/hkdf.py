"""HKDF (RFC 5869) for outputs of one block, by `cryptography`'s HMAC.

A context takes three values of one key, so its HMAC is begun once and copied: `cryptography`'s
HKDF begins anew for each, and an import of a million pledges has three million of them.
"""

from cryptography.hazmat.primitives import hashes, hmac

_DIGESTS = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512()}
_UNSALTED = {name: hmac.HMAC(b"", digest) for name, digest in _DIGESTS.items()}
"""The salt of RFC 9031 §7.3 is empty, and an HMAC is copied faster than begun."""


def extract(salt: bytes, secret: bytes, digest: str) -> hmac.HMAC:
    """HMAC with the pseudorandom key of a secret (RFC 5869 §2.2), for ``expand``."""
    salted = hmac.HMAC(salt, _DIGESTS[digest]) if salt else _UNSALTED[digest].copy()
    salted.update(secret)
    return hmac.HMAC(salted.finalize(), _DIGESTS[digest])


def expand(by: hmac.HMAC, info: bytes, length: int) -> bytes:
    """The first ``length`` bytes, a digest's at most: one block of RFC 5869 §2.3."""
    block = by.copy()
    block.update(info + b"\x01")
    return block.finalize()[:length]
