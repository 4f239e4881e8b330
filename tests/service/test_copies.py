"""How often a stored answer may be sent again (row C11)."""

from jrc.service import copies
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS, MAX_SPARE_PER_S, Copies

FIRST, SECOND, THIRD = (bytes(15) + bytes((number,)) for number in (1, 2, 3))
REQUEST, OTHER, USED_UP = b"r" * 16, b"o" * 16, b"u" * 16
START_MS = 1_796_000_000_000


def allowed(counter: Copies, address: bytes, times: int, now_ms: int = START_MS) -> int:
    return sum(counter.allow(REQUEST, FIRST, address, now_ms) for _ in range(times))


def without_spare() -> Copies:
    """Where all that goes beyond the shares was used up in this very moment."""
    counter = Copies()
    while counter.allow(USED_UP, FIRST, THIRD, START_MS):
        pass
    return counter


def test_c11_an_address_has_a_share_of_eight() -> None:
    """RFC 9031 §7.2: twice its four retransmissions."""
    counter = without_spare()
    assert MAX_COPY_RESENDS == allowed(counter, FIRST, 20)
    assert MAX_COPY_RESENDS == allowed(counter, SECOND, 20)
    assert 8 == MAX_COPY_RESENDS


def test_c11_two_addresses_have_a_share_and_the_first_one_is_among_them() -> None:
    """The address that was answered first, also before its first copy."""
    counter = without_spare()
    assert 1 == allowed(counter, SECOND, 1)
    assert 0 == allowed(counter, THIRD, 1)
    assert 1 == allowed(counter, FIRST, 1)


def test_c11_what_goes_beyond_the_shares_has_one_budget_a_second() -> None:
    """Whoever asks, and whatever for."""
    counter = Copies()
    assert MAX_COPY_RESENDS + MAX_SPARE_PER_S == allowed(counter, THIRD, 2000)
    assert 0 == allowed(counter, SECOND, 1)
    assert MAX_SPARE_PER_S // 10 == allowed(counter, SECOND, 2000, START_MS + 100)
    assert MAX_SPARE_PER_S == allowed(counter, SECOND, 2000, START_MS + 100_000)


def test_c11_a_clock_that_was_set_back_gives_new_shares_and_no_budget() -> None:
    """And one that was set forth no more than a second's."""
    counter = without_spare()
    assert MAX_COPY_RESENDS == allowed(counter, SECOND, 20, START_MS - 5000)
    forth_ms = START_MS + 10_000_000
    assert MAX_COPY_RESENDS + MAX_SPARE_PER_S == allowed(counter, SECOND, 2000, forth_ms)


def test_c11_requests_are_counted_apart() -> None:
    """By digest."""
    counter = without_spare()
    allowed(counter, FIRST, 20)
    assert counter.allow(OTHER, FIRST, FIRST, START_MS)


def test_c11_shares_live_as_long_as_an_answer_may() -> None:
    """465 s, RFC 7252 §4.8.2 with RFC 9031 §7.2; what is older could not be sent anyway."""
    counter = Copies()
    allowed(counter, FIRST, MAX_COPY_RESENDS)
    late_ms = START_MS + MAX_COPY_AGE_MS
    assert 465_000 == MAX_COPY_AGE_MS
    assert MAX_SPARE_PER_S == allowed(counter, FIRST, 2000, late_ms)
    assert MAX_COPY_RESENDS == allowed(counter, FIRST, MAX_COPY_RESENDS, late_ms + 1)


def test_c11_memory_is_bounded() -> None:
    """Beyond the bound copies are answered from the budget; those that have shares keep them."""
    counter = Copies()
    for number in range(copies.MAX_REMEMBERED):
        assert counter.allow(number.to_bytes(16), FIRST, FIRST, START_MS)
    for _ in range(MAX_SPARE_PER_S):
        assert counter.allow(OTHER, FIRST, FIRST, START_MS)
    assert not counter.allow(OTHER, FIRST, FIRST, START_MS)
    assert counter.allow(bytes(16), FIRST, FIRST, START_MS)
    assert counter.allow(OTHER, FIRST, FIRST, START_MS + MAX_COPY_AGE_MS + 1)
