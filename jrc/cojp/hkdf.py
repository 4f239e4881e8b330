"""HMAC begun once for several messages (RFC 2104), and HKDF by it (RFC 5869).

A context takes three values of one key, and the standard library's HMAC begins anew for each:
most of its work. An import of a million pledges has three million of them.
"""

import hashlib
from typing import Final

_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))
"""RFC 2104 §2, as tables for ``bytes.translate``."""
_BLANK: Final = {name: hashlib.new(name) for name in ("sha256", "sha512")}

Keyed = tuple["hashlib._Hash", "hashlib._Hash"]
"""The inner and the outer hash, each begun with the key."""


def keyed(key: bytes, digest: str) -> Keyed:
    """HMAC with ``key``; ``digest`` is ``sha256`` or ``sha512``."""
    blank = _BLANK[digest]
    if len(key) > blank.block_size:
        key = hashlib.new(digest, key).digest()
    block = key.ljust(blank.block_size, b"\0")
    inner, outer = blank.copy(), blank.copy()
    inner.update(block.translate(_INNER_PAD))
    outer.update(block.translate(_OUTER_PAD))
    return inner, outer


def mac(by: Keyed, message: bytes) -> bytes:
    """The HMAC of a message."""
    inner, outer = by[0].copy(), by[1].copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


_UNSALTED: Final = {digest: keyed(b"", digest) for digest in _BLANK}


def extract(salt: bytes, secret: bytes, digest: str) -> Keyed:
    """HMAC with the pseudorandom key of a secret (RFC 5869 §2.2), for ``expand``."""
    by = keyed(salt, digest) if salt else _UNSALTED[digest]
    return keyed(mac(by, secret), digest)


def expand(by: Keyed, info: bytes, length: int) -> bytes:
    """The first ``length`` bytes, a digest's at most: one block of RFC 5869 §2.3."""
    return mac(by, info + b"\x01")[:length]
