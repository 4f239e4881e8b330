"""Tasks beside the joins: what ends the daemon, and what is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from jrc.errors import JrcError

RETRY_S = 5.0
"""Before work that has failed is tried again."""

Fatal = Callable[[BaseException], None]

_log = structlog.get_logger("jrc")


async def guarded(work: Callable[[], Awaitable[None]], fatal: Fatal) -> None:
    """Do ``work`` as a task of its own; an error that nobody expected goes to ``fatal``."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - the outermost guard of this task
        fatal(error)


class CatchUp:
    """Does ``work`` whenever there is news, and again a while after it has failed.

    ``failed`` is the log event of an expected failure; any other goes to ``fatal``.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], failed: str, fatal: Fatal) -> None:
        self._work = work
        self._failed = failed
        self._fatal = fatal
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def news(self) -> None:
        """There is something to catch up with."""
        self._news.set()

    async def now(self) -> None:
        """Do the work at once, errors and all."""
        self._news.clear()
        await self._work()

    def start(self) -> None:
        """Wait for news from now on."""
        self._task = asyncio.create_task(guarded(self._run, self._fatal), name=self._failed)

    async def stop(self) -> None:
        """Whatever comes, do nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            try:
                await self.now()
            except JrcError as error:
                _log.error(self._failed, error=str(error))
                await asyncio.sleep(RETRY_S)
                self._news.set()
