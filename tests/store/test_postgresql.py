"""The database on PostgreSQL: what is refused, readers, and writers in turn."""

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from jrc.errors import Cause, OperatorError, StoreError
from jrc.store import ledger, migrate, postgresql
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.engine import (
    connected,
    has_password,
    lookup_engine,
    reader_engine,
    shown_url,
    writer_engine,
)
from jrc.store.transaction import Transaction
from jrc.store.watch import Sight, Watch
from tests.desk import KEK, NOW_MS, Desk, copied
from tests.postgresql import NEEDED, shared_server
from tests.store.on_server import name_of, record

pytestmark = NEEDED
T = TypeVar("T")


@pytest.fixture
def desk(served: Desk) -> Desk:
    """On the server, whatever other desks are on."""
    return served


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


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_b03_a_session_that_is_open_sees_what_the_server_is_told(desk: Desk, setting: str) -> None:
    """RFC 9031 §7.3.1: a registrar that runs looks twice a second."""
    shared, seen = shared_server(), SimpleQueue[Sight]()
    watch = Watch(desk.url, lambda work, given: work(given), seen.put, print)
    watch.start()
    try:
        assert seen.get(timeout=30).at_risk is None
        shared.sql(f"ALTER SYSTEM SET {setting} = off")
        reloaded(setting, "off")
        assert f"{setting}=off" in (until(seen, lambda sight: sight.at_risk) or "")
    finally:
        shared.sql(f"ALTER SYSTEM RESET {setting}")
        reloaded(setting, "on")
        assert until(seen, lambda sight: sight.at_risk is None)
        watch.stop()


def until(seen: "SimpleQueue[Sight]", found: Callable[[Sight], T]) -> T:
    """What a look tells that has it, within half a minute."""
    for _ in range(60):
        if value := found(seen.get(timeout=30)):
            return value
    raise AssertionError("no look tells it")


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


def test_b03_a_session_commits_as_it_was_checked_whatever_the_server_is_told_meanwhile(
    desk: Desk,
) -> None:
    """RFC 9031 §7.3.1: a reload of settings reaches sessions that are open."""
    shared = shared_server()
    with writer_engine(desk.url).connect() as connection:
        shared.sql("ALTER SYSTEM SET synchronous_commit = off")
        try:
            reloaded("synchronous_commit", "off")
            assert "on" == connection.exec_driver_sql("SHOW synchronous_commit").scalar()
        finally:
            shared.sql("ALTER SYSTEM RESET synchronous_commit")
            reloaded("synchronous_commit", "on")


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
    beside.writer.connection.exec_driver_sql("SET lock_timeout = 50")
    beside.writer.connection.commit()

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


def test_the_server_is_in_the_instance_row(desk: Desk) -> None:
    """Its timeline changes with a failover, the numbers with a database that is restored there."""
    ((system,),) = shared_server().sql("SELECT system_identifier FROM pg_control_system()")
    name = make_url(desk.url).database
    ((database,),) = shared_server().sql(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    ((table,),) = desk.sql("SELECT oid FROM pg_class WHERE relname = 'instance'")
    expected = f"{system}/1/{database}/{table}"
    assert expected == desk.database.instance.server == desk.database.server
    url, _ = copied()
    shared_server().drop(url)
