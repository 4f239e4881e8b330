"""The frame counter goes on where it was, whatever becomes of the interface."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import OperatorError
from jrc.net.framecounter import (
    LARGEST_START,
    MAX_FRAMES_PER_S,
    CounterFile,
    Seen,
    UsedUpError,
    least_start,
)

NOW_S = 1_796_000_000
COUNTERS = st.integers(0, 2**32 - 1)
SECONDS = st.integers(0, 200 * 86400)


@given(COUNTERS, SECONDS, COUNTERS)
def test_no_number_that_may_have_been_sent_with_is_begun_with(
    counter: int, elapsed_s: int, sent: int
) -> None:
    """However many frames have left in the time since the last look."""
    sent = min(sent, elapsed_s * MAX_FRAMES_PER_S)
    try:
        start = least_start(Seen(counter, NOW_S, 3), 3, NOW_S + elapsed_s)
    except UsedUpError:
        assert counter + (elapsed_s + 1) * MAX_FRAMES_PER_S > LARGEST_START
    else:
        assert counter + sent < start <= LARGEST_START


@given(COUNTERS, st.integers(-(10**7), 10**9))
def test_new_keys_can_always_be_sent_with(counter: int, elapsed_s: int) -> None:
    """They were never sent with: any number is good, and a high one is better for the nodes."""
    assert 0 <= least_start(Seen(counter, NOW_S, 3), 4, NOW_S + elapsed_s) <= LARGEST_START


def test_a_clock_that_is_behind_leaves_the_same_keys_without_a_number() -> None:
    """Nobody knows then how long the radio has sent."""
    with pytest.raises(UsedUpError, match="clock is behind"):
        least_start(Seen(5, NOW_S, 3), 3, NOW_S - 1)


def test_fifty_days_without_a_look_leave_the_same_keys_without_a_number() -> None:
    """32 bits at 1000 frames a second."""
    with pytest.raises(UsedUpError, match="at its end"):
        least_start(Seen(0, NOW_S, 3), 3, NOW_S + 50 * 86400)


def test_what_was_seen_is_remembered(tmp_path: Path) -> None:
    """In a file of its owner's alone."""
    memory = CounterFile(tmp_path / "a.counter")
    assert memory.read() is None
    memory.write(Seen(7, NOW_S, 2))
    memory.write(Seen(8, NOW_S + 1, 2))
    assert memory.read() == Seen(8, NOW_S + 1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.counter"]
    assert memory.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1, 2, 3]", '{"frame_counter": 1, "at_s": -1, "generation": 1}',
     '{"frame_counter": true, "at_s": 1, "generation": 1}', "\0" * 40],
)  # fmt: skip
def test_a_damaged_memory_is_no_memory_of_nothing(tmp_path: Path, text: str) -> None:
    """To begin with 0 would be to guess."""
    memory = CounterFile(tmp_path / "a.counter")
    memory.path.write_text(text)
    with pytest.raises(OperatorError) as caught:
        memory.read()
    assert "is damaged" in caught.value.message
    assert "jrc rollover start" in caught.value.hint


def test_a_memory_that_can_not_be_kept_is_an_error(tmp_path: Path) -> None:
    """The folder is gone; or there is no file but something else."""
    with pytest.raises(OperatorError, match="can't be written"):
        CounterFile(tmp_path / "no" / "a").write(Seen(1, 1, 1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OperatorError, match="can't be read"):
        CounterFile(tmp_path / "folder").read()
