"""A Configuration as a simulated pledge reads it (RFC 9031 §8.4.2).

Read with cbor2 and not with ``jrc.cojp``, so that the two can't share a mistake.
"""

from dataclasses import dataclass
from typing import Final

import cbor2

from jrc.model import Secret

KEYS: Final = 2
SHORT_IDENTIFIER: Final = 3
JRC_ADDRESS: Final = 4
BLOCKLIST: Final = 6
JOIN_RATE: Final = 7
"""RFC 9031 §11.1."""


@dataclass(frozen=True, slots=True)
class LabKey:
    """A Link_Layer_Key; usage 0 where none was given (RFC 9031 §8.4.3)."""

    key_id: int
    usage: int
    value: Secret
    addinfo: bytes | None = None


@dataclass(frozen=True, slots=True)
class LabConfiguration:
    """What a pledge was given; ``None`` for what was left out."""

    keys: tuple[LabKey, ...] = ()
    short_id: bytes | None = None
    lease_hours: int | None = None
    jrc_address: bytes | None = None
    blocklist: tuple[bytes, ...] | None = None
    join_rate_bytes_per_s: int | None = None


def read(payload: bytes) -> LabConfiguration:
    """The Configuration in an answer.

    Raises:
        ValueError: there is none.
    """
    try:
        fields = cbor2.loads(payload)
        keys = _read_keys(list(fields.get(KEYS, ())))
        short_id, *lease = fields.get(SHORT_IDENTIFIER, (None,))
        blocklist = fields.get(BLOCKLIST)
    except (cbor2.CBORDecodeError, AttributeError, TypeError, IndexError) as error:
        raise ValueError("the answer holds no Configuration") from error
    return LabConfiguration(
        keys,
        short_id,
        lease[0] if lease else None,
        fields.get(JRC_ADDRESS),
        None if blocklist is None else tuple(blocklist),
        fields.get(JOIN_RATE),
    )


def _read_keys(items: list[object]) -> tuple[LabKey, ...]:
    """The flat sequence of key_id, ?key_usage, key_value, ?key_addinfo (RFC 9031 §8.4.3)."""
    keys = []
    while items:
        key_id = items.pop(0)
        usage = items.pop(0) if isinstance(items[0], int) else 0
        value = items.pop(0)
        if not (isinstance(key_id, int) and isinstance(usage, int) and isinstance(value, bytes)):
            raise TypeError("a link-layer key is an id, a usage and a value")
        addinfo = items[0] if items and isinstance(items[0], bytes) else None
        if addinfo is not None:
            items.pop(0)
        keys.append(LabKey(key_id, usage, Secret(value), addinfo))
    return tuple(keys)
