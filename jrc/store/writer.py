"""The writer thread: everything that is written goes through here, joins in batches.

A batch of joins is one transaction; an operator's change has one of its own, in its place in the
order. Results go back to the loop after the commit, never before. A commit of unknown outcome ends
the thread and with it the process: what is on disk is read again at the next start.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from jrc.errors import ClosedError, CommitError, ConflictError, JrcError, StateError, StoreError
from jrc.service.ports import Clock, WriterMeter
from jrc.store.database import Database
from jrc.store.joins import Joins

AskT = TypeVar("AskT")
OutcomeT = TypeVar("OutcomeT")

_log = structlog.get_logger(__name__)


_OVER = "a commit has failed, and the daemon ends"
_STOPPED = "the daemon ends, and takes nothing more"
_UNKNOWN = f"{_OVER}: whether this one is on disk `jrc events` shows when it runs again"


class _Work(NamedTuple):
    run: Callable[[Database], Any]
    done: Callable[[Any, BaseException | None], None]


class _Stop:
    pass


class Writer(Generic[AskT, OutcomeT]):
    """One thread, one connection, one transaction at a time.

    ``decide`` is the use case that a batch of asks goes through; ``call`` runs a function on the
    loop. There ``finished`` gets the outcomes of a batch that is on disk, and with their errors the
    asks of it that were rolled back; ``let_go`` follows when ``is_computing`` has become False,
    and ``fatal`` when nothing may go on. ``meter`` hears from this thread how long things take.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        decide: Callable[[Joins, Sequence[AskT], int], list[OutcomeT]],
        call: Callable[..., object],
        finished: Callable[[list[OutcomeT], list[tuple[AskT, JrcError]]], None],
        let_go: Callable[[], None],
        fatal: Callable[[BaseException], None],
        meter: WriterMeter | None = None,
    ) -> None:
        self.is_computing = False
        """Whether a batch is being decided: two threads that compute only hinder each other."""
        self.is_at_work = False
        """Whether a turn is under way."""
        self.turns = 0
        """Turns that have ended."""
        self._database = database
        self._clock = clock
        self._decide = decide
        self._call = call
        self._finished = finished
        self._let_go = let_go
        self._fatal = fatal
        self._meter = meter
        self._computed_s = 0.0
        self._end = ""
        """Why the thread takes nothing any more."""
        self._queue: SimpleQueue[Sequence[AskT] | _Work | _Stop] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="jrc-writer", daemon=True)

    @property
    def thread_id(self) -> int | None:
        """The kernel's number of the thread; None before it was started and after its end."""
        return self._thread.native_id if self._thread.is_alive() else None

    def start(self) -> None:
        """Start taking work."""
        self._thread.start()

    def submit(self, batch: Sequence[AskT]) -> None:
        """Take a batch of joins; ``finished`` is called once for it."""
        self._queue.put(batch)

    def work(
        self,
        run: Callable[[Database], Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Run ``run`` between batches; ``done`` gets its result or its error on the loop.

        It always does: whoever waits for a thread that has ended would keep the process from it.
        """
        self._queue.put(_Work(run, done))
        if self._end:
            self._give_up()

    def stop(self) -> None:
        """Finish what was accepted, then end the thread; call ``join`` to wait for it."""
        self._queue.put(_Stop())

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the thread; whether it has ended, or was never started."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001 - the outermost guard of this thread
            _log.critical("writer_stopped", error=str(error), kind=type(error).__name__)
            self._call(self._fatal, error)
            self._end = _OVER
        else:
            self._end = _STOPPED
        self._give_up()

    def _give_up(self) -> None:
        """Tell all who wait that nothing was done for them; for any thread, once this one ends."""
        with suppress(Empty):
            while True:
                entry = self._queue.get_nowait()
                if isinstance(entry, _Work):
                    self._call(entry.done, None, StoreError(self._end))

    def _turn(self) -> bool:
        entry = self._queue.get()
        if isinstance(entry, _Stop):
            return False
        begun_s = perf_counter()
        self.is_at_work = True
        if isinstance(entry, _Work):
            self._work(entry)
        else:
            self._join(entry)
        self.is_at_work = False
        self.turns += 1
        if self._meter is not None:
            at_joins = not isinstance(entry, _Work)
            self._meter.worked(perf_counter() - begun_s, at_joins=at_joins)
        return True

    def _join(self, batch: Sequence[AskT]) -> None:
        now_ms = self._clock.now_ms()
        failures: list[tuple[AskT, JrcError]] = []
        outcomes: list[OutcomeT] = []
        try:
            outcomes = self._commit_twice(batch, now_ms)
        except (StateError, ConflictError):
            outcomes, failures = self._one_by_one(batch, now_ms)
        except (StoreError, ClosedError) as error:
            failures = [(ask, error) for ask in batch]
        self._call(self._finished, outcomes, failures)

    def _commit_twice(self, batch: Sequence[AskT], now_ms: int) -> list[OutcomeT]:
        """Once with what is in memory, and with what is on disk where that was out of date."""
        try:
            return self._commit(batch, now_ms, anew=False)
        except ConflictError:
            return self._commit(batch, now_ms, anew=True)

    def _commit(self, batch: Sequence[AskT], now_ms: int, *, anew: bool) -> list[OutcomeT]:
        def decide(joins: Joins) -> list[OutcomeT]:
            self.is_computing = True
            return self._decide(joins, batch, now_ms)

        begun_s = self._computed_s = perf_counter()
        try:
            outcomes = self._database.join(decide, now_ms, self._computed, anew=anew)
        finally:
            self.is_computing = False
        if self._meter is not None and self._computed_s != begun_s:
            ended_s = perf_counter()
            self._meter.transacted(ended_s - begun_s, ended_s - self._computed_s)
        return outcomes

    def _computed(self) -> None:
        """All that is left is the commit, which waits for the disk: the loop may go on."""
        self.is_computing = False
        self._computed_s = perf_counter()
        self._let_go()

    def _one_by_one(
        self, batch: Sequence[AskT], now_ms: int
    ) -> tuple[list[OutcomeT], list[tuple[AskT, JrcError]]]:
        """Each request of a failed batch alone, so that one bad row takes no other with it.

        A row may be damaged, or a constraint tripped by another registrar's row (row M2). The
        ciphertexts of the failed transaction are gone: none of them has left this thread.
        """
        outcomes: list[OutcomeT] = []
        failures: list[tuple[AskT, JrcError]] = []
        for at, ask in enumerate(batch):
            try:
                outcomes += self._commit([ask], now_ms, anew=True)
            except (StateError, ConflictError) as error:
                failures.append((ask, error))
            except (StoreError, ClosedError) as error:
                # The database itself: each further try would wait for it as long again.
                failures += [(left, error) for left in batch[at:]]
                break
        return outcomes, failures

    def _work(self, work: _Work) -> None:
        try:
            result = work.run(self._database)
        except CommitError:
            self._call(work.done, None, StoreError(_UNKNOWN))
            raise
        except Exception as error:  # noqa: BLE001 - rolled back; whoever asked is told
            self._call(work.done, None, error)
        else:
            self._call(work.done, result, None)
