"""Short identifiers for a batch: one read, no value twice."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.model import Network, ShortIdRange
from jrc.service.identifiers import FreeIdentifiers
from tests.service.fakes import LAB, Ground, lease


class Deck(Ground):
    """A transaction in which given values are taken; counts the reads."""

    def __init__(self, taken: set[int]) -> None:
        super().__init__()
        self.burned = taken


SMALL = replace(LAB, short_ids=ShortIdRange(1, 40))
NEIGHBOUR = replace(SMALL, id=2, name="neighbour", short_ids=ShortIdRange(20, 60))


def test_f02_networks_that_share_keys_never_get_one_value_in_a_batch() -> None:
    """RFC 9031 §8.4.4.1: whichever range it is drawn from, and up to the last of them."""
    free = FreeIdentifiers(Deck(set()), 80)
    drawn = [free.draw(network, 1) for network in (SMALL, NEIGHBOUR) * 40]
    given_out = [value for value in drawn if value is not None]
    assert len(set(given_out)) == len(given_out)
    assert set(given_out) <= set(range(1, 61))


@given(st.sets(st.integers(1, 40), max_size=40), st.integers(1, 64))
def test_f02_f03_a_batch_gets_what_is_free_and_nothing_else(taken: set[int], wanted: int) -> None:
    """RFC 9031 §8.4.4.1: never a value that is held or burned, and each free one before None."""
    free = FreeIdentifiers(Deck(taken), wanted)
    drawn = [free.draw(SMALL, 1) for _ in range(wanted)]
    given_out = [value for value in drawn if value is not None]
    assert not taken.intersection(given_out)
    assert len(set(given_out)) == len(given_out) == min(wanted, 40 - len(taken))


class Chance(Deck):
    """With values as chance gives them; each one drawn is held from then on, as in a join."""

    def __init__(self, taken: set[int], seed: int) -> None:
        super().__init__(taken)
        self.chance = Random(seed)
        self.walks = 0

    def random(self, count: int) -> bytes:
        return self.chance.randbytes(count)

    def all_taken(self, domain_id: int, oldest_live: int) -> set[int]:
        self.walks += 1
        return super().all_taken(domain_id, oldest_live)


def draws(deck: Deck, wanted: int, networks: Sequence[Network] = (LAB,)) -> list[int | None]:
    """What a batch of ``wanted`` first joins gets."""
    free = FreeIdentifiers(deck, wanted)
    drawn = []
    for number in range(wanted):
        value = free.draw(networks[number % len(networks)], 1)
        if value is not None:
            deck.save_lease(lease(value, pledge_id=number))
        drawn.append(value)
    return drawn


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("left", [1, 2, 63, 64, 65])
def test_f03_a_nearly_full_range_is_used_up_and_not_exceeded(seed: int, left: int) -> None:
    """RFC 9031 §8.4.4.1: the free values lie anywhere in 32,767; the rest get None."""
    everything = set(range(LAB.short_ids.first, LAB.short_ids.last + 1))
    open_ = set(Random(seed).sample(sorted(everything), left))
    deck = Chance(everything - open_, seed)
    drawn = draws(deck, 64)
    given_out = [value for value in drawn if value is not None]
    assert min(left, 64) == len(given_out) == len(set(given_out))
    assert set(given_out) <= open_
    assert deck.walks <= 2, "one read of the whole range for the batch, and one to see its end"


@pytest.mark.parametrize("seed", range(20))
def test_f03_a_batch_in_a_half_full_range_costs_few_reads(seed: int) -> None:
    """RFC 9031 §8.4.4.1: every pledge of it gets a value, and no read is made for one alone."""
    first, last = LAB.short_ids.first, LAB.short_ids.last
    taken = set(Random(seed).sample(range(first, last + 1), (last - first) // 2))
    deck = Chance(taken, seed)
    drawn = draws(deck, 64)
    assert 64 == len({value for value in drawn if value is not None})
    assert not taken.intersection(value for value in drawn if value is not None)
    assert (True, 0) == (deck.reads <= 12, deck.walks)


def test_f02_a_full_range_is_not_looked_at_for_each_pledge() -> None:
    """Whoever comes to it, a batch reads it whole once."""
    deck = Chance(set(range(1, 41)), 1)
    assert [None] * 64 == draws(deck, 64, (SMALL,))
    assert 1 == deck.walks


@pytest.mark.parametrize("seed", range(10))
def test_f02_ranges_that_overlap_are_used_to_their_ends(seed: int) -> None:
    """RFC 9031 §8.4.4.1: networks of one key domain; None only where a range has none left."""
    networks = (SMALL, NEIGHBOUR)
    drawn = draws(Chance(set(), seed), 64, networks)
    given_out: set[int] = set()
    for number, value in enumerate(drawn):
        short_ids = networks[number % 2].short_ids
        if value is None:
            assert set(range(short_ids.first, short_ids.last + 1)) <= given_out
        else:
            assert value in short_ids
            assert value not in given_out
            given_out.add(value)
