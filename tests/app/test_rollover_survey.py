"""The figures of rollovers as the daemon looks them up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from jrc.app.rollover_survey import LOOK_EVERY_S, RolloverSurvey
from jrc.policy.rollover import Phase
from jrc.service.registry import Registry
from tests.desk import Desk
from tests.rollovers import Floor, floor_at

T = TypeVar("T")


class Office:
    """What the survey sees of a daemon."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.periods: list[float] = []
        self.survey = RolloverSurvey(self, self.every)  # type: ignore[arg-type]

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self._desk.read(work)

    def every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        self.periods.append(period_s)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    desk = Desk(tmp_path)
    with floor_at(desk, 2) as opened:
        yield opened
    desk.close()


def test_a_look_finds_where_each_network_is(floor: Floor) -> None:
    """For the metrics, and in words for `jrc status`; before the first look there is nothing."""
    office = Office(floor.desk)
    asyncio.run(office.survey.start())
    assert (office.periods, office.survey.figures()) == ([LOOK_EVERY_S], ())
    asyncio.run(office.survey.look())
    assert office.survey.status() == {
        "lab": {"in_force_since": "2026-11-30T00:53:20.000Z", "rollover": None}
    }
    floor.start()
    asyncio.run(office.survey.look())
    assert [each.phase for each in office.survey.figures()] == [Phase.DISTRIBUTING]
    assert office.survey.status()["lab"]["rollover"] == "distributing"  # type: ignore[index]
