"""The running registrar: what takes joins, what the operator's commands reach, and its life."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from jrc import __version__
from jrc.admin.api import build_api
from jrc.admin.backup_metrics import BackupCollector
from jrc.admin.health import build_metrics
from jrc.admin.host_metrics import HostCollector
from jrc.admin.metrics import Counters, Gauges, InstallerCollector, registry_of, text_of
from jrc.admin.rollover_metrics import RolloverCollector
from jrc.admin.server import AdminServer, metrics_server
from jrc.admin.services import Health
from jrc.app.backups import Backups
from jrc.app.border_routers import look_at_border_routers
from jrc.app.cautions import cautions
from jrc.app.closure import Closure
from jrc.app.event_keeper import EventKeeper
from jrc.app.host import host_figures
from jrc.app.housekeeping import Housekeeping
from jrc.app.installers import Installers
from jrc.app.link import Link
from jrc.app.listening import Listening
from jrc.app.part import Part
from jrc.app.proxy import join_proxy
from jrc.app.registrars import Registrars
from jrc.app.rollover_survey import RolloverSurvey
from jrc.app.rollovers import RolloverKeeper
from jrc.app.transactions import DaemonTransactions
from jrc.app.troubles import Troubles
from jrc.app.updates import Updates
from jrc.app.windows import WindowKeeper
from jrc.coap.endpoint import Datagram, Endpoint
from jrc.config import Endpoint as Place
from jrc.errors import ExitCode, JrcError, StoreError
from jrc.logwriter import LogWriter
from jrc.model import Secret
from jrc.net.interfaces import InterfaceWatch, look
from jrc.offline import configured_installers, dumped, identity, rollover_settings, surveyed
from jrc.opened import Opened, slot_key
from jrc.policy.interface import Interface
from jrc.service.attempts import Attempts
from jrc.service.backups import BackupWish
from jrc.service.batches import Batches
from jrc.service.contexts import Contexts
from jrc.service.installers import InstallationReport, InstallerId
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome, decide
from jrc.service.open_runs import RUN_LIFETIME_MS
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings
from jrc.service.survey import survey
from jrc.store.backup.dump import BESIDE_JOINS, Pace
from jrc.store.backup.seal import check_recipients
from jrc.store.writer import Writer

T = TypeVar("T")

_GC_THRESHOLDS = (50_000, 20, 20)
"""What a join allocates has no cycles; looking for some after every 700 objects costs time."""

_log = structlog.get_logger("jrc")


class Daemon:
    """The running registrar: endpoint, writer thread, admin socket, metrics port."""

    def __init__(
        self,
        opened: Opened,
        listeners: Sequence[socket.socket],
        places: Sequence[Place] = (),
        log: LogWriter | None = None,
        clock_doubt: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``places`` are addresses of ``coap.listen``: link-local ones have no listener yet."""
        self._log = log
        self._clock_doubt = clock_doubt
        self._opened = opened
        self._settings = opened.settings
        self._started_s = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._exit_code = ExitCode.DONE
        self._ready = False
        self._drained: asyncio.Event | None = None
        self._ended_badly = False
        self._servers = AsyncExitStack()
        self._counters = Counters()
        self._contexts = Contexts(opened.lookup)
        self._writer = self._made_writer()
        self._endpoint = Endpoint(
            listeners, self._arrived, self._is_held, self._counters.send_failed
        )
        self._troubles = Troubles(self._endpoint.resume)
        self._batches = Batches(self._writer.submit)
        self._attempts = Attempts()
        self._intake = self._made_intake()
        self._closure = Closure(opened, self._intake.close)
        self._transactions = DaemonTransactions(
            opened, self._writer.work, self._contexts, self._changed, self._troubles.failed
        )
        self._housekeeping = self._made_housekeeping()
        opened.database.on_border_router = look_at_border_routers(self.rollover_settings)
        self._installers = self._made_installers()
        self._updates = self._made_updates()
        self._registrars = Registrars(
            opened,
            self._transactions,
            self._contexts,
            self._troubles,
            self._housekeeping.every,
            self._fatal,
        )
        self._survey_of_keys = RolloverSurvey(self, self._housekeeping.every)
        self._backups = self._made_backups()
        self._registry = self._made_registry()
        self._proxy = join_proxy(self._settings, self._endpoint, self, self._registry, self._fatal)
        self._parts = self._made_parts(places)

    def _made_writer(self) -> Writer[Ask, Outcome]:
        return Writer(
            self._opened.database,
            self._opened.clock,
            decide,
            self._loop.call_soon_threadsafe,
            self._finished,
            self._let_go,
            self._fatal,
        )

    def _made_intake(self) -> Intake:
        return Intake(
            self._contexts,
            self._opened.lookup,
            self._batches.add,
            self._endpoint,
            self._counters,
            self._opened.clock,
            retransmit_cache=self._settings.coap.retransmit_cache,
            first_message_id=secrets.randbelow(0x10000),
            attempts=self._attempts,
            failed=self._troubles.failed,
        )

    def _made_housekeeping(self) -> Housekeeping:
        return Housekeeping(
            self._counters,
            self._transactions.remember,
            lambda: self.run_read(survey),
            self._transactions.attempt,
            self._troubles,
            self._fatal,
        )

    def _made_installers(self) -> Installers:
        return Installers(
            self._settings.installer,
            self._settings.state_dir,
            self,
            self._fatal,
            lambda: self._counters.joins_total,
        )

    def _made_updates(self) -> Updates:
        return Updates(
            self._settings.rollover,
            self,
            self._endpoint,
            self._opened.clock,
            self._intake.next_message_id,
            self._contexts.forget,
            self._counters.dropped,
            self._fatal,
            lambda: self._intake.in_flight,
            self.installers,
            self._clock_doubt,
        )

    def _made_backups(self) -> Backups | None:
        """Scheduled ones, where they are set up."""
        section = self._settings.backup
        if section.directory is None:
            return None
        return Backups(section, self._opened, self, self._housekeeping.every)

    def _made_registry(self) -> CollectorRegistry:
        """The metrics of all but the Join Proxy, which adds its own."""
        registry = registry_of(self._counters, self._gauges, __version__)
        host = partial(
            host_figures, self._troubles, self._endpoint, self._log, self._settings.state_dir
        )
        registry.register(HostCollector(host))
        registry.register(InstallerCollector(self._installers.counts))
        if self._backups is not None:
            registry.register(BackupCollector(self._backups.figures))
        registry.register(
            RolloverCollector(
                self._survey_of_keys.figures, self._updates.counts, self._opened.clock.now_ms
            )
        )
        return registry

    def _made_parts(self, places: Sequence[Place]) -> list[Part]:
        """What runs beside the joins, in the order in which it begins; it ends the other way."""
        every = self._housekeeping.every
        link = Link(self, InterfaceWatch, self._fatal)
        keeper = RolloverKeeper(self._settings.rollover, self, self.installers, every)
        self._registrars.conducts(link, self._updates, keeper)
        parts: list[Part] = [
            self._registrars,
            Listening(places, self._endpoint, InterfaceWatch),
            link,
            self._installers,
            WindowKeeper(self, every),
            self._updates,
            keeper,
            self._survey_of_keys,
            EventKeeper(self._settings.events, self, self._opened.clock, every),
        ]
        if self._backups is not None:
            parts.append(self._backups)
        return parts if self._proxy is None else [*parts, self._proxy]

    # Life

    async def start(self) -> None:
        """Open everything; when it returns, joins are answered."""
        self._contexts.learn(self._opened.lookup.kid_contexts())
        since_ms = self._opened.clock.now_ms() - RUN_LIFETIME_MS
        self._contexts.runs.add(self._opened.lookup.runs.since(since_ms))
        self._opened.database.load_policy()
        self._closure.look()
        self._writer.start()
        await self._start_servers()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        for part in self._parts:
            await part.start()
        self._endpoint.start(self._loop)
        self._housekeeping.start()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._ready = True
        for event, fields in cautions(self._opened):
            _log.warning(event, **fields)
        _log.info("ready", version=__version__, listening=self._endpoint.addresses())

    async def _start_servers(self) -> None:
        admin = AdminServer(build_api(self), self._settings.admin.socket)
        self._servers.push_async_callback(admin.stop)
        await admin.start()
        if self._settings.metrics is not None:
            place = self._settings.metrics.listen
            metrics = metrics_server(build_metrics(self), place.host, place.port)
            self._servers.push_async_callback(metrics.stop)
            await metrics.start()

    async def run(self) -> int:
        """Wait for the end; the exit code."""
        await self._ended.wait()
        return int(self._exit_code)

    async def stop(self) -> None:
        """Finish what was accepted: read no more, commit, answer, close."""
        self._ready = False
        self._endpoint.stop_reading()
        self._housekeeping.stop()
        for part in reversed(self._parts):
            await part.stop()
        await self._servers.aclose()
        if self._batches and not self._ended_badly:
            self._drained = asyncio.Event()
            await self._drained.wait()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        await asyncio.sleep(0)  # the last answers were handed to the loop before the thread ended
        self._endpoint.close()
        _log.info("stopped", joins=self._counters.joins_total)

    # Joins

    def _arrived(self, datagrams: list[Datagram]) -> None:
        if self._proxy is not None:
            datagrams = self._proxy.host.take(datagrams)
        left = self._updates.receive(datagrams)
        if left:
            self._intake.take(left)
            self._batches.turn()

    def _is_held(self) -> bool:
        """Whether datagrams are to wait in the kernel's queue."""
        return self._writer.is_computing or self._troubles.holds

    def _let_go(self) -> None:
        """Called by the writer thread: the loop may read again while the commit waits."""
        if self._endpoint.is_waiting and not self._troubles.holds:
            self._loop.call_soon_threadsafe(self._endpoint.resume)

    def _finished(self, outcomes: list[Outcome], failures: Sequence[tuple[Ask, JrcError]]) -> None:
        if not self._troubles.holds:
            self._endpoint.resume()
        self._intake.finish(outcomes)
        for ask, error in failures:
            self._intake.abandon(ask, error)
        self._transactions.look_again()
        if self._troubles and outcomes and not failures:
            self._troubles.database_works()
        self._batches.done()
        if not self._troubles.holds:
            # Whoever was answered asks again at once under load: one batch, and not two in turn.
            self._endpoint.read()
        self._batches.turn()
        if self._drained is not None and not self._batches:
            self._drained.set()

    def _fatal(self, error: BaseException) -> None:
        _log.critical("stopping", error=str(error), hint="what is on disk is read at the start")
        self._exit_code = ExitCode.FAILED
        self._ended_badly = True
        self._ended.set()
        if self._drained is not None:
            self._drained.set()

    # As admin.services.Services

    @property
    def allows_weak_keys(self) -> bool:
        """As ``Services.allows_weak_keys``."""
        return self._settings.lab.allow_weak_keys

    @property
    def attempts(self) -> Attempts:
        """As ``Services.attempts``."""
        return self._attempts

    @property
    def newest_event(self) -> int:
        """As ``Services.newest_event``."""
        return self._opened.database.instance.event_number

    @property
    def rollover_settings(self) -> RolloverSettings:
        """As ``Services.rollover_settings``."""
        return rollover_settings(self._settings.rollover)

    @property
    def installers(self) -> Collection[InstallerId]:
        """As ``Services.installers``."""
        return configured_installers(self._settings)

    @property
    def installer_waits_s(self) -> Mapping[InstallerId, float]:
        """As ``Services.installer_waits_s``."""
        return self._installers.waits_s()

    @property
    def updates_hindered(self) -> str | None:
        """As ``Services.updates_hindered``."""
        return self._updates.trouble

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_write``."""
        return await self._transactions.run_write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_read``."""
        return await self._transactions.run_read(work)

    async def install(
        self, network: str, *, actor: str, reason: str
    ) -> Sequence[InstallationReport]:
        """As ``Services.install``."""
        return await self._installers.install(network, actor=actor, reason=reason)

    async def interface(self, name: str) -> Interface | None:
        """As ``Services.interface``."""
        return await look(name)

    async def status(self) -> Mapping[str, object]:
        """As ``Services.status``."""
        return {
            **await self._surveyed(),
            "clock_doubt": self._clock_doubt(),
            **identity(self._opened),
            "pid": os.getpid(),
            "ready": self._is_ready(),
            "why": "; ".join(self._why()) or None,
            "troubles": [each._asdict() for each in self._troubles.standing()],
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "listening": self._endpoint.addresses(),
            "metrics": None
            if self._settings.metrics is None
            else str(self._settings.metrics.listen),
            **self._counters.summary(),
            **{part.name: part.status() for part in self._parts},
        }

    async def _surveyed(self) -> dict[str, object]:
        """What the database holds; nothing where it can't be read, which ``why`` says then."""
        with suppress(StoreError):
            return surveyed(await self.run_read(survey))
        return {}

    def check_recipients(self, recipients: Sequence[str]) -> None:
        """As ``Services.check_recipients``."""
        check_recipients(recipients)

    def dump(self, wish: BackupWish) -> AsyncIterator[bytes]:
        """As ``Services.dump``; joins come first."""
        return dumped(self._opened, wish, Pace(BESIDE_JOINS))

    def slot_key(self) -> Secret:
        """As ``Services.slot_key``."""
        return slot_key(self._settings)

    def distrust(self) -> None:
        """As ``Services.distrust``."""
        self._contexts.forget_all()

    def metrics_text(self) -> bytes:
        """As ``Services.metrics_text``."""
        return text_of(self._registry)

    def health(self) -> Health:
        """As ``Services.health``."""
        return Health(
            alive=not self._ended.is_set(),
            ready=self._is_ready(),
            why=self._why(),
        )

    def _why(self) -> tuple[str, ...]:
        closed, troubles = self._closure.why, self._troubles.sentences()
        return troubles if closed is None else (closed, *troubles)

    def _is_ready(self) -> bool:
        hindered = bool(self._troubles) or self._closure.is_closed
        return self._ready and not hindered and not self._ended.is_set()

    def _changed(self) -> None:
        self._closure.look()
        for part in self._parts:
            part.changed()

    def _gauges(self) -> Gauges:
        return Gauges(
            ready=self._is_ready(),
            quarantined=self._closure.is_quarantined,
            contexts_cached=len(self._contexts),
            pledges=self._housekeeping.survey.pledges,
            short_ids_left=self._housekeeping.survey.short_ids_left,
        )
