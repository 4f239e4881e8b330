"""Keys at rest: wrapped for one place, opened with the right key, read from a private file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jrc.errors import OperatorError, StateError
from jrc.model import Secret
from jrc.store.keyring import (
    Keyring,
    Purpose,
    WrappedDataKey,
    kek_id,
    new_data_keys,
    new_kek_text,
    open_keyring,
    read_kek,
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


def test_another_key_encryption_key_is_refused_by_name(keys: list[WrappedDataKey]) -> None:
    """The names say nothing about the keys."""
    with pytest.raises(OperatorError, match=r"keys\.kek_file") as caught:
        open_keyring(OTHER, keys)
    assert kek_id(KEK).hex() in caught.value.message
    assert kek_id(OTHER).hex() in caught.value.message
    assert OTHER.reveal().hex() not in caught.value.message


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


# The file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    path = tmp_path / "kek"
    path.write_text(new_kek_text(lambda count: bytes(range(count))))
    path.chmod(0o600)
    return path


def test_a_fresh_file_is_read(path: Path) -> None:
    """64 digits, with or without what editors add."""
    assert KEK == read_kek(path)
    path.write_text(f"  {KEK.reveal().hex().upper()}\r\n\n")
    assert KEK == read_kek(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    """With the command that mends it."""
    path.chmod(mode)
    with pytest.raises(OperatorError, match=f"mode {mode:04o}") as caught:
        read_kek(path)
    assert f"run: chmod 600 {path}" == caught.value.hint


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"xy" * 32, b"\xff" * 64])
def test_a_file_that_holds_something_else_is_refused(path: Path, content: bytes) -> None:
    """What it holds is not repeated."""
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="64 hex digits") as caught:
        read_kek(path, setting="keys.credential")
    assert caught.value.message.startswith("keys.credential: ")
    assert not content or content.decode("latin1") not in caught.value.message


def test_a_missing_file_is_named(path: Path) -> None:
    """And one below a file."""
    path.unlink()
    with pytest.raises(OperatorError, match="does not exist"):
        read_kek(path)
    path.touch()
    with pytest.raises(OperatorError, match="can't be read"):
        read_kek(path / "kek")
