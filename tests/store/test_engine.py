"""Connections to SQLite: the settings that durability hangs on, and who may do what."""

import os
import sqlite3
import stat
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError

from jrc.errors import OperatorError
from jrc.model import Event
from jrc.service.registry import Registry
from jrc.store import engine
from jrc.store.engine import (
    check_private,
    create_private_file,
    database_path,
    lookup_engine,
    reader_engine,
    truncate_log,
    writer_engine,
)
from tests.desk import ON_FILE, Desk
from tests.joining import connection_of


def pragma(connection: Any, name: str) -> object:
    value = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
    connection.rollback()
    return value


def test_b03_the_writer_syncs_each_commit(desk: Desk) -> None:
    """RFC 9031 §7.3.1: WAL with synchronous=FULL (2), and what else it relies on."""
    writer = connection_of(desk)
    found = {
        name: pragma(writer, name)
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    assert {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1,
    } == found  # fmt: skip
    assert engine.BUSY_TIMEOUT_MS == pragma(writer, "busy_timeout")
    assert 0 != pragma(writer, "wal_autocheckpoint")


@ON_FILE
def test_nothing_of_the_database_is_in_a_temporary_file(desk: Desk) -> None:
    """A statement of several rows would write old pages there: two for each node of a rollover."""
    found: list[str] = []

    def look(_connection: object) -> None:
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):  # that of the listing itself
                found.append(os.readlink(f"/proc/self/fd/{number}"))

    def record(turn: int, tx: Registry) -> None:
        for number in range(turn, 4000, 4):
            tx.record(Event("one", "jrc", sha256(number.to_bytes(8)).digest()[:8]))

    listen(connection_of(desk), "commit", look)
    for turn in range(4):
        desk.write(partial(record, turn))
    assert any(name.endswith("-wal") for name in found)
    assert [] == [name for name in found if "etilqs" in name]


@ON_FILE
def test_commands_write_the_log_back_in_smaller_pieces_than_joins(desk: Desk) -> None:
    """What an import leaves would else hold up a join for as long as 16 MB take."""

    def pages() -> object:
        return pragma(connection_of(desk), "wal_autocheckpoint")

    def within(_tx: object) -> object:
        connection = connection_of(desk)
        return connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()

    def failing(tx: object) -> None:
        raise OperatorError(str(within(tx)))

    assert engine.CHECKPOINT_PAGES == pages()
    assert engine.COMMAND_CHECKPOINT_PAGES == desk.write(within)
    assert engine.COMMAND_CHECKPOINT_PAGES < engine.CHECKPOINT_PAGES
    with pytest.raises(OperatorError, match=str(engine.COMMAND_CHECKPOINT_PAGES)):
        desk.write(failing)
    assert engine.CHECKPOINT_PAGES == pages()


def test_the_driver_is_spared_a_search_for_each_value() -> None:
    """A microsecond of each BLOB and NULL: as many as a join has, a tenth of its time."""
    assert {bytes, type(None)} <= {kind for kind, _ in sqlite3.adapters}
    with sqlite3.connect(":memory:") as connection:
        assert (b"a", None, b"") == connection.execute(
            "SELECT ?, ?, ?", (b"a", None, b"")
        ).fetchone()


class Stubborn(sqlite3.Connection):
    """A connection that answers a setting with something else, as a bad file system does."""

    answers: dict[str, object] = {}  # noqa: RUF012 - set by each test

    def execute(self, sql: str, *args: Any) -> Any:
        for name, value in self.answers.items():
            if sql == f"PRAGMA {name}":
                return super().execute(f"SELECT {value!r}")
        return super().execute(sql, *args)


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "delete"), ("synchronous", 1), ("foreign_keys", 0)]
)
def test_b03_a_setting_that_did_not_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """Read back: without them an answered join could be forgotten."""
    monkeypatch.setattr(Stubborn, "answers", {name: value})
    real = sqlite3.connect
    monkeypatch.setattr(
        "sqlite3.dbapi2.connect", lambda *args, **more: real(*args, factory=Stubborn, **more)
    )
    create_private_file(tmp_path / "new.db")
    with pytest.raises(OperatorError, match=name):
        writer_engine(f"sqlite:///{tmp_path / 'new.db'}").connect()


def test_b03_every_transaction_takes_the_write_lock_as_it_begins(desk: Desk) -> None:
    """BEGIN IMMEDIATE: what is read is what the writes build on."""
    with writer_engine(desk.url).connect() as first, first.begin():
        second = sqlite3.connect(desk.path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")
        second.close()


@pytest.mark.parametrize("make", [reader_engine, lookup_engine])
def test_readers_never_write_or_checkpoint(desk: Desk, make: Any) -> None:
    """SQLite before 3.51.3 can corrupt a WAL database that two connections checkpoint."""
    with make(desk.url).connect() as reader:
        assert 0 == pragma(reader, "wal_autocheckpoint")
        with pytest.raises(DBAPIError, match="readonly"):
            reader.exec_driver_sql("DELETE FROM event")
        reader.rollback()


def test_a_log_that_cannot_be_emptied_stays_for_the_next_checkpoint(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed before stands: a full disk must not make it look as if it did not."""

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            if "wal_checkpoint" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *given)

    real = sqlite3.connect
    monkeypatch.setattr(
        "sqlite3.dbapi2.connect", lambda *args, **more: real(*args, factory=Full, **more)
    )
    with writer_engine(desk.url).connect() as writer:
        assert not truncate_log(writer)


def test_a_reader_keeps_its_view_and_a_lookup_does_not(desk: Desk) -> None:
    """The join path must see a revocation with its very next statement."""
    count = "SELECT count(*) FROM network"
    with (
        reader_engine(desk.url).connect() as reader,
        lookup_engine(desk.url).connect() as lookup,
        reader.begin(),
    ):
        for connection in (reader, lookup):
            assert 0 == connection.exec_driver_sql(count).scalar_one()
        desk.network()
        assert 0 == reader.exec_driver_sql(count).scalar_one()
        assert 1 == lookup.exec_driver_sql(count).scalar_one()
        desk.network("other", b"\x01", prefix="2001:db8:1::/64")
        assert 2 == lookup.exec_driver_sql(count).scalar_one()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "no url", "postgresql://a:b:c:d/x"]
)
def test_a_url_that_forgets_or_can_not_be_read_is_refused(url: str) -> None:
    """The message never repeats it: it may hold a password."""
    with pytest.raises(OperatorError, match=r"database\.url") as caught:
        database_path(url)
    assert url not in caught.value.message


def test_paths_come_from_sqlite_urls_alone() -> None:
    """A server has none."""
    assert Path("/var/lib/jrc/jrc.db") == database_path("sqlite:////var/lib/jrc/jrc.db")
    assert database_path("postgresql+psycopg://jrc@db/jrc") is None


def test_a_private_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Whatever the umask, before anything is in it."""
    path = tmp_path / "jrc.db"
    before = os.umask(0)
    try:
        create_private_file(path)
    finally:
        os.umask(before)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with pytest.raises(OperatorError, match="nothing was overwritten"):
        create_private_file(path)
    with pytest.raises(OperatorError, match="can't be made"):
        create_private_file(tmp_path / "missing" / "jrc.db")


def test_wal_and_index_are_as_private_as_the_database(desk: Desk) -> None:
    """They hold the same rows."""
    desk.network()
    for suffix in ("", "-wal", "-shm"):
        file = desk.path.with_name(desk.path.name + suffix)
        assert 0o600 == stat.S_IMODE(file.stat().st_mode), suffix


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o601, 0o620])
def test_a_database_that_others_may_touch_is_refused(desk: Desk, mode: int) -> None:
    """With the command that mends it."""
    desk.path.chmod(mode)
    with pytest.raises(OperatorError, match=f"mode {mode:04o}") as caught:
        check_private(desk.path)
    assert "chmod 600" in caught.value.hint
    desk.path.chmod(0o400)
    check_private(desk.path)


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    """`jrc init` makes one."""
    with pytest.raises(OperatorError, match="does not exist") as caught:
        check_private(tmp_path / "jrc.db")
    assert "jrc init" in caught.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="can't be opened"):
        check_private(tmp_path / "file" / "jrc.db")
