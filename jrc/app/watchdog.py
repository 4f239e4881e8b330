"""Tells the service manager that the daemon works, for as long as it does.

What works is a loop that comes round and a writer thread that gets on. A thread that waits for the
disk counts as one that does: to kill it would help nobody.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from jrc import servicemanager

LOOKS = 4
"""In the time that the service manager grants; one of them may find nothing new."""
_TASKS = Path("/proc/self/task")
_DISK_SLEEP = "D"
"""proc(5): waits in the kernel and can't be interrupted."""

_log = structlog.get_logger("jrc")


class WriterThread(Protocol):
    """What is to be seen of ``store.writer.Writer``."""

    @property
    def turns(self) -> int:
        """Turns that have ended."""
        ...

    @property
    def is_at_work(self) -> bool:
        """Whether one is under way."""
        ...

    @property
    def thread_id(self) -> int | None:
        """The kernel's number of the thread; None where there is none, or no more."""
        ...


class Pulse:
    """Whether a writer thread gets on; ``tasks`` is where the kernel shows threads."""

    def __init__(self, writer: WriterThread, tasks: Path = _TASKS) -> None:
        self._writer = writer
        self._tasks = tasks
        self._seen: tuple[int, int] | None = None

    def beats(self) -> bool:
        """Whether it is idle, has done something since the last look, or waits for the disk."""
        thread_id = self._writer.thread_id
        if thread_id is None:
            return False
        before, self._seen = self._seen, None
        if not self._writer.is_at_work:
            return True
        state, ticks = self._look(thread_id)
        self._seen = (self._writer.turns, ticks)
        return self._seen != before or state == _DISK_SLEEP

    def _look(self, thread_id: int) -> tuple[str, int]:
        """State of a thread, and the CPU time that it has used (proc(5), ``stat``)."""
        try:
            text = (self._tasks / str(thread_id) / "stat").read_text()
        except OSError:
            return _DISK_SLEEP, 0  # nothing says that it hangs
        words = text.rpartition(")")[2].split()
        return words[0], int(words[11]) + int(words[12])


class Watchdog:
    """A task on the running loop. ``works`` is asked at each look; it is to be set later."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.works: Callable[[], bool] = lambda: True
        self._environ = environ
        self._limit_s = servicemanager.watchdog_s(environ)
        self._task: asyncio.Task[None] | None = None
        self._is_silent = False

    def start(self) -> None:
        """Begin, if the service manager wants to hear."""
        if self._limit_s is not None:
            self._task = asyncio.create_task(self._run(self._limit_s / LOOKS))

    def stop(self) -> None:
        """Say nothing more."""
        if self._task is not None:
            self._task.cancel()

    def look(self) -> None:
        """Tell that all is well, if it is."""
        works = self.works()
        if works:
            servicemanager.notify(self._environ, "WATCHDOG=1")
        elif not self._is_silent:
            _log.critical(
                "writer_hangs", hint="if it does not go on, the service manager ends the process"
            )
        self._is_silent = not works

    async def _run(self, period_s: float) -> None:
        while True:
            self.look()
            await asyncio.sleep(period_s)
