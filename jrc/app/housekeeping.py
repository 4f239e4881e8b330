"""What the daemon does by itself at all times: remember, count, say."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

import structlog

from jrc.admin.metrics import Counters
from jrc.app.tasks import guarded
from jrc.app.troubles import Troubles
from jrc.errors import Cause, JrcError, OperatorError, StoreError
from jrc.service.survey import Survey

REMEMBER_EVERY_S = 1.0
"""How old the instance file may be (``store/instancefile.py``)."""
TRY_EVERY_S = 1.0
"""While the database fails, whether it works again; nobody may ask to join meanwhile."""
SUMMARY_EVERY_S = 10.0
"""One log line for all datagrams in between, however many there were."""
SURVEY_EVERY_S = 60.0
"""How old the counts in the metrics may be."""
RECENT_SHARE = 0.02
"""Of one thread's time: a million pledges take seconds, and are told as of a minute ago then."""

_log = structlog.get_logger("jrc")


class Housekeeping:
    """``remember`` writes the instance file, ``look_around`` counts rows; both may be slow.

    ``attempt`` reads the database and writes to it, ``troubles`` hears whether that and the
    instance file work; ``fatal`` is called with an error that nobody expected.
    """

    def __init__(
        self,
        counters: Counters,
        remember: Callable[[], Awaitable[None]],
        look_around: Callable[[], Awaitable[Survey]],
        attempt: Callable[[], Awaitable[None]],
        troubles: Troubles,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.survey = Survey()
        """How many pledges and short identifiers there are, as of a minute ago at most."""
        self._counters = counters
        self._remember = remember
        self._look_around = look_around
        self._attempt = attempt
        self._troubles = troubles
        self._fatal = fatal
        self._recent_until_s = 0.0
        self._logged: Mapping[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop."""
        self.every(REMEMBER_EVERY_S, self._tick)
        self.every(TRY_EVERY_S, self._try)
        self.every(SUMMARY_EVERY_S, self._summarise)
        self.every(SURVEY_EVERY_S, self.count)

    def stop(self) -> None:
        """Do nothing more."""
        for task in self._tasks:
            task.cancel()

    def every(self, period_s: float, work: Callable[[], Awaitable[object]]) -> None:
        """Do ``work`` now and then again and again, whatever it meets of the expected errors."""
        repeated = partial(self._repeat, period_s, work)
        self._tasks.append(asyncio.create_task(guarded(repeated, self._fatal)))

    async def _repeat(self, period_s: float, work: Callable[[], Awaitable[object]]) -> None:
        failed = False
        while True:
            try:
                await work()
                failed = False
            except JrcError as error:
                if not failed:
                    _log.error("housekeeping_failed", error=str(error))
                failed = True
            await asyncio.sleep(period_s)

    async def _tick(self) -> None:
        self._counters.sample(time.monotonic())
        try:
            await self._remember()
        except StoreError as error:  # the database file is not in its place
            self._troubles.failed(error)
        except (OperatorError, OSError) as error:
            # An old copy of the database could not be told from this one.
            self._troubles.begin(Cause.INSTANCE_FILE, str(error))
        else:
            self._troubles.end(Cause.INSTANCE_FILE)

    async def _try(self) -> None:
        """Whether a database that has failed works again."""
        if self._troubles.of_database:
            with suppress(StoreError):
                await self._attempt()
                self._troubles.database_works()

    async def recent(self) -> Survey:
        """Counted now, or so lately that counting takes ``RECENT_SHARE`` of the time at most."""
        return await self.count() if time.monotonic() >= self._recent_until_s else self.survey

    async def count(self) -> Survey:
        """Count now; what is found stays in ``survey`` until the next time."""
        began_s = time.monotonic()
        before, self.survey = self.survey, await self._look_around()
        ended_s = time.monotonic()
        self._recent_until_s = ended_s + (ended_s - began_s) / RECENT_SHARE
        for network in set(self.survey.low) - set(before.low):
            _log.warning(
                "short_identifiers_run_low",
                network=network,
                left=self.survey.short_ids_left[network],
                hint="only new link-layer keys make burned ones free again: a rollover is due",
            )
        return self.survey

    async def _summarise(self) -> None:
        totals = self._counters.totals()
        changes = {name: n - self._logged.get(name, 0) for name, n in totals.items()}
        self._logged = totals
        if any(changes.values()):
            _log.info("traffic", **{name: n for name, n in changes.items() if n})
        if self._counters.damage is not None:
            _log.error("damaged_state", what=self._counters.damage)
            self._counters.damage = None
