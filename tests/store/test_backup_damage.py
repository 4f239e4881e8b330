"""A backup that is not as it was written is refused, and nothing is made of it."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import Ignored, read_content
from jrc.store.backup.examine import Examined
from jrc.store.backup.seal import new_identity
from tests.desk import Desk
from tests.store.backups import Backup, bytes_of, made

LOCKS = {"jrc.db.lock", "jrc.instance.lock"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A network and pledges enough for several frames and pieces of 64 KiB."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.network()
    for number in range(1, 120):
        desk.pledge(number)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def backup(desk: Desk) -> tuple[bytes, Secret]:
    """A good one, with a passphrase."""
    raw, identity = bytes_of(desk)
    return raw, identity


def read_all(raw: bytes, identity: Secret) -> None:
    file = io.BytesIO(raw)
    read_content(file, read_header(file, "b"), [identity], Ignored(), "b")


def refused(raw: bytes, identity: Secret) -> None:
    """Assert that it is read to no end."""
    with pytest.raises(OperatorError) as error:
        read_all(raw, identity)
    assert error.value.message.startswith("b ")
    assert error.value.hint


@settings(max_examples=300)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_noticed(
    backup: tuple[bytes, Secret], data: st.DataObject
) -> None:
    """Whatever it hits: header, recipients, content, or the authentication of either."""
    raw, identity = backup
    at = data.draw(st.integers(0, len(raw) - 1) | st.integers(0, 400))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(raw)
    changed[at] ^= 1 << bit
    refused(bytes(changed), identity)


@settings(max_examples=100)
@given(data=st.data())
def test_a_backup_that_is_cut_off_is_noticed(
    backup: tuple[bytes, Secret], data: st.DataObject
) -> None:
    """At any byte: between two pieces of the seal as well, where each authenticates."""
    raw, identity = backup
    refused(raw[: data.draw(st.integers(0, len(raw) - 1))], identity)


@settings(max_examples=50)
@given(more=st.binary(min_size=1, max_size=100))
def test_bytes_after_the_end_are_noticed(backup: tuple[bytes, Secret], more: bytes) -> None:
    """A file that was appended to is another one."""
    raw, identity = backup
    refused(raw + more, identity)


def test_a_header_of_another_backup_is_noticed(backup: tuple[bytes, Secret]) -> None:
    """The content names its header: else a passphrase could be put over another's content."""
    raw, identity = backup
    header = Header(b"-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n")
    refused(header.encoded() + raw[len(Header().encoded()) :], identity)


def test_a_damaged_backup_leaves_no_database(desk: Desk, tmp_path: Path) -> None:
    """It is read to its end before anything is made; one that changes after that is noticed too."""
    backup = made(desk, tmp_path / "b")
    found = backup.examined()
    raw = bytearray(backup.path.read_bytes())
    raw[-100] ^= 1
    backup.path.write_bytes(raw)
    folder = tmp_path / "new"
    with pytest.raises(OperatorError, match="damaged"):
        backup.restored(folder)
    with pytest.raises(OperatorError, match="damaged"):
        _Stale(backup, found).restored(folder)
    assert LOCKS == {file.name for file in folder.iterdir()}


def test_another_backup_that_takes_its_place_is_noticed(desk: Desk, tmp_path: Path) -> None:
    """A good one too: what was looked at, and agreed to, is what is restored."""
    keys = new_identity()
    first, second = (bytes_of(desk, keys=keys)[0] for _ in range(2))
    backup = Backup(tmp_path / "b", keys[0])
    backup.path.write_bytes(first)
    stale = _Stale(backup, backup.examined())
    backup.path.write_bytes(second)
    with pytest.raises(OperatorError, match="changed while it was read"):
        stale.restored(tmp_path / "new")
    assert LOCKS == {file.name for file in (tmp_path / "new").iterdir()}


class _Stale(Backup):
    """A backup that was looked through before it changed."""

    def __init__(self, backup: Backup, found: Examined) -> None:
        super().__init__(backup.path, backup.identity)
        self._found = found

    def examined(self) -> Examined:
        return self._found
