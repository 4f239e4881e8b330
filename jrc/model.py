"""The nouns that every level shares: value types, states, records.

Identifiers hold ``bytes``; hexadecimal exists in the CLI, the config and the logs only.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple, Self

MAX_PLEDGE_ID_BYTES = 248
"""A 1-byte flag, 5 bytes of Partial IV and 1 of length leave 248 of an OSCORE option's 255."""


class Secret:
    """Key material: prints as ``[redacted]``, compares in constant time, opens by ``reveal()``."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class PledgeId:
    """A pledge identifier of 1 to 248 bytes (RFC 9031 §3), by custom an EUI-64.

    Raises:
        ValueError: the length is out of bounds.
    """

    value: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.value) <= MAX_PLEDGE_ID_BYTES:
            raise ValueError(
                f"a pledge identifier has 1 to {MAX_PLEDGE_ID_BYTES} bytes, not {len(self.value)}"
            )

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """The identifier written as hex, with or without ``:`` or ``-`` between the bytes."""
        return cls(bytes.fromhex(text.strip().replace(":", "").replace("-", "")))

    def __str__(self) -> str:
        return self.value.hex()


class PledgeState(StrEnum):
    """The life of a pledge. ``removed`` is a tombstone that listings leave out.

    ``damaged`` is never stored: what the database has of the pledge does not authenticate.
    """

    WAITING = "waiting"
    PROVISIONED = "provisioned"
    JOINED = "joined"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    TRANSFERRED = "transferred"
    REMOVED = "removed"
    DAMAGED = "damaged"


class Profile(StrEnum):
    """Which dialect of CoJP a device speaks."""

    RFC9031 = "rfc9031"
    OPENWSN = "openwsn"
    JOIN_PROXY = "join-proxy"
    """RFC 9031 for one that forwards and has no radio: it is told no link-layer keys."""


class Admission(StrEnum):
    """Whom a network lets in; a pledge that was let in before always comes in again."""

    KNOWN = "known"
    """Every pledge that is provisioned for it."""
    WINDOW = "window"
    """Those of them that ask while the operator holds a window open."""
    APPROVAL = "approval"
    """Those of them that the operator approves one by one."""


class Condition(StrEnum):
    """Whether a database may be used for joins and updates."""

    OPEN = "open"
    QUARANTINED = "quarantined"
    """It is older than what was said from it: nobody is answered (RFC 9031 §8.3.3)."""
    MOVED = "moved"
    """Its final backup was made: it goes on elsewhere, and here never again."""


class KeySetState(StrEnum):
    """Where a generation of link-layer keys is in its life (RFC 9031 §8.4.3.1)."""

    SCHEDULED = "scheduled"
    CURRENT = "current"
    PREVIOUS = "previous"
    ABORTED = "aborted"
    """Some nodes may have it, and nobody ever uses it; its key ids are not free yet."""
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ShortIdRange:
    """The short identifiers a network gives out, both ends included (RFC 9031 §8.4.4.1).

    Raises:
        ValueError: the range is empty or holds a value that IEEE 802.15.4 reserves.
    """

    first: int = 0x0001
    last: int = 0x7FFF

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last <= 0xFFFD:
            raise ValueError(
                f"short identifiers go from 0000 to fffd, and {self.first:04x}-{self.last:04x}"
                " does not lie in there in ascending order"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The range written as ``0001-7fff`` (hex)."""
        first, dash, last = text.partition("-")
        if not dash:
            raise ValueError(f"write a range of short identifiers as 0001-7fff, not {text!r}")
        return cls(int(first, 16), int(last, 16))

    def __contains__(self, value: int) -> bool:
        return self.first <= value <= self.last

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.first:04x}-{self.last:04x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One 6TiSCH or 6LoWPAN network.

    ``lease_hours`` and ``join_rate_bytes_per_s``: None is no limit. ``throttle_bytes_per_s`` is a
    lower join rate for the time being; with ``quiet_outside_windows`` it is 0 while no join window
    is open.

    ``prefix_from`` and ``jrc_address_from`` name the interfaces of this host that ``prefix`` and
    ``jrc_address`` follow, None where the operator set them.

    ``key_usages`` are those of its key domain: one of 0..5, or one of 6..8 with one of 9..14.
    """

    id: int
    name: str
    domain_id: int
    domain: str
    identifiers: tuple[bytes, ...]
    prefix: IPv6Network
    key_usages: tuple[int, ...] = (0,)
    jrc_address: IPv6Address | None = None
    short_ids: ShortIdRange = ShortIdRange()
    lease_hours: int | None = None
    join_rate_bytes_per_s: int | None = None
    profile: Profile = Profile.RFC9031
    admission: Admission = Admission.KNOWN
    prefix_from: str | None = None
    jrc_address_from: str | None = None
    throttle_bytes_per_s: int | None = None
    quiet_outside_windows: bool = False


class Pledge(NamedTuple):
    """A device the registrar knows. ``role`` is what it may ask for (RFC 9031 §8.4.1, Table 3)."""

    id: int
    identifier: PledgeId
    state: PledgeState
    role: int = 0
    label: str = ""
    network_ids: tuple[int, ...] = ()
    profile: Profile | None = None


class Event(NamedTuple):
    """One entry of the audit log, before it has its number. ``detail`` never holds a secret.

    ``pledge`` is a pledge identifier, ``network`` a network's name, ``actor`` who caused it:
    ``cli:uid=1000``, ``jrc`` for the daemon itself, ``pledge`` for a join. A ``detail`` that is
    text is JSON already, keys in order and no blanks.
    """

    kind: str
    actor: str
    pledge: bytes | None = None
    network: str | None = None
    reason: str = ""
    detail: Mapping[str, object] | str | None = None
