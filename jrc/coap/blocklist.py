"""Pledges whose traffic a Join Proxy drops (RFC 9031 §8.4.2, label 6)."""

from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple, Self

from jrc.cojp import oscore
from jrc.cojp.constants import SHORT_IDENTIFIER_BYTES
from jrc.errors import PeerError

MAX_BLOCKED: Final = 4096
"""What is held of a longer list; a Configuration has room for about a hundred."""

_UNIVERSAL_LOCAL: Final = 0x02
"""Inverted in an interface identifier (RFC 4291 App. A)."""
_EUI48_BYTES, _EUI64_BYTES = 6, 8
_FFFE: Final = b"\xff\xfe"
"""Amid an interface identifier made of an EUI-48 (RFC 4291 App. A)."""
_SHORT_MIDDLE: Final = b"\x00\xff\xfe\x00"
"""Amid the interface identifier of a short address (RFC 4944 §6, RFC 6282 §3.2.2)."""


class Blocklist(NamedTuple):
    """Pledge identifiers, and the interface identifiers that frames of these pledges have."""

    identifiers: frozenset[bytes] = frozenset()
    interface_identifiers: frozenset[bytes] = frozenset()
    short_addresses: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, identifiers: Iterable[bytes]) -> Self:
        """A list of the first ``MAX_BLOCKED`` of them."""
        kept = frozenset(islice(identifiers, MAX_BLOCKED))
        iids = (_interface_identifier(each) for each in kept)
        return cls(
            kept,
            frozenset(iid for iid in iids if iid is not None),
            frozenset(each for each in kept if len(each) == SHORT_IDENTIFIER_BYTES),
        )

    def __bool__(self) -> bool:
        """Whether anybody is on it."""
        return bool(self.identifiers)

    def holds(self, address: bytes, oscore_option: bytes) -> bool:
        """Whether a pledge is on it: by its link-local address (16 bytes) or its kid context.

        The address stands for the link-layer source, from which it is formed (RFC 4944 §6, §7).
        """
        iid = address[8:]
        if iid in self.interface_identifiers:
            return True
        if iid[2:6] == _SHORT_MIDDLE and iid[6:] in self.short_addresses:
            return True
        return _kid_context(oscore_option) in self.identifiers


def _interface_identifier(identifier: bytes) -> bytes | None:
    """The 8 bytes in the address of a pledge whose identifier is its hardware address."""
    if len(identifier) == _EUI48_BYTES:
        identifier = identifier[:3] + _FFFE + identifier[3:]
    if len(identifier) != _EUI64_BYTES:
        return None
    return bytes((identifier[0] ^ _UNIVERSAL_LOCAL,)) + identifier[1:]


def _kid_context(oscore_option: bytes) -> bytes | None:
    try:
        return oscore.decode_option(oscore_option).kid_context
    except PeerError:
        return None
