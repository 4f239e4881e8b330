"""A radio of this host hears of nodes, and is looked at now and then."""

import asyncio
import time

from structlog.testing import capture_logs

from jrc.app.installers import Runner
from jrc.app.upkeep import Upkeep
from jrc.model import Secret
from jrc.service.ports import InstallOutcome
from tests.app.programs import LAB, NEVER, Office, Program, settled, staged
from tests.desk import Desk
from tests.service.test_installers import joins

LONG_S = 3600.0


class Radio(Program):
    """A local program; ``has_keys`` is what it says of itself."""

    is_local = True

    def __init__(self) -> None:
        super().__init__()
        self.has_keys = True
        self.looks = 0

    async def keeps(self) -> bool:
        self.looks += 1
        return self.has_keys

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        outcome = await super().install(network, document)
        self.has_keys = True
        return outcome

    @property
    def told(self) -> list[list[str]]:
        """The nodes of each document."""
        return [[node["eui64"] for node in each["nodes"]] for each in self.documents]


class Count:
    """Joins so far."""

    def __init__(self) -> None:
        self.joins = 0

    def __call__(self) -> int:
        return self.joins


def rest(
    upkeep: Upkeep, wait_s: float | None, *, woken: bool = False, is_installed: bool = True
) -> tuple[bool, float]:
    """What a rest says, and how long it was."""

    async def run() -> bool:
        event = asyncio.Event()
        if woken:
            event.set()
        async with asyncio.timeout(20):
            return await upkeep.rest(event, wait_s, is_installed=is_installed)

    began_s = time.monotonic()
    return asyncio.run(run()), time.monotonic() - began_s


def test_it_returns_at_once_when_woken_and_after_the_wait() -> None:
    """As any installer."""
    upkeep = Upkeep(Radio(), Count(), tick_s=0.01, look_s=LONG_S)
    assert rest(upkeep, None, woken=True)[0]
    has, took_s = rest(upkeep, 0.05)
    assert has
    assert took_s >= 0.05


def test_a_join_ends_the_rest_once() -> None:
    """The count is looked at each tick; nobody tells of joins."""
    count = Count()
    upkeep = Upkeep(Radio(), count, tick_s=0.01, look_s=LONG_S)
    count.joins = 3
    assert rest(upkeep, None)[0]
    assert rest(upkeep, 0.05)[1] >= 0.05


def test_a_radio_is_looked_at_only_while_it_is_to_have_keys() -> None:
    """One that fails anyway is tried again as it is."""
    radio = Radio()
    upkeep = Upkeep(radio, Count(), tick_s=0.01, look_s=0.02)
    radio.has_keys = False
    assert rest(upkeep, 0.1, is_installed=False)[0]
    assert radio.looks == 0
    assert not rest(upkeep, None)[0]
    assert radio.looks == 1


def test_who_joins_is_told_to_the_radio_and_said_once(desk: Desk) -> None:
    """RFC 9031 §8.4.3: Linux takes frames of the nodes it knows, and of no others."""
    desk.network()
    count, radio = Count(), Radio()

    async def work() -> None:
        upkeep = Upkeep(radio, count, tick_s=0.01, look_s=LONG_S)
        one = Runner(LAB, radio, NEVER, Office(desk), upkeep)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        joins(desk, 1, short=7)
        count.joins += 1
        await radio.has_begun(2)
        await settled(one, "installed")
        task.cancel()

    with capture_logs() as logs:
        staged(work)
    assert [len(each) for each in radio.told] == [0, 1]
    assert radio.reasons == ["start", "change"]
    assert [line["event"] for line in logs] == ["installer_installed"]


def test_a_radio_that_has_lost_its_keys_gets_them_again(desk: Desk) -> None:
    """It was plugged in again, say: as at the start of the registrar."""
    desk.network()
    radio = Radio()

    async def work() -> None:
        upkeep = Upkeep(radio, Count(), tick_s=0.005, look_s=0.01)
        one = Runner(LAB, radio, NEVER, Office(desk), upkeep)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        radio.has_keys = False
        await radio.has_begun(2)
        await settled(one, "installed")
        task.cancel()

    with capture_logs() as logs:
        staged(work)
    assert radio.reasons == ["start", "start"]
    events = [line["event"] for line in logs]
    assert events == ["installer_installed", "radio_lost_its_keys", "installer_installed"]
