"""How often a stored answer may be sent again (row C11)."""

from jrc.service import copies
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS, Copies

FIRST, SECOND, THIRD = (bytes(15) + bytes((number,)) for number in (1, 2, 3))
REQUEST, OTHER = b"r" * 16, b"o" * 16
START_MS = 1_796_000_000_000


def allowed(counter: Copies, address: bytes, times: int, now_ms: int = START_MS) -> int:
    return sum(counter.allow(REQUEST, FIRST, address, now_ms) for _ in range(times))


def test_c11_a_copy_is_answered_eight_times_for_each_address() -> None:
    """RFC 9031 §7.2: twice its four retransmissions."""
    counter = Copies()
    assert MAX_COPY_RESENDS == allowed(counter, FIRST, 20)
    assert MAX_COPY_RESENDS == allowed(counter, SECOND, 20)
    assert 8 == MAX_COPY_RESENDS


def test_c11_a_third_address_gets_nothing_and_the_first_one_counts() -> None:
    """The address that was answered first is one of the two, also before its first copy."""
    counter = Copies()
    assert 1 == allowed(counter, SECOND, 1)
    assert 0 == allowed(counter, THIRD, 1)
    assert 1 == allowed(counter, FIRST, 1)


def test_c11_requests_are_counted_apart() -> None:
    """By digest."""
    counter = Copies()
    allowed(counter, FIRST, 20)
    assert counter.allow(OTHER, FIRST, FIRST, START_MS)


def test_c11_counts_live_as_long_as_an_answer_may() -> None:
    """465 s, RFC 7252 §4.8.2 with RFC 9031 §7.2; what is older could not be sent anyway."""
    counter = Copies()
    allowed(counter, FIRST, 20)
    assert 465_000 == MAX_COPY_AGE_MS
    assert 0 == allowed(counter, FIRST, 1, START_MS + MAX_COPY_AGE_MS)
    assert 1 == allowed(counter, FIRST, 1, START_MS + MAX_COPY_AGE_MS + 1)


def test_c11_memory_is_bounded() -> None:
    """Beyond the bound new copies get silence, and those that are counted go on."""
    counter = Copies()
    for number in range(copies.MAX_REMEMBERED):
        assert counter.allow(number.to_bytes(16), FIRST, FIRST, START_MS)
    assert not counter.allow(OTHER, FIRST, FIRST, START_MS)
    assert counter.allow(bytes(16), FIRST, FIRST, START_MS)
    assert counter.allow(OTHER, FIRST, FIRST, START_MS + MAX_COPY_AGE_MS + 1)
