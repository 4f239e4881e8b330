"""What this host remembers of its database, and which databases it refuses for it."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import ExitCode, OperatorError
from jrc.service.event_chain import GENESIS_HASH
from jrc.store.instancefile import Memory, check, judge, read, write
from jrc.store.ledger import Condition, Instance

INSTANCE = Instance(
    epoch=bytes(range(16)),
    created_at_ms=1,
    commit_number=41,
    event_number=0,
    event_hash=GENESIS_HASH,
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
    assert Memory(INSTANCE.epoch, 41) == read(path)
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
    why, expected = judge(path, old)
    assert why is not None
    assert Memory(INSTANCE.epoch, 41) == expected
    write(path, old, expected)
    assert (None, expected) == judge(path, old)
    assert (None, None) == judge(path, INSTANCE)
    assert judge(path, INSTANCE._replace(commit_number=40)) == (
        judge(path, INSTANCE._replace(commit_number=40)).why,
        expected,
    )
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
    why, _ = judge(path, INSTANCE._replace(commit_number=found))
    numbers = [remembered] if same else []
    numbers += [memory.commit_number] if memory is not None and memory.epoch == ours else []
    assert (why is None) == any(found >= number for number in numbers)


def test_a_file_that_may_not_be_read_refuses_and_quarantines_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is there: whoever may read it knows."""

    def refuse(_path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(OperatorError, match="Permission denied"):
        judge(path, INSTANCE)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"epoch": "00"}',
        b'{"epoch": "zz", "commit_number": 1}', b'{"epoch": 5, "commit_number": 1}',
        b'{"epoch": "00", "commit_number": "x"}', b'{"epoch": "00", "commit_number": null}',
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
