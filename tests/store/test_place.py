"""The database file at its path, while it is in use."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from jrc.errors import Cause, StoreError
from jrc.service.registry import Registry
from jrc.store.place import FilePlace
from tests.desk import NOW_MS, ON_FILE, Desk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a log beside it."""
    for name in ("jrc.db", "jrc.db-wal"):
        (tmp_path / name).write_bytes(b"content")
    return tmp_path / "jrc.db"


def cause(place: FilePlace) -> tuple[Cause, str]:
    with pytest.raises(StoreError) as caught:
        place.check()
    return caught.value.cause, caught.value.message


def test_a_file_that_stays_is_fine_whatever_is_written_into_it(path: Path) -> None:
    """When it was written shows whether SQLite has checkpointed."""
    place = FilePlace(path)
    before = place.check()
    place.check_log()
    path.write_bytes(b"more")
    os.utime(path, ns=(before + 1, before + 1))
    assert before + 1 == place.check()
    place.check_log()


def test_a_file_that_was_removed_moved_or_replaced_is_said(path: Path) -> None:
    """By what happened to it; it is no fault of the disk."""
    place = FilePlace(path)
    kept = path.rename(path.with_name("kept"))
    assert Cause.REPLACED is cause(place)[0]
    assert "was removed or moved" in cause(place)[1]
    shutil.copy(kept, path)
    assert "another file was put in the place of" in cause(place)[1]
    os.replace(kept, path)
    place.check()


def test_a_log_that_was_removed_or_replaced_is_said(path: Path) -> None:
    """What is committed then is in a file without a name."""
    log = path.with_name("jrc.db-wal")
    place = FilePlace(path)
    place.check_log()
    log.rename(path.with_name("kept"))
    with pytest.raises(StoreError, match=r"jrc\.db-wal was removed or moved"):
        place.check_log()
    log.write_bytes(b"")
    with pytest.raises(StoreError, match=r"in the place of .*jrc\.db-wal"):
        place.check_log()


def test_a_path_that_can_not_be_looked_at_is_no_file_that_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be over by itself."""
    place = FilePlace(path)

    def fail(_path: str) -> os.stat_result:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("jrc.store.place.os.stat", fail)
    assert Cause.IO_ERROR is cause(place)[0]


@ON_FILE
def test_b03_nothing_is_acknowledged_that_is_not_in_the_file_a_next_start_finds(
    tmp_path: Path,
) -> None:
    """RFC 9031 §7.3.1: also what was being written as it was moved."""
    desk = Desk(tmp_path)
    desk.write(lambda tx: tx.policy_changed())

    def work(tx: Registry) -> None:
        tx.policy_changed()
        desk.path.rename(tmp_path / "moved")

    with pytest.raises(StoreError, match="was removed or moved"):
        desk.write(work)
    for attempt in (_write, _read, _join):
        with pytest.raises(StoreError, match="was removed or moved") as caught:
            attempt(desk)
        assert Cause.REPLACED is caught.value.cause
    desk.close()


def _write(desk: Desk) -> None:
    desk.write(lambda tx: None)


def _read(desk: Desk) -> None:
    desk.read(lambda tx: None)


def _join(desk: Desk) -> None:
    desk.database.join(lambda joins: None, NOW_MS)
