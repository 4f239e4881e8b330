"""A lock that a run of a program holds, even where the process that has started it is no more."""

import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from jrc.service.ports import InstallOutcome


class NotStartedError(Exception):
    """A run can't begin; the text says why."""


class RunLock:
    """Held by whoever started a run, and by the program of it, which inherits ``fd``.

    A run that has ended in order gives it back for all of them, so that nothing that the program
    has left behind holds it. The file stays: removing it would let two hold it at once.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take the lock at once or not at all.

        Raises:
            NotStartedError: an earlier run still holds it, or the file can't be opened.
        """
        try:
            return cls(_locked(path))
        except BlockingIOError:
            raise NotStartedError(f"an earlier run still goes on ({_holder(path)})") from None
        except OSError as error:
            raise NotStartedError(f"can't be started ({path}: {error.strerror})") from None

    def name(self, process: int) -> None:
        """Write down who runs."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{process}\n".encode(), 0)

    def give_back(self) -> None:
        """Let the next run begin."""
        os.ftruncate(self.fd, 0)
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)


async def run_alone(
    path: Path, run: Callable[[RunLock], Awaitable[InstallOutcome]]
) -> InstallOutcome:
    """What ``run`` says, which holds the lock while it goes on; else why it can't begin."""
    try:
        lock = RunLock.take(path)
    except NotStartedError as error:
        return InstallOutcome(False, str(error))
    try:
        return await run(lock)
    finally:
        lock.give_back()


def _locked(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _holder(path: Path) -> str:
    """Who holds a lock, as far as its file says so."""
    try:
        text = path.read_text(errors="replace")[:32].strip()
    except OSError:
        text = ""
    return f"process {text}" if text.isascii() and text.isdigit() else "another process"
