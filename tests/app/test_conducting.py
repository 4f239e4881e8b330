"""Row M2: who does not conduct tells nobody and moves nothing; whoever takes over goes on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from jrc.app.registrars import LEASE_S, Registrars
from jrc.app.troubles import Troubles
from jrc.errors import Cause
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.store.server import Notice
from jrc.store.watch import Sight
from tests.app.test_telling_held import NARROW, Flights
from tests.rolling import Rig, experiment, in_phase, in_state, names

T = TypeVar("T")


def conduct(rig: Rig, is_conductor: bool) -> None:
    rig.registrar.updates.conduct(is_conductor)
    rig.registrar.keeper.conduct(is_conductor)


def test_e06_nothing_leaves_from_who_lost_the_lock_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    """RFC 9031 §8.4.3.1: at once, with updates under way; then all nodes are told by the other."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        await rig.roll()
        await rig.rest(0.3)
        told = flights.count()
        assert told
        conduct(rig, False)
        await rig.rest(60)
        assert told == flights.count()
        assert not rig.registrar.updates.status()["under_way"]
        assert in_phase(rig, Phase.DISTRIBUTING)()
        conduct(rig, True)
        await rig.until(in_phase(rig, Phase.DONE))
        assert names(rig.nodes) == in_state(rig, NodeState.REACHED)
        assert [] == rig.violations()

    experiment(tmp_path, work, section=NARROW)


def test_b04_what_was_prepared_as_the_lock_was_lost_never_leaves(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: its numbers are on disk as used, and nobody uses them again."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        right = rig.registrar.run_write

        async def run_write(work: Callable[[Registry], T]) -> T:
            found = await right(work)
            await asyncio.sleep(1.0)
            return found

        rig.registrar.run_write = run_write  # type: ignore[method-assign]
        await rig.roll()
        await rig.until(lambda: rig.registrar.writes > 0)
        conduct(rig, False)
        await rig.rest(60)
        assert (0, 0) == (flights.count(), rig.registrar.updates.status()["under_way"])

    experiment(tmp_path, work)


@pytest.mark.parametrize("seed", range(3))
def test_b04_conductors_that_change_at_any_moment_repeat_no_number(
    tmp_path: Path, seed: int
) -> None:
    """RFC 9031 §7.3.1: numbers are reserved in rows, so that no term uses those of another."""

    async def work(rig: Rig) -> None:
        rig.chance.seed(seed)
        await rig.roll()
        for _ in range(12):
            await rig.rest(rig.chance.uniform(0.0, 2.0))
            conduct(rig, False)
            await rig.rest(rig.chance.choice([0.0, 0.0, 1.0]))
            conduct(rig, True)
        await rig.until(in_phase(rig, Phase.DONE))
        assert [] == rig.violations()

    experiment(tmp_path, work)


class Seat:
    """A part for the conductor alone, and a registrar that takes its seat or leaves it."""

    def __init__(self, server: str | None = "7/1") -> None:
        self.terms: list[bool] = []
        self.learned: list[bytes] = []
        self.now_s = 0.0
        self.troubles = Troubles(lambda: None)
        opened: Any = SimpleNamespace(
            database=SimpleNamespace(server=server),
            lookup=SimpleNamespace(is_lost=False, kid_contexts=lambda: [b"all"]),
            connect_lookup_again=lambda: None,
        )
        contexts: Any = SimpleNamespace(learn=self.learned.extend, forget_all=lambda: None)
        nothing: Any = None
        self.registrars = Registrars(
            opened, nothing, contexts, self.troubles, nothing, nothing, lambda: self.now_s
        )
        self.registrars.conducts(self)

    def conduct(self, is_conductor: bool) -> None:
        self.terms.append(is_conductor)

    def see(self, *notices: Notice, is_conductor: bool = False, is_first: bool = False) -> None:
        self.registrars.seen(Sight(1, 1, notices, is_conductor, None, is_first))


def test_with_sqlite_this_process_conducts() -> None:
    """There is nobody else, and nothing to wait for."""
    seat = Seat(None)
    assert ([], True) == (seat.terms, seat.registrars.status()["is_conductor"])


def test_m02_a_conductor_stops_with_its_connection_and_without_a_sign() -> None:
    """The server may have given the lock to another by then."""
    seat = Seat()
    seat.see(is_conductor=True, is_first=True)
    assert [False, True] == seat.terms
    seat.registrars.lost("gone")
    assert [False, True, False] == seat.terms
    assert Cause.SERVER in seat.troubles
    seat.see(is_conductor=True, is_first=True)
    seat.now_s += LEASE_S
    asyncio.run(seat.registrars.check())
    assert seat.terms[-1]
    seat.now_s += 0.01
    asyncio.run(seat.registrars.check())
    assert not seat.terms[-1]


def test_m02_what_another_registrar_enrolled_is_learned() -> None:
    """By name; and all of it where there was no connection, or too many to name."""
    seat = Seat()
    seat.see(is_first=True)
    assert [b"all"] == seat.learned
    seat.see(Notice(1, (b"one",)), Notice(1, (b"two",)))
    assert [b"one", b"two"] == seat.learned[1:]
    seat.see(Notice(2, None))
    assert [b"all"] == seat.learned[3:]
