"""Restores: all or nothing, quarantined, and a final backup goes on once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Secret
from jrc.service.update import NUMBERS
from jrc.store import instancefile
from jrc.store.backup import container, placing
from jrc.store.backup.keys import opener
from jrc.store.database import Database
from jrc.store.lock import LockHeldError, StateLock
from jrc.store.schema import metadata
from tests.desk import KEK, Desk
from tests.joining import Hall
from tests.store.backups import Backup, made
from tests.store.test_numbers import block

LOCKS = {"jrc.db.lock", "jrc.instance.lock"}

PATIENCE_S = 120
DAY_MS = 24 * 3600 * 1000


@contextmanager
def database(folder: Path) -> Iterator[Database]:
    """What was restored there."""
    with closing(Database.open(f"sqlite:///{folder / 'jrc.db'}", KEK)) as opened:
        yield opened


def rows_of(opened: Database, name: str) -> list[tuple[object, ...]]:
    """A table, past the program."""
    with opened.writer.connection.begin():
        return sorted(map(tuple, opened.writer.connection.exec_driver_sql(f"SELECT * FROM {name}")))


def test_every_row_is_back_but_for_who_it_is(hall: Hall, tmp_path: Path) -> None:
    """Instance and audit log say that it was restored; all else is equal."""
    for number in range(1, 5):
        hall.join(hall.enroll(number))
    backup = made(hall.desk, tmp_path / "b")
    backup.restored(tmp_path / "new")
    with database(tmp_path / "new") as new:
        for name in set(metadata.tables) - {"instance", "event"}:
            assert rows_of(hall.desk.database, name) == rows_of(new, name), name
        kinds = [row[2] for row in rows_of(new, "event")]
    assert ["database.restored", "database.quarantined"] == kinds[-2:]


def test_e08_a_restored_database_is_quarantined_and_another_one(lab: Desk, tmp_path: Path) -> None:
    """New epoch, one more incarnation, and why (RFC 9031 §8.3.3)."""
    backup = made(lab, tmp_path / "b")
    done = backup.restored(tmp_path / "new")
    before, after = lab.database.instance, done.instance
    assert (Condition.QUARANTINED, "restored from the backup of 2026-11-30 00:53:20 UTC") == (
        after.condition,
        after.condition_detail,
    )
    assert before.epoch != after.epoch
    assert before.incarnation + 1 == after.incarnation
    assert instancefile.judge(tmp_path / "new/jrc.instance", after).why is None
    with database(tmp_path / "new") as new:
        assert after == new.instance


def test_another_slot_key_restores_nothing(lab: Desk, tmp_path: Path) -> None:
    """Not even a file that is empty: what could not be opened is of no use."""
    backup = made(lab, tmp_path / "b")
    backup.keys = opener(Secret(bytes(32)))
    with pytest.raises(OperatorError, match="opens no slot"):
        backup.restored(tmp_path / "new")
    assert LOCKS == {file.name for file in (tmp_path / "new").iterdir()}


def test_a_database_in_the_way_is_left_alone(lab: Desk, tmp_path: Path) -> None:
    """Unless it may be moved aside, with all that belongs to it."""
    backup = made(lab, tmp_path / "b")
    first = backup.restored(tmp_path / "new")
    with pytest.raises(OperatorError, match="exists; nothing was changed") as refused:
        backup.restored(tmp_path / "new")
    assert ExitCode.REFUSED is refused.value.exit_code
    wal = tmp_path / "new/jrc.db-wal"
    wal.write_bytes(b"of the old one")
    second = backup.restored(tmp_path / "new", replaces=True)
    assert second.aside is not None
    assert not wal.exists()
    assert b"of the old one" == second.aside.with_name(second.aside.name + "-wal").read_bytes()
    memory = instancefile.read(tmp_path / "new/jrc.instance")
    assert (second.instance.epoch, first.instance.epoch) == (
        memory.epoch,
        memory.expected and memory.expected.epoch,
    )


def test_nothing_is_restored_under_a_daemon(lab: Desk, tmp_path: Path) -> None:
    """Whoever has the lock keeps it."""
    backup = made(lab, tmp_path / "b")
    (tmp_path / "new").mkdir()
    with StateLock(tmp_path / "new/jrc.db"), pytest.raises(LockHeldError):
        backup.restored(tmp_path / "new")


@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ("jrc.store.backup.restore.create_private_file", LOCKS),
        ("jrc.store.backup.placing.sync", set()),
        ("jrc.store.backup.placing.settle", LOCKS),
        ("os.rename", LOCKS | {"jrc.instance"}),
    ],
)
def test_a_full_disk_leaves_nothing(
    lab: Desk, tmp_path: Path, failing: str, left: set[str]
) -> None:
    """Wherever it fails; an instance file without a database is no harm."""
    backup = made(lab, tmp_path / "b")
    full = OSError(28, "No space left on device")
    with patch(failing, side_effect=full), pytest.raises(OperatorError, match="No space left"):
        backup.restored(tmp_path / "new")
    assert left == {file.name for file in (tmp_path / "new").iterdir()}


STEPS_THAT_FAIL = (
    "shutil.copy2",
    "jrc.store.backup.placing._fold_log",
    "jrc.store.instancefile.write",
    "os.rename",
)


@pytest.mark.parametrize("failing", STEPS_THAT_FAIL)
@pytest.mark.parametrize("is_final", [False, True])
def test_what_fails_leaves_the_old_database_and_a_final_backup_as_they_were(
    lab: Desk, tmp_path: Path, failing: str, is_final: bool
) -> None:
    """The host takes the old one for its own, log and all; the same command does it later."""
    first = made(lab, tmp_path / "a").restored(tmp_path / "new").instance
    backup = made(lab, tmp_path / "b", is_final=is_final)
    log = tmp_path / "new/jrc.db-wal"
    log.write_bytes(b"of the old one")
    rename = os.rename

    def full(*given: object, **_: object) -> None:
        if failing != "os.rename" or Path(str(given[1])).name == "jrc.db":
            raise OSError(28, "No space left on device")
        rename(*map(str, given))

    with (
        patch(failing, side_effect=full),
        pytest.raises((OperatorError, OSError), match="No space"),
    ):
        backup.restored(tmp_path / "new", replaces=True)
    assert b"of the old one" == log.read_bytes()
    with database(tmp_path / "new") as old:
        assert first.epoch == old.instance.epoch
        assert instancefile.judge(tmp_path / "new/jrc.instance", old.instance).why is None
    assert is_final == backup.restored(tmp_path / "new", replaces=True).is_open


@pytest.mark.parametrize("hindrance", ["missing", "in_place", "beside"])
def test_an_instance_file_that_cannot_be_written_costs_no_final_backup(
    lab: Desk, tmp_path: Path, hindrance: str
) -> None:
    """It is tried before anything else is done."""
    backup = final(lab, tmp_path)
    folder = tmp_path / "new/instance"
    for blocked in {"in_place": ("jrc.instance",), "beside": ("jrc.instance.new",)}.get(
        hindrance, ()
    ):
        (folder / blocked).mkdir(parents=True)
    with pytest.raises(OperatorError, match=r"instance\.file: .* can't be written"):
        backup.restored(tmp_path / "new", instance_file=folder / "jrc.instance")
    assert not (tmp_path / "new/jrc.db").exists()
    assert backup.restored(tmp_path / "elsewhere").is_open


# The final backup


def final(desk: Desk, tmp_path: Path) -> Backup:
    """One of a desk that is moved by it."""
    return made(desk, tmp_path / "final", is_final=True)


def test_a_final_backup_goes_on_where_it_was(hall: Hall, tmp_path: Path) -> None:
    """Open, under a new epoch; nothing was lost, so nothing is made new."""
    hall.join(hall.enroll(1))
    backup = final(hall.desk, tmp_path)
    done = backup.restored(tmp_path / "new")
    before, after = hall.desk.database.instance, done.instance
    assert (Condition.OPEN, "", before.incarnation) == (
        after.condition,
        after.condition_detail,
        after.incarnation,
    )
    assert before.epoch != after.epoch
    with database(tmp_path / "new") as new:
        assert rows_of(hall.desk.database, "context_state") == rows_of(new, "context_state")


def test_a_final_backup_goes_on_once(lab: Desk, tmp_path: Path) -> None:
    """The file says that it did, and so does the host; a copy of the file elsewhere can't know."""
    backup = final(lab, tmp_path)
    copy = Backup(tmp_path / "copy", backup.identity, backup.now_ms)
    copy.path.write_bytes(backup.path.read_bytes())
    assert backup.restored(tmp_path / "new").is_open
    assert not backup.restored(tmp_path / "elsewhere").is_open
    again = copy.restored(tmp_path / "new", replaces=True)
    assert "restored before" in again.instance.condition_detail


def test_of_two_restores_of_a_final_backup_at_a_time_one_goes_on(
    lab: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that marks the file; the other has read it as unused, and makes no database."""
    backup = final(lab, tmp_path)
    settle = placing.settle

    def overtaken(building: Path) -> None:
        settle(building)
        container.mark_spent(backup.path, bytes(16))

    monkeypatch.setattr(placing, "settle", overtaken)
    with pytest.raises(OperatorError, match="restored elsewhere"):
        backup.restored(tmp_path / "new")
    assert [] == list((tmp_path / "new").glob("jrc.db[!.]*")) == list(tmp_path.glob("new/jrc.db"))
    assert [] == list((tmp_path / "new").glob("*.moving-*"))


def test_another_final_backup_of_the_same_moved_database_counts_as_the_same(
    lab: Desk, tmp_path: Path
) -> None:
    """It can be made again where the first was lost, and only one of them goes on here."""
    first = final(lab, tmp_path)
    second = made(lab, tmp_path / "second", is_final=True)
    assert first.restored(tmp_path / "new").is_open
    assert not second.restored(tmp_path / "new", replaces=True).is_open


@pytest.mark.parametrize(
    ("later_ms", "says"),
    [
        (DAY_MS + 1, "ended more than a day ago"),
        (-6 * 60 * 1000, "a time that this host's clock has not reached"),
    ],
)
def test_a_final_backup_of_another_day_is_an_ordinary_one(
    lab: Desk, tmp_path: Path, later_ms: int, says: str
) -> None:
    """It has most likely been used, or given up; so has one that nobody can date."""
    backup = final(lab, tmp_path)
    backup.now_ms += later_ms
    done = backup.restored(tmp_path / "new")
    assert (False, True) == (done.is_open, says in done.instance.condition_detail)


def test_a_final_backup_that_cannot_be_marked_is_not_restored_as_one(
    lab: Desk, tmp_path: Path
) -> None:
    """A read-only medium could be restored again and again; as an ordinary one it may be."""
    backup = final(lab, tmp_path)
    gone = tmp_path / "gone"
    with pytest.raises(OperatorError, match="can't be marked"):
        backup.restored(tmp_path / "new", path=gone)
    assert not (tmp_path / "new/jrc.db").exists()
    assert not backup.restored(tmp_path / "new", path=gone, as_ordinary=True).is_open


def test_a_backup_that_is_not_final_of_a_moved_database_is_an_ordinary_one(
    lab: Desk, tmp_path: Path
) -> None:
    """Whoever asked for no final one has not moved."""
    final(lab, tmp_path)
    assert not made(lab, tmp_path / "b").restored(tmp_path / "new").is_open


def test_b04_sender_numbers_go_on_above_those_reserved(hall: Hall, tmp_path: Path) -> None:
    """The rest of a block that the old host had taken is thrown away (RFC 9031 §7.3.1)."""
    hall.join(hall.enroll(1))
    taken = block(hall.desk.database, hall.desk.now_ms)
    backup = final(hall.desk, tmp_path)
    backup.restored(tmp_path / "new")
    with database(tmp_path / "new") as new:
        again = block(new, backup.now_ms)
    assert taken.first + NUMBERS <= again.first


@pytest.mark.parametrize("is_final", [False, True])
def test_a_kill_at_any_moment_leaves_none_or_the_whole_one(
    lab: Desk, tmp_path: Path, is_final: bool
) -> None:
    """The old database is there or the new one, and a final backup goes on then, once."""
    ordinary = made(lab, tmp_path / "a")
    (tmp_path / "a.key").write_bytes(ordinary.identity.reveal())
    backup = made(lab, tmp_path / "b", is_final=is_final)
    identity = backup.identity.reveal().decode()
    given = (str(tmp_path), identity, str(backup.now_ms), str(int(is_final)))
    command = (sys.executable, "-m", "tests.store.dying_restore", *given)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10, "the points were met"
