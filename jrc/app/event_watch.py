"""Goes along the audit log bit by bit, so that somebody is told when an event was changed.

`jrc events verify` looks at all of it at once, and says more (docs/audit-log.md).
"""

from collections.abc import Callable, Mapping

import structlog

from jrc.admin.services import Transactions
from jrc.admin.state_metrics import ChainFigures
from jrc.app.part import Every
from jrc.service.event_chain import Place
from jrc.service.event_check import ChainReport, verify_stretch
from jrc.service.ports import Clock
from jrc.service.wording import utc_text

LOOK_EVERY_S = 20.0
STRETCH = 500
"""Events at a look: a few milliseconds, and a million events in eleven hours."""

_log = structlog.get_logger("jrc")


class EventWatch:
    """As ``app.part.Part``; ``newest`` is the number of the newest event that was seen.

    ``every`` repeats work for as long as the daemon runs. What was found once stays said until
    all of the log was gone along again and nothing was found.
    """

    name = "event_chain"

    def __init__(
        self, transactions: Transactions, clock: Clock, newest: Callable[[], int], every: Every
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._newest = newest
        self._every = every
        self._place: Place | None = None
        self._broken: ChainReport | None = None
        self._verified_at_ms: int | None = None

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: it does not matter here."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``: the first event that does not fit, and when all of them did."""
        broken = self._broken
        return {
            "intact": broken is None,
            "why": None if broken is None else broken.sentence,
            "verified": utc_text(self._verified_at_ms),
        }

    def figures(self) -> ChainFigures:
        """For the metrics."""
        return ChainFigures(self._broken is None, self._verified_at_ms)

    async def look(self) -> None:
        """Go along one stretch more, or begin anew."""
        place, newest = self._place, self._newest()
        report = await self._transactions.run_read(
            lambda tx: verify_stretch(tx, place, STRETCH, known=newest)
        )
        if not report.intact:
            self._found(report)
        elif report.done:
            self._broken, self._verified_at_ms = None, self._clock.now_ms()
        is_over = report.done or not report.intact
        self._place = None if is_over else Place(report.number, bytes.fromhex(report.hash))

    def _found(self, report: ChainReport) -> None:
        if self._broken is None or self._broken.broken_at != report.broken_at:
            _log.error(
                "audit_log_changed",
                at_event=report.broken_at,
                error=report.sentence,
                hint="`jrc events verify` says more; docs/audit-log.md",
            )
        self._broken = report
