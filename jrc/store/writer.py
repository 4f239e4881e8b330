"""The writer thread: everything that is written goes through here, joins in groups.

Joins that arrive while a commit is under way form the next batch; an operator's change runs in a
transaction of its own, in its place in the order. Results go back to the loop after the commit,
never before. A failed commit leaves its outcome unknown, so the thread stops and the process with
it: what is on disk is read again at the next start.
"""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from jrc.errors import JrcError
from jrc.service.ports import Clock
from jrc.store.database import Database
from jrc.store.joins import Joins

MAX_BATCH = 64

AskT = TypeVar("AskT")
OutcomeT = TypeVar("OutcomeT")

_log = structlog.get_logger(__name__)


class _Work(NamedTuple):
    run: Callable[[Database], Any]
    done: Callable[[Any, BaseException | None], None]


class _Stop:
    pass


class Writer(Generic[AskT, OutcomeT]):
    """One thread, one connection, one transaction at a time.

    ``decide`` is the use case that a batch of asks goes through; ``call`` runs a function on the
    loop. ``answered`` and ``failed`` are called there, with the outcomes of a committed batch or
    the asks of one that was rolled back; ``fatal`` when nothing may go on.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        decide: Callable[[Joins, Sequence[AskT], int], list[OutcomeT]],
        call: Callable[..., object],
        answered: Callable[[list[OutcomeT]], None],
        failed: Callable[[Sequence[AskT], BaseException], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._decide = decide
        self._call = call
        self._answered = answered
        self._failed = failed
        self._fatal = fatal
        self._queue: SimpleQueue[AskT | _Work | _Stop] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="jrc-writer", daemon=True)

    def start(self) -> None:
        """Start taking work."""
        self._thread.start()

    def submit(self, ask: AskT) -> None:
        """Put a join into the next batch."""
        self._queue.put(ask)

    def work(
        self,
        run: Callable[[Database], Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Run ``run`` between batches; ``done`` gets its result or its error on the loop."""
        self._queue.put(_Work(run, done))

    def stop(self) -> None:
        """Finish what was accepted, then end the thread; call ``join`` to wait for it."""
        self._queue.put(_Stop())

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the thread; whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001 - the outermost guard of this thread
            _log.critical("writer_stopped", error=str(error), kind=type(error).__name__)
            self._call(self._fatal, error)

    def _turn(self) -> bool:
        """One batch of joins and what stood behind it; False when told to stop."""
        batch: list[AskT] = []
        entry = self._queue.get()
        while True:
            if isinstance(entry, _Stop | _Work):
                break
            batch.append(entry)
            if len(batch) == MAX_BATCH or self._queue.empty():
                self._join(batch)
                return True
            entry = self._queue.get_nowait()
        if batch:
            self._join(batch)
        if isinstance(entry, _Stop):
            return False
        self._work(entry)
        return True

    def _join(self, batch: list[AskT]) -> None:
        now_ms = self._clock.now_ms()
        try:
            outcomes = self._commit(batch, now_ms)
        except JrcError:
            self._one_by_one(batch, now_ms)
            return
        self._call(self._answered, outcomes)

    def _commit(self, batch: Sequence[AskT], now_ms: int) -> list[OutcomeT]:
        return self._database.join(lambda joins: self._decide(joins, batch, now_ms), now_ms)

    def _one_by_one(self, batch: Sequence[AskT], now_ms: int) -> None:
        """Each request of a failed batch alone, so that one bad row takes no other with it.

        A row that is damaged, a constraint that another registrar's row trips (row M2).

        The ciphertexts of the failed transaction are gone: none of them has left this thread.
        """
        for ask in batch:
            try:
                outcomes = self._commit([ask], now_ms)
            except JrcError as error:
                self._call(self._failed, [ask], error)
            else:
                self._call(self._answered, outcomes)

    def _work(self, work: _Work) -> None:
        try:
            result = work.run(self._database)
        except JrcError as error:
            self._call(work.done, None, error)
        else:
            self._call(work.done, result, None)
