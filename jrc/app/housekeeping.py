"""What the daemon does by itself at all times: remember, count, say."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from jrc.admin.metrics import Counters
from jrc.app.tasks import guarded
from jrc.errors import JrcError, OperatorError
from jrc.service.survey import Survey

REMEMBER_EVERY_S = 1.0
"""How old the instance file may be (``store/instancefile.py``)."""
SUMMARY_EVERY_S = 10.0
"""One log line for all datagrams in between, however many there were."""
SURVEY_EVERY_S = 60.0
"""How old the counts in the metrics may be."""

_log = structlog.get_logger("jrc")


class Housekeeping:
    """``remember`` writes the instance file, ``look_around`` counts rows; both may be slow.

    ``resume`` is called when answers may leave again after ``forgetful`` has kept them back,
    ``fatal`` with an error that nobody expected.
    """

    def __init__(
        self,
        counters: Counters,
        remember: Callable[[], Awaitable[None]],
        look_around: Callable[[], Awaitable[Survey]],
        resume: Callable[[], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.survey = Survey()
        """How many pledges and short identifiers there are, as of a minute ago at most."""
        self.forgetful: str | None = None
        """Why nobody is answered: an old copy of the database could not be told from this one."""
        self._counters = counters
        self._remember = remember
        self._look_around = look_around
        self._resume = resume
        self._fatal = fatal
        self._logged: Mapping[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop."""
        self.every(REMEMBER_EVERY_S, self._tick)
        self.every(SUMMARY_EVERY_S, self._summarise)
        self.every(SURVEY_EVERY_S, self._count)

    def stop(self) -> None:
        """Do nothing more."""
        for task in self._tasks:
            task.cancel()

    def every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` now and then again and again, whatever it meets of the expected errors."""
        repeated = partial(self._repeat, period_s, work)
        self._tasks.append(asyncio.create_task(guarded(repeated, self._fatal)))

    async def _repeat(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except JrcError as error:
                _log.error("housekeeping_failed", error=str(error))
            await asyncio.sleep(period_s)

    async def _tick(self) -> None:
        self._counters.sample(time.monotonic())
        try:
            await self._remember()
        except (OperatorError, OSError) as error:
            if self.forgetful is None:
                _log.error("joins_not_answered", error=str(error))
            self.forgetful = str(error)
            return
        if self.forgetful is not None:
            _log.info("instance_file_works_again")
            self.forgetful = None
            self._resume()

    async def _count(self) -> None:
        before, self.survey = self.survey, await self._look_around()
        for network in set(self.survey.low) - set(before.low):
            _log.warning(
                "short_identifiers_run_low",
                network=network,
                left=self.survey.short_ids_left[network],
                hint="only new link-layer keys make burned ones free again: a rollover is due",
            )

    async def _summarise(self) -> None:
        totals = self._counters.totals()
        changes = {name: n - self._logged.get(name, 0) for name, n in totals.items()}
        self._logged = totals
        if any(changes.values()):
            _log.info("traffic", **{name: n for name, n in changes.items() if n})
        if self._counters.damage is not None:
            _log.error("damaged_state", what=self._counters.damage)
            self._counters.damage = None
