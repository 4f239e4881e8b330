"""Transactions: all or nothing, on disk when they return, with one policy of one revision."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from jrc.errors import OperatorError, StateError, StoreError
from jrc.model import Event, Secret
from jrc.store.database import Database
from jrc.store.engine import writer_engine
from jrc.store.server import ReplacedError
from jrc.store.transaction import ReadTransaction, Transaction
from tests.desk import KEK, NOW_MS, Desk
from tests.joining import hall_at, next_generation

EVENT = Event("odd", "jrc")


def record(tx: Transaction) -> str:
    tx.record(EVENT)
    return "result"


def test_a_write_gives_its_result_when_it_is_on_disk(desk: Desk) -> None:
    """Commit number, event, and the clock's high-water mark go with it."""
    before = desk.database.instance
    assert "result" == desk.database.write(record, NOW_MS + 9)
    after = desk.database.instance
    assert (before.commit_number + 1, before.event_number + 1, NOW_MS + 9) == (
        after.commit_number, after.event_number, after.clock_high_water_ms,
    )  # fmt: skip
    other = Database.open(desk.url, KEK)
    assert after == other.instance == other.read_instance()
    other.close()


def test_a_write_that_raises_leaves_nothing(desk: Desk) -> None:
    """Whatever it raises; the next one works."""
    before = desk.database.instance
    for error in (StateError("no"), ZeroDivisionError(), KeyboardInterrupt()):

        def work(tx: Transaction, error: BaseException = error) -> None:
            record(tx)
            tx.connection.execute(text("DELETE FROM data_key"))
            raise error

        with pytest.raises(type(error)):
            desk.database.write(work, NOW_MS)
    assert before == desk.database.instance == desk.database.read_instance()
    assert desk.sql("SELECT count(*) FROM data_key") != [(0,)]
    desk.database.write(record, NOW_MS)


def test_an_error_of_the_database_is_a_store_error(desk: Desk) -> None:
    """Its message holds no parameter: that may be a key."""

    def work(tx: Transaction) -> None:
        tx.connection.execute(text("INSERT INTO data_key VALUES (:x)"), {"x": "secret"})

    with pytest.raises(StoreError) as caught:
        desk.database.write(work, NOW_MS)
    assert "secret" not in caught.value.message


def test_a_lock_held_by_another_is_a_store_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction never began; the next one works."""
    desk.sql("PRAGMA user_version")
    desk.database.writer.connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    desk.database.writer.connection.rollback()
    with (
        writer_engine(desk.url).connect() as other,
        other.begin(),
        pytest.raises(StoreError, match="locked"),
    ):
        desk.database.write(record, NOW_MS)
    desk.database.write(record, NOW_MS)


def test_the_high_water_mark_never_falls(desk: Desk) -> None:
    """Row B4."""
    for now_ms in (NOW_MS + 50, NOW_MS + 10):
        desk.database.write(record, now_ms)
    assert NOW_MS + 50 == desk.database.instance.clock_high_water_ms


def test_joins_see_the_policy_of_their_own_transaction(desk: Desk) -> None:
    """Loaded once a revision; a change by another process counts at once."""
    desk.network()

    def policy() -> object:
        return desk.database.join(lambda joins: joins.policy, NOW_MS)

    first = policy()
    assert first is policy()
    other = Database.open(desk.url, KEK)
    desk.database, mine = other, desk.database
    desk.network("other", b"\x01", prefix="2001:db8:1::/64")
    desk.database = mine
    other.close()
    second = policy()
    assert first is not second
    assert {1, 2} == set(second.networks)  # type: ignore[attr-defined]


def test_keys_of_a_new_generation_go_out_with_the_next_join(desk: Desk) -> None:
    """RFC 9031 §8.4.3."""
    desk.network()
    with hall_at(desk) as hall:
        pledge = hall.enroll(1)
        before = hall.join(pledge).keys
        next_generation(desk, retire=True)
        assert before != hall.join(pledge).keys


def test_n14_a_database_that_goes_back_while_it_is_in_use_is_used_no_more(desk: Desk) -> None:
    """RFC 9031 §8.3.3: an old copy under a running registrar; and it is not what is remembered.

    On a server the process ends with it: another one may soon have as many transactions again.
    """
    desk.sql("CREATE TABLE kept AS SELECT * FROM instance")
    desk.write(lambda tx: tx.record(Event("odd", "me")))
    seen = desk.database.instance
    desk.sql("DELETE FROM instance")
    desk.sql("INSERT INTO instance SELECT * FROM kept")
    uses: tuple[Callable[[], object], ...] = (
        lambda: desk.database.write(lambda _tx: None, NOW_MS),
        lambda: desk.database.join(lambda _joins: None, NOW_MS),
        desk.database.refresh,
    )
    for use in uses:
        with pytest.raises(
            ReplacedError if desk.on_server else StateError, match="went back from commit"
        ):
            use()
    assert seen == desk.database.instance


def test_a_read_is_one_consistent_view(desk: Desk) -> None:
    """What is committed meanwhile stays unseen; it can't write."""

    def count(tx: ReadTransaction) -> object:
        return tx.connection.execute(text("SELECT count(*) FROM event")).scalar_one()

    with desk.database.read(NOW_MS) as tx:
        before = count(tx)
        desk.database.write(record, NOW_MS)
        assert before == count(tx)


def test_the_wrong_key_opens_nothing(desk: Desk) -> None:
    """Named by what can be told apart without giving it away."""
    with pytest.raises(OperatorError, match=r"keys\.kek_file"):
        Database.open(desk.url, Secret(bytes(32)))


def test_a_database_without_keys_or_instance_is_not_opened(desk: Desk) -> None:
    """Somebody has emptied a table."""
    desk.sql("DELETE FROM instance")
    with pytest.raises(StateError, match="no instance row"):
        Database.open(desk.url, KEK)
    desk.sql("DELETE FROM data_key")
    with pytest.raises(StateError, match="no data keys"):
        Database.open(desk.url, KEK)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """In one sentence."""
    path = tmp_path / "jrc.db"
    path.write_bytes(b"no database " * 100)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match=r"database\.url"):
        Database.open(f"sqlite:///{path}", KEK)
