"""The clock of this host: whether it is synchronised, and not behind what the database has seen."""

import ctypes
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, success, warning
from jrc.service.remedies import clock_behind

_STA_UNSYNC = 0x0040
"""adjtimex(2), sys/timex.h."""
_TIME_ERROR = 5
_HINT = "run a time service, such as systemd-timesyncd or chrony, and see: timedatectl"


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


def look_at_clock(case: Case) -> Iterator[Verdict]:
    """Both; without a database only the first."""
    now_ms = case.clock.now_ms()
    if case.high_water_ms is not None:
        yield from judge_high_water(now_ms, case.high_water_ms)
    try:
        found = synchronisation()
    except OSError as error:
        yield warning(f"the kernel does not say whether it is right ({error.strerror})", _HINT)
    else:
        yield judge_synchronisation(found, now_ms)


def judge_high_water(now_ms: int, high_water_ms: int) -> Iterator[Verdict]:
    """A failure if it is earlier than it was: reserved numbers and leases follow the time."""
    behind = clock_behind(now_ms, high_water_ms)
    if behind is not None:
        yield failure(behind.meaning.rstrip("."), behind.what_to_do)


def judge_synchronisation(found: Synchronisation, now_ms: int) -> Verdict:
    """A warning if nothing keeps the clock right."""
    if not found.is_synchronised:
        return warning(f"it is not synchronised, and says {_shown(now_ms)}", _HINT)
    return success(f"it is synchronised, to {found.max_error_s:.3g} s or better")


def _shown(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
