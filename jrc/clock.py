"""The clock of the running program, and what the kernel knows about it.

No safety property hangs on it (docs/clock.md). What does is that joined nodes are told new keys
and leases: one hour in the far future, written down, would silence the registrar until then.
"""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LEAP_MS = 3_600_000
"""A step forward that is longer needs somebody who vouches for it."""
OFF_MS = 366 * 86_400_000
"""So long a registrar may have been off without that its clock is doubted."""
LOOK_EVERY_MS = 1000
"""While the clock is doubted, between two looks whether it is synchronised by now."""
_SLACK_MS = 1000

_STA_UNSYNC = 0x0040
"""adjtimex(2), sys/timex.h."""
_TIME_ERROR = 5
SYNCHRONISED_FILE = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes it when it has set the clock (systemd-timesyncd.service(8))."""


class SystemClock:
    """Wall-clock time, as ``ports.Clock``."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class _Timex(ctypes.Structure):
    """What stands first in ``struct timex`` (adjtimex(2)), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class Synchronisation(NamedTuple):
    """What the kernel knows of its clock; ``max_error_s`` as the time service told it."""

    is_synchronised: bool
    max_error_s: float


def synchronisation() -> Synchronisation:
    """As the kernel has it; anybody may ask.

    Raises:
        OSError: it does not say.
    """
    found = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    if state < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    good = state != _TIME_ERROR and not found.status & _STA_UNSYNC
    return Synchronisation(good, found.maxerror / 1_000_000)


def is_synchronised() -> bool:
    """Whether a time service has set the clock since the host was started."""
    try:
        return synchronisation().is_synchronised or SYNCHRONISED_FILE.exists()
    except OSError:
        return SYNCHRONISED_FILE.exists()


def boot_ms() -> int:
    """Milliseconds since the host was started; nobody can set this clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class HostClock:
    """The host's clock while it is credible; else time goes on from where it was.

    A step back is taken as it is: whoever must not go back looks at the database's latest time. A
    step forward of more than ``LEAP_MS`` is doubted until the clock is synchronised, since it
    can't be taken back. As ``ports.Clock``, for any thread.
    """

    def __init__(
        self,
        wall_ms: Callable[[], int] | None = None,
        since_boot_ms: Callable[[], int] = boot_ms,
        is_synchronised: Callable[[], bool] = is_synchronised,
    ) -> None:
        self.doubt: str | None = None
        """Why the host's clock does not count just now, for a person."""
        self._wall_ms = wall_ms or SystemClock().now_ms
        self._boot_ms = since_boot_ms
        self._is_synchronised = is_synchronised
        self._waits = False
        self._looked_ms = 0
        # What the wall clock was ahead of the time since boot, at most, and a little more.
        self._credible_ms = self._wall_ms() - self._boot_ms() + _SLACK_MS

    def begin(self, seen_ms: int, *, wait_for_synchronisation: bool = False) -> None:
        """Judge by the latest time that the database has seen.

        With ``wait_for_synchronisation``, for a host without a clock of its own, time goes on from
        there until a time service has set it.
        """
        wall_ms = self._wall_ms()
        self._waits = wait_for_synchronisation
        if wall_ms - seen_ms > OFF_MS or self._waits:
            self._credible_ms = seen_ms - self._boot_ms()
        else:
            self._credible_ms = max(wall_ms, seen_ms) - self._boot_ms() + _SLACK_MS

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        wall_ms = self._wall_ms()
        ahead_ms = wall_ms - self._boot_ms() - self._credible_ms
        if ahead_ms > 0 or self._waits:
            return self._judged_ms(wall_ms, ahead_ms)
        self.doubt = None
        return wall_ms

    def _judged_ms(self, wall_ms: int, ahead_ms: int) -> int:
        if (ahead_ms > LEAP_MS or self._waits) and not self._is_set():
            self.doubt = self._sentence(ahead_ms)
            return wall_ms - max(0, ahead_ms)
        self.doubt, self._waits = None, False
        self._credible_ms = max(self._credible_ms, wall_ms - self._boot_ms() + _SLACK_MS)
        return wall_ms

    def _is_set(self) -> bool:
        """Whether it is synchronised by now; a look is a system call, so not each time."""
        now_ms = self._boot_ms()
        if self.doubt is not None and now_ms - self._looked_ms < LOOK_EVERY_MS:
            return False
        self._looked_ms = now_ms
        return self._is_synchronised()

    def _sentence(self, ahead_ms: int) -> str:
        if self._waits:
            return "the clock was not synchronised since the host was started"
        hours = ahead_ms // 3_600_000
        return f"the clock has gone forward by {hours} h, and no time service says that it is right"
