"""What this host remembers of its database, and which databases it refuses for it."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import ExitCode, OperatorError
from jrc.service.event_chain import GENESIS_HASH, Place
from jrc.store import instancefile
from jrc.store.instancefile import Judgement, Memory, check, judge, read, write
from jrc.store.ledger import Condition, Instance
from jrc.store.on_disk import Reached
from tests.at_home import keeps_births, wait_for_another_birth

HASH, OTHER = bytes([1] * 32), bytes([2] * 32)
INSTANCE = Instance(
    epoch=bytes(range(16)),
    created_at_ms=1,
    commit_number=41,
    event_number=3,
    event_hash=HASH,
    policy_revision=0,
    clock_high_water_ms=5,
    condition=Condition.OPEN.value,
    condition_since_ms=1,
    condition_detail="",
    incarnation=0,
    event_floor=0,
    event_floor_hash=GENESIS_HASH,
    server=None,
    version=1,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that remembers ``INSTANCE``."""
    write(tmp_path / "jrc.instance", INSTANCE)
    return tmp_path / "jrc.instance"


def refusal(path: Path, instance: Instance = INSTANCE) -> str:
    with pytest.raises(OperatorError) as caught:
        check(path, instance)
    assert ExitCode.REFUSED == caught.value.exit_code
    assert "`jrc recover`" in caught.value.hint
    assert judge(path, instance).why == caught.value.message
    return caught.value.message


def test_what_is_written_is_read(path: Path) -> None:
    """Private; nothing else is left in the folder."""
    assert Memory(INSTANCE.epoch, 41, None, Place(3, HASH)) == read(path)
    write(path, INSTANCE, Memory(bytes(16), 7), Reached(bytes(16), 40))
    expected = Memory(bytes(16), 7)
    assert Memory(INSTANCE.epoch, 41, expected, Place(3, HASH), Reached(bytes(16), 40)) == read(
        path
    )
    assert (0o600, [path]) == (stat.S_IMODE(path.stat().st_mode), list(path.parent.iterdir()))


def test_the_same_or_a_newer_database_is_taken(path: Path) -> None:
    """The file may be a second behind."""
    check(path, INSTANCE)
    check(path, INSTANCE._replace(commit_number=42))


def test_an_older_copy_is_refused_with_both_numbers(path: Path) -> None:
    """RFC 9031 §8.3.3: it would let old requests in again under the same nonces."""
    message = refusal(path, INSTANCE._replace(commit_number=40))
    assert "40 transactions" in message
    assert "41" in message


def test_another_database_is_refused_with_both_epochs(path: Path) -> None:
    """Whatever its commit number."""
    other = INSTANCE._replace(epoch=bytes(16), commit_number=99)
    message = refusal(path, other)
    assert INSTANCE.epoch.hex() in message
    assert bytes(16).hex() in message


def test_a_missing_file_is_refused(path: Path) -> None:
    """Nothing tells then."""
    path.unlink()
    assert "missing" in refusal(path)


def test_n14_the_database_that_was_expected_is_still_taken_if_it_is_put_back(path: Path) -> None:
    """Beside a quarantined one, from which nothing was said; and only until that is in use."""
    old = INSTANCE._replace(epoch=bytes(16), commit_number=7)
    why, expected, _ = judge(path, old)
    assert why is not None
    assert Memory(INSTANCE.epoch, 41, None, Place(3, HASH)) == expected
    write(path, old, expected)
    assert Judgement(None, expected) == judge(path, old)
    assert Judgement(None, None) == judge(path, INSTANCE)
    assert expected == judge(path, INSTANCE._replace(commit_number=40)).expected
    write(path, old)
    assert "epoch" in refusal(path)


@given(
    remembered=st.integers(0, 9),
    found=st.integers(0, 9),
    same=st.booleans(),
    expected=st.none() | st.tuples(st.booleans(), st.integers(0, 9)),
)
def test_n14_no_database_is_taken_that_is_behind_what_is_remembered_of_its_epoch(
    tmp_path_factory: pytest.TempPathFactory,
    remembered: int,
    found: int,
    same: bool,
    expected: tuple[bool, int] | None,
) -> None:
    """Whichever of the two memories has its epoch."""
    path = tmp_path_factory.getbasetemp() / "judged.instance"
    ours, other = INSTANCE.epoch, bytes(16)
    memory = None if expected is None else Memory(ours if expected[0] else other, expected[1])
    written = INSTANCE._replace(epoch=ours if same else other, commit_number=remembered)
    write(path, written, memory)
    why = judge(path, INSTANCE._replace(commit_number=found)).why
    numbers = [remembered] if same else []
    numbers += [memory.commit_number] if memory is not None and memory.epoch == ours else []
    assert (why is None) == any(found >= number for number in numbers)


LATER = INSTANCE._replace(commit_number=50, event_number=9, event_hash=OTHER)


@pytest.mark.parametrize(
    ("found", "stored", "is_old"),
    [
        (LATER, HASH, False),
        (LATER, OTHER, True),
        (LATER, None, True),
        (INSTANCE._replace(commit_number=50), None, False),
        (INSTANCE._replace(commit_number=50, event_hash=OTHER), HASH, True),
        (INSTANCE._replace(commit_number=50, event_number=2), None, True),
        (LATER._replace(event_floor=3, event_floor_hash=HASH), None, False),
        (LATER._replace(event_floor=3, event_floor_hash=OTHER), None, True),
        (LATER._replace(event_floor=4, event_floor_hash=OTHER), None, False),
    ],
)
def test_n14_a_copy_that_was_worked_on_since_is_told_by_its_audit_log(
    path: Path, found: Instance, stored: bytes | None, is_old: bool
) -> None:
    """It has as many transactions again; what retention has removed proves nothing."""
    asked: list[int] = []

    def hash_of(number: int) -> bytes | None:
        asked.append(number)
        return stored

    why = judge(path, found, hash_of).why
    assert is_old == (why is not None)
    assert set(asked) <= {3}
    if why is not None:
        assert "its audit log lacks event 3" in why


def test_what_an_older_release_wrote_is_read(path: Path) -> None:
    """Neither the audit log nor the file without its log was in it."""
    path.write_text(f'{{"epoch": "{INSTANCE.epoch.hex()}", "commit_number": 41}}')
    assert Memory(INSTANCE.epoch, 41) == read(path)
    check(path, LATER, lambda _number: None)
    assert read(path).admits_file(Reached(b"", -1))


@pytest.mark.parametrize(
    ("epoch", "number", "admitted"),
    [
        (bytes(16), 40, True),
        (bytes(16), 41, True),
        (INSTANCE.epoch, 41, True),
        (bytes(16), 39, False),
        (INSTANCE.epoch, 39, False),
        (b"another", 99, False),
        (b"", -1, False),
    ],
)
def test_a_file_without_its_log_may_be_newer_and_never_older(
    path: Path, epoch: bytes, number: int, admitted: bool
) -> None:
    """It was checkpointed again since it was looked at."""
    write(path, INSTANCE, None, Reached(bytes(16), 40))
    assert admitted == read(path).admits_file(Reached(epoch, number))


def test_a_file_that_may_not_be_read_refuses_and_quarantines_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is there: whoever may read it knows."""

    def refuse(_path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OperatorError, match="Permission denied"):
        judge(path, INSTANCE)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"epoch": "00"}',
        b'{"epoch": "zz", "commit_number": 1}', b'{"epoch": 5, "commit_number": 1}',
        b'{"epoch": "00", "commit_number": "x"}', b'{"epoch": "00", "commit_number": null}',
        b'{"epoch": "00", "commit_number": 1, "event": 3}',
        b'{"epoch": "00", "commit_number": 1, "event": {"number": "x", "hash": ""}}',
        b'{"epoch": "00", "commit_number": 1, "file": []}',
        b'{"epoch": "00", "commit_number": 1, "expected": 5}', b"[" * 100_000,
        b'{"epoch": "00", "commit_number": Infinity}', b'{"epoch": "00", "commit_number": NaN}',
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_read_is_refused(path: Path, content: bytes) -> None:
    """It is not taken for a good one."""
    path.write_bytes(content)
    assert "can't be read" in refusal(path)


@given(content=st.binary(max_size=64))
def test_any_bytes_are_a_memory_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Nothing else comes out."""
    path = tmp_path_factory.getbasetemp() / "any.instance"
    path.write_bytes(content)
    with pytest.raises(OperatorError):
        read(path)


def test_a_write_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is replaced whole, and synced before."""

    def fail(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OperatorError, match="No space left"):
        write(path, INSTANCE._replace(commit_number=99))
    assert 41 == read(path).commit_number


def test_file_and_folder_are_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure must not bring an older number back."""
    order: list[str] = []
    monkeypatch.setattr("os.fsync", lambda _file: order.append("sync"))

    real = os.replace

    def replacing(source: Path, target: Path) -> None:
        order.append("replace")
        real(source, target)

    monkeypatch.setattr("os.replace", replacing)
    write(path, INSTANCE)
    assert ["sync", "replace", "sync"] == order


# A copy of the file, with the database beside it


def copied(path: Path) -> None:
    """As `cp -a` and tools for backups do: times and rights are those of the original."""
    wait_for_another_birth(path.parent)
    path.rename(path.with_name("kept"))
    shutil.copy2(path.with_name("kept"), path)


needs_births = pytest.mark.skipif(
    not keeps_births(), reason="this file system does not say when a file was made"
)


@needs_births
def test_e08_a_copy_of_the_file_is_told_and_vouches_for_nothing(path: Path) -> None:
    """RFC 9031 §8.3.3: the whole folder may have been put back, and both are as old."""
    copied(path)
    found = judge(path, INSTANCE)
    assert (True, None) == (found.is_copied, found.expected)
    assert f"{path} is a copy" in (found.why or "")
    assert "`jrc db accept-copy`" in (found.why or "")
    with pytest.raises(OperatorError) as caught:
        check(path, INSTANCE)
    assert "`jrc db accept-copy`" in caught.value.hint
    older = judge(path, INSTANCE._replace(commit_number=40))
    assert (False, None) == (older.is_copied, older.expected)
    assert "40 transactions" in (older.why or "")


@needs_births
def test_e08_a_copy_that_was_written_over_the_newest_file_is_told(path: Path) -> None:
    """`cp -a old/. .` leaves the newest file's inode, and the older one's words in it."""
    old = path.read_bytes()
    wait_for_another_birth(path.parent)
    write(path, INSTANCE._replace(commit_number=50))
    path.write_bytes(old)
    assert judge(path, INSTANCE).is_copied


@needs_births
def test_e08_a_copy_that_expects_another_database_does_not_let_that_one_in(path: Path) -> None:
    """What it expects may be of an earlier moment as well."""
    old = INSTANCE._replace(epoch=bytes(16), commit_number=7)
    write(path, old, Memory(INSTANCE.epoch, 41))
    copied(path)
    assert judge(path, INSTANCE).is_copied


def test_a_file_that_was_given_another_name_is_no_copy(path: Path) -> None:
    """As by systemd, which moves the folders of a service; rights and owners may change, too."""
    folder = path.parent / "elsewhere"
    folder.mkdir()
    moved = path.rename(folder / "jrc.instance")
    moved.chmod(0o640)
    assert Judgement(None, None) == judge(moved, INSTANCE)


def test_beside_a_server_a_copy_is_taken(path: Path) -> None:
    """Another host gets one; the database does not go back with a host's files."""
    copied(path)
    assert judge(path, INSTANCE._replace(server="1/1/1/1")).why is None


@pytest.mark.parametrize("found", [None, "same"])
def test_where_nothing_tells_when_it_was_made_the_file_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    """A file system that does not keep it, in the writer's place or in the reader's."""
    if found is None:
        copied(path)
        monkeypatch.setattr(instancefile, "born_ns", lambda _file: None)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(instancefile, "born_ns", lambda _file: None)
            write(path, INSTANCE)
        copied(path)
    assert Judgement(None, None) == judge(path, INSTANCE)


def test_where_a_file_is_made_anew_by_its_name_nothing_is_told_by_that(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share whose server gives what takes a file's place that file's time, or a new one."""

    def named(file: int) -> int:
        return 1 if os.readlink(f"/proc/self/fd/{file}").endswith(".new") else 2

    monkeypatch.setattr(instancefile, "born_ns", named)
    write(path, INSTANCE)
    assert Judgement(None, None) == judge(path, INSTANCE)
    assert json.loads(path.read_bytes())["born_ns"] is None
