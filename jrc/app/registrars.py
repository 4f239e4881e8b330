"""Several registrars on one database: what others have changed, and which one is the conductor.

With SQLite there is no other: this process conducts from its start, and nothing here costs
anything. On a server a watch (``store/watch.py``) tells what it sees, twice a second and at once
where another registrar has told of a change.

The conductor tells nodes and moves rollovers. It stops at once when it loses its connection, and
where it hears nothing for ``LEASE_S``: the server may have given the lock to another by then. Even
an overlap would repeat no sender number: each is reserved in a row before it is used.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from jrc.app.part import Every
from jrc.app.tasks import Fatal, guarded
from jrc.app.transactions import DaemonTransactions
from jrc.app.troubles import Troubles
from jrc.errors import Cause, JrcError, StoreError
from jrc.opened import Opened
from jrc.service.contexts import Contexts
from jrc.service.open_runs import RUN_LIFETIME_MS
from jrc.store.server import ReplacedError
from jrc.store.watch import Sight, Watch

LEASE_S = 3.0
"""As long as an end of a silent connection takes to give it up (``postgresql.SILENCE_MS``)."""
CHECK_EVERY_S = 0.5

_log = structlog.get_logger("jrc")


class Conducted(Protocol):
    """What one registrar of a database does for all."""

    def conduct(self, is_conductor: bool) -> None:
        """Begin or stop, at once; called with each change."""
        ...


class Registrars:
    """As ``app.part.Part``; ``conducted`` do nothing before they are told to."""

    name = "registrars"

    def __init__(
        self,
        opened: Opened,
        transactions: DaemonTransactions,
        contexts: Contexts,
        troubles: Troubles,
        every: Every,
        fatal: Fatal,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened = opened
        self._transactions = transactions
        self._contexts = contexts
        self._troubles = troubles
        self._every = every
        self._fatal = fatal
        self._monotonic_s = monotonic_s
        self._conducted: Sequence[Conducted] = ()
        self._is_conductor = opened.database.server is None
        self._conductor: str | None = None
        self._is_late = False
        self._seen_s = 0.0
        self._commit_number = -1
        self._news = asyncio.Event()
        self._watch: Watch | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_conductor(self) -> bool:
        """Whether this registrar tells nodes and moves rollovers."""
        return self._is_conductor

    def conducts(self, *conducted: Conducted) -> None:
        """These are for the conductor alone."""
        self._conducted = conducted
        if not self._is_conductor:
            for each in conducted:
                each.conduct(False)

    async def start(self) -> None:
        """As ``Part.start``."""
        if self._opened.database.server is None:
            return
        loop = asyncio.get_running_loop()
        url = self._opened.settings.database.url
        self._watch = Watch(url, loop.call_soon_threadsafe, self.seen, self.lost)
        self._watch.start()
        self._every(CHECK_EVERY_S, self.check)
        self._task = asyncio.create_task(guarded(self._catch_up, self._fatal))

    async def stop(self) -> None:
        """As ``Part.stop``."""
        if self._task is None or self._watch is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._watch.stop)

    def changed(self) -> None:
        """As ``Part.changed``; what this process has changed it knows."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``: ``conductor`` names another registrar's session."""
        return {"is_conductor": self._is_conductor, "conductor": self._conductor}

    # What the watch tells

    def seen(self, sight: Sight) -> None:
        """The watch has looked."""
        self._seen_s = self._monotonic_s()
        self._conductor = sight.conductor
        if sight.at_risk is None:
            self._troubles.end(Cause.NOT_DURABLE)
        else:
            self._troubles.begin(Cause.NOT_DURABLE, sight.at_risk)
        if self._is_late or self._opened.lookup.is_lost:
            self._look_anew()
        elif sight.is_first:
            self._learn(None)
        else:
            for notice in sight.notices:
                self._learn(notice.kid_contexts)
        self._transactions.heard_of(sight.policy_revision)
        if sight.commit_number != self._commit_number:
            self._commit_number = sight.commit_number
            self._news.set()
        self._conduct(sight.is_conductor)

    def lost(self, error: str) -> None:
        """The watch has no connection: who conducts is not known."""
        self._conduct(False)
        self._conductor, self._is_late = None, True
        self._troubles.begin(Cause.SERVER, f"the database server can't be used ({error})")

    async def check(self) -> None:
        """Conduct no longer than it is sure that nobody else does."""
        if self._is_conductor and self._monotonic_s() - self._seen_s > LEASE_S:
            self._conduct(False)

    def _conduct(self, is_conductor: bool) -> None:
        if is_conductor == self._is_conductor:
            return
        self._is_conductor = is_conductor
        _log.info("conductor" if is_conductor else "conductor_no_more")
        for each in self._conducted:
            each.conduct(is_conductor)

    def _look_anew(self) -> None:
        """After a time without connection: nothing in memory is known to be so."""
        try:
            # It may be lost without having noticed.
            self._opened.connect_lookup_again()
            self._learn(None)
            self._is_late = False
        except StoreError as error:
            self._troubles.failed(error)
        except ReplacedError as error:
            self._fatal(error)
        self._contexts.forget_all()
        self._news.set()

    def _learn(self, kid_contexts: Sequence[bytes] | None) -> None:
        every = self._opened.lookup.kid_contexts() if kid_contexts is None else kid_contexts
        self._contexts.learn(every)

    async def _catch_up(self) -> None:
        """Have this process look again at what others have committed."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._transactions.catch_up()
                since_ms = self._opened.clock.now_ms() - RUN_LIFETIME_MS
                self._contexts.runs.add(self._opened.lookup.runs.since(since_ms))
            except JrcError as error:
                # No commit needs to follow the one that has not been looked at.
                _log.debug("not_caught_up", error=str(error))
                self._news.set()
                await asyncio.sleep(CHECK_EVERY_S)
