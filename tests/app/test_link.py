"""Networks follow the interfaces that they name, as a part of the daemon."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from structlog.testing import capture_logs

from jrc.app.link import Link
from jrc.policy.interface import Interface
from jrc.service.networks import remove_network
from jrc.service.registry import Registry
from tests.desk import ACTOR, Desk
from tests.service.test_following import A, B, add, addresses, having

T = TypeVar("T")
ON_A = ("fd00:a::/64", "lowpan0", "fd00:a::1", "lowpan0")
ON_B = ("fd00:b::/64", "lowpan0", "fd00:b::1", "lowpan0")


class Office:
    """The half of the daemon that runs transactions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        return self._desk.write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self._desk.read(work)


class Watch:
    """A watcher that is told what there is by ``tell``."""

    def __init__(self) -> None:
        self.current: Interface | None = None
        self.is_known = False

    def __call__(self, _name: str, told: Callable[[Interface | None], None]) -> "Watch":
        self._told = told
        return self

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def tell(self, interface: Interface | None) -> None:
        self.current, self.is_known = interface, True
        self._told(interface)


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop work until something is so; fails if it never is."""
    for _ in range(20_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never was")


def test_a_network_stays_as_it_is_until_the_kernel_has_told_of_its_interface(desk: Desk) -> None:
    """An address that may well be there is told to pledges; what is known counts at once."""
    add(desk, having(A))
    watch = Watch()

    async def run() -> tuple[object, object]:
        link = Link(Office(desk), watch, lambda _error: None)
        await link.start()
        before = addresses(desk)
        watch.tell(having(B)["lowpan0"])
        await until(lambda: addresses(desk) != before)
        after = addresses(desk)
        await link.stop()
        return before, after

    assert (ON_A, ON_B) == asyncio.run(run())


def test_a_prefix_that_another_network_has_is_warned_of_once(desk: Desk) -> None:
    """The log names both; it is followed when that network is gone."""
    add(desk, having(A))
    desk.network("hall", b"\x01", prefix=str(B))
    watch = Watch()

    async def run() -> list[object]:
        link = Link(Office(desk), watch, lambda _error: None)
        await link.start()
        with capture_logs() as logs:
            watch.tell(having(B)["lowpan0"])
            await until(lambda: addresses(desk)[2] == str(B[1]))
            await link._catch_up()
            desk.write(lambda tx: remove_network(tx, "hall", actor=ACTOR, agreed=True))
            link.changed()
            await until(lambda: addresses(desk) == ON_B)
        await link.stop()
        return [
            (entry["network"], entry["holder"], entry["prefix"])
            for entry in logs
            if entry["event"] == "prefix_not_followed"
        ]

    assert [("lab", "hall", str(B))] == asyncio.run(run())
