"""Opening a database: each refusal, and that nothing of it stays behind."""

import asyncio
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import Condition
from jrc.opened import Opened, open_in_turn
from jrc.service.recover import quarantine
from jrc.store import instancefile
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.lock import LockHeldError, StateLock
from tests.desk import KEK, NOW_MS, Desk, settings_at
from tests.service.fakes import GivenClock


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A new database."""
    return Desk(tmp_path)


@pytest.fixture
def settings(desk: Desk, tmp_path: Path) -> Settings:
    """A database that was used and closed in order."""
    desk.network()
    instancefile.write(tmp_path / "jrc.instance", desk.database.instance)
    desk.close()
    return settings_at(tmp_path, desk.url)


def opened(settings: Settings) -> Opened:
    return Opened.open(settings, GivenClock())


def in_turn(settings: Settings, is_served: Callable[[], bool]) -> Opened:
    return asyncio.run(open_in_turn(settings, GivenClock(), is_served))


def refusal(settings: Settings, folder: Path) -> OperatorError:
    """The refusal; the lock is free, and the files are as they were."""
    before = (folder / "jrc.db").read_bytes() if (folder / "jrc.db").exists() else None
    with pytest.raises(OperatorError) as caught:
        opened(settings)
    if before is not None:
        StateLock(folder / "jrc.db").acquire().release()
        assert before == (folder / "jrc.db").read_bytes()
    return caught.value


def test_a_database_is_opened_used_and_remembered(settings: Settings, tmp_path: Path) -> None:
    """The instance file holds the last commit; the lock is free again."""
    one = opened(settings)
    one.write(lambda tx: tx.networks.remove(1))
    assert {} == one.read(lambda tx: dict(tx.networks.all()))
    number = one.database.instance.commit_number
    assert number - 1 == instancefile.read(tmp_path / "jrc.instance").commit_number
    one.remember()
    assert number == instancefile.read(tmp_path / "jrc.instance").commit_number
    one.write(lambda tx: None)
    one.close()
    assert number + 1 == instancefile.read(tmp_path / "jrc.instance").commit_number
    opened(settings).close()


def test_remembering_writes_only_what_is_new(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a second is often."""
    one = opened(settings)
    one.remember()
    written: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(instancefile, "write", lambda *args: written.append(args))
        one.remember()
        assert [] == written
        one.write(lambda tx: None)
        one.remember()
        assert 1 == len(written)
    one.close()


def test_f04_a_database_that_can_not_be_synced_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the instance file names it; the lock is given back."""

    def fail(_lock: StateLock) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(StateLock, "sync", fail)
        with pytest.raises(OperatorError, match="can't be synced"):
            opened(settings)
    opened(settings).close()


def test_files_are_private(settings: Settings, tmp_path: Path) -> None:
    """Mode 0600, whatever the umask: the database, what SQLite and we put beside it."""
    before = os.umask(0)
    try:
        one = opened(settings)
        one.write(lambda tx: None)
        one.remember()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("jrc.*")}
        one.close()
    finally:
        os.umask(before)
    names = {"jrc.db", "jrc.db-wal", "jrc.db-shm", "jrc.instance"}
    names |= {"jrc.db.lock", "jrc.instance.lock"}
    assert dict.fromkeys(names, 0o600) == modes


def test_b03_a_lock_held_names_the_pid(settings: Settings) -> None:
    """RFC 9031 §7.3.1; before anything is opened."""
    one = opened(settings)
    with pytest.raises(LockHeldError, match=f"in use by process {os.getpid()}") as caught:
        opened(settings)
    assert ExitCode.UNREACHABLE == caught.value.exit_code
    one.close()


def test_who_finds_the_database_in_use_waits_until_it_is_free(settings: Settings) -> None:
    """A command that ends meanwhile does not make a daemon's start fail."""
    one = opened(settings)
    looks: list[int] = []

    def is_served() -> bool:
        looks.append(1)
        if len(looks) == 2:
            one.close()
        return False

    in_turn(settings, is_served).close()
    assert len(looks) == 2


def test_nobody_waits_for_a_daemon_that_answers(settings: Settings) -> None:
    """Commands go to it from then on; a second daemon is told who it is."""
    one = opened(settings)
    looks = iter((False, False, True))
    with pytest.raises(LockHeldError, match=f"in use by process {os.getpid()}"):
        in_turn(settings, lambda: next(looks))
    assert list(looks) == []
    one.close()


def test_who_has_waited_long_enough_is_told_for_what(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process, the socket on which nobody answers, and what either case asks for."""
    monkeypatch.setattr("jrc.opened.LOCK_WITHIN_S", 0.0)
    one = opened(settings)
    with pytest.raises(OperatorError) as caught:
        in_turn(settings, lambda: False)
    assert caught.value.message.endswith(
        f"is in use by process {os.getpid()}, and no daemon answers on {settings.admin.socket}"
    )
    assert "try again when it has ended" in caught.value.hint
    assert caught.value.exit_code == ExitCode.UNREACHABLE
    one.close()


# Refusals: what is done to the folder, and what is said.


def no_instance(folder: Path) -> None:
    (folder / "jrc.instance").unlink()


def bad_instance(folder: Path) -> None:
    (folder / "jrc.instance").write_text("{}")


def other_database(folder: Path) -> None:
    (folder / "jrc.db").unlink()
    create_database(f"sqlite:///{folder / 'jrc.db'}", KEK, NOW_MS)


def older_database(folder: Path) -> None:
    shutil.copy(folder / "jrc.db", folder / "copy")
    database = Database.open(f"sqlite:///{folder / 'jrc.db'}", KEK)
    database.write(lambda tx: None, NOW_MS)
    instancefile.write(folder / "jrc.instance", database.instance)
    database.close()
    (folder / "jrc.db").write_bytes((folder / "copy").read_bytes())


def no_kek(folder: Path) -> None:
    (folder / "kek").unlink()


def open_kek(folder: Path) -> None:
    (folder / "kek").chmod(0o644)


def wrong_kek(folder: Path) -> None:
    (folder / "kek").write_text("11" * 32)


def bad_kek(folder: Path) -> None:
    (folder / "kek").write_text("psst")


def no_database(folder: Path) -> None:
    (folder / "jrc.db").unlink()


def open_database(folder: Path) -> None:
    (folder / "jrc.db").chmod(0o640)


def garbage(folder: Path) -> None:
    (folder / "jrc.db").write_bytes(b"garbage " * 1000)


def empty(folder: Path) -> None:
    (folder / "jrc.db").write_bytes(b"")


def schema(revision: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        connection = sqlite3.connect(folder / "jrc.db")
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()
        connection.close()

    change.__name__ = f"schema_{revision}"
    return change


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        (no_kek, r"keys\.kek_file: .* does not exist", ExitCode.FAILED),
        (open_kek, r"keys\.kek_file: .* read by others \(mode 0644\)", ExitCode.FAILED),
        (wrong_kek, r"keys\.kek_file: key .* opens no slot", ExitCode.FAILED),
        (bad_kek, r"keys\.kek_file: .* does not hold", ExitCode.FAILED),
        (no_database, r"database\.url: .* does not exist", ExitCode.FAILED),
        (open_database, r"database\.url: .* read by others \(mode 0640\)", ExitCode.FAILED),
        (garbage, r"database\.url", ExitCode.FAILED),
        (empty, r"database\.url: .* none of our schemas", ExitCode.FAILED),
        (schema("0000"), "schema 0000, older", ExitCode.FAILED),
        (schema("9999"), "schema 9999, newer", ExitCode.FAILED),
    ],
)
def test_b03_what_could_repeat_a_nonce_or_give_keys_away_is_refused(
    settings: Settings,
    tmp_path: Path,
    change: Callable[[Path], None],
    words: str,
    code: ExitCode,
) -> None:
    """RFC 9031 §8.3.3, §9: in one sentence with what to do, and nothing is changed."""
    change(tmp_path)
    error = refusal(settings, tmp_path)
    assert re.search(words, error.message), error.message
    assert code == error.exit_code
    assert error.hint


# What is opened, and quarantined


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_instance, "instance file .* is missing"),
        (bad_instance, "instance file .* can't be read"),
        (other_database, "not the one this host has used"),
        (older_database, "is an old copy"),
    ],
)
def test_n14_a_database_that_is_not_the_one_last_used_is_quarantined(
    settings: Settings, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    """RFC 9031 §8.3.3: before anything else is done with it, and it stays so."""
    change(tmp_path)
    one = opened(settings)
    state = one.database_state
    one.close()
    assert Condition.QUARANTINED is state.condition
    assert re.search(words, state.detail), state.detail
    again = opened(settings)
    assert (state, None) == (again.database_state, again.quarantined)
    again.close()


@pytest.mark.parametrize(
    "where", ["jrc.store.instancefile.write", "jrc.store.database.Database.write"]
)
def test_n14_a_process_that_dies_while_it_quarantines_is_followed_by_one_that_does(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before the commit, or between it and the instance file: it is never taken for a good one."""
    older_database(tmp_path)

    def die(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        with pytest.raises(KeyboardInterrupt):
            opened(settings)
    one = opened(settings)
    assert Condition.QUARANTINED is one.condition
    assert one.quarantined
    one.close()


def test_n14_the_newest_database_is_in_use_again_when_it_is_put_back(
    settings: Settings, tmp_path: Path
) -> None:
    """Whoever copied the wrong file undoes it by copying the right one."""
    newest = tmp_path / "newest"
    shutil.copy(tmp_path / "jrc.db", newest)
    other_database(tmp_path)
    opened(settings).close()
    shutil.copy(newest, tmp_path / "jrc.db")
    one = opened(settings)
    assert Condition.OPEN is one.condition
    one.close()
    assert instancefile.read(tmp_path / "jrc.instance").expected is None


def test_a_moved_database_is_looked_at_and_never_changed(settings: Settings) -> None:
    """It goes on elsewhere; what takes it back is its condition alone."""
    one = opened(settings)
    one.write(lambda tx: tx.set_condition(Condition.MOVED, "to the new host"))
    one.close()
    settings.instance_file.unlink()
    one = opened(settings)
    assert (Condition.MOVED, None) == (one.condition, one.quarantined)
    assert 1 == len(one.read(lambda tx: dict(tx.networks.all())))
    with pytest.raises(OperatorError, match="was moved: to the new host") as caught:
        one.write(lambda tx: tx.networks.remove(1))
    assert ExitCode.REFUSED == caught.value.exit_code
    one.write(lambda tx: quarantine(tx, "it was never restored", actor="jrc"))
    assert Condition.QUARANTINED is one.condition
    one.close()


def test_a_damaged_instance_row_is_not_opened(settings: Settings, tmp_path: Path) -> None:
    """Nothing tells which database it is; the lock is free again."""
    connection = sqlite3.connect(tmp_path / "jrc.db")
    connection.execute("UPDATE instance SET commit_number = 900")
    connection.commit()
    connection.close()
    with pytest.raises(StateError, match="does not authenticate"):
        opened(settings)
    StateLock(tmp_path / "jrc.db").acquire().release()


def with_credential(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"keys": settings.keys.model_copy(update={"credential": "kek", "kek_file": None})}
    )


def test_a_credential_of_the_service_manager_is_the_key(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd-creds(1); a missing one is named with what brings it."""
    passed = with_credential(settings)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    error = refusal(passed, tmp_path)
    assert "no credential kek" in error.message
    assert "LoadCredential=" in error.hint
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "none"))
    assert "keys.credential: " in refusal(passed, tmp_path).message
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    opened(passed).close()
