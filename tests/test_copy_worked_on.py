"""An old copy that was worked on elsewhere, and has as many transactions again (row E8)."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jrc.app.transactions import DaemonTransactions
from jrc.cojp.constants import CoapCode
from jrc.config import Settings
from jrc.model import Condition, Secret
from jrc.opened import REFUSED, Opened
from jrc.service.applicants import Applicant
from jrc.service.contexts import Contexts
from jrc.service.enroll import add_pledge
from jrc.service.examine import OnConflict
from jrc.service.records import Wanted
from jrc.store import instancefile
from jrc.store.database import Database
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, KEK, ON_FILE, Desk, pledge_id, settings_at
from tests.joining import Hall, hall_at
from tests.service.fakes import GivenClock

pytestmark = ON_FILE

BEEF = bytes.fromhex("a10542beef")
REFUSALS = 6


def opened(desk: Desk, settings: Settings) -> Opened:
    return Opened.open(settings, GivenClock(desk.now_ms))


def remember(one: Opened) -> None:
    """As the daemon does once a second."""

    def work(run: Callable[[Database], Any], done: Callable[[Any, None], None]) -> None:
        done(run(one.database), None)

    async def once() -> None:
        contexts = Contexts(one.lookup)
        await DaemonTransactions(one, work, contexts, print, print).remember()

    asyncio.run(once())


def refused(hall: Hall, pledge: OddPledge) -> bytes:
    """A request that is refused."""
    heard = pledge.request(BEEF)
    answer = hall.ask(heard)
    assert answer is not None
    assert CoapCode.BAD_REQUEST == pledge.open(answer).code
    return heard


def let_in(desk: Desk, psk: bytes) -> None:
    """The pledge may join where it was refused, and more is done: as many transactions again."""
    device = Applicant(identifier=pledge_id(1), keys=Secret(psk), networks=("lab", "beef"))
    desk.write(lambda tx: add_pledge(tx, device, actor=ACTOR, on_conflict=OnConflict.REPLACE))
    for number in range(2, REFUSALS + 4):
        desk.pledge(number, networks=("lab",))


def test_e08_a_copy_that_was_worked_on_is_told_where_the_original_has_only_refused(
    tmp_path: Path,
) -> None:
    """RFC 8613 §7.5: the refused request would be let in, under the nonce of the refusal."""
    desk = Desk(tmp_path)
    desk.network()
    desk.network("beef", b"\xbe\xef")
    name, psk = desk.pledge(1, networks=("lab",))
    instancefile.write(tmp_path / "jrc.instance", desk.database.instance)
    desk.close()
    elsewhere = tmp_path / "elsewhere.db"
    shutil.copy2(desk.path, elsewhere)
    settings = settings_at(tmp_path, desk.url)

    one = opened(desk, settings)
    with hall_at(desk, one.database) as hall:
        pledge = OddPledge(name.value, psk)
        for _ in range(REFUSALS):
            refused(hall, pledge)
    remember(one)
    reached = one.database.instance
    one.close()

    desk.url = f"sqlite:///{elsewhere}"
    desk.database = Database.open(desk.url, KEK)
    let_in(desk, psk)
    assert desk.database.instance.commit_number >= reached.commit_number
    assert desk.database.instance.event_number >= reached.event_number
    desk.close()
    shutil.copy2(elsewhere, desk.path)

    two = opened(desk, settings)
    assert Condition.QUARANTINED is two.condition
    assert "worked on since" in (two.quarantined or "")
    two.close()


def test_refusals_leave_one_event_and_none_where_a_join_follows(tmp_path: Path) -> None:
    """A pledge that is refused again and again must not fill the audit log."""
    desk = Desk(tmp_path)
    desk.network()
    desk.network("beef", b"\xbe\xef")
    name, psk = desk.pledge(1, networks=("lab",))
    instancefile.write(tmp_path / "jrc.instance", desk.database.instance)
    desk.close()
    one = opened(desk, settings_at(tmp_path, desk.url))
    with hall_at(desk, one.database) as hall:
        pledge = OddPledge(name.value, psk)
        for _ in range(REFUSALS):
            refused(hall, pledge)
        remember(one)
        remember(one)
        refused(hall, pledge)
        hall.join(pledge)
        remember(one)
    found = one.read(lambda tx: tx.events.page(Wanted(kind=REFUSED), after=0, limit=9))
    assert [{"transactions": REFUSALS}] == [each.detail for each in found]
    one.close()
