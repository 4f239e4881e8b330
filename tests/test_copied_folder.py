"""A whole folder of a registrar that was copied or put back, instance file and all (row E8)."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Event
from jrc.opened import Opened
from jrc.service.records import Wanted
from jrc.service.recover import accept_copy, quarantine, recover_step
from jrc.store import instancefile
from tests.at_home import keeps_births, wait_for_another_birth
from tests.desk import ACTOR, ON_FILE, Desk, settings_at
from tests.service.fakes import GivenClock

pytestmark = [
    ON_FILE,
    pytest.mark.skipif(not keeps_births(), reason="no creation times on this file system"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """That of a registrar which was used and closed in order."""
    folder = tmp_path / "state"
    folder.mkdir()
    desk = Desk(folder)
    desk.network()
    instancefile.write(folder / "jrc.instance", desk.database.instance)
    desk.close()
    return folder


def settings_of(folder: Path) -> Settings:
    return settings_at(folder, f"sqlite:///{folder / 'jrc.db'}")


def opened(folder: Path) -> Opened:
    return Opened.open(settings_of(folder), GivenClock())


def condition(folder: Path) -> tuple[Condition, str]:
    """That of the registrar as it is opened."""
    one = opened(folder)
    state = one.database_state
    one.close()
    return state.condition, state.detail


def copy_of(folder: Path) -> Path:
    """As `cp -a`, which gives a copy the times of the original."""
    wait_for_another_birth(folder)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    return copy


def work(folder: Path) -> None:
    """A day of the registrar."""
    one = opened(folder)
    one.write(lambda tx: tx.record(Event("test", ACTOR)))
    one.close()


def accept(folder: Path) -> None:
    one = opened(folder)
    try:
        one.write(lambda tx: accept_copy(tx, actor=ACTOR, reason="new disk"))
    finally:
        one.close()


def over(copy: Path, folder: Path) -> None:
    shutil.copytree(copy, folder, dirs_exist_ok=True)


def in_place_of(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


@pytest.mark.parametrize("put_back", [over, in_place_of])
def test_e08_a_folder_that_was_put_back_is_quarantined(
    folder: Path, put_back: Callable[[Path, Path], None]
) -> None:
    """RFC 9031 §8.3.3: database and instance file agree, and both are of an earlier day."""
    copy = copy_of(folder)
    work(folder)
    put_back(copy, folder)
    found = condition(folder)
    assert Condition.QUARANTINED is found[0]
    assert "jrc.instance is a copy" in found[1]
    assert found == condition(folder)


def test_e08_a_folder_that_was_copied_is_no_second_registrar(folder: Path) -> None:
    """RFC 8613 §12.4: two would answer under the same nonces. The original goes on."""
    copy = copy_of(folder)
    assert Condition.QUARANTINED is condition(copy)[0]
    assert Condition.OPEN is condition(folder)[0]


def test_a_folder_that_was_given_another_name_is_the_same(folder: Path) -> None:
    """As by systemd, or by hand within one file system."""
    work(folder)
    assert Condition.OPEN is condition(folder.rename(folder.with_name("elsewhere")))[0]


def test_e08_who_has_moved_the_newest_state_says_so_and_it_goes_on(folder: Path) -> None:
    """With its keys, its epoch of the moment, and an entry in the audit log."""
    copy = copy_of(folder)
    accept(copy)
    one = opened(copy)
    assert (Condition.OPEN, None) == (one.condition, one.quarantined)
    assert [] == one.read(lambda tx: tx.keysets.domains(tx.database.incarnation))
    kinds = one.read(lambda tx: [each.kind for each in tx.events.page(Wanted(), after=0, limit=99)])
    one.close()
    assert ["database.quarantined", "database.copy_accepted"] == kinds[-2:]


def test_a_daemon_that_was_started_before_it_was_said_changes_nothing(folder: Path) -> None:
    """It was quarantined by then, and has answered nobody."""
    copy = copy_of(folder)
    for _ in range(2):
        assert Condition.QUARANTINED is condition(copy)[0]
    accept(copy)
    assert Condition.OPEN is condition(copy)[0]


def test_a_recovery_that_has_begun_and_is_taken_back_leaves_nothing_undone(folder: Path) -> None:
    """What it has renewed stays; a later quarantine renews everything again."""
    copy = copy_of(folder)
    one = opened(copy)
    one.write(lambda tx: recover_step(tx, actor=ACTOR))
    one.write(lambda tx: accept_copy(tx, actor=ACTOR))
    assert Condition.OPEN is one.condition
    one.write(lambda tx: quarantine(tx, "it is old", actor=ACTOR))
    assert 1 == len(one.read(lambda tx: tx.keysets.domains(tx.database.incarnation)))
    one.close()


def refused(folder: Path) -> str:
    with pytest.raises(OperatorError) as caught:
        accept(folder)
    assert ExitCode.REFUSED == caught.value.exit_code
    return caught.value.message


def test_e08_what_is_old_for_another_reason_is_not_accepted(folder: Path) -> None:
    """An old database under a copy of a newer instance file: nothing vouches for it."""
    copy = copy_of(folder)
    work(folder)
    shutil.copy2(folder / "jrc.instance", copy / "jrc.instance")
    assert "for more than a copy" in refused(copy)
    assert Condition.QUARANTINED is condition(copy)[0]


def test_e08_a_quarantined_database_is_not_opened_by_being_copied(folder: Path) -> None:
    """It is quarantined anew, and why it was before still stands."""
    one = opened(folder)
    one.write(lambda tx: quarantine(tx, "it is old", actor=ACTOR))
    one.close()
    assert "quarantined already" in refused(copy_of(folder))


def test_e08_a_copy_of_a_copy_that_was_started_is_accepted_where_it_was_copied_from(
    folder: Path,
) -> None:
    """What it says of itself does not send anybody to what is refused."""
    first = copy_of(folder)
    assert "if you have moved the newest state yourself" in condition(first)[1]
    second = first.with_name("second")
    wait_for_another_birth(folder)
    shutil.copytree(first, second)
    assert "`jrc db accept-copy` can't take back" in condition(second)[1]
    assert "quarantined already" in refused(second)
    accept(first)
    shutil.rmtree(second)
    wait_for_another_birth(folder)
    shutil.copytree(first, second)
    accept(second)
    assert Condition.OPEN is condition(second)[0]


def test_e08_a_copy_that_the_operator_has_quarantined_since_stays_so(folder: Path) -> None:
    """The later word counts."""
    copy = copy_of(folder)
    one = opened(copy)
    one.write(lambda tx: quarantine(tx, "it is old", actor=ACTOR))
    one.close()
    assert "for more than a copy" in refused(copy)


def test_what_is_no_copy_is_not_accepted(folder: Path) -> None:
    """There is nothing to say."""
    assert "not quarantined" in refused(folder)


def test_e08_the_database_of_a_copied_folder_is_not_let_in_afterwards(folder: Path) -> None:
    """Put back alone under the instance file of the quarantined one: nobody vouches for it."""
    copy = copy_of(folder)
    old = shutil.copy(copy / "jrc.db", folder.with_name("old.db"))
    assert Condition.QUARANTINED is condition(copy)[0]
    shutil.copy(old, copy / "jrc.db")
    assert Condition.QUARANTINED is condition(copy)[0]
