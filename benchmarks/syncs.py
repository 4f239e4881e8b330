"""The disk beside what is measured: how long it takes to say that 4 KiB are on it.

Each answered join waits for a sync. A wait that this probe has as well, at the same time, is the
disk's and not the registrar's.
"""

import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PAGE = bytes(4096)
_EVERY_S = 0.05
"""Rare enough to take nothing from the disk that is worth a word."""


class Syncs:
    """Syncs of a file of its own in ``folder``, for as long as ``beside`` lasts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sync-beside"
        self._is_over = threading.Event()
        self.taken_s: list[float] = []

    @classmethod
    @contextmanager
    def beside(cls, folder: Path) -> Iterator["Syncs"]:
        """A probe that goes on meanwhile; ``note`` may be asked for afterwards."""
        syncs = cls(folder)
        thread = threading.Thread(target=syncs._run)
        thread.start()
        try:
            yield syncs
        finally:
            syncs._is_over.set()
            thread.join()
            syncs._path.unlink()

    def note(self) -> str:
        """What most syncs, all but a hundredth, and the slowest one took."""
        median, most = statistics.median(self.taken_s), p99(self.taken_s)
        longest = max(self.taken_s)
        return f"a sync {1000 * median:.1f}, p99 {1000 * most:.0f}, longest {1000 * longest:.0f} ms"

    def _run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self._is_over.wait(_EVERY_S):
                self.taken_s.append(sync_s(file.fileno()))


def sync_s(file: int) -> float:
    """Write 4 KiB to the beginning of an open file, and wait until they are on the disk."""
    os.pwrite(file, PAGE, 0)
    started_s = time.perf_counter()
    os.fdatasync(file)
    return time.perf_counter() - started_s


def p99(values: Sequence[float]) -> float:
    """What all but a hundredth of them don't exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[98]
