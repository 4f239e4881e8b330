"""One process at a time works on a database."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.store.lock import LockHeldError, StateLock


def test_b03_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: two registrars on one file would each trust their own cache."""
    path = tmp_path / "jrc.db"
    with StateLock(path), pytest.raises(LockHeldError) as caught:
        StateLock(path).acquire()
    assert (os.getpid(), ExitCode.UNREACHABLE) == (caught.value.pid, caught.value.exit_code)
    assert f"{path} is in use by process {os.getpid()}" == caught.value.message


_ELSEWHERE = """
import sys
from pathlib import Path
from jrc.errors import OperatorError
from jrc.store.lock import StateLock
try:
    StateLock(Path(sys.argv[1])).acquire()
except OperatorError as error:
    print(int(error.exit_code), error.message)
else:
    print("taken")
"""


def elsewhere(path: Path) -> str:
    """What another process is told that wants the database under a name."""
    arguments = [sys.executable, "-c", _ELSEWHERE, str(path)]
    return subprocess.run(
        arguments, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def test_b03_a_symbolic_link_is_no_way_round_the_lock(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: SQLite follows it, and has its log beside the file itself."""
    path, link = tmp_path / "jrc.db", tmp_path / "link/other.db"
    path.write_bytes(b"")
    link.parent.mkdir()
    link.symlink_to(path)
    with StateLock(link):
        assert f"3 {path} is in use by process {os.getpid()}" == elsewhere(path)
    with StateLock(path):
        assert f"3 {path} is in use by process {os.getpid()}" == elsewhere(link)
    assert "taken" == elsewhere(link)


def test_b03_a_database_that_is_held_under_another_name_says_who_holds_it(tmp_path: Path) -> None:
    """As by a bind mount of the one file, which looks like a file of its own."""
    path, other = tmp_path / "jrc.db", tmp_path / "other.db"
    path.write_bytes(b"")
    with StateLock(path):
        os.link(path, other)
        assert f"3 {other} is in use by process {os.getpid()}" == elsewhere(other)


def test_a_database_with_two_names_is_refused(tmp_path: Path) -> None:
    """Each has a log of its own: what is committed under one is missing under the other."""
    path = tmp_path / "jrc.db"
    path.write_bytes(b"")
    os.link(path, tmp_path / "other.db")
    with pytest.raises(OperatorError, match="has 2 names") as caught:
        StateLock(path).acquire()
    assert ExitCode.REFUSED == caught.value.exit_code
    assert "-samefile" in caught.value.hint
    (tmp_path / "other.db").unlink()
    StateLock(path).acquire().release()


def test_a_host_with_its_database_on_a_server_locks_beside_the_instance_file(
    tmp_path: Path,
) -> None:
    """That one is replaced time and again, and may have several names."""
    path = tmp_path / "jrc.instance"
    path.write_bytes(b"")
    os.link(path, tmp_path / "kept")
    with StateLock.of(None, path) as lock:
        assert tmp_path / "jrc.instance.lock" == lock.path
        with pytest.raises(LockHeldError):
            StateLock.of(None, path).acquire()


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    """Also by an error; the file stays, private and empty, for removing it would be a race."""
    path = tmp_path / "jrc.db"
    lock = StateLock(path)
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    assert (b"", 0o600) == (lock.path.read_bytes(), stat.S_IMODE(lock.path.stat().st_mode))
    for _ in range(2):
        lock.acquire()
        lock.release()
        lock.release()


def test_a_lock_whose_holder_wrote_nothing_names_nobody(tmp_path: Path) -> None:
    """It was taken this very moment."""
    path = tmp_path / "jrc.db"
    with StateLock(path) as lock:
        lock.path.write_bytes(b"")
        with pytest.raises(LockHeldError, match="another process") as caught:
            StateLock(path).acquire()
    assert caught.value.pid is None


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    """kill -9 gives the lock back; what it wrote into the file does not count."""
    path = tmp_path / "jrc.db"
    code = (
        "import os, sys; from pathlib import Path; from jrc.store.lock import StateLock\n"
        "StateLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert -9 == ended.returncode
    assert (tmp_path / "jrc.db.lock").read_bytes() != b""
    (tmp_path / "jrc.db.lock").write_bytes(b"4194304000\n")
    with StateLock(path) as lock:
        assert f"{os.getpid()}\n".encode() == lock.path.read_bytes()


def test_a_lock_is_not_inherited(tmp_path: Path) -> None:
    """A child that lives on must not keep the database locked."""
    lock = StateLock(tmp_path / "jrc.db").acquire()
    assert lock._file is not None
    assert not os.get_inheritable(lock._file)
    lock.release()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(OperatorError, match="can't be opened"):
        StateLock(tmp_path / "no" / "jrc.db").acquire()


def test_e08_two_databases_with_one_instance_file_are_refused(tmp_path: Path) -> None:
    """Each would write its own into it, and a next start could not tell an old copy of either."""
    instance = tmp_path / "jrc.instance"
    with StateLock.of(tmp_path / "one.db", instance):
        with pytest.raises(OperatorError) as caught:
            StateLock.of(tmp_path / "two.db", instance).acquire()
        # What was refused holds nothing.
        StateLock.of(tmp_path / "two.db", tmp_path / "two.instance").acquire().release()
    assert ExitCode.REFUSED == caught.value.exit_code
    assert (
        f"instance.file: {instance} is in use by process {os.getpid()}, with another database"
        == caught.value.message
    )
    assert "name another file in [instance]" in caught.value.hint
    StateLock.of(tmp_path / "two.db", instance).acquire().release()


def test_e08_an_sqlite_database_and_one_on_a_server_do_not_share_an_instance_file(
    tmp_path: Path,
) -> None:
    """The lock has one name for both."""
    instance = tmp_path / "jrc.instance"
    with StateLock.of(None, instance), pytest.raises(OperatorError, match=r"instance\.file"):
        StateLock.of(tmp_path / "jrc.db", instance).acquire()
    with StateLock.of(tmp_path / "jrc.db", instance), pytest.raises(LockHeldError):
        StateLock.of(None, instance).acquire()


def test_the_lock_of_an_instance_file_is_where_its_name_is(tmp_path: Path) -> None:
    """A link of that name is replaced by the first write, so what it leads to is another file."""
    (tmp_path / "kept.instance").write_bytes(b"")
    (tmp_path / "jrc.instance").symlink_to("kept.instance")
    with StateLock.of(None, tmp_path / "jrc.instance"):
        StateLock.of(None, tmp_path / "kept.instance").acquire().release()
        assert (tmp_path / "jrc.instance.lock").exists()
