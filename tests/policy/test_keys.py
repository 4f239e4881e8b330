"""Key usages that fit each other, key ids that are free, values that keep their MIC length."""

from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.constants import MAX_KEY_ID
from jrc.errors import OperatorError
from jrc.model import KeySetState, Secret
from jrc.policy.keys import (
    LOST_GENERATIONS,
    KeySet,
    check_key_values,
    check_usages,
    choose_key_ids,
    choose_key_ids_apart,
    current_keys,
    keys_for_join,
    make_key_set,
)

ONE_KEY = range(6)
K1, K2 = range(6, 9), range(9, 15)
VALUES = [Secret(bytes((at,)) * 16) for at in range(5)]
CURRENT = KeySetState.CURRENT


@pytest.mark.parametrize("usage", ONE_KEY)
def test_d04_one_key_may_cover_beacons_and_data(usage: int) -> None:
    """Usages 0 to 5 are for K1 and K2 alike (RFC 9031 Table 6)."""
    check_usages((usage,))


def test_d04_two_keys_pass_exactly_where_one_is_for_beacons_and_one_for_data() -> None:
    """Of all pairs of usages, 6-8 with 9-14 alone are taken, in either order (RFC 9031 Table 6)."""
    for pair in combinations_with_replacement(range(15), 2):
        if pair[0] in K1 and pair[1] in K2:
            check_usages(pair)
            check_usages(pair[::-1])
        else:
            with pytest.raises(ValueError, match="leave"):
                check_usages(pair)


@pytest.mark.parametrize(
    ("usages", "named"),
    [
        ((), "beacons unprotected"),
        ((9,), "beacons unprotected"),
        ((14, 13), "beacons unprotected"),
        ((6,), "data frames unprotected"),
        ((0, 6), "beacons to 2 keys"),
        ((0, 9), "data frames to 2 keys"),
        ((6, 9, 10), "data frames to 2 keys"),
        ((0, 0), "beacons to 2 keys"),
    ],
)
def test_d04_a_refusal_names_the_frames(usages: tuple[int, ...], named: str) -> None:
    """Frames without a key, or with two, are named (RFC 9031 §8.4.3.3)."""
    with pytest.raises(ValueError, match=named):
        check_usages(usages)


@pytest.mark.parametrize("usage", [-1, 15, 255])
def test_d01_an_unknown_key_usage_is_refused(usage: int) -> None:
    """Table 6 ends at 14 (RFC 9031 §8.4.3)."""
    with pytest.raises(ValueError, match=f"usage {usage} does not exist"):
        check_usages((usage,))


@given(st.integers(1, 4), st.sets(st.integers(0, 255)))
def test_d05_chosen_key_ids_are_valid_and_not_in_use(count: int, in_use: set[int]) -> None:
    """Ids of live sets and of sets in their guard time are not given again (§8.4.3.1)."""
    free = set(range(1, 255)) - in_use
    if len(free) < count:
        with pytest.raises(OperatorError, match=f"{len(free)} of 254"):
            choose_key_ids(count, in_use)
        return
    chosen = choose_key_ids(count, in_use)
    assert count == len(set(chosen))
    assert set(chosen) <= free


@pytest.mark.parametrize(
    ("count", "in_use", "expected"),
    [
        (1, (), (1,)),
        (2, (), (1, 2)),
        (1, (2, 1), (3,)),
        (2, (253,), (254, 1)),
        (1, (254, 1, 2), (3,)),
        (2, (5, 3), (6, 7)),
        (1, range(2, 255), (1,)),
    ],
)
def test_d05_key_ids_go_round(count: int, in_use: range, expected: tuple[int, ...]) -> None:
    """The id after the highest is next, so that an id comes again as late as it can (§8.4.3.1)."""
    assert expected == choose_key_ids(count, in_use)


def test_d05_exhausted_key_ids_say_what_to_do() -> None:
    """254 ids at most can be live (RFC 9031 §8.4.3.3)."""
    with pytest.raises(OperatorError) as caught:
        choose_key_ids(1, range(1, 255))
    assert "rollovers" in caught.value.hint


def test_d03_a_set_pairs_usages_ids_and_values_in_order() -> None:
    """Beacons and data with keys of their own (RFC 9031 §8.4.3)."""
    key_set = make_key_set(7, CURRENT, (6, 13), (3, 4), VALUES[:2])
    given_keys = [(key.key_id, key.key_usage, key.key_value) for key in key_set.keys]
    assert [(3, 6, VALUES[0]), (4, 13, VALUES[1])] == given_keys
    assert (key_set.generation, key_set.state) == (7, CURRENT)


@pytest.mark.parametrize("usages", [(6, 13), (6, 12)])
def test_d03_one_value_is_not_given_to_two_keys(usages: tuple[int, int]) -> None:
    """Neither with two MIC lengths nor with one (RFC 9031 §8.4.3.3)."""
    with pytest.raises(ValueError, match="one value"):
        make_key_set(1, CURRENT, usages, (1, 2), (VALUES[0], Secret(VALUES[0].reveal())))


@pytest.mark.parametrize(
    ("usages", "key_ids", "values"),
    [
        ((6,), (1,), VALUES[:1]),
        ((6, 9), (1, 1), VALUES[:2]),
        ((6, 9), (1,), VALUES[:2]),
        ((6, 9), (1, 2), VALUES[:1]),
        ((0,), (1,), [Secret(bytes(15))]),
        ((0,), (0,), VALUES[:1]),
        ((0,), (255,), VALUES[:1]),
    ],
)
def test_d01_an_unfit_set_is_refused(
    usages: tuple[int, ...], key_ids: tuple[int, ...], values: list[Secret]
) -> None:
    """Usages, ids 1 to 254, 16 bytes of value: each is checked (RFC 9031 §8.4.3, §8.4.3.3)."""
    with pytest.raises(ValueError, match=r"\w"):
        make_key_set(1, CURRENT, usages, key_ids, values)


def test_d02_a_set_that_is_made_uses_the_key_index_mode() -> None:
    """Key ID Mode 1 carries no key source (RFC 9031 §8.4.3.3)."""
    (key,) = make_key_set(1, CURRENT, (0,), (254,), VALUES[:1]).keys
    assert key.key_id_mode == 1


def test_e03_the_current_set_alone_is_told_to_who_joins() -> None:
    """A scheduled set waits until the switch (RFC 9031 §8.4.3.1)."""
    sets = [
        make_key_set(at, state, (0,), (at,), VALUES[at : at + 1])
        for at, state in enumerate(
            (KeySetState.PREVIOUS, CURRENT, KeySetState.SCHEDULED, KeySetState.RETIRED), start=1
        )
    ]
    assert sets[1].keys == current_keys(sets)
    assert current_keys([sets[0], sets[2], sets[3]]) == ()


def test_a_key_set_does_not_print_its_keys() -> None:
    """Values stay secrets (RFC 9031 §9)."""
    key_set: KeySet = make_key_set(1, CURRENT, (0,), (1,), [Secret(b"\xab" * 16)])
    assert "ab" * 16 not in repr(key_set)
    assert "\\xab" not in repr(key_set)


fingerprints = st.sampled_from([bytes((at,)) * 16 for at in range(6)])
mic_lengths = st.sampled_from((4, 8, 16))


@given(st.lists(st.tuples(fingerprints, mic_lengths)), st.dictionaries(fingerprints, mic_lengths))
def test_d03_a_value_has_one_mic_length_for_ever(
    new: list[tuple[bytes, int]], known: dict[bytes, int]
) -> None:
    """Among the new ones and against all there ever was (RFC 9031 §8.4.3.3)."""
    pairs = {*new, *((value, known[value]) for value, _ in new if value in known)}
    if len(pairs) == len({value for value, _ in pairs}):
        check_key_values(new, known)
    else:
        with pytest.raises(ValueError, match="a changed usage needs a new key"):
            check_key_values(new, known)


def test_d03_a_key_value_comes_back_with_its_mic_length_alone() -> None:
    """Used with MIC-32 once, never with MIC-64, whatever its key id (RFC 9031 §8.4.3.3)."""
    value = b"f" * 16
    check_key_values([(value, 4)], {value: 4})
    with pytest.raises(ValueError, match="4 bytes"):
        check_key_values([(value, 8)], {value: 4})
    with pytest.raises(ValueError, match="4 bytes"):
        check_key_values(iter([(value, 4), (value, 8)]), {})


@pytest.mark.parametrize(
    ("role", "room", "expected"), [(0, 4, "old new"), (0, 1, "new"), (1, 4, "new")]
)
def test_e03_between_switch_and_guard_a_6ln_gets_both_sets(
    role: int, room: int, expected: str
) -> None:
    """The older first if it has room; a 6LBR, which sends at once, the new one (§8.4.3.1-2)."""
    sets = {
        "old": make_key_set(1, KeySetState.PREVIOUS, (0,), (1,), (Secret(b"o" * 16),)),
        "new": make_key_set(2, KeySetState.CURRENT, (0,), (2,), (Secret(b"n" * 16),)),
    }
    keys = tuple(key for name in expected.split() for key in sets[name].keys)
    assert keys == keys_for_join(sets["new"], sets["old"], role, room)


@pytest.mark.parametrize("role", [0, 1])
def test_e03_without_a_former_set_the_current_one_is_told(role: int) -> None:
    """A set that is being distributed is told to nobody who joins (RFC 9031 §8.4.3.1)."""
    current = make_key_set(1, KeySetState.CURRENT, (0,), (1,), (Secret(b"o" * 16),))
    assert current.keys == keys_for_join(current, None, role, 4)


@given(
    newest=st.sets(st.integers(1, MAX_KEY_ID), max_size=2),
    older=st.sets(st.integers(1, MAX_KEY_ID), max_size=40),
    chance=st.integers(0, 2**16 - 1),
    lost=st.integers(0, LOST_GENERATIONS),
    count=st.integers(1, 2),
)
def test_k06_key_ids_after_a_loss_are_none_that_the_lost_registrar_can_have_chosen(
    newest: set[int], older: set[int], chance: int, lost: int, count: int
) -> None:
    """RFC 9031 §8.4.3.1: it went upwards from the newest we know, one generation after another."""
    chosen = choose_key_ids_apart(count, newest, newest | older, chance)
    assert len(set(chosen)) == count
    assert not set(chosen) & (newest | older)
    highest = max(newest, default=0)
    successors = {(highest + step) % MAX_KEY_ID + 1 for step in range(lost)}
    if len(older) < 10:
        assert not set(chosen) & successors


def test_k06_a_second_recovery_from_one_backup_has_other_key_ids_as_a_rule() -> None:
    """Nodes may still have the keys of the first one under theirs."""
    chosen = {choose_key_ids_apart(1, {7}, {7}, chance) for chance in range(1000)}
    assert len(chosen) > 100


def test_key_ids_after_a_loss_are_those_that_all_devices_take() -> None:
    """Where these are few, known ones come back last, and the newest never."""
    assert {(2,)} == {choose_key_ids_apart(1, {1}, {1, 2}, n, {1, 2}) for n in range(300)}
    with pytest.raises(OperatorError, match="1 new key ids are needed, and 0 of 1"):
        choose_key_ids_apart(1, {1}, {1}, 0, {1})
