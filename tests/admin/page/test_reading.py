"""What the page may do with the registrar: read, one at a time, and rest."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from jrc.admin.page import reading as reading_module
from jrc.admin.page.reading import Pace, reading
from jrc.admin.services import Services
from jrc.errors import OperatorError

COUNTING_S = 0.1
WITHIN_S = 3
"""Less than the rest would be."""


class Pledges:
    """A million of them: counting takes long."""

    def __init__(self) -> None:
        self.counted = 0

    def counts(self) -> dict[None, int]:
        self.counted += 1
        time.sleep(COUNTING_S)
        return {None: self.counted}

    def page(self) -> str:
        return "a page"


class Registrar:
    """Counts reads, and how many are under way at a time; it is its own transaction."""

    newest_event = 7
    networks = "its networks"

    def __init__(self) -> None:
        self.reads = 0
        self.most = 0
        self._now = 0
        self.pledges = Pledges()

    async def run_read(self, work: Callable[[object], object]) -> object:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.001)
        self._now -= 1
        self.reads += 1
        return work(self)

    async def run_write(self, _work: object) -> None:
        raise AssertionError("the page writes")

    async def status(self, *, anew: bool = True) -> dict[str, object]:
        return {"ready": True, "anew": anew}


def _reading(registrar: Registrar, pace: Pace) -> Services:
    return reading(cast(Services, registrar), pace)


@pytest.mark.parametrize("name", ["run_write", "dump", "slot_key", "install", "spool_folder"])
def test_the_page_has_no_way_to_change_anything(name: str) -> None:
    """What is not for it is not there, whatever routes it is given."""

    async def run() -> None:
        with pytest.raises(AttributeError):
            getattr(_reading(Registrar(), Pace()), name)

    asyncio.run(run())


def test_reads_of_all_pages_are_one_at_a_time() -> None:
    """The threads that read are for commands as well."""

    async def run() -> tuple[int, int]:
        registrar = Registrar()
        services = _reading(registrar, Pace(at_once_s=1e6))
        await asyncio.gather(*(services.run_read(lambda _tx: None) for _ in range(8)))
        return registrar.reads, registrar.most

    assert asyncio.run(run()) == (8, 1)


async def _failing(pace: Pace) -> None:
    async with pace.turn():
        await asyncio.sleep(0.02)
        raise ValueError("no")


def test_after_a_read_comes_a_rest_for_as_long_as_its_share_says() -> None:
    """Also after one that has failed; the time that reads have taken is counted."""

    async def run() -> tuple[float, float]:
        pace, began_s = Pace(0.2, 0), time.monotonic()
        with pytest.raises(ValueError, match="no"):
            await _failing(pace)
        async with pace.turn():
            pass
        return time.monotonic() - began_s, pace.spent_s

    whole_s, spent_s = asyncio.run(run())
    assert whole_s >= 0.02 / 0.2 * 0.8
    assert spent_s >= 0.02


def test_a_long_read_is_followed_by_a_rest_that_is_longer_alike() -> None:
    """Among a million pledges one takes seconds: the share holds for it as well."""

    async def run() -> tuple[float, float]:
        pace = Pace(1e-6, 0)
        async with pace.turn():
            await asyncio.sleep(0.01)
        return pace.rest_s(), pace.spent_s

    rest_s, spent_s = asyncio.run(run())
    assert rest_s > 0.99 * spent_s / 1e-6


def test_pledges_are_counted_as_often_as_their_own_share_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever looks at the networks meanwhile gets the counts of before, and rests for neither."""
    registrar, pace = Registrar(), Pace(0.015, at_once_s=COUNTING_S / 2)
    services = _reading(registrar, pace)

    async def counted() -> object:
        return await services.run_read(lambda tx: tx.pledges.counts())

    async def run() -> list[object]:
        async with asyncio.timeout(WITHIN_S):
            found = [await counted() for _ in range(2)]
            monkeypatch.setattr(reading_module, "COUNTING_SHARE", 1e6)
            vars(vars(services)["_counting"])["_good_until_s"] = 0.0
            vars(pace)["_debt_s"] = 0.0
            return [*found, await counted()]

    assert asyncio.run(run()) == [{None: 1}, {None: 1}, {None: 2}]
    assert registrar.pledges.counted == 2
    assert pace.spent_s >= 2 * COUNTING_S
    assert vars(pace)["_debt_s"] < COUNTING_S


def test_all_else_of_a_read_is_the_stores_own() -> None:
    """Its networks, and what is told of pledges but for their number."""

    async def run() -> tuple[object, object]:
        services = _reading(Registrar(), Pace())
        return await services.run_read(lambda tx: (tx.networks, cast(Any, tx.pledges).page()))

    assert asyncio.run(run()) == ("its networks", "a page")


def test_what_it_reads_is_what_the_registrar_says() -> None:
    """Status and the newest event go through."""

    async def run() -> None:
        services = _reading(Registrar(), Pace())
        assert await services.status() == {"ready": True, "anew": False}
        assert services.newest_event == 7

    asyncio.run(run())


def test_who_waits_when_the_daemon_ends_is_sent_away() -> None:
    """At once, the one who rests and all behind it: a stop waits for no page."""

    async def run() -> list[object]:
        registrar, pace = Registrar(), Pace(1e-6, 0)
        services = _reading(registrar, pace)
        await services.run_read(lambda _tx: None)
        reads = [services.run_read(lambda _tx: None) for _ in range(3)]
        waiting = [asyncio.ensure_future(each) for each in reads]
        await asyncio.sleep(0)
        pace.end()
        async with asyncio.timeout(WITHIN_S):
            return list(await asyncio.gather(*waiting, return_exceptions=True))

    found = asyncio.run(run())
    assert [type(each) for each in found] == [OperatorError] * 3


def test_a_page_that_is_opened_need_not_wait() -> None:
    """What nobody has read meanwhile is saved up, and no more than that."""

    async def run() -> list[bool]:
        pace = Pace(1e-6, at_once_s=WITHIN_S)
        async with asyncio.timeout(WITHIN_S):
            for _ in range(2):
                async with pace.turn():
                    pace.forgive(-0.6 * WITHIN_S)
        third = asyncio.create_task(_failing(pace))
        done, _ = await asyncio.wait([third], timeout=0.1)
        pace.end()
        await asyncio.gather(third, return_exceptions=True)
        return [each is third for each in done]

    assert asyncio.run(run()) == []
