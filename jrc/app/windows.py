"""Closes join windows when their time is over, by a clock that nobody can set.

Each join looks at the wall clock as well, so that a window that is not closed yet lets nobody in.
Closed it stays closed, even where the wall clock is set back afterwards.
"""

import math
import time
from collections.abc import Callable, Mapping

from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.service.windows import end_windows, time_left_ms

LOOK_EVERY_S = 1.0


class WindowKeeper:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs."""

    name = "windows"

    def __init__(
        self,
        transactions: Transactions,
        every: Every,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transactions = transactions
        self._every = every
        self._monotonic_s = monotonic_s
        self._deadlines_s: dict[int, float] = {}
        self._is_changed = True

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: a window may have been opened or closed."""
        self._is_changed = True

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {"open": len(self._deadlines_s)}

    async def look(self) -> None:
        """End what is due; reads the database only where something may have changed."""
        if not self._is_changed and self._monotonic_s() < self._next_s():
            return
        self._is_changed = False
        try:
            await self._end_due()
        except BaseException:
            self._is_changed = True
            raise

    def _next_s(self) -> float:
        return min(self._deadlines_s.values(), default=math.inf)

    async def _end_due(self) -> None:
        left_ms = await self._transactions.run_read(time_left_ms)
        now_s = self._monotonic_s()
        self._deadlines_s = {
            number: min(self._deadlines_s.get(number, math.inf), now_s + left / 1000)
            for number, left in left_ms.items()
        }
        due = {number for number, at_s in self._deadlines_s.items() if at_s <= now_s}
        if due:
            await self._transactions.run_write(lambda tx: end_windows(tx, due))
