"""The database on PostgreSQL: what is refused, connections that get lost, writers in turn."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from jrc.errors import Cause, OperatorError, StoreError
from jrc.model import Event
from jrc.store import ledger, migrate, postgresql, server, watch
from jrc.store.bootstrap import create_database
from jrc.store.contexts import Lookup
from jrc.store.database import Database, Transaction
from jrc.store.engine import (
    connected,
    has_password,
    lookup_engine,
    reader_engine,
    shown_url,
    writer_engine,
)
from jrc.store.server import Notice, UnknownOutcomeError
from tests.desk import KEK, NOW_MS, Desk, copied
from tests.joining import JOIN, hall_at
from tests.postgresql import NEEDED, shared_server

pytestmark = NEEDED

EVENT = Event("odd", "cli:uid=1000")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A database of its own on the server, whatever other desks are on."""
    opened = Desk(tmp_path, on_server=True)
    yield opened
    opened.close()


@pytest.fixture
def beside(desk: Desk) -> Iterator[Database]:
    """Another registrar's connection to it."""
    database = Database.open(desk.url, KEK)
    yield database
    database.close()


def record(tx: Transaction) -> str:
    tx.record(EVENT)
    return "result"


def name_of(desk: Desk) -> str:
    return make_url(desk.url).database or ""


def end_sessions(desk: Desk, role: str = "") -> None:
    """End all connections of registrars to a database, as an operator or a crash does."""
    shared_server().sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE datname = '{name_of(desk)}' AND application_name LIKE 'jrc%%{role}'"
    )


# What is refused


@pytest.mark.parametrize(("setting", "value"), [("fsync", "off"), ("full_page_writes", "off")])
def test_b03_a_server_without_durable_commits_is_refused(
    desk: Desk, setting: str, value: str
) -> None:
    """RFC 9031 §7.3.1: what was answered has to be there after a crash."""
    shared = shared_server()
    shared.sql(f"ALTER SYSTEM SET {setting} = {value}")
    try:
        reloaded(setting, value)
        with pytest.raises(OperatorError, match=f"{setting}={value}"):
            writer_engine(desk.url).connect()
    finally:
        shared.sql(f"ALTER SYSTEM RESET {setting}")
        reloaded(setting, "on")
    writer_engine(desk.url).connect().close()


def reloaded(setting: str, value: str) -> None:
    """Take up the settings; new sessions have them once this returns."""
    shared_server().reload()
    while shared_server().sql(f"SHOW {setting}") != [(value,)]:
        pass


@pytest.mark.parametrize(
    ("setting", "value"), [("synchronous_commit", "off"), ("default_transaction_read_only", "on")]
)
def test_b03_a_database_whose_commits_can_be_lost_or_are_none_is_refused(
    desk: Desk, setting: str, value: str
) -> None:
    """Also where one database alone is set so."""
    shared_server().sql(f"ALTER DATABASE {name_of(desk)} SET {setting} = {value}")
    with pytest.raises(OperatorError, match=value):
        writer_engine(desk.url).connect()


def test_a_setting_of_the_url_changes_nothing_that_safety_hangs_on(desk: Desk) -> None:
    """Ours come after those of the URL; others of it hold."""
    url = f"{desk.url}&options=-c%20synchronous_commit%3Dlocal%20-c%20lock_timeout%3D0"
    with writer_engine(url).connect() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in
                 ("synchronous_commit", "lock_timeout")]  # fmt: skip
    assert ["local", f"{postgresql.LOCK_TIMEOUT_MS // 1000}s"] == shown


def test_an_encoding_that_has_not_all_characters_is_refused() -> None:
    """Reasons and labels are text in any language."""
    shared = shared_server()
    shared.sql("CREATE DATABASE odd ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(OperatorError, match="SQL_ASCII"):
            writer_engine(shared.url("odd")).connect()
    finally:
        shared.sql("DROP DATABASE odd")


def test_no_password_is_shown() -> None:
    """In status, logs and errors."""
    for end in ("jrc:secret@h/d", "jrc@h/d?password=secret", "jrc@h/d?sslpassword=secret"):
        assert "secret" not in shown_url(f"postgresql+psycopg://{end}")
        assert has_password(f"postgresql+psycopg://{end}")


def test_a_password_that_reads_as_a_host_is_shown_no_more_than_another() -> None:
    """An @ in it has to be written as %40; what follows it would be taken for the host."""
    with pytest.raises(OperatorError, match="more than one @") as caught:
        shown_url("postgresql+psycopg://jrc:my@secret@h/d")
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"
    assert "%40" in (caught.value.hint or "")


@pytest.mark.parametrize("changed", ["database", "role"])
def test_a_database_that_can_not_be_opened_says_what_to_look_at(desk: Desk, changed: str) -> None:
    """Whoever opens it: a command, a daemon, `jrc init`."""
    there = make_url(desk.url)
    wrong = there.set(database="absent") if changed == "database" else there.set(username="absent")
    url = wrong.render_as_string(hide_password=False)
    ways: list[Callable[[], object]] = [
        lambda: connected(lookup_engine(url)),
        lambda: Database.open(url, KEK),
        lambda: create_database(url, KEK, NOW_MS),
    ]
    for opens in ways:
        with pytest.raises(OperatorError, match="absent") as caught:
            opens()
        assert postgresql.UNOPENED == caught.value.hint


def test_an_error_names_no_value(desk: Desk) -> None:
    """A value may be key material; the driver's own messages repeat it."""

    def work(tx: Transaction) -> None:
        tx.connection.execute(text("INSERT INTO data_key VALUES (:x)"), {"x": "secret"})

    with pytest.raises(StoreError) as caught:
        desk.database.write(work, NOW_MS)
    assert "secret" not in caught.value.message


def test_db_upgrade_wants_the_database_alone(
    desk: Desk, beside: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registrar that runs would go on with another schema than its program's."""
    monkeypatch.setattr(migrate, "SCHEMA_REVISION", "0002")
    with pytest.raises(OperatorError, match=r"in use by jrc .* writer"):
        migrate.upgrade(desk.url, NOW_MS)


# Readers and writers


@pytest.mark.parametrize("make", [reader_engine, lookup_engine])
def test_readers_can_not_write_and_lock_nothing(desk: Desk, beside: Database, make: Any) -> None:
    """Who reads the instance row keeps nobody from changing it."""
    with make(desk.url).connect() as reader:
        assert reader.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
        assert ledger.read(reader, desk.database.mac) == desk.database.instance
        beside.write(record, NOW_MS)
        with pytest.raises(DBAPIError, match="read-only"):
            reader.exec_driver_sql("DELETE FROM event")


def test_m02_writers_take_turns(desk: Desk, beside: Database) -> None:
    """The instance row is locked as a transaction begins: two registrars never decide at once."""
    beside._connection.exec_driver_sql("SET lock_timeout = 50")
    beside._connection.commit()

    def work(_tx: Transaction) -> None:
        with pytest.raises(StoreError) as caught:
            beside.write(record, NOW_MS)
        assert Cause.LOCKED is caught.value.cause

    desk.database.write(work, NOW_MS)
    beside.write(record, NOW_MS)
    assert 2 == desk.database.read_instance().commit_number


def test_m02_a_writer_decides_by_what_the_one_before_it_left(desk: Desk, beside: Database) -> None:
    """READ COMMITTED: after it has waited for its turn it sees the other's commit."""
    seen = []
    for database in (desk.database, beside, desk.database):
        database.write(lambda tx: seen.append(tx.ledger.instance.commit_number), NOW_MS)
    assert [0, 1, 2] == seen


# Connections that are lost


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
    driver: Any = desk.database._connection.connection.driver_connection
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
        driver: Any = desk.database._connection.connection.driver_connection
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
    driver: Any = desk.database._connection.connection.driver_connection
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


# What registrars tell each other


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=1, max_size=40), max_size=100))
def test_a_notice_is_read_as_it_was_told(revision: int, learned: list[bytes]) -> None:
    """Within the size that PostgreSQL allows; too many names are all of them."""
    notice = Notice.of(revision, learned)
    assert len(notice.text()) < 8000
    assert notice == Notice.parse(notice.text())
    assert notice.kid_contexts is None or learned == list(notice.kid_contexts)


@pytest.mark.parametrize("payload", ["", "x", "7 zz", "7 aa,b"])
def test_a_notice_of_somebody_else_has_everything_looked_at(payload: str) -> None:
    """Any role of the database may send one."""
    assert Notice.parse(payload).kid_contexts is None or payload == ""


def test_what_was_learned_and_changed_is_told_with_the_commit(desk: Desk) -> None:
    """A new pledge by its kid context; nothing of what was rolled back."""
    desk.network()
    heard = []
    with postgresql.watcher(desk.url).connect() as connection:
        session: Any = connection.connection.driver_connection
        session.execute("LISTEN jrc")
        name, _ = desk.pledge(1)
        with pytest.raises(ZeroDivisionError):
            desk.database.write(lambda tx: tx.record(*[EVENT] * (1 // 0)), NOW_MS)
        desk.database.write(record, NOW_MS)
        heard = [Notice.parse(n.payload) for n in session.notifies(timeout=0.2)]
    assert [(name.value,)] == [notice.kid_contexts for notice in heard]
    assert desk.database.instance.policy_revision >= heard[0].policy_revision


def test_a_notice_that_comes_while_the_watch_looks_is_heard_after(desk: Desk) -> None:
    """Row M2: the filter of known pledges would never learn what it names."""
    with closing(postgresql.watcher(desk.url).connect()) as connection:
        session: Any = connection.connection.driver_connection
        session.execute(f"LISTEN {server.CHANNEL}")
        shared_server().sql(f"NOTIFY {server.CHANNEL}, '7 0a'", name_of(desk))
        session.execute("SELECT 1")
        assert [Notice(7, (b"\n",))] == list(watch._heard(session))


def test_the_server_is_in_the_instance_row(desk: Desk) -> None:
    """With its timeline, which changes with each failover and each recovery to a point in time."""
    ((system,),) = shared_server().sql("SELECT system_identifier FROM pg_control_system()")
    assert f"{system}/1" == desk.database.instance.server == desk.database.server
    url, _ = copied()
    shared_server().drop(url)
