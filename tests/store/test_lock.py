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
