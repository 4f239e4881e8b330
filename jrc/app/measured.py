"""What of the running registrar is measured, for its metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector

from jrc import __version__
from jrc.admin.api_metrics import ApiCollector, ApiCounts
from jrc.admin.backup_metrics import BackupCollector, BackupFigures
from jrc.admin.build_metrics import BuildCollector
from jrc.admin.host_metrics import HostCollector
from jrc.admin.installer_metrics import InstallerCollector
from jrc.admin.join_metrics import JoinCollector
from jrc.admin.metrics import Counters
from jrc.admin.page.metrics import PageCollector
from jrc.admin.rollover_metrics import RolloverCollector
from jrc.admin.state_metrics import CacheFill, StateCollector, StateFigures
from jrc.app.backups import Backups
from jrc.app.closure import Closure
from jrc.app.database_size import DatabaseSize
from jrc.app.event_watch import EventWatch
from jrc.app.host import host_figures
from jrc.app.housekeeping import Housekeeping
from jrc.app.installers import Installers
from jrc.app.listening import Listening
from jrc.app.page import Page
from jrc.app.registrars import Registrars
from jrc.app.rollover_survey import RolloverSurvey
from jrc.app.rollovers import DAY_S
from jrc.app.troubles import Troubles
from jrc.app.updates import Updates
from jrc.coap.endpoint import Endpoint
from jrc.logwriter import LogWriter
from jrc.opened import Opened
from jrc.service.attempts import PLEDGES, STRANGERS, Attempts
from jrc.service.backups import MADE
from jrc.service.contexts import DEFAULT_CAPACITY, MAX_UNVERIFIED, Contexts
from jrc.service.copies import MAX_REMEMBERED
from jrc.service.intake import MAX_IN_FLIGHT, Intake
from jrc.service.open_runs import MAX_KNOWN
from jrc.store.schema import SCHEMA_REVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The parts of a daemon that have figures; nothing is looked up before somebody asks."""

    opened: Opened
    counters: Counters
    housekeeping: Housekeeping
    contexts: Contexts
    intake: Intake
    attempts: Attempts
    endpoint: Endpoint
    troubles: Troubles
    closure: Closure
    log: LogWriter | None
    installers: Installers
    updates: Updates
    rollovers: RolloverSurvey
    registrars: Registrars
    listening: Listening
    event_watch: EventWatch
    page: Page
    backups: Backups | None
    database: Path | DatabaseSize
    api: ApiCounts
    is_ready: Callable[[], bool]
    clock_doubt: Callable[[], str | None]

    def registry(self) -> CollectorRegistry:
        """All metrics but the Join Proxy's, which adds its own."""
        settings, survey = self.opened.settings, self.housekeeping
        registry = CollectorRegistry(auto_describe=False)
        registry.register(StateCollector(self._state))
        registry.register(JoinCollector(self.counters, lambda: survey.survey.networks))
        registry.register(
            RolloverCollector(self.rollovers.figures, self.updates.counts, self.opened.clock.now_ms)
        )
        registry.register(InstallerCollector(self.installers.counts))
        registry.register(ApiCollector(self.api))
        registry.register(PageCollector(self.page.figures))
        registry.register(BackupCollector(self._backups))
        host = partial(host_figures, self.troubles, self.endpoint, self.log, settings.state_dir)
        registry.register(HostCollector(partial(host, self.database)))
        kind = "postgresql" if settings.database.file is None else "sqlite"
        registry.register(BuildCollector(__version__, SCHEMA_REVISION, kind))
        ProcessCollector(registry=registry)
        return registry

    def _backups(self) -> BackupFigures:
        """As the audit log has it; the daemon knows of its own sooner."""
        noted_ms = self.housekeeping.survey.last_events_ms.get(MADE)
        if self.backups is None:
            return BackupFigures(noted_ms)
        own = self.backups.figures()
        return own._replace(newest_ms=max(noted_ms or 0, own.newest_ms or 0) or None)

    def _state(self) -> StateFigures:
        seen_ms = self.opened.database.instance.clock_high_water_ms
        return StateFigures(
            ready=self.is_ready(),
            quarantined=self.closure.is_quarantined,
            clock_doubted=self.clock_doubt() is not None,
            clock_behind_ms=max(0, seen_ms - self.opened.clock.now_ms()),
            updates_hindered=self.updates.trouble is not None,
            is_conductor=self.registrars.is_conductor,
            listen_waiting=len(self.listening.waiting()),
            survey=self.housekeeping.survey,
            chain=self.event_watch.figures(),
            caches=self._caches(),
            rollover_every_s=self.opened.settings.rollover.every_days * DAY_S,
        )

    def _caches(self) -> Sequence[CacheFill]:
        attempts, contexts = self.attempts, self.contexts
        return (
            CacheFill("contexts", len(contexts), DEFAULT_CAPACITY),
            CacheFill("contexts_unverified", contexts.unverified, MAX_UNVERIFIED),
            CacheFill("requests_in_flight", self.intake.in_flight, MAX_IN_FLIGHT),
            CacheFill("copies", self.intake.copies_counted, MAX_REMEMBERED),
            CacheFill("recovery_runs", len(contexts.runs), MAX_KNOWN),
            CacheFill("attempts_verified", len(attempts.verified), PLEDGES),
            CacheFill("attempts_claimed", len(attempts.claimed), PLEDGES),
            CacheFill("attempts_strangers", len(attempts.strangers), STRANGERS),
        )
