"""The way of joins through the daemon: sockets, intake, batches, writer thread, and back."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence

from jrc.admin.metrics import Counters
from jrc.app.closure import Closure
from jrc.app.logs import Logs
from jrc.app.transactions import DaemonTransactions
from jrc.app.troubles import Troubles
from jrc.app.watchdog import Pulse
from jrc.coap.endpoint import Datagram, Endpoint
from jrc.errors import JrcError
from jrc.opened import Opened
from jrc.service.attempts import Attempts
from jrc.service.batches import Batches
from jrc.service.contexts import Contexts
from jrc.service.intake import Intake
from jrc.service.join import Ask, Outcome, decide
from jrc.service.open_runs import RUN_LIFETIME_MS
from jrc.store.writer import Writer


class JoinPath:
    """From a datagram to its answer, with what others share of it.

    ``changed`` is called when a transaction that is no join has ended, ``fatal`` when joins can't
    go on. ``take_first`` is to be set before ``listen``: of what has arrived it gives what is left
    for joins.
    """

    def __init__(
        self,
        opened: Opened,
        listeners: Sequence[socket.socket],
        logs: Logs,
        changed: Callable[[], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._drained: asyncio.Event | None = None
        self._has_given_up = False
        self.take_first: Callable[[list[Datagram]], Sequence[Datagram]] = list
        self.counters = Counters()
        self.contexts = Contexts(opened.lookup)
        self._writer = self._made_writer(fatal)
        self._pulse = Pulse(self._writer)
        self.endpoint = Endpoint(listeners, self._arrived, self._is_held, self.counters.send_failed)
        self.troubles = Troubles(self.endpoint.resume)
        self._batches = Batches(self._writer.submit)
        self.attempts = Attempts()
        self.intake = self._made_intake(logs)
        self.closure = Closure(opened, self.intake.close)
        self.transactions = DaemonTransactions(
            opened, self._writer.work, self.contexts, changed, self.troubles.failed
        )

    def _made_writer(self, fatal: Callable[[BaseException], None]) -> Writer[Ask, Outcome]:
        return Writer(
            self._opened.database,
            self._opened.clock,
            decide,
            self._loop.call_soon_threadsafe,
            self._finished,
            self._let_go,
            fatal,
            self.counters,
        )

    def _made_intake(self, logs: Logs) -> Intake:
        return Intake(
            self.contexts,
            self._opened.lookup,
            self._batches.add,
            self.endpoint,
            self.counters,
            self._opened.clock,
            retransmit_cache=self._opened.settings.coap.retransmit_cache,
            first_message_id=secrets.randbelow(0x10000),
            attempts=self.attempts,
            failed=self.troubles.failed,
            report=logs.joins.note,
        )

    # Life

    def start(self) -> None:
        """Read what is in force, and begin to write; nothing is answered yet."""
        self.contexts.learn(self._opened.lookup.kid_contexts())
        since_ms = self._opened.clock.now_ms() - RUN_LIFETIME_MS
        self.contexts.runs.add(self._opened.lookup.runs.since(since_ms))
        self._opened.database.load_policy()
        self.closure.look()
        self._writer.start()

    def listen(self) -> None:
        """Answer from now on."""
        self.endpoint.start(self._loop)

    async def finish(self) -> None:
        """Commit and answer what was accepted, and close; read no more before."""
        if self._batches and not self._has_given_up:
            self._drained = asyncio.Event()
            await self._drained.wait()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        await asyncio.sleep(0)  # the last answers were handed to the loop before the thread ended
        self.endpoint.close()

    def give_up(self) -> None:
        """Let ``finish`` wait for nothing."""
        self._has_given_up = True
        if self._drained is not None:
            self._drained.set()

    def works(self) -> bool:
        """Whether the writer thread gets on; for the watchdog."""
        return self._pulse.beats()

    # Joins

    def _arrived(self, datagrams: list[Datagram]) -> None:
        left = self.take_first(datagrams)
        if left:
            self.intake.take(left)
            self._batches.turn()

    def _is_held(self) -> bool:
        """Whether datagrams are to wait in the kernel's queue."""
        return self._writer.is_computing or self.troubles.holds

    def _let_go(self) -> None:
        """Called by the writer thread: the loop may read again while the commit waits."""
        if self.endpoint.is_waiting and not self.troubles.holds:
            self._loop.call_soon_threadsafe(self.endpoint.resume)

    def _finished(self, outcomes: list[Outcome], failures: Sequence[tuple[Ask, JrcError]]) -> None:
        if not self.troubles.holds:
            self.endpoint.resume()
        self.intake.finish(outcomes)
        for ask, error in failures:
            self.intake.abandon(ask, error)
        self.transactions.look_again()
        if self.troubles and outcomes and not failures:
            self.troubles.database_works()
        self._batches.done()
        if not self.troubles.holds:
            # Whoever was answered asks again at once under load: one batch, and not two in turn.
            self.endpoint.read()
        self._batches.turn()
        if self._drained is not None and not self._batches:
            self._drained.set()
