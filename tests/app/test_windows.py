"""The keeper of join windows: it ends them by a clock that nobody can set."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from jrc.app.windows import LOOK_EVERY_S, WindowKeeper
from jrc.errors import StoreError
from jrc.model import Admission
from jrc.service.registry import Registry
from jrc.service.windows import OpenWindow, close_window, list_windows, open_window
from tests.desk import ACTOR, Desk

T = TypeVar("T")
MINUTE_MS = 60_000


class Office:
    """What the keeper sees of a daemon; ``reads`` and ``writes`` count what it asked for."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.reads = self.writes = 0
        self.fails = False
        self.monotonic_s = 1000.0
        self.periods: list[float] = []
        self.keeper = WindowKeeper(self, self.every, lambda: self.monotonic_s)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        self.reads += 1
        if self.fails:
            raise StoreError("busy")
        return self.desk.read(work)

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        self.writes += 1
        done = self.desk.write(work)
        self.keeper.changed()
        return done

    def every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        self.periods.append(period_s)

    def look(self) -> None:
        asyncio.run(self.keeper.look())

    def open(self, for_s: int = 600) -> None:
        command = OpenWindow(network="lab", for_s=for_s, max_pledges=5)
        self.desk.write(lambda tx: open_window(tx, command, actor=ACTOR))
        self.keeper.changed()

    def states(self) -> list[str]:
        found = self.desk.read(lambda tx: list_windows(tx, with_past=True))
        return [window.state for window in found]

    def not_closed(self) -> int:
        ((count,),) = self.desk.sql("SELECT count(*) FROM join_window WHERE closed_at_ms IS NULL")
        assert isinstance(count, int)
        return count


@pytest.fixture
def office(desk: Desk) -> Office:
    desk.network(admission=Admission.WINDOW)
    return Office(desk)


def test_it_looks_once_a_second_and_reads_only_what_may_have_changed(office: Office) -> None:
    """A daemon without windows is not woken for them."""
    asyncio.run(office.keeper.start())
    assert [LOOK_EVERY_S] == office.periods
    for _ in range(5):
        office.look()
    assert (1, 0) == (office.reads, office.writes)
    office.open()
    office.look()
    office.look()
    assert (2, 0, {"open": 1}) == (office.reads, office.writes, office.keeper.status())


def test_a_window_whose_time_is_over_is_closed_for_good(office: Office) -> None:
    """Also where the clock of the wall is set back before and after."""
    office.open()
    office.look()
    office.monotonic_s += 599
    office.look()
    assert (1, 0) == (office.not_closed(), office.writes)
    office.monotonic_s += 1
    office.desk.now_ms -= 60 * MINUTE_MS
    office.look()
    assert (0, ["time"]) == (office.not_closed(), office.states())
    office.look()
    assert (1, {"open": 0}) == (office.writes, office.keeper.status())


def test_a_clock_set_back_does_not_lengthen_a_window(office: Office) -> None:
    """Once it was seen, its end is fixed; a later look sees more time left, and does not care."""
    office.open()
    office.look()
    office.desk.now_ms -= 60 * MINUTE_MS
    office.keeper.changed()
    office.look()
    office.monotonic_s += 600
    office.look()
    assert office.not_closed() == 0


def test_a_clock_that_jumps_ahead_ends_a_window(office: Office) -> None:
    """By the clock that people have, it is over."""
    office.open()
    office.look()
    office.desk.now_ms += 11 * MINUTE_MS
    office.keeper.changed()
    office.look()
    assert office.not_closed() == 0


def test_a_window_that_has_run_out_while_nobody_ran_is_closed_at_the_start(
    office: Office,
) -> None:
    """Its end is in the audit log all the same."""
    office.open()
    office.desk.now_ms += 11 * MINUTE_MS
    office.look()
    assert office.not_closed() == 0
    assert office.desk.sql("SELECT actor FROM event WHERE kind = 'window.closed'") == [("jrc",)]


def test_a_window_that_was_closed_before_is_left_alone(office: Office) -> None:
    """The keeper's own deadline for it is dropped."""
    office.open()
    office.look()
    office.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    office.monotonic_s += 601
    office.look()
    assert (["closed"], 0) == (office.states(), office.writes)


def test_what_fails_is_tried_again(office: Office) -> None:
    """The next second, whether anything has changed or not."""
    office.open()
    office.fails = True
    with pytest.raises(StoreError):
        office.look()
    office.fails = False
    office.monotonic_s += 1
    office.look()
    assert {"open": 1} == office.keeper.status()
