"""What one ``jrc`` command costs."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.client import MeasurementError
from benchmarks.process import peak_bytes

_LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall clock from exec to exit, CPU time of all threads, the most that was resident."""

    seconds: float
    cpu_s: float
    peak_bytes: int


class Running:
    """A command under way; its input is empty, what it says is kept for the case that it fails."""

    def __init__(self, command: Sequence[str]) -> None:
        self._name = " ".join(command)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``wait``
        self._began_s = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said
        )
        self._peak_bytes = 0
        self._cost: Cost | None = None

    def has_ended(self) -> bool:
        """Whether it has; looks at its memory if it has not, since that is gone with it."""
        if self._cost is None:
            self._peak_bytes = max(self._peak_bytes, peak_bytes(self._process.pid))
            # not `Popen.wait`: what a process has used is told once, to whoever reaps it
            ended, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if ended:
                seconds = time.perf_counter() - self._began_s
                self._process.returncode = os.waitstatus_to_exitcode(status)
                cpu_s = used.ru_utime + used.ru_stime
                self._cost = Cost(seconds, cpu_s, self._peak_bytes)
        return self._cost is not None

    def wait(self) -> Cost:
        """What it has cost.

        Raises:
            MeasurementError: it has failed.
        """
        while not self.has_ended():
            time.sleep(_LOOK_EVERY_S)
        assert self._cost is not None
        with self._said as said:
            said.seek(0)
            if self._process.returncode:
                raise MeasurementError(f"{self._name}: {said.read().decode().strip()}")
        return self._cost
