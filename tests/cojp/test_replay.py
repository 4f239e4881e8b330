"""Replay windows and reserved sender sequence numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import replay
from jrc.cojp.constants import MAX_SEQUENCE_NUMBER, NUMBERS_EPOCH_S
from jrc.cojp.replay import NumberBlock, ReplayWindow
from jrc.errors import OperatorError, StateError

NOW_S = NUMBERS_EPOCH_S + 1_000_000
numbers = st.one_of(st.integers(0, 100), st.integers(0, MAX_SEQUENCE_NUMBER))


@given(st.lists(numbers, max_size=120))
def test_b03_the_window_is_that_of_a_set_of_numbers(received: list[int]) -> None:
    """RFC 8613 §3.2.2: fresh is what was not accepted and is less than 32 behind the highest."""
    window, seen = ReplayWindow(), set[int]()
    for number in received:
        fresh = number not in seen and number > max(seen, default=-1) - 32
        assert window.is_fresh(number) == fresh
        if fresh:
            window = window.accept(number)
            seen.add(number)
        else:
            with pytest.raises(StateError):
                window.accept(number)
    assert window.highest == max(seen, default=-1)
    assert 0 <= window.bits < 2**32


@given(numbers)
def test_b03_a_number_is_accepted_once(number: int) -> None:
    """RFC 8613 §7.4."""
    assert not ReplayWindow().accept(number).is_fresh(number)


def test_b03_the_window_is_32_wide() -> None:
    """RFC 8613 §3.2.2: 31 behind the highest is in, 32 is out."""
    window = ReplayWindow().accept(100)
    assert [window.is_fresh(number) for number in (101, 100, 99, 69, 68)] == [
        True,
        False,
        True,
        True,
        False,
    ]
    assert window.accept(69).accept(101) == ReplayWindow(101, 0b11)


@pytest.mark.parametrize("number", [-1, -33, MAX_SEQUENCE_NUMBER + 1])
def test_numbers_out_of_bounds_are_never_fresh(number: int) -> None:
    """RFC 8613 §7.2.1."""
    assert not ReplayWindow().is_fresh(number)
    assert not ReplayWindow(3, 1).is_fresh(number)


# --- Sender sequence numbers -------------------------------------------------------------------


def test_b04_a_block_starts_at_the_seconds_or_at_what_was_reserved() -> None:
    """RFC 8613 Appendix B.1.1: the higher of the two."""
    assert replay.reserve(0, NOW_S, 8) == NumberBlock(1_000_000, 1_000_008)
    assert replay.reserve(999_999, NOW_S, 8) == NumberBlock(1_000_000, 1_000_008)
    assert replay.reserve(1_000_003, NOW_S, 8) == NumberBlock(1_000_003, 1_000_011)


def test_b04_a_number_is_not_taken_before_its_second() -> None:
    """RFC 9031 §7.3.1: else a later start from an old database could take it again."""
    number, block = replay.reserve(0, NOW_S, 2).take(NOW_S)
    assert number == 1_000_000
    assert block.wait_s(NOW_S) == 1
    with pytest.raises(StateError):
        block.take(NOW_S)
    number, block = block.take(NOW_S + 1)
    assert (number, bool(block)) == (1_000_001, False)
    with pytest.raises(StateError):
        block.take(NOW_S + 100)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20), st.booleans()), max_size=40),
    st.integers(1, 16),
)
def test_b04_no_number_is_used_twice_over_crashes_and_old_databases(
    steps: list[tuple[int, int, bool]], count: int
) -> None:
    """RFC 9031 §7.3.1: whatever the moments of crashes, and however old the copy restored."""
    now_s, stored, used = NOW_S, [0], list[int]()
    for advance_s, tries, restore_oldest in steps:
        now_s += advance_s
        block = replay.reserve(stored[0] if restore_oldest else stored[-1], now_s, count)
        stored.append(block.reserved)
        for _ in range(tries):
            if block and not block.wait_s(now_s):
                number, block = block.take(now_s)
                used.append(number)
            now_s += 1
    assert used == sorted(set(used))


@pytest.mark.parametrize("now_s", [0, NUMBERS_EPOCH_S - 1, NOW_S])
def test_b04_a_clock_behind_its_high_water_mark_reserves_nothing(now_s: int) -> None:
    """RFC 8613 Appendix B.1.1: the floor must not sink."""
    with pytest.raises(OperatorError, match="clock"):
        replay.reserve(0, now_s, 1, high_water_s=NOW_S + 1)


def test_b04_numbers_end_at_2_to_the_40() -> None:
    """RFC 8613 §7.2.1: stop, never wrap."""
    assert replay.reserve(MAX_SEQUENCE_NUMBER, NOW_S, 1).first == MAX_SEQUENCE_NUMBER
    for reserved, count in ((MAX_SEQUENCE_NUMBER, 2), (MAX_SEQUENCE_NUMBER + 1, 1), (0, 0)):
        with pytest.raises(StateError):
            replay.reserve(reserved, NOW_S, count)
