"""The lock on a database: whoever writes holds it, a daemon or one command at a time.

SQLite before 3.51.3 can corrupt a WAL database that two connections write, and two registrars on
one file would each trust their own cache, so a second one is refused before it opens anything.

There are two locks. The one beside the file has the holder's process written into it, and is there
before the file is. The one on the file itself holds whatever name the file is reached by.

A third one is on the instance file's name, which is replaced each second: two registrars with a
database each would write theirs into it in turn, and neither would be known at its next start.
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jrc.errors import ExitCode, OperatorError

_HELD: Final = re.compile(r"FLOCK +\S+ +WRITE +(\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) ")
"""A line of /proc/locks: process, device and inode."""
_LOCKS: Final = Path("/proc/locks")


class LockHeldError(OperatorError):
    """Somebody else holds the lock; ``pid`` is None where nothing says who."""

    def __init__(self, database: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{database} is in use by {holder}",
            "a running daemon takes commands over its socket; stop it to work without",
            exit_code=ExitCode.UNREACHABLE,
        )
        self.pid = pid

    def unanswered(self, socket: Path) -> OperatorError:
        """What to say where it was waited for, and no daemon has come up at ``socket`` either."""
        return OperatorError(
            f"{self.message}, and no daemon answers on {socket}",
            "if that is another command, try again when it has ended; if it is a daemon, its log"
            " says what keeps it, and its config file which admin.socket it has",
            exit_code=self.exit_code,
        )


class StateLock:
    """An exclusive lock on the database file, held until ``release`` or the process's end.

    ``instance_file`` is locked with it; None for whoever does not write one.

    It is taken before SQLite opens the file, and given back after that has closed it: a process
    that closes any descriptor of a file loses the locks that SQLite has on it.
    """

    def __init__(self, database: Path, instance_file: Path | None = None) -> None:
        self._database = self._named(database)
        self.path = self._database.with_name(self._database.name + ".lock")
        self._memory = None if instance_file is None else _HostLock(instance_file)
        self._file: int | None = None
        self._inode: int | None = None

    @classmethod
    def of(cls, database: Path | None, instance_file: Path) -> "StateLock":
        """The lock of an SQLite file, or of a host's process where the database is on a server."""
        return _HostLock(instance_file) if database is None else cls(database, instance_file)

    @staticmethod
    def _named(file: Path) -> Path:
        """SQLite follows a link, and has its log beside the file itself."""
        return file.resolve()

    def acquire(self) -> Self:
        """Take the lock at once or not at all.

        Raises:
            LockHeldError: another process has it.
            OperatorError: the lock file can't be made, or the database has several names.
        """
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"{self.path} can't be opened ({error.strerror})") from None
        try:
            _lock(file, lambda: LockHeldError(self._database, _pid(file)))
            self._inode = self._lock_inode()
            self._lock_memory()
        except BaseException:
            self._let_go_of_inode()
            os.close(file)
            raise
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file
        return self

    def _lock_memory(self) -> None:
        """Lock the instance file of this database.

        Raises:
            OperatorError: the registrar of another database has it.
        """
        if self._memory is None:
            return
        try:
            self._memory.acquire()
        except LockHeldError as error:
            raise OperatorError(
                f"instance.file: {error.message}, with another database",
                "each registrar remembers its own database: name another file in [instance] of one"
                " of the two (docs/recovery.md)",
                exit_code=ExitCode.REFUSED,
            ) from None

    def _lock_inode(self) -> int | None:
        """The locked database file itself; None where there is none yet."""
        try:
            inode = os.open(self._database, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(
                f"database.url: {self._database} can't be opened ({error.strerror})"
            ) from None
        try:
            _lock(inode, lambda: LockHeldError(self._database, _holder(inode)))
            _refuse_names(self._database, os.fstat(inode))
        except BaseException:
            os.close(inode)
            raise
        return inode

    def sync(self) -> None:
        """Have what was written into the database file on disk.

        Raises:
            OSError: it can't be done.
        """
        if self._inode is not None:
            os.fsync(self._inode)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two hold it at once."""
        if self._memory is not None:
            self._memory.release()
        self._let_go_of_inode()
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def _let_go_of_inode(self) -> None:
        if self._inode is not None:
            os.close(self._inode)
            self._inode = None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class _HostLock(StateLock):
    """Beside the instance file, which is replaced time and again: there is nothing else to lock."""

    @staticmethod
    def _named(file: Path) -> Path:
        """A link would be replaced, not followed."""
        return file.parent.resolve() / file.name

    def _lock_inode(self) -> int | None:
        return None


def _lock(file: int, held: Callable[[], LockHeldError]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise held() from None


def _refuse_names(database: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise OperatorError(
            f"database.url: {database} has {found.st_nlink} names (hard links): SQLite keeps a log"
            " beside each of them, and what is committed under one is missing under the other",
            f"remove the others; `find / -xdev -samefile {database}` shows them",
            exit_code=ExitCode.REFUSED,
        )


def _pid(file: int) -> int | None:
    text = os.pread(file, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _holder(inode: int) -> int | None:
    """The process that has an open file locked, as the kernel shows it."""
    found = os.fstat(inode)
    wanted = (os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)
    try:
        lines = _LOCKS.read_text()
    except OSError:
        return None
    for pid, major, minor, number in _HELD.findall(lines):
        if (int(major, 16), int(minor, 16), int(number)) == wanted and int(pid) > 0:
            return int(pid)
    return None
