"""The writer thread: what goes back to the loop, when, and what stops it."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest
from sqlalchemy.exc import OperationalError

from jrc.errors import CommitError, JrcError, Reason, StateError, StoreError
from jrc.model import Event
from jrc.service.join import Ask, Outcome, decide
from jrc.store.database import Database
from jrc.store.joins import Joins
from jrc.store.transaction import Transaction
from jrc.store.writer import Writer
from tests.daemon.wire import OddPledge
from tests.desk import Desk
from tests.joining import JOIN, Hall, connection_of

WITHIN_S = 20.0


class Loop:
    """What the writer calls, in the order of the calls."""

    def __init__(self, desk: Desk) -> None:
        self.calls: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        self.let_go = 0
        self.hall = Hall(desk)
        self.writer: Writer[Ask, Outcome] = Writer(
            desk.database, self.hall, self.decide, self.call, self.finished, self.noted, self.fatal
        )

    def decide(self, joins: Joins, asks: Sequence[Ask], now_ms: int) -> list[Outcome]:
        return decide(joins, asks, now_ms)

    def call(self, what: Any, *args: Any) -> None:
        self.calls.put((what.__name__, args))

    def noted(self) -> None:
        assert not self.writer.is_computing
        self.let_go += 1

    def finished(self, _outcomes: Any, _failures: Any) -> None: ...
    def fatal(self, _error: Any) -> None: ...
    def done(self, _result: Any, _error: Any) -> None: ...

    def next(self) -> tuple[str, tuple[Any, ...]]:
        return self.calls.get(timeout=WITHIN_S)

    def end(self) -> None:
        self.writer.stop()
        assert self.writer.join(WITHIN_S)

    def submit(self, pledges: Sequence[OddPledge]) -> None:
        """One batch with a request of each."""
        self.hall.take(*(pledge.request(JOIN) for pledge in pledges))
        self.writer.submit(list(self.hall.asks))
        self.hall.asks.clear()

    def finish(self) -> tuple[int, list[tuple[Ask, JrcError]]]:
        """How many answers left for the batch, and its failures."""
        name, (outcomes, failures) = self.next()
        assert "finished" == name
        before = len(self.hall.outbox.sent)
        self.hall.intake.finish(outcomes)
        for ask, error in failures:
            self.hall.intake.abandon(ask, error)
        return len(self.hall.outbox.sent) - before, failures


@pytest.fixture
def loop(desk: Desk) -> Iterator[Loop]:
    """A writer on a database with one network; started and stopped by the test."""
    desk.network()
    loop = Loop(desk)
    yield loop
    if loop.writer._thread.is_alive():
        loop.end()
    loop.hall.close()


def test_b03_answers_come_after_the_commit(loop: Loop) -> None:
    """RFC 9031 §7.3.1: another connection sees the rows when the outcomes arrive."""
    pledges = [loop.hall.enroll(number) for number in range(1, 4)]
    loop.submit(pledges)
    loop.writer.start()
    name, (outcomes, failures) = loop.next()
    assert ("finished", 3, []) == (name, len(outcomes), failures)
    for number, outcome in enumerate(outcomes, start=1):
        stored = loop.hall.lookup.stored_answer(number)
        assert stored is not None
        assert outcome.state.answer == stored.state.answer
    assert 1 == loop.let_go


def test_batches_and_changes_keep_their_order(loop: Loop) -> None:
    """One at a time, each in a transaction of its own; stop ends what was accepted."""
    first, second = loop.hall.enroll(1), loop.hall.enroll(2)
    loop.submit([first])
    loop.writer.work(lambda database: database.instance.commit_number, loop.done)
    loop.submit([second])
    loop.writer.stop()
    loop.writer.start()
    assert loop.writer.join(WITHIN_S)
    names = [loop.next() for _ in range(3)]
    assert ["finished", "done", "finished"] == [name for name, _ in names]
    after = loop.hall.desk.database.instance.commit_number
    assert (after - 1, None) == names[1][1]


class Meter:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.transactions: list[tuple[float, float]] = []
        self.work: list[tuple[float, bool]] = []

    def transacted(self, whole_s: float, commit_s: float) -> None:
        self.transactions.append((whole_s, commit_s))

    def worked(self, seconds: float, *, at_joins: bool) -> None:
        self.work.append((seconds, at_joins))


def test_each_turn_is_timed_and_of_joins_the_commit_apart(loop: Loop) -> None:
    """A commit is a part of its transaction, and that of its turn."""
    meter = loop.writer._meter = Meter()
    loop.submit([loop.hall.enroll(1)])
    loop.writer.work(lambda database: database.instance.commit_number, loop.done)
    loop.writer.stop()
    loop.writer.start()
    assert loop.writer.join(WITHIN_S)
    ((whole_s, commit_s),) = meter.transactions
    assert [True, False] == [at_joins for _, at_joins in meter.work]
    assert 0 < commit_s < whole_s < meter.work[0][0]


def _fails(*_args: object) -> NoReturn:
    raise StateError("a row")


def _writes_nothing(*_args: object) -> list[Outcome]:
    return []


@pytest.mark.parametrize("decides", [_fails, _writes_nothing])
def test_what_is_not_committed_is_no_commit(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, decides: Callable[..., list[Outcome]]
) -> None:
    """It takes time of the thread, and has no duration of its own."""
    meter = loop.writer._meter = Meter()
    monkeypatch.setattr(loop.writer, "_decide", decides)
    loop.submit([loop.hall.enroll(1)])
    loop.writer.stop()
    loop.writer.start()
    assert loop.writer.join(WITHIN_S)
    assert ([], [True]) == (meter.transactions, [at_joins for _, at_joins in meter.work])


def test_m02_a_damaged_row_isolates_its_own_request(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a failed batch is tried alone; no ciphertext of the failed one gets out."""
    pledges = [loop.hall.enroll(number) for number in (1, 2, 3)]
    made: list[bytes] = []

    def deciding(joins: Joins, asks: Sequence[Ask], now_ms: int) -> list[Outcome]:
        outcomes = decide(joins, asks, now_ms)
        made.extend(o.state.answer for o in outcomes if o.state and o.state.answer)
        if any(ask.known.context_id == 2 for ask in asks):
            raise StateError("row 2")
        return outcomes

    monkeypatch.setattr(loop.writer, "_decide", deciding)
    loop.submit(pledges)
    loop.writer.start()
    sent, failures = loop.finish()
    assert (2, [("row 2", 2)]) == (
        sent, [(str(error), ask.known.context_id) for ask, error in failures],
    )  # fmt: skip
    lost = set(made[:3]) | {made[4]}
    on_disk = {answer for (answer,) in loop.hall.desk.sql("SELECT answer FROM context_state")}
    assert on_disk == {made[3], made[5], None}
    assert not lost & (on_disk - {made[3], made[5]})
    for datagram, _ in loop.hall.outbox.sent:
        assert any(datagram.endswith(answer) for answer in (made[3], made[5]))


def test_m02_a_constraint_violation_isolates_its_own_request(loop: Loop) -> None:
    """Another registrar has written between our look and our write."""
    pledges = [loop.hall.enroll(number) for number in (1, 2, 3)]
    loop.hall.desk.sql(
        "CREATE TRIGGER other BEFORE INSERT ON short_identifier WHEN NEW.pledge_id = 2"
        " BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed'); END"
    )
    loop.submit(pledges)
    loop.writer.start()
    sent, ((ask, error),) = loop.finish()
    assert (2, 2) == (sent, ask.known.context_id)
    assert isinstance(error, StoreError)
    assert {Reason.DATABASE: 1} == loop.hall.metrics.drops
    assert [(1,), (3,)] == loop.hall.desk.sql("SELECT pledge_id FROM short_identifier ORDER BY 1")


def test_a_full_disk_is_silence_and_service_resumes(loop: Loop) -> None:
    """No answer without its state on disk; the thread goes on."""
    pledges = [loop.hall.enroll(number) for number in range(1, 41)]
    database = connection_of(loop.hall.desk)
    (pages,) = database.exec_driver_sql("PRAGMA page_count").one()
    database.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    database.rollback()
    loop.writer.start()
    loop.submit(pledges)
    sent, failures = loop.finish()
    assert failures, "some fit into pages that have room, not all"
    assert 40 == sent + len(failures)
    assert all(isinstance(error, StoreError) for _, error in failures)
    loop.writer.work(lambda base: give_room(base), loop.done)
    assert "done" == loop.next()[0]
    loop.submit([pledges[-1]])
    assert (1, []) == loop.finish()


def give_room(database: Database) -> None:
    database.writer.connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    database.writer.connection.rollback()


def failing_commit(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit fails with an SQLite error code; the transaction is open still."""

    def fail(_self: object, _transaction: object) -> None:
        error = sqlite3.OperationalError("commit failed")
        error.sqlite_errorcode = code
        raise OperationalError("COMMIT", {}, error)

    monkeypatch.setattr("sqlalchemy.engine.default.DefaultDialect.do_commit", fail)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT])
def test_b03_a_commit_of_unknown_outcome_ends_the_writer(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """RFC 9031 §7.3.1: what is on disk is read again at the next start, and nothing goes on."""
    loop.submit([loop.hall.enroll(1)])
    loop.writer.stop()
    failing_commit(code, monkeypatch)
    loop.writer.start()
    name, (error,) = loop.next()
    assert "fatal" == name
    assert isinstance(error, CommitError)
    assert loop.writer.join(WITHIN_S)
    assert loop.calls.empty()


def test_f04_whoever_waits_for_a_writer_that_has_ended_is_told(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that ends waits for what is under way, and would never end."""
    now_ms = loop.hall.desk.now_ms

    def change(database: Database) -> None:
        database.write(lambda tx: None, now_ms)

    failing_commit(sqlite3.SQLITE_IOERR, monkeypatch)
    for _ in range(3):
        loop.writer.work(change, loop.done)
    loop.writer.start()
    assert loop.writer.join(WITHIN_S)
    loop.writer.work(change, loop.done)
    heard = [loop.next() for _ in range(5)]
    assert ["done", "fatal", "done", "done", "done"] == [name for name, _ in heard]
    errors = [given[1] for name, given in heard if name == "done"]
    assert all(isinstance(error, StoreError) for error in errors)
    assert "`jrc events`" in str(errors[0])
    assert loop.calls.empty()


def test_who_asks_a_writer_that_was_stopped_is_told(loop: Loop) -> None:
    """An import that is swept as the daemon ends: what nobody answers would keep the process."""
    loop.writer.stop()
    loop.writer.work(lambda _database: None, loop.done)
    loop.writer.start()
    assert loop.writer.join(WITHIN_S)
    loop.writer.work(lambda _database: None, loop.done)
    for _ in range(2):
        name, (result, error) = loop.next()
        assert ("done", None) == (name, result)
        assert "the daemon ends, and takes nothing more" in str(error)
        assert isinstance(error, StoreError)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
def test_a_commit_that_surely_failed_is_rolled_back(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The disk was full, or another process held the lock: silence, and on."""
    pledge = loop.hall.enroll(1)
    loop.submit([pledge])
    with monkeypatch.context() as patch:
        failing_commit(code, patch)
        loop.writer.start()
        sent, failures = loop.finish()
    assert (0, 1) == (sent, len(failures))
    assert isinstance(failures[0][1], StoreError)
    assert [(-1, None)] == loop.hall.desk.sql("SELECT highest, answer FROM context_state")
    loop.submit([pledge])
    assert (1, []) == loop.finish()


def test_an_error_that_nobody_expects_ends_the_writer(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invariant may be broken: going on could repeat a nonce."""

    def deciding(*_: object) -> list[Outcome]:
        raise ZeroDivisionError

    monkeypatch.setattr(loop.writer, "_decide", deciding)
    loop.submit([loop.hall.enroll(1)])
    loop.writer.start()
    name, (error,) = loop.next()
    assert ("fatal", ZeroDivisionError) == (name, type(error))
    assert loop.writer.join(WITHIN_S)


def test_a_change_that_is_refused_goes_back_with_its_error(loop: Loop) -> None:
    """And the thread goes on."""

    def refuse(_database: Database) -> None:
        raise StateError("no")

    loop.writer.start()
    loop.writer.work(refuse, loop.done)
    name, (result, error) = loop.next()
    assert ("done", None, "no") == (name, result, str(error))
    loop.writer.work(lambda _: 7, loop.done)
    assert ("done", (7, None)) == loop.next()


def test_the_loop_is_let_go_before_the_commit_waits_for_the_disk(loop: Loop) -> None:
    """Once for each transaction that gets so far."""
    loop.submit([loop.hall.enroll(1)])
    loop.writer.start()
    loop.finish()
    assert (1, False) == (loop.let_go, loop.writer.is_computing)


def test_a_change_that_breaks_in_an_unexpected_way_takes_nobody_with_it(loop: Loop) -> None:
    """It was rolled back; whoever asked is told, and joins go on."""

    def breaking(database: Database) -> None:
        def work(tx: Transaction) -> None:
            tx.record(Event("network.added", "somebody"))
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates")

        database.write(work, loop.hall.now_ms())

    before = loop.hall.desk.sql("SELECT count(*) FROM event")
    loop.writer.start()
    loop.writer.work(breaking, loop.done)
    name, (result, error) = loop.next()
    assert ("done", None, True) == (name, result, isinstance(error, UnicodeEncodeError))
    assert before == loop.hall.desk.sql("SELECT count(*) FROM event")
    pledge = loop.hall.enroll(1)
    loop.submit([pledge])
    assert (1, []) == loop.finish()


def test_a_locked_database_is_waited_for_once_a_batch(loop: Loop) -> None:
    """Row M2 is about rows: where the database itself fails, no request is tried alone."""
    pledges = [loop.hall.enroll(number) for number in (1, 2, 3)]
    begun = 0

    def begin() -> NoReturn:
        nonlocal begun
        begun += 1
        raise StoreError("database is locked")

    loop.hall.desk.database.writer.begin = begin  # type: ignore[method-assign]
    loop.submit(pledges)
    loop.writer.start()
    sent, failures = loop.finish()
    assert (0, 3, 1) == (sent, len(failures), begun)
