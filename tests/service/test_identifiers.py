"""Short identifiers for a batch: one read, no value twice."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jrc.model import ShortIdRange
from jrc.service.identifiers import FreeIdentifiers
from tests.service.fakes import LAB, Ground


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
