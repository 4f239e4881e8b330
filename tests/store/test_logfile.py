"""An old database file under a newer log: noticed before SQLite lays the one over the other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition
from jrc.opened import Opened
from jrc.store import engine, instancefile
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.engine import CHECKPOINT_PAGES
from jrc.store.logfile import check_file, older_file, set_log_aside
from jrc.store.on_disk import Reached, reached_by_file, reached_with_log
from tests.at_home import at_home
from tests.desk import KEK, NOW_MS, ON_FILE, Desk, settings_at
from tests.service.fakes import GivenClock

pytestmark = ON_FILE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A database that is closed in order."""
    desk = Desk(tmp_path)
    desk.network()
    instancefile.write(tmp_path / "jrc.instance", desk.database.instance)
    desk.close()
    return settings_at(tmp_path, desk.url)


def opened(settings: Settings) -> Opened:
    return Opened.open(settings, GivenClock())


def life(settings: Settings) -> None:
    """A registrar that changes something and is stopped."""
    one = opened(settings)
    one.write(lambda tx: tx.policy_changed())
    one.close()


def crash(settings: Settings, to: Path) -> Settings:
    """The files of a registrar that was killed, a little after it has changed something."""
    to.mkdir()
    one = opened(settings)
    one.write(lambda tx: tx.policy_changed())
    one.remember()
    folder = settings.instance_file.parent
    for name in ("jrc.db", "jrc.db-wal", "jrc.instance"):
        shutil.copy(folder / name, to / name)
    at_home(to)
    one.close()
    return settings_at(to, f"sqlite:///{to / 'jrc.db'}")


def instance_in(settings: Settings) -> Reached:
    assert settings.database.file is not None
    found = reached_by_file(settings.database.file)
    assert found is not None
    return found


def test_e08_an_old_file_under_a_newer_log_is_quarantined_as_what_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: its instance row would be the newest, and its replay windows old."""
    old, newest = tmp_path / "monday.db", tmp_path / "newest.db"
    shutil.copy(tmp_path / "jrc.db", old)
    life(settings)
    other = crash(settings, tmp_path / "killed")
    folder = tmp_path / "killed"
    shutil.copy(folder / "jrc.db", newest)
    shutil.copy(old, folder / "jrc.db")
    was = instance_in(other)
    one = opened(other)
    assert Condition.QUARANTINED is one.condition
    assert f"it has {was.commit_number} transactions" in one.database_state.detail
    assert "jrc.db-wal.of-newer-1" in one.database_state.detail
    one.close()
    shutil.copy(newest, folder / "jrc.db")
    (folder / "jrc.db-wal.of-newer-1").rename(folder / "jrc.db-wal")
    one = opened(other)
    assert Condition.OPEN is one.condition, "the newest file with its log is whole again"
    one.close()


def test_e08_the_newest_file_put_back_without_its_log_stays_quarantined(
    settings: Settings, tmp_path: Path
) -> None:
    """What was committed last is in the log alone."""
    old = tmp_path / "monday.db"
    shutil.copy(tmp_path / "jrc.db", old)
    life(settings)
    other = crash(settings, tmp_path / "killed")
    newest = (tmp_path / "killed/jrc.db").read_bytes()
    shutil.copy(old, tmp_path / "killed/jrc.db")
    opened(other).close()
    (tmp_path / "killed/jrc.db").write_bytes(newest)
    one = opened(other)
    assert Condition.QUARANTINED is one.condition
    one.close()


def test_e08_an_old_log_beside_the_newest_file_is_set_aside_and_the_file_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: SQLite would write the pages of its day over the newest, for good."""
    other = crash(settings, tmp_path / "killed")
    folder = tmp_path / "killed"
    log = (folder / "jrc.db-wal").read_bytes()
    opened(other).close()
    life(other)
    reached = instance_in(other)
    (folder / "jrc.db-wal").write_bytes(log)
    with pytest.raises(OperatorError, match="older than"):
        check_file(other.instance_file, folder / "jrc.db")
    one = opened(other)
    assert (Condition.OPEN, reached) == (one.condition, one.database.instance[:3:2])
    one.close()
    assert log == (folder / "jrc.db-wal.of-older-1").read_bytes()


def test_looking_through_a_log_changes_neither_it_nor_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    """The last one that closes a database writes its log into it; this one must not."""
    crash(settings, tmp_path / "killed")
    database = tmp_path / "killed/jrc.db"
    files = (database, database.with_name("jrc.db-wal"))
    before = [file.read_bytes() for file in files]
    alone, together = reached_by_file(database), reached_with_log(database)
    assert alone is not None
    assert together is not None
    assert alone.commit_number < together.commit_number
    assert before == [file.read_bytes() for file in files]


def test_a_killed_registrar_goes_on_whatever_its_log_holds(
    settings: Settings, tmp_path: Path
) -> None:
    """Killed once, and once more before anything was checkpointed."""
    life(settings)
    other = crash(settings, tmp_path / "one")
    again = crash(other, tmp_path / "two")
    one = opened(again)
    assert (Condition.OPEN, None) == (one.condition, one.quarantined)
    one.close()


def strange(folder: Path) -> None:
    """The database of another registrar, which has more transactions."""
    log = (folder / "jrc.db-wal").read_bytes()
    for name in ("jrc.db", "jrc.db-wal"):
        (folder / name).unlink()
    create_database(f"sqlite:///{folder / 'jrc.db'}", KEK, NOW_MS)
    database = Database.open(f"sqlite:///{folder / 'jrc.db'}", KEK)
    for _ in range(40):
        database.write(lambda tx: None, NOW_MS)
    database.close()
    (folder / "jrc.db-wal").write_bytes(log)


def empty(folder: Path) -> None:
    (folder / "jrc.db").write_bytes(b"")


@pytest.mark.parametrize("change", [strange, empty])
def test_another_file_under_the_log_is_set_apart_from_it(
    settings: Settings, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """However many transactions it has."""
    other = crash(settings, tmp_path / "killed")
    change(tmp_path / "killed")
    database = tmp_path / "killed/jrc.db"
    assert "or another one" in (older_file(other.instance_file, database) or "")
    aside = set_log_aside(other.instance_file, database)
    assert aside is not None
    assert aside.exists()
    assert older_file(other.instance_file, database) is None


def test_a_file_that_makes_no_sense_without_its_log_is_not_judged_by_it(
    settings: Settings, tmp_path: Path
) -> None:
    """A power failure may tear pages that are being checkpointed; the log has them whole."""
    other = crash(settings, tmp_path / "killed")
    database = tmp_path / "killed/jrc.db"
    whole = database.read_bytes()
    database.write_bytes(b"torn" * 25 + whole[100:])
    assert older_file(other.instance_file, database) is None
    database.write_bytes(whole)
    opened(other).close()


def test_a_command_that_changes_nothing_refuses_an_old_file_under_a_newer_log(
    settings: Settings, tmp_path: Path
) -> None:
    """It would write the log into it as it closes the database, and nothing would tell then."""
    old = tmp_path / "monday.db"
    shutil.copy(tmp_path / "jrc.db", old)
    life(settings)
    other = crash(settings, tmp_path / "killed")
    database = tmp_path / "killed/jrc.db"
    check_file(other.instance_file, database)
    shutil.copy(old, database)
    with pytest.raises(OperatorError, match="older file") as caught:
        check_file(other.instance_file, database)
    assert ExitCode.REFUSED == caught.value.exit_code
    assert (tmp_path / "killed/jrc.db-wal").exists()


def test_a_checkpoint_is_remembered_with_the_commit_that_it_follows(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a second later: who is answered then is in no older file, and no longer in the log."""
    monkeypatch.setattr(engine, "CHECKPOINT_PAGES", 1)
    one = opened(settings)
    for _ in range(3):
        one.write(lambda tx: tx.policy_changed())
        remembered = instancefile.read(tmp_path / "jrc.instance").in_file
        assert instance_in(settings) == remembered
        assert remembered is not None
        assert one.database.instance.commit_number == remembered.commit_number
    one.close()


def test_what_is_not_checkpointed_is_not_remembered_as_if_it_were(
    settings: Settings, tmp_path: Path
) -> None:
    """A log that is then lost, or belongs to another file, would not show."""
    one = opened(settings)
    before = instancefile.read(tmp_path / "jrc.instance").in_file
    assert before == instance_in(settings)
    one.write(lambda tx: tx.policy_changed())
    one.remember()
    assert before == instancefile.read(tmp_path / "jrc.instance").in_file
    assert CHECKPOINT_PAGES > 1
    one.close()


def test_a_look_into_the_file_leaves_the_locks_of_sqlite_alone(
    settings: Settings, tmp_path: Path
) -> None:
    """fcntl(2): a process that closes any descriptor of a file loses its locks on it."""
    one = opened(settings)
    inode = f":{(tmp_path / 'jrc.db').stat().st_ino} "

    def held() -> list[str]:
        lines = Path("/proc/locks").read_text().splitlines()
        return [line.split(":", 1)[1] for line in lines if " POSIX " in line and inode in line]

    before = held()
    one.remember(anew=True)
    assert before == held()
    assert before
    one.close()
