"""Join windows: while they are open, how they end, and clocks that are set back."""

import pytest

from jrc.errors import StateError
from jrc.policy.windows import Ended, JoinWindow, clock_of, closed, ended, let_in

OPENED = 1_000_000
UNTIL = 1_600_000


def window(**more: int | None) -> JoinWindow:
    given: dict[str, int | None] = {
        "opened_at_ms": OPENED, "until_ms": UNTIL, "max_pledges": 3, "seen_before_ms": OPENED - 9,
        **more,
    }  # fmt: skip
    return JoinWindow(id=1, network_id=1, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "now_ms", "why"),
    [
        (window(), OPENED, None),
        (window(), UNTIL - 1, None),
        (window(), UNTIL, Ended.TIME),
        (window(admitted=2), OPENED, None),
        (window(admitted=3), OPENED, Ended.COUNT),
        (window(admitted=3, closed_at_ms=OPENED), UNTIL, Ended.COUNT),
        (window(closed_at_ms=UNTIL - 1), OPENED, Ended.CLOSED),
        (window(closed_at_ms=UNTIL), OPENED, Ended.TIME),
    ],
)
def test_a_window_ends_by_time_by_count_or_when_it_is_closed(
    state: JoinWindow, now_ms: int, why: Ended | None
) -> None:
    """RFC 9031 §8.4.1 leaves to the operator who may join, and when."""
    assert why == ended(state, now_ms, seen_ms=now_ms)


def test_a_time_that_was_seen_since_the_opening_is_not_taken_back() -> None:
    """A clock that jumps back opens nothing again."""
    assert ended(window(), OPENED, seen_ms=UNTIL) is Ended.TIME
    assert clock_of(window(), OPENED, seen_ms=UNTIL) == UNTIL


def test_a_clock_that_was_ahead_before_the_opening_does_not_count() -> None:
    """Who has mended a clock that was a year ahead opens windows all the same."""
    later = window(seen_before_ms=UNTIL + 1)
    assert ended(later, OPENED, seen_ms=UNTIL + 1) is None
    assert ended(later, OPENED, seen_ms=UNTIL + 2) is Ended.TIME


def test_the_last_pledge_closes_the_window() -> None:
    """It is over for good in the same row that counts the pledge."""
    state = window()
    for number in (1, 2):
        state = let_in(state, OPENED)
        assert (number, None, 1 + number) == (state.admitted, state.closed_at_ms, state.version)
    state = let_in(state, OPENED + 5)
    assert (3, OPENED + 5, 4) == (state.admitted, state.closed_at_ms, state.version)


@pytest.mark.parametrize("over", [window(admitted=3), window(closed_at_ms=OPENED)])
def test_a_window_that_is_over_counts_nobody(over: JoinWindow) -> None:
    """Whoever counts has looked before; else something is wrong with the program."""
    with pytest.raises(StateError, match="is over"):
        let_in(over, OPENED)


def test_a_window_that_has_run_out_ended_when_it_was_to() -> None:
    """It may be noticed later, or by a clock that was set back."""
    assert UNTIL == closed(window(), UNTIL + 777).closed_at_ms
    assert OPENED + 1 == closed(window(), OPENED + 1).closed_at_ms
