"""The clock of this host: whether it is synchronised, and not behind what the database has seen."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, success, warning
from jrc.clock import Synchronisation, synchronisation
from jrc.service.remedies import clock_behind

_RTC = Path("/dev/rtc0")
_NO_RTC = (
    "this host has no clock of its own: where it may start with a wrong time, set"
    " wait_for_synchronisation under [clock]"
)
_HINT = "run a time service, such as systemd-timesyncd or chrony, and see: timedatectl"


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
        hint = _HINT if _RTC.exists() else f"{_HINT}; {_NO_RTC}"
        return warning(f"it is not synchronised, and says {_shown(now_ms)}", hint)
    return success(f"it is synchronised, to {found.max_error_s:.3g} s or better")


def _shown(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
