"""Timers and confirmable exchanges, with given time (RFC 7252 §4.2, RFC 9031 §7.2)."""

import itertools
import math
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.exchange import Exchanges, RetransmissionTiming, Timers

MANY = 10_000
FIXED = RetransmissionTiming(random_factor=1.0)


class Moment(float):
    """A time that counts how often it is compared."""

    comparisons: ClassVar[int] = 0

    def __lt__(self, other: float) -> bool:
        Moment.comparisons += 1
        return float.__lt__(self, other)

    def __add__(self, other: float) -> "Moment":
        return Moment(float.__add__(self, other))


def comparisons(*, since: int = 0) -> int:
    return Moment.comparisons - since


# --- Timing ------------------------------------------------------------------------------------


def test_e01_the_defaults_are_those_of_the_rfc() -> None:
    """10 s, 1.5, 4 retransmissions (RFC 9031 §7.2); 225 s from first to last."""
    timing = RetransmissionTiming()
    assert [10, 20, 40, 80, 160] == list(timing.waits(0))
    assert [15, 30, 60, 120, 240] == list(timing.waits(1))
    assert (225, 325) == (timing.max_transmit_span_s, timing.non_lifetime_s)


# --- Timers ------------------------------------------------------------------------------------


def test_keys_fall_due_in_the_order_of_their_times() -> None:
    """Equal ones in the order in which they were set."""
    timers: Timers[str] = Timers()
    for key, at in (("c", 3.0), ("a", 1.0), ("b", 1.0)):
        timers.set(key, at)
    assert 1.0 == timers.next_due()
    assert [] == timers.pop_due(0.9)
    assert ["a", "b"] == timers.pop_due(2.0)
    assert (3.0, 1) == (timers.next_due(), len(timers))


def test_what_is_set_again_or_cancelled_falls_due_as_set_last() -> None:
    """One time a key."""
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("a", 5.0)
    timers.set("b", 2.0)
    timers.cancel("b")
    timers.cancel("nobody")
    assert [] == timers.pop_due(4.0)
    assert 5.0 == timers.next_due()
    timers.set("a", 4.5)
    assert ["a"] == timers.pop_due(9.0)
    assert timers.next_due() is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "cancel", "pop"]), st.integers(0, 5), st.integers(0, 20)),
        max_size=60,
    )
)
def test_timers_do_what_a_dictionary_would(steps: list[tuple[str, int, int]]) -> None:
    """Against the plain way to do it."""
    timers: Timers[int] = Timers()
    plain: dict[int, int] = {}
    for what, key, at in steps:
        if what == "set":
            timers.set(key, at)
            plain[key] = at
        elif what == "cancel":
            timers.cancel(key)
            plain.pop(key, None)
        else:
            due = {key for key in plain if plain[key] <= at}
            assert due == set(timers.pop_due(at))
            plain = {key: plain[key] for key in plain if key not in due}
        assert min(plain.values(), default=None) == timers.next_due()
        assert len(plain) == len(timers)


def test_garbage_is_bounded() -> None:
    """Setting one key for ever, or cancelling all, leaves no heap behind."""
    timers: Timers[int] = Timers()
    for at in range(100_000):
        timers.set(1, float(at))
    assert len(timers._heap) < 100
    for key in range(MANY):
        timers.set(key, 1e6)
    for key in range(MANY):
        timers.cancel(key)
    assert len(timers._heap) < 100


# --- Exchanges ---------------------------------------------------------------------------------


def run_out(exchanges: Exchanges[str], late_s: float = 0.0) -> tuple[list[float], list[float]]:
    """When it is sent again, and when it ends; each timer is handled so late."""
    again, ended = [], []
    while (due := exchanges.next_due()) is not None:
        now = due + late_s
        due_again, due_ended = exchanges.due(now)
        ended += [now for _ in due_ended]
        again += [now for key in due_again if exchanges.repeat(key, now)]
    return again, ended


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_e01_intervals_double_and_the_end_is_after_the_last_one(fraction: float) -> None:
    """RFC 7252 §4.2, §4.8.2: up to 465 s with what RFC 9031 §7.2 sets."""
    exchanges: Exchanges[str] = Exchanges(RetransmissionTiming())
    exchanges.begin("a", 0.0, fraction)
    first = 10 + 5 * fraction
    assert ([first, 3 * first, 7 * first, 15 * first], [31 * first]) == run_out(exchanges)
    assert 0 == len(exchanges)


def test_e01_no_rounding_gives_one_transmission_more() -> None:
    """Whatever the times, and however short (RFC 7252 §4.2)."""
    exchanges: Exchanges[str] = Exchanges(RetransmissionTiming(0.003, 1.5, 2))
    for turn in range(2000):
        exchanges.begin("a", turn / 7, turn / 2000)
        again, ended = run_out(exchanges)
        assert (2, 1) == (len(again), len(ended))


def test_e01_an_acknowledged_one_is_not_sent_again_and_ends_when_it_would_have() -> None:
    """RFC 7252 §5.2.2."""
    exchanges: Exchanges[str] = Exchanges(FIXED)
    exchanges.begin("a", 0.0, 0.0)
    exchanges.due(10.0)
    exchanges.acknowledge("a")
    assert not exchanges.repeat("a", 10.5)
    exchanges.acknowledge("nobody")
    assert ([], [310.0]) == run_out(exchanges)


def test_e01_what_ended_is_not_heard_of_again() -> None:
    """And may begin anew under the same key."""
    exchanges: Exchanges[str] = Exchanges(FIXED)
    exchanges.begin("a", 0.0, 0.0)
    exchanges.due(10.0)
    exchanges.end("a")
    exchanges.end("nobody")
    assert exchanges.next_due() is None
    exchanges.begin("a", 20.0, 0.0)
    assert not exchanges.repeat("a", 20.0), "what fell due was another message"
    assert "a" in exchanges
    assert 30.0 == exchanges.next_due()


def test_e01_one_that_fell_due_is_repeated_once() -> None:
    """However often it is asked for."""
    exchanges: Exchanges[str] = Exchanges(FIXED)
    exchanges.begin("a", 0.0, 0.0)
    assert not exchanges.repeat("a", 5.0)
    assert (["a"], []) == exchanges.due(10.0)
    assert exchanges.repeat("a", 12.0)
    assert not exchanges.repeat("a", 12.0)
    assert 32.0 == exchanges.next_due(), "the next one keeps its distance"


@given(
    lateness=st.lists(st.floats(0, 100), min_size=6, max_size=6),
    fraction=st.floats(0, 1),
)
def test_e01_late_ones_keep_their_distance_and_the_whole_its_span(
    lateness: list[float], fraction: float
) -> None:
    """At least ACK_TIMEOUT apart, within MAX_TRANSMIT_SPAN, ended on time (RFC 7252 §4.2)."""
    timing = RetransmissionTiming()
    exchanges: Exchanges[str] = Exchanges(timing)
    exchanges.begin("a", 0.0, fraction)
    sent, now, late = [0.0], 0.0, iter([*lateness, *[0.0] * 10])
    ended: list[str] = []
    while not ended:
        due = exchanges.next_due()
        assert due is not None
        assert due <= 31 * timing.first_wait_s(fraction)
        now = max(now, due)
        again, ended = exchanges.due(now)
        for key in again:
            now += next(late)
            if exchanges.repeat(key, now):
                sent.append(now)
    assert all(after - before >= 10 - 1e-6 for before, after in itertools.pairwise(sent))
    assert sent[-1] <= timing.max_transmit_span_s + 0.5
    assert len(sent) <= 5
    assert now >= 31 * timing.first_wait_s(fraction) - 1e-6


def test_e01_ten_thousand_open_cost_a_logarithm_each() -> None:
    """Comparisons, and not time, are counted: begin, send again, acknowledge, end."""
    exchanges: Exchanges[int] = Exchanges(RetransmissionTiming())
    allowed = 6 * math.log2(MANY)
    before = comparisons()
    for key in range(MANY):
        exchanges.begin(key, Moment(key / 1000), key * 7919 % MANY / MANY)
    assert 0 < comparisons(since=before) < MANY * allowed
    before = comparisons()
    again: list[int] = []
    for at in range(10, 26):
        due, _ = exchanges.due(Moment(at))
        again += due
        for key in due:
            assert exchanges.repeat(key, Moment(at))
    assert list(range(MANY)) == sorted(again)
    assert comparisons(since=before) < 3 * MANY * allowed
    before = comparisons()
    for key in range(0, MANY, 2):
        exchanges.acknowledge(key)
        exchanges.end(key + 1)
        exchanges.next_due()
    assert comparisons(since=before) < 2 * MANY * allowed
    assert MANY // 2 == len(exchanges)
