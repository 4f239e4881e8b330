"""The daemon removes old events of the audit log by itself."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from jrc.admin.services import Services
from jrc.app.event_keeper import EventKeeper
from jrc.config import Events
from jrc.model import Event
from jrc.service.event_check import verify_stretch
from jrc.service.events import list_events
from jrc.service.registry import Registry
from tests.desk import NOW_MS, Desk

T = TypeVar("T")
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Site:
    """A desk as the services of a daemon; wall clock and monotonic clock go as they are told."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.monotonic_ms = 0
        self.work: list[Callable[[], Any]] = []

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        return self.desk.write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self.desk.read(work)

    def now_ms(self) -> int:
        return self.desk.now_ms

    def keeper(self, **settings: Any) -> EventKeeper:
        return EventKeeper(
            Events(**settings),
            cast(Services, self),
            self,
            lambda _period, work: self.work.append(work),
            lambda: self.monotonic_ms / 1000,
            rest_s=0,
        )

    def later(self, elapsed_ms: int, *, by_the_wall_ms: int | None = None) -> None:
        self.monotonic_ms += elapsed_ms
        self.desk.now_ms += elapsed_ms if by_the_wall_ms is None else by_the_wall_ms

    def numbers(self) -> list[int]:
        return [each.number for each in self.desk.read(lambda tx: list_events(tx, limit=5000))]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """1,100 old events and ten new ones."""
    made = Site(tmp_path)
    for count, elapsed_ms in ((1100, 20 * DAY_MS), (10, 0)):
        made.desk.write(
            lambda tx, count=count: [tx.record(Event("pledge.joined", "x")) for _ in range(count)]  # type: ignore[misc]
        )
        made.later(elapsed_ms)
    yield made
    made.desk.close()


def look(keeper: EventKeeper) -> None:
    asyncio.run(keeper.look())


def test_old_events_go_at_the_second_look(site: Site) -> None:
    """In the daemon's name, with the setting as the reason; the rest verifies."""
    keeper = site.keeper(keep_days=10, keep_at_least=5)
    look(keeper)
    assert len(site.numbers()) == 1110
    site.later(HOUR_MS)
    look(keeper)
    assert site.numbers() == list(range(1101, 1112))
    (said,) = site.desk.read(lambda tx: list_events(tx, kind="events.removed"))
    assert (said.actor, said.reason) == ("jrc", "older than events.keep_days = 10")
    assert site.desk.read(verify_stretch).intact
    assert keeper.status() == {"keep_days": 10, "removed": 1100}


@pytest.mark.parametrize("jump_ms", [400 * DAY_MS, -DAY_MS])
def test_after_a_jump_of_the_clock_nothing_goes_at_once(site: Site, jump_ms: int) -> None:
    """A clock that is wrong by a year makes everything old."""
    keeper = site.keeper(keep_days=10, keep_at_least=0)
    look(keeper)
    site.later(HOUR_MS, by_the_wall_ms=jump_ms)
    look(keeper)
    assert len(site.numbers()) == 1110


def test_the_last_events_stay(site: Site) -> None:
    """However old they are."""
    keeper = site.keeper(keep_days=10, keep_at_least=1105)
    look(keeper)
    site.later(100 * DAY_MS)
    look(keeper)
    assert site.numbers() == list(range(6, 1112))


def test_without_the_setting_everything_is_kept(site: Site) -> None:
    """However often it is looked; and it may be set while the daemon runs."""
    keeper = site.keeper(keep_at_least=5)
    for _ in range(3):
        site.later(HOUR_MS)
        look(keeper)
    assert len(site.numbers()) == 1110
    keeper.use(Events(keep_days=10, keep_at_least=5))
    site.later(HOUR_MS)
    look(keeper)
    assert site.numbers() == list(range(1101, 1112))
    assert site.desk.now_ms > NOW_MS


def test_it_looks_for_as_long_as_the_daemon_runs(site: Site) -> None:
    """The setting may come later."""
    asyncio.run(site.keeper().start())
    assert 1 == len(site.work)
