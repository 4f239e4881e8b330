"""The clock of the running program."""

import time


class SystemClock:
    """Wall-clock time, as ``ports.Clock``."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000
