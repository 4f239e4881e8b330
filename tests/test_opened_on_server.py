"""Opening a database on a server: which server it is on, and what another registrar did."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from jrc.config import Settings, parse
from jrc.errors import OperatorError
from jrc.model import Condition
from jrc.opened import Opened, accept_server
from jrc.service.recover import quarantine
from jrc.store import instancefile
from jrc.store.database import Database, Transaction
from jrc.store.engine import lookup_engine, reader_engine
from jrc.store.lock import LockHeldError
from jrc.store.postgresql import LOCKS, Lock, watcher
from jrc.store.registry import StoreRegistry
from tests.desk import ACTOR, KEK, NOW_MS, Desk
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
    key = folder / "kek"
    key.write_text(KEK.reveal().hex())
    key.chmod(0o600)
    return parse(
        f'[database]\nurl = "{url or desk.url}"\n[keys]\nkek_file = "{key}"\n'
        f'[instance]\nfile = "{folder / "jrc.instance"}"\n',
        path=str(folder / "config.toml"),
    )


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
    assert str(opened.database.server).endswith("/2")
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
    database.write(lambda tx: StoreRegistry(tx).imports.begin("pledges.csv"), NOW_MS)
    database.close()
    for later_ms, left in ((0, "staged"), (3_700_000, "discarded")):
        opened = Opened.open(settings, GivenClock(NOW_MS + later_ms))
        opened.close()
        assert [(left,)] == desk.sql("SELECT state FROM import_batch")
