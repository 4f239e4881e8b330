"""CoJP objects (RFC 9031 §8.4) as frozen records; what can't be sent can't be built."""

from dataclasses import dataclass

from jrc.cojp.constants import (
    DEFAULT_KEY_USAGE,
    JRC_ADDRESS_BYTES,
    KEY_USAGES,
    LINK_LAYER_KEY_BYTES,
    MAX_KEY_ID,
    PAIRWISE_ADDINFO_BYTES,
    RESERVED_SHORT_IDENTIFIERS,
    SHORT_IDENTIFIER_BYTES,
    Role,
)
from jrc.model import Secret

_EXPLICIT_MODES = {4: 2, 8: 3}
"""Key ID Mode by the length of the key source (RFC 9031 §8.4.3.3)."""


@dataclass(frozen=True, slots=True)
class UnsupportedParameter:
    """A parameter that can't be acted upon (RFC 9031 §8.4.5).

    ``code`` and ``label`` are any integers, for both registries may grow. ``addinfo`` is one
    encoded CBOR item, well-formed but not checked further; ``None`` is CBOR null.
    """

    code: int
    label: int
    addinfo: bytes | None = None


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a pledge asks for (RFC 9031 §8.4.1)."""

    network_identifier: bytes
    role: int = Role.NODE.value
    unsupported: tuple[UnsupportedParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkLayerKey:
    """A link-layer key, what it is for and how frames name it (RFC 9031 §8.4.3).

    ``addinfo`` is the peer's address in Key ID Mode 0 (long address first), the key source in
    modes 2 and 3. Not hashable, for its value is not.

    Raises:
        ValueError: key id, usage, value and addinfo don't go together (RFC 9031 §8.4.3.3).
    """

    key_id: int
    key_value: Secret
    key_usage: int = DEFAULT_KEY_USAGE
    addinfo: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.key_id <= MAX_KEY_ID:
            raise ValueError(f"a key id lies in 0..{MAX_KEY_ID}, and {self.key_id} does not")
        if self.key_usage not in KEY_USAGES:
            raise ValueError(f"there is no key usage {self.key_usage}: they go from 0 to 14")
        if len(self.key_value) != LINK_LAYER_KEY_BYTES:
            raise ValueError(
                f"a link-layer key has {LINK_LAYER_KEY_BYTES} bytes, not {len(self.key_value)}"
            )
        _check_addinfo(self.key_id, self.addinfo)

    @property
    def key_id_mode(self) -> int:
        """Key ID Mode of IEEE 802.15.4, 0..3 (RFC 9031 §8.4.3.3)."""
        if self.key_id == 0:
            return 0
        return 1 if self.addinfo is None else _EXPLICIT_MODES[len(self.addinfo)]

    @property
    def mic_length(self) -> int:
        """Length of the authentication tag in bytes (RFC 9031 §11.2)."""
        return KEY_USAGES[self.key_usage].mic_length


def _check_addinfo(key_id: int, addinfo: bytes | None) -> None:
    """Nothing, or ValueError (RFC 9031 §8.4.3.3)."""
    if key_id == 0 and (addinfo is None or len(addinfo) not in PAIRWISE_ADDINFO_BYTES):
        raise ValueError("key id 0 needs the peer's address: 2, 8 or 10 bytes of key_addinfo")
    if key_id != 0 and addinfo is not None and len(addinfo) not in _EXPLICIT_MODES:
        raise ValueError(f"a key source has 4 or 8 bytes, not {len(addinfo)}")


@dataclass(frozen=True, slots=True)
class ShortIdentifier:
    """A short address; ``lease_hours`` from reception, ``None`` for ever (RFC 9031 §8.4.4).

    Raises:
        ValueError: IEEE 802.15.4 has no such short address for a node, or the lease is negative.
    """

    identifier: bytes
    lease_hours: int | None = None

    def __post_init__(self) -> None:
        if len(self.identifier) != SHORT_IDENTIFIER_BYTES:
            raise ValueError(f"a short identifier has 2 bytes, not {len(self.identifier)}")
        if self.identifier in RESERVED_SHORT_IDENTIFIERS:
            raise ValueError(f"IEEE 802.15.4 reserves the short address {self.identifier.hex()}")
        if self.lease_hours is not None and self.lease_hours < 0:
            raise ValueError("a lease is not negative")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the JRC configures (RFC 9031 §8.4.2).

    An empty ``blocklist`` clears the former one, ``None`` leaves it; ``join_rate_bytes_per_s``
    0 closes joining, ``None`` sets no limit; ``jrc_address`` has 16 bytes.

    Raises:
        ValueError: the address has another length, or the join rate is negative.
    """

    keys: tuple[LinkLayerKey, ...] = ()
    short_identifier: ShortIdentifier | None = None
    jrc_address: bytes | None = None
    blocklist: tuple[bytes, ...] | None = None
    join_rate_bytes_per_s: int | None = None

    def __post_init__(self) -> None:
        if self.jrc_address is not None and len(self.jrc_address) != JRC_ADDRESS_BYTES:
            raise ValueError(f"a JRC address has 16 bytes, not {len(self.jrc_address)}")
        if self.join_rate_bytes_per_s is not None and self.join_rate_bytes_per_s < 0:
            raise ValueError("a join rate is not negative")
