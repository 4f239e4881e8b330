"""Removes events of the audit log that are older than the operator wants to keep them.

A clock that jumps ahead makes everything old: where it did not run as the monotonic one since the
look before, nothing is removed at this one.
"""

import time
from collections.abc import Callable, Mapping

import structlog

from jrc.admin.event_log import remove_in_turns
from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.config import Events
from jrc.service.event_removal import Removal, removal_due
from jrc.service.ports import Clock
from jrc.service.registry import Registry

LOOK_EVERY_S = 3600.0
MAX_DRIFT_MS = 60_000
"""A clock that was slewed or corrected by less is taken for one that runs well."""
REST_S = 0.25
"""Between two chunks: nobody waits for this to end, and joins go first."""
ACTOR = "jrc"
_DAY_MS = 86_400_000

_log = structlog.get_logger("jrc")


class EventKeeper:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs."""

    name = "events"

    def __init__(
        self,
        settings: Events,
        transactions: Transactions,
        clock: Clock,
        every: Every,
        monotonic_s: Callable[[], float] = time.monotonic,
        *,
        rest_s: float = REST_S,
    ) -> None:
        self._settings = settings
        self._transactions = transactions
        self._clock = clock
        self._every = every
        self._monotonic_s = monotonic_s
        self._rest_s = rest_s
        self._ahead_ms: float | None = None
        self._removed = 0

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: it does not matter here."""

    def use(self, settings: Events) -> None:
        """These from the next look on."""
        self._settings = settings

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``; ``removed`` since the daemon was started."""
        return {"keep_days": self._settings.keep_days or None, "removed": self._removed}

    async def look(self) -> None:
        """Remove what is too old, from the second look on, and only by a clock that runs well."""
        if not self._runs_well() or not self._settings.keep_days:
            return
        removal = await self._transactions.run_read(self._due)
        if removal is None:
            return
        reason = f"older than events.keep_days = {self._settings.keep_days:g}"
        await remove_in_turns(
            self._transactions, removal, actor=ACTOR, reason=reason, rest_s=self._rest_s
        )
        self._removed += removal.count
        _log.info("events_removed", first=removal.first, last=removal.last, hash=removal.hash)

    def _runs_well(self) -> bool:
        """Whether wall clock and monotonic clock have gone on together since the look before."""
        ahead_ms = self._clock.now_ms() - 1000 * self._monotonic_s()
        before, self._ahead_ms = self._ahead_ms, ahead_ms
        return before is not None and abs(ahead_ms - before) <= MAX_DRIFT_MS

    def _due(self, tx: Registry) -> Removal | None:
        before_ms = tx.now_ms - round(self._settings.keep_days * _DAY_MS)
        return removal_due(tx, before_ms, self._settings.keep_at_least)
