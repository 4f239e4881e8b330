"""Starts the daemon on a host whose clock is ``JRC_TEST_LATER_S`` seconds ahead of this one."""

import os
import sys

from jrc.cli.main import main
from jrc.clock import SystemClock

_now_ms = SystemClock.now_ms


def _later(self: SystemClock) -> int:
    return _now_ms(self) + 1000 * int(os.environ["JRC_TEST_LATER_S"])


if __name__ == "__main__":
    SystemClock.now_ms = _later  # type: ignore[method-assign]
    sys.exit(main())
