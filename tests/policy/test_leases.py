"""Short identifiers: range, draw, lease and when another may have one."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.model import ShortIdRange
from jrc.policy import leases
from jrc.policy.leases import Lease

HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@st.composite
def ranges(draw: st.DrawFn) -> ShortIdRange:
    ends = sorted((draw(st.integers(0, 0xFFFD)), draw(st.integers(0, 0xFFFD))))
    return ShortIdRange(ends[0], ends[1])


generations = st.integers(1, 1000)


@st.composite
def some_leases(draw: st.DrawFn) -> Lease:
    first, last = sorted((draw(generations), draw(generations)))
    until = draw(st.none() | st.integers(0, 2 * NOW_MS))
    return Lease(
        value=draw(st.integers(0, 0xFFFD)),
        domain_id=draw(st.integers(1, 9)),
        pledge_id=draw(st.integers(1, 9)),
        first_generation=first,
        last_generation=last,
        lease_until_ms=until,
        released=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-1, False), (0, True), (0xFFFD, True), (0xFFFE, False), (0xFFFF, False), (0x10000, False)],
)
def test_f01_the_reserved_values_are_never_assigned(value: int, expected: bool) -> None:
    """fffe and ffff are reserved by IEEE 802.15.4 (RFC 9031 §8.4.4.1)."""
    assert expected is leases.is_assignable(value)


def test_f01_the_default_range_is_that_of_unicast_in_6lowpan() -> None:
    """Short addresses with a leading 0 bit are unicast, and 0000 is left out (RFC 4944 §12)."""
    values = set(leases.walk(ShortIdRange(), 0))
    assert set(range(0x0001, 0x8000)) == values


@given(ranges(), st.integers(0, 0xFFFF))
def test_f01_a_walk_visits_each_value_once(short_ids: ShortIdRange, start: int) -> None:
    """The walk goes around, from wherever it starts (RFC 9031 §8.4.4.1)."""
    values = list(leases.walk(short_ids, start))
    assert len(values) == len(short_ids)
    assert set(values) == set(range(short_ids.first, short_ids.last + 1))


@given(ranges(), st.binary(max_size=64))
def test_f04_random_bytes_give_values_of_the_range_alone(
    short_ids: ShortIdRange, random_bytes: bytes
) -> None:
    """No value outside the range comes up, and at most one for two bytes (RFC 9031 §10)."""
    values = list(leases.candidate_values(short_ids, random_bytes))
    assert len(values) <= len(random_bytes) // 2
    assert all(value in short_ids for value in values)


@pytest.mark.parametrize(
    ("first", "last"), [(1, 1), (1, 3), (0x10, 0x74), (0, 0xFFFD), (1, 0x7FFF)]
)
def test_f04_each_value_of_the_range_is_equally_likely(first: int, last: int) -> None:
    """All 65,536 pairs of bytes together give each value as often (RFC 9031 §10)."""
    every_pair = b"".join(pair.to_bytes(2) for pair in range(0x10000))
    counts = Counter(leases.candidate_values(ShortIdRange(first, last), every_pair))
    assert set(range(first, last + 1)) == set(counts)
    assert len(set(counts.values())) == 1


def test_f04_a_draw_takes_no_pledge_identifier() -> None:
    """The values depend on random bytes alone: the same ones, the same values (RFC 9031 §10)."""
    random_bytes = hashlib.sha256(b"seed").digest()
    first, again = (list(leases.candidate_values(ShortIdRange(), random_bytes)) for _ in range(2))
    assert first
    assert first == again


@given(st.integers(0, NOW_MS), st.integers(0, 10**6))
def test_f05_the_registrar_counts_a_lease_longer_than_the_node_can(
    now_ms: int, lease_hours: int
) -> None:
    """Last copy 465 s, 100 s under way, 100 ppm, 1 h of queues (RFC 9031 §8.4.4, §8.4.4.1)."""
    received_ms = now_ms + 465_000 + 100_000
    slow_node_ms = lease_hours * HOUR_MS * (1_000_000 + 100) / 1_000_000
    end_ms = leases.lease_end_ms(now_ms, lease_hours)
    assert end_ms is not None
    assert 0 <= end_ms - (received_ms + slow_node_ms + HOUR_MS) < 1.1


def test_f05_a_lease_without_hours_never_ends() -> None:
    """An omitted lease time is infinity (RFC 9031 §8.4.4)."""
    assert leases.lease_end_ms(NOW_MS, None) is None


@given(some_leases(), generations, st.none() | st.integers(0, 10**6))
def test_f05_a_renewed_lease_keeps_the_identifier(
    lease: Lease, generation: int, lease_hours: int | None
) -> None:
    """A pledge that joins again keeps value, domain and holder (RFC 9031 §8.4.4)."""
    renewed = leases.renew(lease, generation, NOW_MS, lease_hours)
    assert (lease.value, lease.domain_id, lease.pledge_id) == (
        renewed.value,
        renewed.domain_id,
        renewed.pledge_id,
    )
    assert leases.lease_end_ms(NOW_MS, lease_hours) == renewed.lease_until_ms
    assert not renewed.released


@given(some_leases(), generations)
def test_f03_a_renewed_lease_is_burned_in_every_generation_it_ever_was(
    lease: Lease, generation: int
) -> None:
    """Generations only ever widen (RFC 9031 §8.4.4.1)."""
    renewed = leases.renew(lease, generation, NOW_MS, 24)
    burned = {lease.first_generation, lease.last_generation, generation}
    assert (min(burned), max(burned)) == (renewed.first_generation, renewed.last_generation)


@given(some_leases(), generations)
def test_f03_a_held_identifier_is_never_free(lease: Lease, oldest_live: int) -> None:
    """Its lease may be over: no safety hangs on a clock (RFC 9031 §8.4.4.1)."""
    held = leases.renew(lease, lease.last_generation, 0, 0)
    assert not leases.is_free_for_another(held, oldest_live)


@given(some_leases(), generations)
def test_f03_an_identifier_is_burned_until_its_last_generation_is_retired(
    lease: Lease, oldest_live: int
) -> None:
    """Never two holders of one identifier under one link-layer key (RFC 9031 §8.4.4.1)."""
    if leases.is_free_for_another(lease, oldest_live):
        assert lease.released
        assert oldest_live > lease.last_generation


@pytest.mark.parametrize(
    ("oldest_live", "expected"), [(3, False), (4, False), (5, False), (6, True)]
)
def test_f03_a_released_identifier_is_free_once_its_keys_are_retired(
    oldest_live: int, expected: bool
) -> None:
    """Live generations are those not retired, previous and scheduled ones included (§8.4.4.1)."""
    lease = Lease(
        value=1, domain_id=1, pledge_id=1, first_generation=4, last_generation=5,
        lease_until_ms=0, released=True,
    )  # fmt: skip
    assert expected is leases.is_free_for_another(lease, oldest_live)


@pytest.mark.parametrize(
    ("size", "used", "expected"),
    [
        (32767, 29489, False),
        (32767, 29490, True),
        (100, 89, False),
        (100, 90, True),
        (100, 100, True),
        (5, 3, False),
        (5, 4, True),
    ],
)
def test_f03_a_low_range_is_said_while_a_tenth_is_left(
    size: int, used: int, expected: bool
) -> None:
    """A rollover frees burned identifiers, and takes time (RFC 9031 §8.4.4.1)."""
    assert expected is leases.range_is_low(size, used)
