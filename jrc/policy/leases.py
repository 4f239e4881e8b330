"""Short identifiers: which to draw, how long they are held, when another may have them.

No safety hangs on a clock: an identifier that was sent to a pledge together with link-layer keys
is burned for everybody else until that generation of keys is retired, whatever became of the
lease (RFC 9031 §8.4.4.1). While a pledge holds one it is nobody else's, so new keys that it is told
by update need no note; when it is given back, it is burned in every generation that there is by
then. The end of a lease only says when a node has to be told again.
"""

from collections.abc import Iterator
from typing import NamedTuple

from jrc.model import ShortIdRange

HOUR_MS = 3_600_000

LARGEST_SHORT_IDENTIFIER = 0xFFFD
"""fffe and ffff are reserved by IEEE 802.15.4 (RFC 9031 §8.4.4.1)."""

MAX_LATENCY_MS = 100_000
"""How long a datagram may be under way (RFC 7252 §4.8.2)."""

# Ours: what the registrar adds to a lease, since a node counts from the reception.
LAST_COPY_MS = 465_000
"""A stored answer is sent again for this long after it was first made (RFC 7252 §4.8.2)."""
CLOCK_DRIFT_PPM = 100
"""Nodes count in Absolute Slot Numbers, which may run slower than our clock (§8.4.4.1)."""
QUEUE_GUARD_MS = HOUR_MS
"""Frames of the former holder may hang in the network's queues (§8.4.4.1)."""

RENEWAL_SHARE = 3
"""A lease is renewed when this part of it is left (RFC 9031 §8.4.4 leaves the moment open)."""
LOW_SHARE = 10
"""A range is low when only a tenth of it is left."""


def is_assignable(value: int) -> bool:
    """Whether IEEE 802.15.4 lets a device have this short address (RFC 9031 §8.4.4.1)."""
    return 0 <= value <= LARGEST_SHORT_IDENTIFIER


def candidate_values(short_ids: ShortIdRange, random_bytes: bytes) -> Iterator[int]:
    """Values of the range, each equally likely, one for every two bytes or none (rejection).

    A remainder would favour the low values; what exceeds the range is skipped in its place, so
    less than half of the pairs are lost. Nothing but chance enters (RFC 9031 §10).
    """
    size = len(short_ids)
    mask = (1 << (size - 1).bit_length()) - 1
    for at in range(0, len(random_bytes) - 1, 2):
        offset = int.from_bytes(random_bytes[at : at + 2]) & mask
        if offset < size:
            yield short_ids.first + offset


def walk(short_ids: ShortIdRange, start: int) -> Iterator[int]:
    """Each value of the range once, from ``start`` (clamped into the range) upwards and around.

    Behind ``candidate_values``, from a random start, it makes sure that none is found only when
    nothing at all is left.
    """
    at = min(max(start, short_ids.first), short_ids.last)
    yield from range(at, short_ids.last + 1)
    yield from range(short_ids.first, at)


class Lease(NamedTuple):
    """A short identifier, its holder, and the generations of keys it was sent out with in joins.

    ``lease_until_ms`` is milliseconds since 1970 as the registrar counts, ``None`` for ever.
    ``released`` says that the holder has lost it; the value stays burned all the same. §8.4.4
    ``version`` is that of its row, 1 for a new one. ``pledge_id`` is None for a released value that
    a node has had since before this registrar knew the network.
    """

    value: int
    domain_id: int
    pledge_id: int | None
    first_generation: int
    last_generation: int
    lease_until_ms: int | None
    released: bool = False
    version: int = 1


def lease_end_ms(now_ms: int, lease_hours: int | None) -> int | None:
    """When a lease that is sent out now has surely ended at its node; ``None`` for never.

    The node counts its hours from the reception (RFC 9031 §8.4.4), in slots. So the registrar's
    end lies later than the node's by the last copy of the answer, its time under way, the drift
    of the node's clock and an hour for frames that wait in queues.
    """
    return None if lease_hours is None else now_ms + _after_ms(lease_hours)


def _after_ms(lease_hours: int) -> int:
    lease_ms = lease_hours * HOUR_MS
    drift_ms = -(-lease_ms * CLOCK_DRIFT_PPM // 1_000_000)
    return LAST_COPY_MS + MAX_LATENCY_MS + lease_ms + drift_ms + QUEUE_GUARD_MS


def renew(lease: Lease, generation: int, now_ms: int, lease_hours: int | None) -> Lease:
    """The same identifier for the same pledge, burned in ``generation`` as well.

    Also for a released one or one whose lease is over: within a generation a pledge never gets
    another identifier. The end is that of the lease that goes out now, sooner or later than the
    former: the node must hear again before the shorter one ends. RFC 9031 §8.4.4, §8.4.4.1
    """
    in_force = lease.first_generation <= generation <= lease.last_generation
    if in_force and lease_hours is None and lease.lease_until_ms is None and not lease.released:
        return lease
    return lease._replace(
        first_generation=min(lease.first_generation, generation),
        last_generation=max(lease.last_generation, generation),
        lease_until_ms=lease_end_ms(now_ms, lease_hours),
        released=False,
        version=lease.version + 1,
    )


def fitting_ends_ms(now_ms: int, lease_hours: int) -> tuple[int, int]:
    """When leases that need no renewal now end, the first and the last moment.

    One that ends sooner has less than a third of its hours left at its node; one that ends later
    was given out for longer than the network gives now.
    """
    end_ms = now_ms + _after_ms(lease_hours)
    spent_ms = lease_hours * HOUR_MS * (RENEWAL_SHARE - 1) // RENEWAL_SHARE
    return end_ms - spent_ms, end_ms + QUEUE_GUARD_MS


def needs_renewal(lease: Lease, now_ms: int, lease_hours: int | None) -> bool:
    """Whether the holder is to be told its identifier again, with the network's lease (§8.4.4)."""
    if lease.released:
        return False
    if lease_hours is None or lease.lease_until_ms is None:
        return lease_hours != lease.lease_until_ms
    first_ms, last_ms = fitting_ends_ms(now_ms, lease_hours)
    return not first_ms <= lease.lease_until_ms <= last_ms


def is_free_for_another(lease: Lease, oldest_live_generation: int) -> bool:
    """Whether another pledge may get the value: given back, and its keys all retired.

    A held value is never free. One given back is burned until each generation that there was by
    then is older than ``oldest_live_generation``, the oldest not retired. RFC 9031 §8.4.4.1
    """
    return lease.released and lease.last_generation < oldest_live_generation


def range_is_low(range_size: int, used: int) -> bool:
    """Whether only the last tenth of a range (rounded up) is left, so that a rollover is due.

    ``used`` counts held and burned values; only new keys make burned ones free again.
    """
    return range_size - used <= -(-range_size // LOW_SHARE)
