"""Keys at rest: wrapped for one place, opened with the right key, read anew when they change."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from jrc.errors import StateError
from jrc.model import Secret
from jrc.store.keyring import (
    Keyring,
    OpenedKeys,
    Purpose,
    WrappedDataKey,
    new_data_keys,
    open_data_keys,
    open_keyring,
)

KEK, OTHER = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
PLACE = ("context", 3, "wrapped_keys", 1)


@pytest.fixture(scope="module")
def keys() -> list[WrappedDataKey]:
    """The data keys of a database."""
    return new_data_keys(KEK)


@pytest.fixture(scope="module")
def ring(keys: list[WrappedDataKey]) -> Keyring:
    """They, opened."""
    return open_keyring(KEK, keys)


def wrapped(ring: Keyring, value: bytes = b"value") -> bytes:
    return ring.wrap(Purpose.CONTEXT, *PLACE, value)


def test_what_was_wrapped_opens_in_its_place(ring: Keyring) -> None:
    """Twice the same value gives two ciphertexts, neither of which holds it."""
    first, second = wrapped(ring), wrapped(ring)
    assert b"value" == ring.unwrap(*PLACE, first) == ring.unwrap(*PLACE, second)
    assert first != second
    assert b"value" not in first


@pytest.mark.parametrize(
    "place",
    [
        ("pledge", *PLACE[1:]), ("context", 4, *PLACE[2:]), ("context", 3, "other", 1),
        (*PLACE[:3], 2),
    ],
)  # fmt: skip
def test_a_value_moved_elsewhere_does_not_open(
    ring: Keyring, place: tuple[str, int, str, int]
) -> None:
    """Table, row, column and version are bound to it."""
    with pytest.raises(StateError, match="does not authenticate"):
        ring.unwrap(*place, wrapped(ring))


def test_many_rows_are_wrapped_as_each_of_them_alone(ring: Keyring) -> None:
    """Each opens in its own row and in no other, under a nonce of its own."""
    table, _, column, version = PLACE
    values = [b"%d" % number for number in range(20)]
    rows = range(100, 120)
    found = ring.wrap_rows(Purpose.CONTEXT, table, column, version, rows, values)
    opened = [
        ring.unwrap(table, row, column, version, one) for row, one in zip(rows, found, strict=True)
    ]
    assert values == opened
    assert len({one[5:17] for one in found}) == len(found)
    with pytest.raises(StateError):
        ring.unwrap(table, 100, column, version, found[1])


def test_each_flipped_bit_is_noticed(ring: Keyring) -> None:
    """Also in the format and the number of the data key, and a value cut short."""
    value = wrapped(ring)
    for at in range(len(value)):
        changed = value[:at] + bytes((value[at] ^ 1,)) + value[at + 1 :]
        with pytest.raises(StateError):
            ring.unwrap(*PLACE, changed)
    for size in (0, 4, 17, 20):
        with pytest.raises(StateError):
            ring.unwrap(*PLACE, value[:size])


def test_purposes_have_keys_of_their_own(ring: Keyring, keys: list[WrappedDataKey]) -> None:
    """One that leaks touches one kind of data."""
    assert len(Purpose) == len({key.purpose for key in keys}) == len({key.wrapped for key in keys})
    assert wrapped(ring)[1:5] != ring.wrap(Purpose.CREDENTIAL, *PLACE, b"value")[1:5]


def test_the_newest_key_wraps_and_older_ones_open(
    keys: list[WrappedDataKey], ring: Keyring
) -> None:
    """So that data keys can be changed."""
    both = open_keyring(KEK, [*keys, *new_data_keys(KEK, first_id=10)])
    assert b"value" == both.unwrap(*PLACE, wrapped(ring))
    number = 10 + list(Purpose).index(Purpose.CONTEXT)
    assert number == int.from_bytes(wrapped(both)[1:5])


def test_fingerprints_tell_equal_keys_and_nothing_else(ring: Keyring) -> None:
    """Without the data key they say nothing."""
    assert ring.fingerprint(b"a" * 16) == ring.fingerprint(b"a" * 16)
    assert ring.fingerprint(b"a" * 16) != ring.fingerprint(b"b" * 16)
    other = open_keyring(KEK, new_data_keys(KEK))
    assert ring.fingerprint(b"a" * 16) != other.fingerprint(b"a" * 16)
    assert 16 == len(ring.fingerprint(b"a"))


def test_data_keys_under_another_key_encryption_key_are_not_opened(
    keys: list[WrappedDataKey],
) -> None:
    """A slot and the data keys are of two databases."""
    with pytest.raises(StateError, match="does not authenticate"):
        open_keyring(OTHER, keys)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: replace(key, wrapped=key.wrapped[:-1] + bytes((key.wrapped[-1] ^ 1,))),
        lambda key: replace(key, id=77),
        lambda key: replace(key, purpose=Purpose.FINGERPRINT),
    ],
)
def test_a_damaged_data_key_is_not_opened(
    keys: list[WrappedDataKey], change: Callable[[WrappedDataKey], WrappedDataKey]
) -> None:
    """Number and purpose are bound to it."""
    with pytest.raises(StateError, match="does not authenticate"):
        open_keyring(KEK, [change(keys[0]), *keys[1:]])


def test_a_missing_purpose_is_named(keys: list[WrappedDataKey]) -> None:
    """A row was deleted."""
    with pytest.raises(StateError, match="row_mac"):
        open_keyring(KEK, [key for key in keys if key.purpose is not Purpose.ROW_MAC])


# When keys change


class Newer:
    """The data keys of the database, which are others by now; ``reads`` counts who looked."""

    def __init__(self, keys: list[WrappedDataKey]) -> None:
        self.keys = keys
        self.reads = 0

    def __call__(self, known: frozenset[int]) -> OpenedKeys | None:
        self.reads += 1
        ids = {key.id for key in self.keys}
        return None if ids == known else open_data_keys(KEK, self.keys)


@pytest.fixture
def behind(keys: list[WrappedDataKey]) -> tuple[Keyring, Keyring, Newer]:
    """A keyring, one of a process that has changed the data keys, and how the first looks again."""
    newer = Newer([*keys, *new_data_keys(KEK, first_id=10)])
    ring = open_keyring(KEK, keys)
    ring.read_again = newer
    return ring, open_keyring(KEK, newer.keys), newer


def test_a_value_under_a_key_of_another_process_opens_at_once(
    behind: tuple[Keyring, Keyring, Newer],
) -> None:
    """Several registrars share a database."""
    ring, other, newer = behind
    assert b"value" == ring.unwrap(*PLACE, wrapped(other))
    assert (1, other.ids) == (newer.reads, ring.ids)
    assert wrapped(ring)[1:5] == wrapped(other)[1:5]


def test_a_row_sealed_by_another_process_fits_at_once(
    behind: tuple[Keyring, Keyring, Newer],
) -> None:
    """Rows do not say which key sealed them; those sealed before fit all along."""
    ring, other, newer = behind
    before = ring.mac.compute("thing", (1, 2))
    assert ring.mac.fits("thing", (1, 2), other.mac.compute("thing", (1, 2)))
    assert 1 == newer.reads
    assert ring.mac.compute("thing", (1, 2)) == other.mac.compute("thing", (1, 2)) != before
    assert ring.mac.fits("thing", (1, 2), before)
    assert not ring.mac.fits("thing", (1, 3), before)


def test_damaged_rows_do_not_make_the_keys_be_read_each_time(
    behind: tuple[Keyring, Keyring, Newer],
) -> None:
    """Whoever asks for such a pledge must not cost more than others."""
    ring, _, newer = behind
    newer.keys = [key for key in newer.keys if key.id < 10]
    for _ in range(20):
        assert not ring.mac.fits("thing", (1, 2), bytes(16))
        with pytest.raises(StateError, match="unknown data key"):
            ring.unwrap(*PLACE, bytes([1]) + bytes(3) + bytes([99]) + bytes(40))
    assert 1 == newer.reads


def test_the_row_that_all_hangs_on_is_tried_under_keys_that_are_read_at_once(
    behind: tuple[Keyring, Keyring, Newer],
) -> None:
    """A damaged row that was asked for a moment ago must not make the whole database look so."""
    ring, other, newer = behind
    changed, newer.keys = newer.keys, [key for key in newer.keys if key.id < 10]
    assert not ring.mac.fits("thing", (1, 2), bytes(16))
    newer.keys = changed
    mac = other.mac.compute("instance", (1, 2))
    assert not ring.mac.fits("instance", (1, 2), mac)
    assert ring.mac.fits("instance", (1, 2), mac, at_once=True)


def test_threads_that_meet_new_keys_at_one_time_all_have_them(
    behind: tuple[Keyring, Keyring, Newer],
) -> None:
    """One of them reads the keys; the others wait for it and do not say that a row is damaged."""
    ring, other, newer = behind
    met, value = threading.Barrier(4), wrapped(other)

    def slowly(known: frozenset[int]) -> OpenedKeys | None:
        met.wait(5)  # until the others are on their way to the lock
        return newer(known)

    def read(number: int) -> bool:
        if number:
            met.wait(5)
        fits = ring.mac.fits("thing", (1, 2), other.mac.compute("thing", (1, 2)))
        return fits and b"value" == ring.unwrap(*PLACE, value)

    ring.read_again = slowly
    with ThreadPoolExecutor(4) as threads:
        assert [True] * 4 == list(threads.map(read, range(4)))
    assert 1 == newer.reads


def test_a_row_sealed_with_a_deleted_key_does_not_fit(keys: list[WrappedDataKey]) -> None:
    """Whoever has the old key can't make rows any more."""
    fresh = new_data_keys(KEK, first_id=10)
    ring = open_keyring(KEK, [*keys, *fresh])
    old = open_keyring(KEK, keys).mac.compute("thing", (1,))
    assert ring.mac.fits("thing", (1,), old)
    ring.take(open_data_keys(KEK, fresh))
    assert not ring.mac.fits("thing", (1,), old)
