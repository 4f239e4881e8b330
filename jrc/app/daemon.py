"""The running registrar: the way of joins, what runs beside it, and the life of both.

Every part is made and tied to the others here and nowhere else.
"""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from jrc import __version__
from jrc.admin.api import build_api
from jrc.admin.api_metrics import ApiCounts, Counted
from jrc.admin.health import build_metrics
from jrc.admin.server import metrics_server
from jrc.app.admin_socket import admin_server
from jrc.app.backups import Backups
from jrc.app.border_routers import look_at_border_routers
from jrc.app.cautions import cautions
from jrc.app.daemon_services import DaemonServices
from jrc.app.database_size import DatabaseSize
from jrc.app.event_keeper import EventKeeper
from jrc.app.event_watch import EventWatch
from jrc.app.housekeeping import SUMMARY_EVERY_S, Housekeeping
from jrc.app.import_keeper import ImportKeeper
from jrc.app.installers import Installers
from jrc.app.join_path import JoinPath
from jrc.app.link import Link
from jrc.app.listening import Listening
from jrc.app.logs import Logs
from jrc.app.measured import Measured
from jrc.app.page import Page
from jrc.app.part import Part
from jrc.app.proxy import join_proxy
from jrc.app.registrars import Registrars
from jrc.app.reloading import Reloading, Taking
from jrc.app.rollover_survey import RolloverSurvey
from jrc.app.rollovers import RolloverKeeper
from jrc.app.updates import Updates
from jrc.app.windows import WindowKeeper
from jrc.coap.endpoint import Datagram
from jrc.config import Endpoint as Place
from jrc.config import Settings
from jrc.errors import ExitCode
from jrc.net.interfaces import InterfaceWatch
from jrc.offline import configured_installers, rollover_settings
from jrc.opened import Opened
from jrc.service.survey import survey
from jrc.servicemanager import Passed
from jrc.store.size import ServerSize

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
        *,
        logs: Logs,
        passed: Passed,
        read_settings: Callable[[], Settings],
        clock_doubt: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``places`` are addresses of ``coap.listen``: link-local ones have no listener yet.

        ``read_settings`` gives what the config file says now.
        """
        self._logs = logs
        self._passed = passed
        self._read_settings = read_settings
        self._clock_doubt = clock_doubt
        self._opened = opened
        self._settings = opened.settings
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._exit_code = ExitCode.DONE
        self._servers = AsyncExitStack()
        self._joins = JoinPath(opened, listeners, logs, self._changed, self._fatal)
        self._counters = self._joins.counters
        self._contexts = self._joins.contexts
        self._endpoint = self._joins.endpoint
        self._troubles = self._joins.troubles
        self._transactions = self._joins.transactions
        self._housekeeping = self._made_housekeeping()
        opened.database.on_border_router = look_at_border_routers(
            rollover_settings(self._settings.rollover)
        )
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
        self._survey_of_keys = RolloverSurvey(self._transactions, self._housekeeping.every)
        self._backups = self._made_backups()
        self._database = self._made_database()
        self._listening = Listening(places, self._endpoint, InterfaceWatch)
        self._event_watch = self._made_event_watch()
        self._services = self._made_services()
        self._app, self._api_counts = build_api(self._services), ApiCounts()
        self._page = self._made_page()
        registry = self._made_registry()
        self._proxy = join_proxy(
            self._settings, self._endpoint, self._transactions, registry, self._fatal
        )
        self._joins.take_first = self._take_first
        self._parts = self._made_parts()
        self._services.begin(registry, self._parts)

    def _made_housekeeping(self) -> Housekeeping:
        return Housekeeping(
            self._counters,
            self._transactions.remember,
            lambda: self._transactions.run_read(
                partial(survey, installers=configured_installers(self._settings))
            ),
            self._transactions.attempt,
            self._troubles,
            self._fatal,
        )

    def _made_installers(self) -> Installers:
        return Installers(
            self._settings.installer,
            self._settings.state_dir,
            self._transactions,
            self._fatal,
            lambda: self._counters.joins_total,
        )

    def _made_updates(self) -> Updates:
        return Updates(
            self._settings.rollover,
            self._transactions,
            self._endpoint,
            self._opened.clock,
            self._joins.intake.next_message_id,
            self._contexts.forget,
            self._counters.dropped,
            self._fatal,
            lambda: self._joins.intake.in_flight,
            configured_installers(self._settings),
            self._clock_doubt,
            self._settings.lab,
        )

    def _made_backups(self) -> Backups | None:
        """Scheduled ones, where they are set up."""
        section = self._settings.backup
        if section.directory is None:
            return None
        return Backups(section, self._opened, self._transactions, self._housekeeping.every)

    def _made_database(self) -> Path | DatabaseSize:
        """What tells the size of the database: its file, or who asks the server."""
        section = self._settings.database
        if section.file is not None:
            return section.file
        return DatabaseSize(ServerSize(section.url).look, self._housekeeping.every)

    def _made_services(self) -> DaemonServices:
        return DaemonServices(
            opened=self._opened,
            transactions=self._transactions,
            contexts=self._contexts,
            attempts=self._joins.attempts,
            installers=self._installers,
            updates=self._updates,
            endpoint=self._endpoint,
            counters=self._counters,
            housekeeping=self._housekeeping,
            closure=self._joins.closure,
            troubles=self._troubles,
            clock_doubt=self._clock_doubt,
            is_ending=self._ended.is_set,
        )

    def _made_event_watch(self) -> EventWatch:
        return EventWatch(
            self._transactions,
            self._opened.clock,
            lambda: self._opened.database.instance.event_number,
            self._housekeeping.every,
        )

    def _made_page(self) -> Page:
        return Page(
            self._settings,
            self._opened.clock,
            self._services,
            self._counters,
            self._updates,
            self._housekeeping.every,
            self._passed.stream_at,
        )

    def _made_registry(self) -> CollectorRegistry:
        """The metrics of all but the Join Proxy, which adds its own."""
        measured = Measured(
            opened=self._opened,
            counters=self._counters,
            housekeeping=self._housekeeping,
            contexts=self._contexts,
            intake=self._joins.intake,
            attempts=self._joins.attempts,
            endpoint=self._endpoint,
            troubles=self._troubles,
            closure=self._joins.closure,
            log=self._logs.writer,
            installers=self._installers,
            updates=self._updates,
            rollovers=self._survey_of_keys,
            registrars=self._registrars,
            listening=self._listening,
            event_watch=self._event_watch,
            page=self._page,
            backups=self._backups,
            database=self._database,
            api=self._api_counts,
            is_ready=lambda: self._services.is_ready,
            clock_doubt=self._clock_doubt,
        )
        return measured.registry()

    def _made_parts(self) -> list[Part]:
        """What runs beside the joins, in the order in which it begins; it ends the other way."""
        every = self._housekeeping.every
        database = self._transactions
        link = Link(database, InterfaceWatch, self._fatal)
        keeper = RolloverKeeper(
            self._settings.rollover, database, configured_installers(self._settings), every
        )
        events = EventKeeper(self._settings.events, database, self._opened.clock, every)
        taking = Taking(
            self._opened, self._logs, self._updates, keeper, events, self._backups, self._proxy
        )
        self._reloading = Reloading(self._settings, self._read_settings, taking, os.environ)
        self._registrars.conducts(link, self._updates, keeper)
        parts: list[Part] = [
            self._registrars,
            self._listening,
            link,
            self._installers,
            WindowKeeper(database, every),
            self._updates,
            keeper,
            self._survey_of_keys,
            ImportKeeper(database, every),
            events,
            self._reloading,
            self._event_watch,
            self._page,
        ]
        if self._backups is not None:
            parts.append(self._backups)
        if isinstance(self._database, DatabaseSize):
            parts.append(self._database)
        if self._settings.api is not None:
            from jrc.app.remote_api import RemoteApi  # loads what reads certificates

            passed = self._passed.stream_at
            section, counts = self._settings.api, self._api_counts
            api = RemoteApi(section, self._app, database, counts, every, passed)
            parts.append(api)
        return parts if self._proxy is None else [*parts, self._proxy]

    # Life

    async def start(self) -> None:
        """Open everything; when it returns, joins are answered."""
        self._joins.start()
        await self._start_servers()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._reloading.reload)
        for part in self._parts:
            await part.start()
        self._joins.listen()
        self._housekeeping.start()
        self._housekeeping.every(SUMMARY_EVERY_S, self._logs.joins.summarise)
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._services.is_up = True
        for event, fields in cautions(self._opened):
            _log.warning(event, **fields)
        _log.info("ready", version=__version__, listening=self._endpoint.addresses())

    async def _start_servers(self) -> None:
        beside = self._page.beside(Counted(self._app, self._api_counts, "unix"))
        admin = admin_server(beside, self._settings.admin)
        self._servers.push_async_callback(admin.stop)
        await admin.start()
        if self._settings.metrics is not None:
            place, hosts = self._settings.metrics.listen, self._settings.metrics.hosts
            passed = self._passed.stream_at(place.host, place.port)
            app = build_metrics(self._services)
            metrics = metrics_server(app, place.host, place.port, passed, hosts=hosts)
            self._servers.push_async_callback(metrics.stop)
            await metrics.start()

    async def run(self) -> int:
        """Wait for the end; the exit code."""
        await self._ended.wait()
        return int(self._exit_code)

    async def stop(self) -> None:
        """Finish what was accepted: read no more, commit, answer, close."""
        self._services.is_up = False
        self._endpoint.stop_reading()
        self._housekeeping.stop()
        for part in reversed(self._parts):
            await part.stop()
        await self._servers.aclose()
        await self._joins.finish()
        _log.info("stopped", joins=self._counters.joins_total)

    def works(self) -> bool:
        """Whether the writer thread gets on; for the watchdog."""
        return self._joins.works()

    def _take_first(self, datagrams: list[Datagram]) -> Sequence[Datagram]:
        """What the Join Proxy and updates leave of what has arrived."""
        if self._proxy is not None:
            datagrams = self._proxy.host.take(datagrams)
        return self._updates.receive(datagrams)

    def _fatal(self, error: BaseException) -> None:
        _log.critical("stopping", error=str(error), hint="what is on disk is read at the start")
        self._exit_code = ExitCode.FAILED
        self._joins.give_up()
        self._ended.set()

    def _changed(self) -> None:
        self._joins.closure.look()
        for part in self._parts:
            part.changed()
