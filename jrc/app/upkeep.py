"""A radio of this host has to hear of each node that joins, and may lose its keys on the way.

The join path tells nobody of its joins; it counts them, and the count is looked at here.
"""

import asyncio
import time
from collections.abc import Callable

from jrc.service.ports import KeyInstaller

TICK_S = 1.0
"""How long the frames of a node that has just joined may be dropped."""
LOOK_S = 60.0
"""How long a radio that was plugged in again may be without keys."""


class Upkeep:
    """Waits for what an installer that is local has to do; ``joins`` is their count so far."""

    def __init__(
        self,
        program: KeyInstaller,
        joins: Callable[[], int],
        *,
        tick_s: float = TICK_S,
        look_s: float = LOOK_S,
    ) -> None:
        self._program = program
        self._joins = joins
        self._counted = joins()
        self._tick_s = tick_s
        self._look_s = look_s

    async def rest(self, woken: asyncio.Event, wait_s: float | None, *, is_installed: bool) -> bool:
        """Return when it is time to look again; whether the radio has what was put in last."""
        began_s = looked_s = time.monotonic()
        while not woken.is_set():
            now_s = time.monotonic()
            if self._is_news() or (wait_s is not None and now_s - began_s >= wait_s):
                break
            if is_installed and now_s - looked_s >= self._look_s:
                looked_s = now_s
                if not await self._program.keeps():
                    return False
            await _tick(woken, self._tick_s)
        return True

    def _is_news(self) -> bool:
        before, self._counted = self._counted, self._joins()
        return before != self._counted


async def _tick(woken: asyncio.Event, tick_s: float) -> None:
    try:
        async with asyncio.timeout(tick_s):
            await woken.wait()
    except TimeoutError:
        pass
