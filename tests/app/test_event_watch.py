"""The daemon goes along the audit log by itself, and says where it was changed."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from structlog.testing import capture_logs

from jrc.admin.services import Transactions
from jrc.app import event_watch
from jrc.app.event_watch import EventWatch
from jrc.model import Event
from jrc.service.registry import Registry
from tests.desk import NOW_MS, Desk

T = TypeVar("T")


class Site:
    """A desk as the daemon that has the watch."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.periods: list[float] = []
        self.watch = EventWatch(cast(Transactions, self), self, self.newest, self.every)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self.desk.read(work)

    def now_ms(self) -> int:
        return self.desk.now_ms

    def newest(self) -> int:
        return self.desk.database.instance.event_number

    def every(self, period_s: float, _work: Callable[[], Any]) -> None:
        self.periods.append(period_s)

    def record(self, count: int) -> None:
        def work(tx: Registry) -> None:
            for _ in range(count):
                tx.record(Event("pledge.joined", "tester", b"\x01"))

        self.desk.write(work)

    def look(self) -> None:
        asyncio.run(self.watch.look())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A log of ten events and more, gone along in stretches of four."""
    monkeypatch.setattr(event_watch, "STRETCH", 4)
    made = Site(tmp_path)
    made.record(10)
    yield made
    made.desk.close()


def test_the_log_is_intact_until_something_else_is_found(site: Site) -> None:
    """And verified once all of it was gone along, whatever came meanwhile."""
    asyncio.run(site.watch.start())
    assert [event_watch.LOOK_EVERY_S] == site.periods
    assert (True, None) == site.watch.figures()
    site.look()
    site.record(1)
    site.look()
    assert (True, None) == site.watch.figures()
    site.look()
    site.look()
    assert (True, NOW_MS) == site.watch.figures()
    assert {"intact": True, "why": None} == {
        key: site.watch.status()[key] for key in ("intact", "why")
    }


def test_an_event_that_was_changed_is_said_once_and_stays_said(site: Site) -> None:
    """In log, status and metrics; until it is as it was and all was gone along again."""
    (reason,) = site.desk.sql("SELECT reason FROM event WHERE number = 6")[0]
    site.desk.sql("UPDATE event SET reason = 'another' WHERE number = 6")
    with capture_logs() as lines:
        for _ in range(4):
            site.look()
    assert ["audit_log_changed"] == [line["event"] for line in lines]
    assert (False, None) == site.watch.figures()
    assert "Event 6 does not fit" in str(site.watch.status()["why"])
    site.desk.sql("UPDATE event SET reason = :reason WHERE number = 6", reason=reason)
    for _ in range(4):
        site.look()
    assert (True, NOW_MS) == site.watch.figures()


def test_a_log_that_was_cut_off_is_noticed(site: Site) -> None:
    """This process has seen more of it."""
    newest = site.newest()
    site.watch = EventWatch(cast(Transactions, site), site, lambda: newest + 2, site.every)
    for _ in range(4):
        site.look()
    assert not site.watch.figures().intact
