"""Who may send next to a network's nodes, with given time (RFC 8085 §3.1)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.policy.pacing import Pace, Pacing

SIZE = 100


def taken(pacing: Pacing[str], now: float) -> list[str]:
    """What may leave now, each of 100 bytes; the first letter names the network."""
    out = []
    while (item := pacing.take(now)) is not None:
        pacing.charge(ord(item[0]), SIZE)
        out.append(item)
    return out


def start(pacing: Pacing[str], *items: str, now: float = 0.0) -> None:
    for item in items:
        pacing.start(ord(item[0]), item, now)


def test_e01_within_the_pace_all_leave_in_their_order() -> None:
    """Nothing waits without need."""
    pacing: Pacing[str] = Pacing(Pace(10_000, 10))
    start(pacing, "a1", "a2", "a3")
    assert ["a1", "a2", "a3"] == taken(pacing, 0.0)
    assert pacing.next_due() is None


def test_e01_what_does_not_fit_waits_for_its_bytes() -> None:
    """A second's worth and one datagram of debt, then the rate."""
    pacing: Pacing[str] = Pacing(Pace(SIZE, 10))
    start(pacing, *(f"a{index}" for index in range(5)))
    assert ["a0", "a1"] == taken(pacing, 0.0)
    assert 1.0 == pacing.next_due()
    assert [] == taken(pacing, 0.5)
    assert ["a2"] == taken(pacing, 1.0)
    assert ["a3"] == taken(pacing, 2.0)


def test_e01_exchanges_are_limited_and_what_was_begun_goes_first() -> None:
    """A retransmission needs bytes alone."""
    pacing: Pacing[str] = Pacing(Pace(10_000, 2))
    start(pacing, "a1", "a2", "a3", "a4")
    assert ["a1", "a2"] == taken(pacing, 0.0)
    pacing.again(ord("a"), "a1", 5.0)
    assert ["a1"] == taken(pacing, 5.0)
    pacing.done(ord("a"))
    pacing.again(ord("a"), "a2", 6.0)
    assert ["a2", "a3"] == taken(pacing, 6.0)
    pacing.done(ord("a"))
    pacing.done(ord("a"))
    assert ["a4"] == taken(pacing, 7.0)


def test_e01_networks_take_turns() -> None:
    """One with much to send is not before one with little."""
    pacing: Pacing[str] = Pacing(Pace(100_000, 100))
    start(pacing, "a1", "a2", "a3", "a4", "b1", "b2")
    assert ["a1", "b1", "a2", "b2", "a3", "a4"] == taken(pacing, 0.0)


def test_e01_a_network_that_waits_holds_up_no_other() -> None:
    """Each has its own bytes and exchanges."""
    pacing: Pacing[str] = Pacing(Pace(SIZE, 2))
    start(pacing, *(f"a{index}" for index in range(5)))
    taken(pacing, 0.0)
    start(pacing, "b0")
    assert ["b0"] == taken(pacing, 0.0)


@pytest.mark.parametrize("pace", [Pace(0, 1), Pace(1, 0), Pace(-1, 1)])
def test_e01_a_pace_that_ends_nothing_is_refused(pace: Pace) -> None:
    """Updates that never leave are worse than an error at the start."""
    with pytest.raises(ValueError, match="pace"):
        Pacing(pace)


@given(
    rate=st.integers(50, 5000),
    in_flight=st.integers(1, 5),
    counts=st.lists(st.integers(0, 15), min_size=1, max_size=4),
    hold_s=st.floats(0.0, 3.0),
)
def test_e01_nothing_is_lost_and_no_limit_is_passed(
    rate: int, in_flight: int, counts: list[int], hold_s: float
) -> None:
    """Each leaves once and in order; bytes and exchanges stay under their limits."""
    pacing: Pacing[str] = Pacing(Pace(rate, in_flight))
    names = "abcd"[: len(counts)]
    for name, count in zip(names, counts, strict=True):
        start(pacing, *(f"{name}{index:03}" for index in range(count)))
    now, left, leaving = 0.0, [], dict[str, float]()
    sent: Counter[str] = Counter()
    for _ in range(2000):
        for item in [item for item, until in leaving.items() if until <= now]:
            pacing.done(ord(item[0]))
            del leaving[item]
        for item in taken(pacing, now):
            left.append(item)
            leaving[item] = now + hold_s
            sent[item[0]] += SIZE
        open_now = Counter(item[0] for item in leaving)
        assert all(count <= in_flight for count in open_now.values())
        assert all(size <= rate * (now + 1) + SIZE for size in sent.values())
        times = [*leaving.values(), pacing.next_due()]
        now = max(now, min((at for at in times if at is not None), default=now))
    assert sum(counts) == len(left)
    for name, count in zip(names, counts, strict=True):
        mine = [item for item in left if item[0] == name]
        assert [f"{name}{index:03}" for index in range(count)] == mine


def test_e01_ten_thousand_that_wait_are_not_looked_at() -> None:
    """A turn costs the same however many wait: what is given out is what is moved."""
    pacing: Pacing[str] = Pacing(Pace(SIZE, 10_000))
    start(pacing, *(f"a{index}" for index in range(10_000)))
    assert 2 == len(taken(pacing, 0.0))
    assert [1, 0] == [len(taken(pacing, 1.0)), len(taken(pacing, 1.5))]


def test_e01_another_pace_counts_from_now_on() -> None:
    """What waits leaves by it, and what is open stays so; one that lets nothing pass is refused."""
    pacing: Pacing[str] = Pacing(Pace(10_000, 1))
    start(pacing, "a1", "a2", "a3", "a4")
    assert ["a1"] == taken(pacing, 0.0)
    with pytest.raises(ValueError, match="ends nothing"):
        pacing.use(Pace(0, 2), 1.0)
    pacing.use(Pace(SIZE, 3), 1.0)
    assert ["a2"] == taken(pacing, 1.0)
    assert ["a3"] == taken(pacing, 2.0)
    assert [] == taken(pacing, 9.0)
    pacing.done(ord("a"))
    assert ["a4"] == taken(pacing, 10.0)
