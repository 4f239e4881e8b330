"""A wall clock that runs faster than time, the same for one daemon after the other.

Sender numbers are due no sooner than their seconds, and each start reserves some anew: daemons
that live for half a second would hardly ever end a rollover. An hour of theirs is two minutes.
"""

import os
import time
from collections.abc import Mapping

from tests.faults.patching import replace

RATE = 30
SINCE = "JRC_TEST_CLOCK_FAST_SINCE_MS"


def environ() -> Mapping[str, str]:
    """What daemons are to be given whose clock runs fast from now on."""
    return {SINCE: str(time.time_ns() // 1_000_000)}


def clock_runs_fast() -> None:
    """No fault: of the host's clock, ``RATE`` seconds a second since the moment in ``environ``."""
    from jrc.clock import SystemClock

    now_ms, since_ms = SystemClock.now_ms, int(os.environ[SINCE])

    def fast_ms(self: SystemClock) -> int:
        return since_ms + RATE * (now_ms(self) - since_ms)

    replace(SystemClock, "now_ms", fast_ms)
