"""The running registrar: what takes joins, what the operator's commands reach, and its life."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from jrc import __version__
from jrc.admin.api import build_api
from jrc.admin.health import build_metrics
from jrc.admin.metrics import Counters, Gauges, InstallerCollector, registry_of, text_of
from jrc.admin.rollover_metrics import RolloverCollector
from jrc.admin.server import AdminServer, metrics_server
from jrc.admin.services import Health
from jrc.app.border_routers import look_at_border_routers
from jrc.app.cautions import cautions
from jrc.app.housekeeping import Housekeeping
from jrc.app.installers import Installers
from jrc.app.link import Link
from jrc.app.listening import Listening
from jrc.app.part import Part
from jrc.app.proxy import join_proxy
from jrc.app.rollover_survey import RolloverSurvey
from jrc.app.rollovers import RolloverKeeper
from jrc.app.transactions import DaemonTransactions
from jrc.app.updates import Updates
from jrc.app.windows import WindowKeeper
from jrc.coap.endpoint import Datagram, Endpoint
from jrc.config import Endpoint as Place
from jrc.errors import ConflictError, ExitCode, JrcError, StoreError
from jrc.net.interfaces import InterfaceWatch, look
from jrc.offline import configured_installers, identity, rollover_settings, surveyed
from jrc.opened import Opened
from jrc.policy.interface import Interface
from jrc.service.attempts import Attempts
from jrc.service.batches import Batches
from jrc.service.contexts import Contexts
from jrc.service.installers import InstallationReport, InstallerId
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome, decide
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings
from jrc.service.survey import survey
from jrc.store.writer import Writer

T = TypeVar("T")

_GC_THRESHOLDS = (50_000, 20, 20)
"""What a join allocates has no cycles; looking for some after every 700 objects costs time."""

_log = structlog.get_logger("jrc")


class Daemon:
    """The running registrar: endpoint, writer thread, admin socket, metrics port."""

    def __init__(
        self, opened: Opened, listeners: Sequence[socket.socket], places: Sequence[Place] = ()
    ) -> None:
        """``places`` are addresses of ``coap.listen``: link-local ones have no listener yet."""
        self._opened = opened
        self._settings = opened.settings
        self._started_s = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._exit_code = ExitCode.DONE
        self._trouble: str | None = None
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
        self._batches = Batches(self._writer.submit)
        self._attempts = Attempts()
        self._intake = self._made_intake()
        self._transactions = DaemonTransactions(
            opened, self._writer.work, self._contexts, self._changed
        )
        self._housekeeping = self._made_housekeeping()
        opened.database.on_border_router = look_at_border_routers(self.rollover_settings)
        self._installers = self._made_installers()
        self._updates = self._made_updates()
        self._survey_of_keys = RolloverSurvey(self, self._housekeeping.every)
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
        )

    def _made_housekeeping(self) -> Housekeeping:
        return Housekeeping(
            self._counters,
            self._transactions.remember,
            lambda: self.run_read(survey),
            self._endpoint.resume,
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
            self.installers,
        )

    def _made_registry(self) -> CollectorRegistry:
        """The metrics of all but the Join Proxy, which adds its own."""
        registry = registry_of(self._counters, self._gauges, __version__)
        registry.register(InstallerCollector(self._installers.counts))
        registry.register(
            RolloverCollector(
                self._survey_of_keys.figures, self._updates.counts, self._opened.clock.now_ms
            )
        )
        return registry

    def _made_parts(self, places: Sequence[Place]) -> list[Part]:
        """What runs beside the joins, in the order in which it begins; it ends the other way."""
        every = self._housekeeping.every
        parts: list[Part] = [
            Listening(places, self._endpoint, InterfaceWatch),
            Link(self, InterfaceWatch, self._fatal),
            self._installers,
            WindowKeeper(self, every),
            self._updates,
            RolloverKeeper(self._settings.rollover, self, self.installers, every),
            self._survey_of_keys,
        ]
        return parts if self._proxy is None else [*parts, self._proxy]

    # Life

    async def start(self) -> None:
        """Open everything; when it returns, joins are answered."""
        self._contexts.learn(self._opened.lookup.kid_contexts())
        self._opened.database.load_policy()
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
        return self._writer.is_computing or self._housekeeping.forgetful is not None

    def _let_go(self) -> None:
        """Called by the writer thread: the loop may read again while the commit waits."""
        if self._endpoint.is_waiting and self._housekeeping.forgetful is None:
            self._loop.call_soon_threadsafe(self._endpoint.resume)

    def _finished(self, outcomes: list[Outcome], failures: Sequence[tuple[Ask, JrcError]]) -> None:
        if self._housekeeping.forgetful is None:
            self._endpoint.resume()
        self._intake.finish(outcomes)
        for ask, error in failures:
            self._intake.abandon(ask, error)
        self._transactions.look_again()
        self._note_trouble(bool(outcomes), [error for _, error in failures])
        self._batches.done()
        if self._housekeeping.forgetful is None:
            # Whoever was answered asks again at once under load: one batch, and not two in turn.
            self._endpoint.read()
        self._batches.turn()
        if self._drained is not None and not self._batches:
            self._drained.set()

    def _note_trouble(self, worked: bool, errors: Sequence[JrcError]) -> None:
        """Say once that the database fails, and once that it works again."""
        failed = [
            str(error)
            for error in errors
            if isinstance(error, StoreError) and not isinstance(error, ConflictError)
        ]
        if failed and self._trouble is None:
            _log.error("joins_not_answered", error=failed[0])
        elif worked and self._trouble is not None:
            _log.info("database_works_again")
        if failed or worked:
            self._trouble = failed[0] if failed else None

    def _fatal(self, error: BaseException) -> None:
        _log.critical("stopping", error=str(error), hint="what is on disk is read at the start")
        self._trouble = str(error)
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
            **surveyed(await self.run_read(survey)),
            **identity(self._opened),
            "pid": os.getpid(),
            "ready": self._is_ready(),
            "why": self._trouble or self._housekeeping.forgetful,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "listening": self._endpoint.addresses(),
            "metrics": None
            if self._settings.metrics is None
            else str(self._settings.metrics.listen),
            **self._counters.summary(),
            **{part.name: part.status() for part in self._parts},
        }

    def distrust(self) -> None:
        """As ``Services.distrust``."""
        self._contexts.forget_all()

    def metrics_text(self) -> bytes:
        """As ``Services.metrics_text``."""
        return text_of(self._registry)

    def health(self) -> Health:
        """As ``Services.health``."""
        why = tuple(
            cause for cause in (self._trouble, self._housekeeping.forgetful) if cause is not None
        )
        return Health(alive=not self._ended.is_set(), ready=self._is_ready(), why=why)

    def _is_ready(self) -> bool:
        return self._ready and self._trouble is None and self._housekeeping.forgetful is None

    def _changed(self) -> None:
        for part in self._parts:
            part.changed()

    def _gauges(self) -> Gauges:
        return Gauges(
            ready=self._is_ready(),
            contexts_cached=len(self._contexts),
            pledges=self._housekeeping.survey.pledges,
            short_ids_left=self._housekeeping.survey.short_ids_left,
        )
