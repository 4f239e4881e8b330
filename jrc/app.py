"""The one place that wires the daemon together."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import TypeVar

import structlog

from jrc import __version__, log, servicemanager
from jrc.admin.api import build_api
from jrc.admin.health import build_metrics
from jrc.admin.metrics import Counters, Gauges, registry_of, text_of
from jrc.admin.server import AdminServer, metrics_server
from jrc.admin.services import Health
from jrc.clock import SystemClock
from jrc.coap.endpoint import Datagram, Endpoint, bind, prepare
from jrc.config import Settings
from jrc.errors import ExitCode, JrcError, OperatorError, StoreError
from jrc.offline import identity, surveyed
from jrc.opened import Opened
from jrc.service.batches import Batches
from jrc.service.contexts import Contexts
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome, decide
from jrc.service.registry import Registry
from jrc.service.survey import Survey, survey
from jrc.store.database import Database, RowError
from jrc.store.registry import StoreRegistry
from jrc.store.writer import Writer

T = TypeVar("T")

REMEMBER_EVERY_S = 1.0
"""How old the instance file may be (``store/instancefile.py``)."""
SUMMARY_EVERY_S = 10.0
"""One log line for all datagrams in between, however many there were."""

SURVEY_EVERY_S = 60.0
"""How old the counts in the metrics may be."""

_GC_THRESHOLDS = (50_000, 20, 20)
"""What a join allocates has no cycles; looking for some after every 700 objects costs time."""

_log = structlog.get_logger("jrc")


def run_daemon(settings: Settings) -> int:
    """Run the registrar until SIGTERM or SIGINT; its exit code.

    Raises:
        OperatorError: it can't start.
    """
    log.configure(settings.log.level, settings.log.format, sys.stderr)
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        opened = Opened.open(settings, SystemClock())
        stack.callback(opened.close)
        daemon = Daemon(opened, _listeners(settings))
        stack.push_async_callback(daemon.stop)
        await daemon.start()
        servicemanager.notify(os.environ, "READY=1")
        code = await daemon.run()
        servicemanager.notify(os.environ, "STOPPING=1")
        return code


def _listeners(settings: Settings) -> list[socket.socket]:
    passed = servicemanager.passed_sockets(os.environ)
    if passed:
        for listener in passed:
            prepare(listener)
        return passed
    with ExitStack() as undo:
        listeners = []
        for place in settings.coap.listen:
            listeners.append(bind(place.host, place.port, place.scope))
            undo.callback(listeners[-1].close)
        undo.pop_all()
    return listeners


class Daemon:
    """The running registrar: endpoint, writer thread, admin socket, metrics port."""

    def __init__(self, opened: Opened, listeners: Sequence[socket.socket]) -> None:
        self._opened = opened
        self._settings = opened.settings
        self._started_s = time.monotonic()
        self._counters = Counters()
        self._contexts = Contexts(opened.lookup)
        self._loop = asyncio.get_running_loop()
        self._writer: Writer[Ask, Outcome] = Writer(
            opened.database,
            opened.clock,
            decide,
            self._loop.call_soon_threadsafe,
            self._finished,
            self._let_go,
            self._fatal,
        )
        self._endpoint = Endpoint(
            listeners, self._arrived, self._is_held, self._counters.send_failed
        )
        self._batches = Batches(self._writer.submit)
        self._intake = Intake(
            self._contexts,
            opened.lookup,
            self._batches.add,
            self._endpoint,
            self._counters,
            opened.clock,
            retransmit_cache=self._settings.coap.retransmit_cache,
            first_message_id=secrets.randbelow(0x10000),
        )
        self._registry = registry_of(self._counters, self._gauges, __version__)
        self._ended = asyncio.Event()
        self._exit_code = ExitCode.DONE
        self._trouble: str | None = None
        self._ready = False
        self._forgetful: str | None = None
        self._drained: asyncio.Event | None = None
        self._ended_badly = False
        self._survey = Survey()
        self._logged: Mapping[str, int] = {}
        self._policy_revision = opened.database.instance.policy_revision
        self._servers = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    # Life

    async def start(self) -> None:
        """Open everything; when it returns, joins are answered."""
        self._contexts.learn(self._opened.lookup.kid_contexts())
        self._opened.database.load_policy()
        self._writer.start()
        await self._start_servers()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        self._endpoint.start(self._loop)
        self._tasks = [
            asyncio.create_task(self._every(REMEMBER_EVERY_S, self._tick)),
            asyncio.create_task(self._every(SUMMARY_EVERY_S, self._summarise)),
            asyncio.create_task(self._every(SURVEY_EVERY_S, self._look_around)),
        ]
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._ready = True
        if os.geteuid() == 0:
            _log.warning("running_as_root", hint="the service's own user is enough")
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
        for task in self._tasks:
            task.cancel()
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
        self._intake.take(datagrams)
        self._batches.turn()

    def _is_held(self) -> bool:
        """Whether datagrams are to wait in the kernel's queue."""
        return self._writer.is_computing or self._forgetful is not None

    def _let_go(self) -> None:
        """Called by the writer thread: the loop may read again while the commit waits."""
        if self._endpoint.is_waiting and self._forgetful is None:
            self._loop.call_soon_threadsafe(self._endpoint.resume)

    def _finished(self, outcomes: list[Outcome], failures: Sequence[tuple[Ask, JrcError]]) -> None:
        if self._forgetful is None:
            self._endpoint.resume()
        self._intake.finish(outcomes)
        for ask, error in failures:
            self._intake.abandon(ask, error)
        self._note_trouble(bool(outcomes), [error for _, error in failures])
        self._batches.done()
        if self._forgetful is None:
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
            if isinstance(error, StoreError) and not isinstance(error, RowError)
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

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_write``."""
        result = await self._on_writer(
            lambda database: _write(database, work, self._opened.clock.now_ms())
        )
        self._contexts.learn(self._opened.database.take_learned())
        revision = self._opened.database.instance.policy_revision
        if revision != self._policy_revision:
            self._policy_revision = revision
            self._contexts.forget_all()
        return result

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_read``."""
        return await asyncio.to_thread(self._opened.read, work)

    async def status(self) -> Mapping[str, object]:
        """As ``Services.status``."""
        return {
            **surveyed(await self.run_read(survey)),
            **identity(self._opened),
            "pid": os.getpid(),
            "ready": self._is_ready(),
            "why": self._trouble or self._forgetful,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "listening": self._endpoint.addresses(),
            "metrics": None
            if self._settings.metrics is None
            else str(self._settings.metrics.listen),
            **self._counters.summary(),
        }

    def metrics_text(self) -> bytes:
        """As ``Services.metrics_text``."""
        return text_of(self._registry)

    def health(self) -> Health:
        """As ``Services.health``."""
        why = tuple(cause for cause in (self._trouble, self._forgetful) if cause is not None)
        return Health(alive=not self._ended.is_set(), ready=self._is_ready(), why=why)

    def _is_ready(self) -> bool:
        return self._ready and self._trouble is None and self._forgetful is None

    def _gauges(self) -> Gauges:
        return Gauges(
            ready=self._is_ready(),
            contexts_cached=len(self._contexts),
            pledges=self._survey.pledges,
            short_ids_left=self._survey.short_ids_left,
        )

    async def _on_writer(self, run: Callable[[Database], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._writer.work(run, done)
        return await asyncio.shield(future)

    # What recurs

    async def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except JrcError as error:
                _log.error("housekeeping_failed", error=str(error))
            except Exception as error:  # noqa: BLE001 - the outermost guard of this task
                self._fatal(error)
                return
            await asyncio.sleep(period_s)

    async def _tick(self) -> None:
        self._counters.sample(time.monotonic())
        try:
            await self._on_writer(lambda _database: self._opened.remember())
        except (OperatorError, OSError) as error:
            self._hold(str(error))
        else:
            self._go_on()

    def _hold(self, why: str) -> None:
        """Answer nobody: an old copy of the database could not be told from this one any more."""
        if self._forgetful is None:
            _log.error("joins_not_answered", error=why)
        self._forgetful = why

    def _go_on(self) -> None:
        if self._forgetful is not None:
            _log.info("instance_file_works_again")
            self._forgetful = None
            self._endpoint.resume()

    async def _look_around(self) -> None:
        before, self._survey = self._survey, await self.run_read(survey)
        for network in set(self._survey.low) - set(before.low):
            _log.warning(
                "short_identifiers_run_low",
                network=network,
                left=self._survey.short_ids_left[network],
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


def _write(database: Database, work: Callable[[Registry], T], now_ms: int) -> T:
    return database.write(lambda tx: work(StoreRegistry(tx)), now_ms)
