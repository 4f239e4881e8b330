"""The join rate, with given time (RFC 9031 §7.2, §8.4.2)."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.policy.rate import PACKET_PERIOD_MS, WINDOW_MS, ByteRate

SIZE = 100


def passed(rate: ByteRate, times_ms: list[int], size: int = SIZE) -> list[int]:
    """When datagrams of ``size`` leave, of those that come at these times."""
    left = []
    for now_ms in times_ms:
        if rate.allows(now_ms):
            rate.charge(size)
            left.append(now_ms)
    return left


def test_p04_by_default_a_packet_leaves_in_three_seconds() -> None:
    """RFC 9031 §6.1, RFC 8085 §3.1.3: none is saved up, however long it was quiet."""
    times = [*range(0, 10_000, 10), *range(60_000, 70_000, 10)]
    expected = [0, 3000, 6000, 9000, 60_000, 63_000, 66_000, 69_000]
    assert expected == passed(ByteRate(None, 0), times)


def test_p04_the_default_counts_packets_and_not_bytes() -> None:
    """A large packet is one packet (RFC 8085 §3.1.3)."""
    rate = ByteRate(None, 0)
    assert [0, PACKET_PERIOD_MS] == passed(rate, list(range(5000)), size=4000)


def test_p04_a_burst_is_what_the_rate_gives_in_ack_timeout_and_one_packet_of_debt() -> None:
    """RFC 9031 §7.2: measured over ACK_TIMEOUT, 10 seconds."""
    burst = passed(ByteRate(100, 0), [0] * 100)
    assert 1000 // SIZE + 1 == len(burst)


def test_p04_debt_is_paid_before_the_next_leaves() -> None:
    """One packet over the rate takes its time (RFC 9031 §7.2)."""
    rate = ByteRate(100, 0)
    passed(rate, [0] * 100)
    assert [1000, 2000, 3000] == passed(rate, list(range(1, 3001)))


def test_p04_a_datagram_longer_than_the_bucket_leaves_and_the_debt_is_paid() -> None:
    """A low rate slows pledges down and keeps nobody out (RFC 9031 §8.4.2)."""
    assert [0, 199_000] == passed(ByteRate(1, 0), list(range(0, 300_000, 1000)), size=209)[:2]


def test_p04_zero_drops_all() -> None:
    """RFC 9031 §8.4.2: join rate 0 silences the proxy."""
    assert [] == passed(ByteRate(0, 0), list(range(0, 100_000, 1000)))


@given(
    rate=st.integers(1, 5000),
    gaps_ms=st.lists(st.integers(0, 4000), max_size=80),
    size=st.integers(1, 600),
)
def test_p04_no_stretch_of_time_sees_more_than_the_rate_and_the_bucket(
    rate: int, gaps_ms: list[int], size: int
) -> None:
    """In T seconds at most rate x (T + ACK_TIMEOUT) and one packet leave (RFC 9031 §7.2)."""
    left = passed(ByteRate(rate, 0), list(accumulate(gaps_ms)), size)
    for first, began_ms in enumerate(left):
        for last, ended_ms in enumerate(left[first:], start=first):
            sent = (last - first + 1) * size
            assert sent * 1000 <= rate * (ended_ms - began_ms + WINDOW_MS) + size * 1000


def test_p04_another_rate_begins_with_nothing_saved_up() -> None:
    """Settable while it runs; a change gives one packet, then the new rate holds."""
    rate = ByteRate(0, 0)
    rate.set(100, 5000)
    assert [5000, 6000, 7000] == passed(rate, list(range(5000, 7500)))
    rate.set(0, 8000)
    assert [] == passed(rate, [8000, 60_000])
    rate.set(None, 60_000)
    assert [60_000, 63_000] == passed(rate, list(range(60_000, 65_000)))


def test_p04_the_same_rate_once_more_changes_nothing() -> None:
    """A Parameter Update that repeats it does not refill the bucket."""
    rate = ByteRate(100, 0)
    passed(rate, [0] * 100)
    rate.set(100, 0)
    assert [] == passed(rate, [0])


@pytest.mark.parametrize("window_ms", [0, WINDOW_MS + 1])
def test_p04_a_window_over_ack_timeout_is_refused(window_ms: int) -> None:
    """RFC 9031 §7.2: over a rather short window."""
    with pytest.raises(ValueError, match="ACK_TIMEOUT"):
        ByteRate(1, 0, window_ms=window_ms)


def test_p04_a_negative_rate_is_refused() -> None:
    """The label holds an unsigned integer (RFC 9031 §8.4.2)."""
    with pytest.raises(ValueError, match="negative"):
        ByteRate(-1, 0)


def test_p04_what_has_to_be_waited_is_known_to_the_millisecond() -> None:
    """Who waits for a rate need not try it out."""
    rate = ByteRate(7, 0, window_ms=1000)
    rate.charge(100)
    assert not rate.allows(0)
    wait_ms = rate.wait_ms()
    assert wait_ms is not None
    assert not rate.allows(wait_ms - 1)
    assert rate.allows(wait_ms)
    assert 0 == rate.wait_ms()
    assert ByteRate(0, 0).wait_ms() is None
