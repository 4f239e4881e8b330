"""Connections to PostgreSQL that are lost: commits of unknown outcome, servers that hang."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from jrc.errors import Cause, StoreError
from jrc.store import postgresql, server
from jrc.store.contexts import Lookup
from jrc.store.database import Database
from jrc.store.engine import lookup_engine
from jrc.store.server import UnknownOutcomeError
from jrc.store.transaction import Transaction
from tests.desk import KEK, NOW_MS, Desk
from tests.joining import JOIN, hall_at
from tests.postgresql import NEEDED, shared_server
from tests.store.on_server import EVENT, end_sessions, name_of, record

pytestmark = NEEDED


@pytest.fixture
def desk(served: Desk) -> Desk:
    """On the server, whatever other desks are on."""
    return served


@pytest.mark.parametrize("role", ["writer", ""])
def test_a_lost_connection_is_one_failure_and_then_works(desk: Desk, role: str) -> None:
    """Nothing of the transaction is left; the next one has a connection of its own."""
    desk.network()
    with hall_at(desk) as hall:
        pledge = hall.enroll(1)
        end_sessions(desk, role)
        with pytest.raises(StoreError) as caught:
            desk.database.write(record, NOW_MS)
        assert Cause.SERVER is caught.value.cause
        assert "result" == desk.database.write(record, NOW_MS)
        if not role:
            assert hall.ask(pledge.request(JOIN)) is None
            assert hall.lookup.is_lost
            hall.lookup.use(lookup_engine(desk.url).connect())
        assert hall.join(pledge).keys


@contextmanager
def hanging(desk: Desk, role: str) -> Iterator[None]:
    """The server's processes of our sessions stand still; its kernel goes on acknowledging."""
    found = shared_server().sql(
        "SELECT pid FROM pg_stat_activity"
        f" WHERE datname = '{name_of(desk)}' AND application_name LIKE 'jrc%%{role}'"
    )
    processes = [int(str(number)) for (number,) in found]
    assert processes
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("role", ["writer", "lookup"])
def test_o04_a_server_that_hangs_is_given_up(
    desk: Desk, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9031 §7.3.1: no wait is without end, and least of all one of the loop."""
    for name in ("STATEMENT_TIMEOUT_MS", "LOOKUP_TIMEOUT_MS", "ANSWER_WITHIN_MS"):
        monkeypatch.setattr(postgresql, name, 300)
    desk.database.close()
    desk.database = Database.open(desk.url, KEK)
    with closing(Lookup(lookup_engine(desk.url).connect(), desk.database.keyring,
                        desk.database.mac)) as lookup:  # fmt: skip
        ways: dict[str, Callable[[], object]] = {
            "lookup": lambda: lookup.find(b"any"),
            "writer": lambda: desk.database.write(record, NOW_MS),
        }
        with hanging(desk, role), pytest.raises(StoreError) as caught:
            ways[role]()
        assert Cause.SERVER is caught.value.cause
        assert lookup.is_lost == (role == "lookup")
    assert "result" == desk.database.write(record, NOW_MS)


def commit_then_lose(connection: Any) -> Callable[[], None]:
    """The server commits, and its answer is lost."""
    real = connection.commit

    def commit() -> None:
        real()
        connection.close()
        connection.execute("SELECT 1")

    return commit


def lose_then_commit(connection: Any) -> Callable[[], None]:
    """The connection is lost before the server hears of the commit."""

    def commit() -> None:
        connection.close()
        connection.execute("SELECT 1")

    return commit


@pytest.mark.parametrize(("lose", "is_done"), [(commit_then_lose, True), (lose_then_commit, False)])
@pytest.mark.parametrize("others", [0, 2])
def test_b03_a_commit_of_unknown_outcome_is_looked_up_and_not_repeated(
    desk: Desk, beside: Database, lose: Any, is_done: bool, others: int
) -> None:
    """RFC 9031 §7.3.1: by the hash of its last event, whoever has written since."""
    driver: Any = desk.database.writer.connection.connection.driver_connection
    commit = lose(driver)

    def lost() -> None:
        try:
            commit()
        finally:
            for _ in range(others):
                beside.write(lambda tx: tx.record(EVENT._replace(actor="other")), NOW_MS)

    driver.commit = lost
    if is_done:
        assert "result" == desk.database.write(record, NOW_MS)
    else:
        with pytest.raises(StoreError, match="before anything was written"):
            desk.database.write(record, NOW_MS)
    assert is_done + others == desk.database.read_instance().commit_number
    assert [(is_done + others,)] == desk.sql("SELECT count(*) FROM event")


@pytest.mark.parametrize(("lose", "is_done"), [(commit_then_lose, True), (lose_then_commit, False)])
def test_b05_a_join_of_unknown_outcome_is_silence_and_its_copy_the_one_answer(
    desk: Desk, lose: Any, is_done: bool
) -> None:
    """RFC 8613 §5.2: what was encrypted and may be on disk never leaves but from there."""
    desk.network()
    with hall_at(desk) as hall:
        pledge = hall.enroll(1)
        driver: Any = desk.database.writer.connection.connection.driver_connection
        driver.commit = lose(driver)
        request = pledge.request(JOIN)
        assert hall.ask(request) is None
        lost = [o.state.answer for tried in hall.tries for o in tried if o.state is not None]
        answer = hall.ask(request)
        assert answer is not None
        desk.database.refresh()
        stored = desk.sql("SELECT answer FROM context_state")
        assert is_done == (stored == [(lost[0],)])
        assert is_done == (hall.metrics.resends == 1)


def test_a_change_that_leaves_no_event_is_not_taken_for_done(desk: Desk, beside: Database) -> None:
    """Where somebody has written since, nothing tells whose commit the next one was."""
    driver: Any = desk.database.writer.connection.connection.driver_connection
    commit = commit_then_lose(driver)

    def lost() -> None:
        try:
            commit()
        finally:
            beside.write(lambda tx: None, NOW_MS)

    driver.commit = lost
    with pytest.raises(UnknownOutcomeError):
        desk.database.write(lambda tx: None, NOW_MS)


@pytest.mark.parametrize(
    "change", ["commit_number = 0", "server = '1/1'", "epoch = :epoch", "other history"]
)
def test_b04_another_database_at_the_same_address_ends_the_process(desk: Desk, change: str) -> None:
    """After a restore or a failover under way: the start looks at it, and quarantines it."""
    desk.database.write(record, NOW_MS)
    sealed_again(desk, change)
    end_sessions(desk)
    with pytest.raises(StoreError):
        desk.database.write(record, NOW_MS)
    with pytest.raises(server.ReplacedError):
        desk.database.write(record, NOW_MS)


def sealed_again(desk: Desk, change: str) -> None:
    """Change the instance row as another registrar's program would have it."""
    other = Database.open(desk.url, KEK)
    values = {
        "commit_number = 0": {"commit_number": -1},
        "server = '1/1'": {"server": "1/1"},
        "epoch = :epoch": {"epoch": bytes(16)},
        "other history": {"commit_number": 1000},
    }

    def work(tx: Transaction) -> None:
        changed = values[change]
        if change == "other history":
            tx.connection.execute(text("UPDATE event SET hash = '\\x00' WHERE kind = 'odd'"))
        tx.ledger.instance = tx.ledger.instance._replace(**changed)  # type: ignore[arg-type]

    other.write(work, NOW_MS)
    other.close()
