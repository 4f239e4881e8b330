"""When a simulated node uses which key (RFC 9031 §8.4.3.1-2): the oracle of the rollover tests."""

from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.constants import COJP_REKEYING_GUARD_TIME_S as GUARD_TIME_S
from jrc.lab.link_keys import Frames, LinkKeys
from tests.lab.teller import key

OLD, NEW, NEXT = key(1), key(2), key(3)


def joined(*, is_border_router: bool = False) -> LinkKeys:
    keys = LinkKeys(is_border_router=is_border_router)
    keys.begin([OLD])
    return keys


def test_a_6ln_sends_with_the_old_keys_until_it_hears_the_new_ones() -> None:
    """RFC 9031 §8.4.3.2: it has both to decode with."""
    keys = joined()
    keys.install([NEW], now_s=0)
    assert keys.sending == (OLD,)
    assert keys.hears(OLD, 1e9)
    assert keys.sending == (OLD,)
    assert keys.hears(NEW, 1e9)
    assert keys.sending == (NEW,)


def test_a_6ln_keeps_the_old_keys_for_the_guard_time_after_it_began_with_the_new_ones() -> None:
    """RFC 9031 §8.4.3.2: not counted from the update, nor anew with each frame."""
    keys = joined()
    keys.install([NEW], now_s=0)
    keys.hears(NEW, 100)
    keys.hears(NEW, 105)
    assert keys.hears(OLD, 100 + GUARD_TIME_S - 0.1)
    assert not keys.hears(OLD, 100 + GUARD_TIME_S)
    assert keys.held_ids() == {2}


def test_a_6lbr_uses_new_keys_at_once_and_drops_the_old_ones_after_the_guard_time() -> None:
    """RFC 9031 §8.4.3.1."""
    keys = joined(is_border_router=True)
    keys.install([NEW], now_s=50)
    assert keys.sending == (NEW,)
    assert keys.hears(OLD, 50 + GUARD_TIME_S - 0.1)
    assert not keys.hears(OLD, 50 + GUARD_TIME_S)


def test_an_update_told_twice_changes_nothing_the_second_time() -> None:
    """Its answer may have been lost: the guard time is not begun anew."""
    for is_border_router in (False, True):
        keys = joined(is_border_router=is_border_router)
        keys.install([NEW], now_s=0)
        keys.hears(NEW, 0)
        keys.install([NEW], now_s=10)
        assert keys.sending == (NEW,)
        assert not keys.hears(OLD, GUARD_TIME_S)


def test_e10_the_current_set_told_again_takes_the_scheduled_one_away() -> None:
    """After an abort the node never switches (RFC 9031 §8.4.3.2)."""
    keys = joined()
    keys.install([NEW], now_s=0)
    keys.install([OLD], now_s=100)
    assert keys.newest == (OLD,)
    assert keys.hears(NEW, 101)
    assert keys.sending == (OLD,)
    assert not keys.hears(NEW, 100 + GUARD_TIME_S)
    assert keys.held_ids() == {1}


def test_a_successor_is_waited_for_beside_a_set_that_was_not_heard_yet() -> None:
    """The node slept through a whole rollover; it goes with whichever it hears."""
    keys = joined()
    keys.install([NEW], now_s=0)
    keys.install([NEXT], now_s=10)
    assert keys.hears(NEW, 20)
    assert keys.sending == (NEW,)
    assert keys.hears(NEXT, 40)
    assert keys.sending == (NEXT,)
    assert keys.held_ids() == {2, 3}
    keys.expire(40 + GUARD_TIME_S)
    assert keys.held_ids() == {3}


def test_e03_a_6ln_that_joins_between_the_two_sends_with_the_old_keys_until_it_hears_the_new() -> (
    None
):
    """A Join Response with both sets, the old one first (RFC 9031 §8.4.3.2)."""
    keys = LinkKeys(is_border_router=False)
    keys.begin([OLD, NEW])
    assert (keys.sending, keys.waiting) == ((OLD,), [(NEW,)])
    keys.install([NEW], now_s=5)
    assert keys.sending == (OLD,)
    assert keys.hears(NEW, 6)
    assert keys.sending == (NEW,)


def test_two_keys_of_one_set_are_for_beacons_and_for_data() -> None:
    """Usages 6 to 8 with 9 to 14 are K1 and K2 (RFC 9031 Table 6)."""
    keys = LinkKeys(is_border_router=False)
    keys.begin([key(1, 6), key(2, 12), key(3, 8), key(4, 9)])
    assert keys.key_for(Frames.BEACONS) == key(1, 6)
    assert keys.key_for(Frames.DATA) == key(2, 12)
    keys.hears(key(4, 9), 0)
    assert keys.key_for(Frames.BEACONS) == key(3, 8)


def test_a_key_id_with_another_value_is_not_the_key() -> None:
    """A frame names its key by the id alone, so that a second value for it is a clash."""
    keys = joined()
    assert not keys.hears(key(1, fill=9), 0)
    keys.install([key(1, fill=9)], now_s=0)
    assert keys.clashes == [1]


def test_d05_a_key_id_may_come_again_after_its_guard_time() -> None:
    """RFC 9031 §8.4.3.1: nobody has the former key by then."""
    keys = joined()
    keys.install([NEW], now_s=0)
    keys.hears(NEW, 0)
    keys.install([key(1, fill=9)], now_s=GUARD_TIME_S)
    assert keys.clashes == []


def test_who_joins_again_has_nothing_of_before() -> None:
    """A Join Response is whole (RFC 9031 §8.4.2)."""
    keys = joined()
    keys.begin([NEXT])
    assert keys.held_ids() == {3}
    assert keys.is_settled


ORDERS = st.lists(
    st.tuples(st.sampled_from(("install", "hears")), st.integers(1, 4), st.floats(0, 20)),
    max_size=30,
)


@given(ORDERS, st.booleans())
def test_a_node_always_holds_what_it_sends_with_and_what_it_waits_for(
    orders: list[tuple[str, int, float]], is_border_router: bool
) -> None:
    """Whatever it is told and hears, in any order (RFC 9031 §8.4.3.1-2)."""
    keys, now_s = joined(is_border_router=is_border_router), 0.0
    for order, number, later_s in orders:
        now_s += later_s
        if order == "install":
            keys.install([key(number)], now_s)
            assert keys.newest == (key(number),)
        else:
            keys.hears(key(number), now_s)
        assert keys.holds(keys.sending)
        assert all(keys.holds(waiting) for waiting in keys.waiting)
