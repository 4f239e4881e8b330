"""Opening a database on a server: which server it is on, and what another registrar did."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from jrc.config import Settings
from jrc.errors import OperatorError, StoreError
from jrc.model import Condition, Event
from jrc.opened import Opened, accept_server
from jrc.service.recover import quarantine
from jrc.store import instancefile
from jrc.store.database import Database
from jrc.store.engine import lookup_engine, reader_engine
from jrc.store.lock import LockHeldError
from jrc.store.postgresql import LOCKS, Lock, watcher
from jrc.store.registry import StoreRegistry
from jrc.store.server import ReplacedError
from jrc.store.transaction import Transaction
from tests.desk import ACTOR, KEK, NOW_MS, Desk, settings_at
from tests.postgresql import NEEDED, Server, new_folder, shared_server
from tests.service.fakes import GivenClock

pytestmark = NEEDED


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A database that was used and closed in order."""
    desk = Desk(tmp_path, on_server=True)
    desk.network()
    yield desk
    desk.close()


def host(desk: Desk, folder: Path, *, knows: bool = True, url: str | None = None) -> Settings:
    """The settings of a host; its instance file says what ``desk`` has reached if it ``knows``."""
    folder.mkdir()
    if knows:
        instancefile.write(folder / "jrc.instance", desk.database.instance)
    return settings_at(folder, url or desk.url)


def condition(settings: Settings) -> Condition:
    opened = Opened.open(settings, GivenClock())
    try:
        return opened.condition
    finally:
        opened.close()


def move(desk: Desk, server: str = "7/1") -> None:
    """The instance row names another server than it is on."""

    def work(tx: Transaction) -> None:
        tx.ledger.set_server(server)

    desk.database.write(work, NOW_MS)


@pytest.fixture
def standby() -> Iterator[Server]:
    """It follows the server of the desks."""
    made = Server.standby_of(shared_server(), new_folder())
    yield made
    made.remove()


def at(desk: Desk, server: Server) -> str:
    """The URL of the desk's database on another server."""
    return server.url(make_url(desk.url).database or "")


def test_e08_a_standby_is_refused_and_one_that_was_promoted_is_quarantined(
    desk: Desk, tmp_path: Path, standby: Server
) -> None:
    """RFC 8613 §12.4, RFC 9031 §8.3.3: it may lack what was answered; its timeline says so."""
    desk.write(lambda tx: tx.policy_changed())
    settings = host(desk, tmp_path / "one", url=at(desk, standby))
    with pytest.raises(OperatorError, match="a standby"):
        Opened.open(settings, GivenClock())
    for make in (reader_engine, lookup_engine, watcher):
        with pytest.raises(DBAPIError, match="standby"):
            make(settings.database.url).connect()
    promoted = "SELECT pg_promote(wait => true)"
    assert [(True,)] == standby.sql(promoted)
    opened = Opened.open(settings, GivenClock())
    assert Condition.QUARANTINED is opened.condition
    assert "2" == str(opened.database.server).split("/")[1]
    opened.close()


def test_two_hosts_have_it_open_and_two_processes_of_one_host_have_not(
    desk: Desk, tmp_path: Path
) -> None:
    """Row M2: a host's process holds the lock beside its instance file."""
    one, two = host(desk, tmp_path / "one"), host(desk, tmp_path / "two")
    first, second = Opened.open(one, GivenClock()), Opened.open(two, GivenClock())
    with pytest.raises(LockHeldError, match="in use by process"):
        Opened.open(one, GivenClock())
    for opened in (first, second):
        opened.write(lambda tx: tx.policy_changed())
    first.database.refresh()
    assert second.database.instance == first.database.instance
    first.close()
    second.close()


def test_e08_another_server_or_timeline_is_quarantined_once(desk: Desk, tmp_path: Path) -> None:
    """RFC 9031 §8.3.3: the last transactions may be missing after a failover or a restore."""
    settings = host(desk, tmp_path / "one")
    move(desk)
    assert Condition.QUARANTINED is condition(settings)
    row = desk.database.read_instance()
    assert "7/1" in row.condition_detail
    assert desk.database.server == row.server
    assert Condition.QUARANTINED is condition(settings)
    assert row.incarnation == desk.database.read_instance().incarnation


def test_a_host_without_an_instance_file_leaves_a_database_that_others_work_on(
    desk: Desk, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: they know whether it is an old copy; where nobody does it is quarantined."""
    settings = host(desk, tmp_path / "new", knows=False)
    with closing(watcher(desk.url).connect()) as another:
        another.exec_driver_sql(f"SELECT pg_advisory_lock({LOCKS}, {Lock.CONDUCTOR.value})")
        with pytest.raises(OperatorError, match="another registrar is at work") as caught:
            Opened.open(settings, GivenClock())
    assert str(settings.instance_file) in (caught.value.hint or "")
    assert not settings.instance_file.exists()
    assert Condition.OPEN.value == desk.database.read_instance().condition
    assert Condition.QUARANTINED is condition(settings)


def test_a_change_of_the_server_that_lost_nothing_is_accepted(desk: Desk, tmp_path: Path) -> None:
    """By the operator who had all registrars stopped; it is in the audit log."""
    settings = host(desk, tmp_path / "one")
    move(desk)
    instancefile.write(settings.instance_file, desk.database.instance)
    found = accept_server(settings, NOW_MS, actor=ACTOR, reason="upgraded")
    assert ("7/1", desk.database.server) == found
    assert Condition.OPEN is condition(settings)
    assert [("database.server_accepted", "upgraded")] == desk.sql(
        "SELECT kind, reason FROM event ORDER BY number DESC LIMIT 1"
    )


def test_a_server_that_lacks_transactions_is_not_accepted(desk: Desk, tmp_path: Path) -> None:
    """The instance file of the host knows better than the operator."""
    settings = host(desk, tmp_path / "one", knows=False)
    ahead = desk.database.instance._replace(commit_number=1000)
    instancefile.write(settings.instance_file, ahead)
    with pytest.raises(OperatorError, match="old copy"):
        accept_server(settings, NOW_MS, actor=ACTOR, reason="")


def test_e08_a_host_that_was_down_takes_a_database_that_another_has_quarantined(
    desk: Desk, tmp_path: Path
) -> None:
    """What the other recovered was for this one's answers, too; a stranger is no such database."""
    settings = host(desk, tmp_path / "one")
    desk.write(lambda tx: quarantine(tx, "an old copy", actor=ACTOR))
    epoch = desk.database.instance.epoch
    assert Condition.QUARANTINED is condition(settings)
    assert epoch == desk.database.read_instance().epoch, "it was not quarantined again"
    stranger = desk.database.instance._replace(epoch=bytes(16))
    instancefile.write(settings.instance_file, stranger)
    condition(settings)
    assert epoch != desk.database.read_instance().epoch


def test_an_import_of_another_registrar_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    """Only what is older than any import takes is taken for broken off."""
    settings = host(desk, tmp_path / "one")
    database = Database.open(desk.url, KEK)
    database.write(lambda tx: StoreRegistry(tx).imports.begin("pledges.csv", "a", ""), NOW_MS)
    database.close()
    for later_ms, left in ((0, "staged"), (3_700_000, "discarded")):
        opened = Opened.open(settings, GivenClock(NOW_MS + later_ms))
        opened.close()
        assert [(left,)] == desk.sql("SELECT state FROM import_batch")


# A database that was rolled back on its server


def rolled_back(desk: Desk) -> str:
    """The URL of a copy of the database as it is now, as it may take the place of this one."""
    name = make_url(desk.url).database
    return shared_server().new_database(like=str(name))


def put_in_place(desk: Desk, copy: str) -> None:
    """The database is dropped, and the copy has its name."""
    name, other = make_url(desk.url).database, make_url(copy).database
    shared_server().sql(f"DROP DATABASE {name} WITH (FORCE)")
    shared_server().sql(f"ALTER DATABASE {other} RENAME TO {name}")


@pytest.fixture
def lone(desk: Desk) -> Desk:
    """The same, with no connection to it: it can be copied."""
    desk.database.close()
    return desk


def changed(url: str, kind: str, times: int = 1) -> None:
    """Somebody works on it."""
    with closing(Database.open(url, KEK)) as database:
        for _ in range(times):
            database.write(lambda tx: tx.record(Event(kind, ACTOR)), NOW_MS)


def test_e08_a_database_that_was_restored_on_its_server_is_quarantined(
    lone: Desk, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: by a host that had seen less of it, too, and by each other host then."""
    behind, ahead = host(lone, tmp_path / "behind"), host(lone, tmp_path / "ahead")
    copy = rolled_back(lone)
    opened = Opened.open(ahead, GivenClock())
    opened.write(lambda tx: tx.policy_changed())
    opened.close()
    put_in_place(lone, copy)
    assert Condition.QUARANTINED is condition(behind)
    assert Condition.QUARANTINED is condition(ahead)


def test_e08_a_database_that_was_rolled_back_and_worked_on_is_told_by_its_audit_log(
    lone: Desk, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: rows put back in place change no number of the server's."""
    settings = host(lone, tmp_path / "one")
    copy = rolled_back(lone)
    changed(lone.url, "ours")
    with closing(Database.open(lone.url, KEK)) as database:
        instancefile.write(settings.instance_file, database.instance)
    put_in_place(lone, copy)
    changed(lone.url, "theirs", times=3)
    with closing(Database.open(lone.url, KEK)) as database:
        database.write(lambda tx: tx.ledger.set_server(database.server), NOW_MS)
        with pytest.raises(OperatorError, match="its audit log lacks event"):
            accept_server(settings, NOW_MS, actor=ACTOR, reason="")
    opened = Opened.open(settings, GivenClock())
    assert "its audit log lacks event" in (opened.quarantined or "")
    opened.close()


def test_no_host_takes_what_others_did_for_an_old_copy(desk: Desk, tmp_path: Path) -> None:
    """Whatever was done while it was down; what retention has removed can't be asked for."""
    settings = host(desk, tmp_path / "one")
    desk.write(lambda tx: tx.record(Event("test", ACTOR)))
    assert Condition.OPEN is condition(settings)
    for _ in range(2):
        desk.write(lambda tx: tx.record(Event("test", ACTOR)))
    last = desk.database.read_instance().event_number
    for upto in (last - 2, last - 1, last):
        desk.write(lambda tx, upto=upto: tx.events.remove_up_to(upto, 100))  # type: ignore[misc]
        assert Condition.OPEN is condition(settings)
        desk.write(lambda tx: tx.record(Event("test", ACTOR)))
    assert Condition.OPEN is condition(settings)


def test_e08_a_registrar_whose_database_is_restored_under_it_ends(
    lone: Desk, tmp_path: Path
) -> None:
    """Its lookups don't go on either: a copy may be asked for that was answered otherwise."""
    opened = Opened.open(host(lone, tmp_path / "one"), GivenClock())
    opened.close()
    copy = rolled_back(lone)
    opened = Opened.open(settings_at(tmp_path / "one", lone.url), GivenClock())
    opened.write(lambda tx: tx.policy_changed())
    put_in_place(lone, copy)
    with pytest.raises(StoreError):  # which finds that the connection is gone
        opened.write(lambda tx: tx.policy_changed())
    with pytest.raises(ReplacedError):
        opened.write(lambda tx: tx.policy_changed())
    with pytest.raises(ReplacedError):
        opened.connect_lookup_again()
    opened.lookup.close()


def test_e08_a_registrar_ends_whose_rows_are_put_back_on_its_open_connection(
    desk: Desk, tmp_path: Path
) -> None:
    """Others may soon have as many transactions again; the next start tells what it is."""
    ours = Database.open(desk.url, KEK)
    (row,) = desk.sql("SELECT * FROM instance")
    names = [str(name) for (name,) in desk.sql(_COLUMNS)]
    ours.write(lambda tx: tx.record(Event("test", ACTOR)), NOW_MS)
    sets = ", ".join(f"{name} = :{name}" for name in names)
    desk.sql(f"UPDATE instance SET {sets}", **dict(zip(names, row, strict=True)))
    with pytest.raises(ReplacedError, match="went back"):
        ours.write(lambda tx: None, NOW_MS)
    with pytest.raises(ReplacedError, match="went back"):
        ours.refresh()
    desk.sql("DELETE FROM event WHERE number > :last", last=row[names.index("event_number")])
    desk.database.write(lambda tx: tx.record(Event("other", ACTOR)), NOW_MS)
    desk.database.write(lambda tx: tx.record(Event("other", ACTOR)), NOW_MS)
    with pytest.raises(ReplacedError, match="its audit log lacks event"):
        ours.refresh()
    ours.close()


_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'instance'"
    " ORDER BY ordinal_position"
)
