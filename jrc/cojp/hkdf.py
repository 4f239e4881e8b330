"""HKDF (RFC 5869) for outputs of one block, by the standard library's HMAC.

A context takes three values of one key, so its HMAC is begun once and copied: `cryptography`'s
HKDF begins anew for each, and an import of a million pledges has three million of them.
"""

import hmac


def extract(salt: bytes, secret: bytes, digest: str) -> hmac.HMAC:
    """HMAC with the pseudorandom key of a secret (RFC 5869 §2.2), for ``expand``."""
    return hmac.new(hmac.digest(salt, secret, digest), digestmod=digest)


def expand(by: hmac.HMAC, info: bytes, length: int) -> bytes:
    """The first ``length`` bytes, a digest's at most: one block of RFC 5869 §2.3."""
    block = by.copy()
    block.update(info + b"\x01")
    return block.digest()[:length]
