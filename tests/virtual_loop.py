"""An asyncio loop whose time is made up: it jumps to what is due next, so that hours take no time.

For code that waits on timers alone. A thread or a socket that somebody waits for would be skipped.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0

    def time(self) -> float:
        """The seconds that would have passed."""
        return self._now_s

    def _run_once(self) -> None:
        if not self._ready:  # type: ignore[attr-defined]
            # Cancelled timers stay in the heap for a while, and nobody waits for them.
            times_s = (
                timer.when()
                for timer in self._scheduled  # type: ignore[attr-defined]
                if not timer.cancelled()
            )
            self._now_s = max(self._now_s, min(times_s, default=0.0))
        super()._run_once()  # type: ignore[misc]


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work`` on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
