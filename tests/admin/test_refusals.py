"""How many bad tokens are looked up, in memory that has a bound."""

import pytest

from jrc.admin.refusals import MAX_ADDRESSES, MAX_REFUSED, WINDOW_S, Refusals, source_of


class Clock:
    """A monotonic clock that is set."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_an_address_has_its_measure_and_gets_it_anew() -> None:
    """And no other address pays for it."""
    clock = Clock()
    refusals = Refusals(clock)
    assert [refusals.note("a") for _ in range(MAX_REFUSED)] == [False] * (MAX_REFUSED - 1) + [True]
    assert refusals.are_many("a")
    assert not refusals.are_many("b")
    clock.now_s += WINDOW_S
    assert not refusals.are_many("a")
    refusals.note("a")
    assert not refusals.are_many("a")


def test_memory_does_not_grow_with_the_number_of_addresses() -> None:
    """The one that was longest without a bad token is forgotten."""
    refusals = Refusals(Clock())
    for _ in range(MAX_REFUSED):
        refusals.note("persistent")
    for number in range(MAX_ADDRESSES - 1):
        refusals.note(str(number))
    assert refusals.are_many("persistent")
    refusals.note("one more")
    assert (len(refusals), refusals.are_many("persistent")) == (MAX_ADDRESSES, False)


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:a::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_one_host_is_one_source(host: str, source: str) -> None:
    """A host has 2**64 addresses of IPv6, and one of IPv4."""
    assert source_of(host) == source
