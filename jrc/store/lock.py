"""The lock on a database: whoever writes holds it, a daemon or one command at a time.

SQLite before 3.51.3 can corrupt a WAL database that two connections write, and two registrars on
one file would each trust their own cache, so a second one is refused before it opens anything.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from jrc.errors import ExitCode, OperatorError


class LockHeldError(OperatorError):
    """Somebody else holds the lock; ``pid`` is None where the file does not say who."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{path.with_suffix('')} is in use by {holder}",
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
    """An exclusive lock beside the database file, held until ``release`` or the process's end."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> Self:
        """Take the lock at once or not at all.

        Raises:
            LockHeldError: another process has it.
            OperatorError: the lock file can't be made.
        """
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"{self.path} can't be opened ({error.strerror})") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _pid(file)
            os.close(file)
            raise LockHeldError(self.path, holder) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two hold it at once."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _pid(file: int) -> int | None:
    text = os.pread(file, 32, 0).strip()
    return int(text) if text.isdigit() else None
