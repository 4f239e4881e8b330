"""Row M2: who does not conduct tells nobody and moves nothing; whoever takes over goes on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from jrc.app.registrars import LEASE_S, Registrars
from jrc.app.transactions import DaemonTransactions
from jrc.app.troubles import Troubles
from jrc.errors import Cause, StoreError
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.update_ports import UpdateError, UpdateOutcome
from jrc.store.server import Notice
from jrc.store.watch import Sight
from tests.app.test_telling_held import NARROW, Flights
from tests.rolling import Rig, experiment, in_phase, in_state, names
from tests.service.fakes import GivenClock

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
            lookup=SimpleNamespace(
                is_lost=False,
                kid_contexts=lambda: [b"all"],
                runs=SimpleNamespace(since=lambda _at_ms: ()),
            ),
            clock=GivenClock(),
            connect_lookup_again=lambda: None,
        )
        contexts: Any = SimpleNamespace(
            learn=self.learned.extend,
            forget_all=lambda: None,
            runs=SimpleNamespace(add=lambda _runs: None),
        )
        nothing: Any = None
        self.heard: list[int] = []
        self.looks = 0
        self.enough = asyncio.Event()
        self.failures = 0
        self.registrars = Registrars(
            opened,
            cast(
                DaemonTransactions, SimpleNamespace(heard_of=self.heard.append, catch_up=self.look)
            ),
            contexts,
            self.troubles,
            nothing,
            nothing,
            lambda: self.now_s,
        )
        self.registrars.conducts(self)

    async def look(self) -> None:
        self.looks += 1
        if self.looks > self.failures:
            self.enough.set()
        if self.looks <= self.failures:
            raise StoreError("held up", Cause.LOCKED)

    def conduct(self, is_conductor: bool) -> None:
        self.terms.append(is_conductor)

    def see(self, *notices: Notice, is_conductor: bool = False, is_first: bool = False) -> None:
        self.registrars.seen(Sight(1, 1, notices, is_conductor, None, is_first))


def test_b03_a_server_that_may_forget_commits_holds_joins_until_it_may_not() -> None:
    """RFC 9031 §7.3.1: each look tells, also one of a connection that was lost and made again."""
    seat = Seat()
    seat.see(is_first=True)
    assert not seat.troubles
    for sight in (Sight(1, 1, (), False, None, False, "fsync=off"),) * 2:
        seat.registrars.seen(sight)
    assert seat.troubles.holds
    assert ["fsync=off"] == [each.error for each in seat.troubles.standing()]
    seat.registrars.lost("gone")
    assert Cause.NOT_DURABLE in seat.troubles
    seat.see(is_first=True)
    assert Cause.NOT_DURABLE not in seat.troubles


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


def test_m02_what_could_not_be_looked_at_is_looked_at_again() -> None:
    """RFC 9031 §8.4.2: no commit needs to follow the one that was missed."""

    async def work() -> None:
        seat = Seat()
        seat.failures = 2
        catching_up = asyncio.create_task(seat.registrars._catch_up())
        seat.see(is_first=True)
        await seat.enough.wait()
        assert not seat.registrars._news.is_set()
        catching_up.cancel()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_m02_a_revocation_elsewhere_is_heard_of_while_the_writer_waits() -> None:
    """RFC 9031 §8.4.2: who is told is looked at anew at once, whatever holds up the writer."""

    async def work() -> None:
        changes: list[str] = []
        opened: Any = SimpleNamespace(
            database=SimpleNamespace(instance=SimpleNamespace(policy_revision=4))
        )
        contexts: Any = SimpleNamespace(forget_all=lambda: changes.append("forget"))
        transactions = DaemonTransactions(
            opened,
            lambda _run, _done: None,  # it never comes to this one
            contexts,
            lambda: changes.append("changed"),
            lambda _error: None,
        )
        for revision in (3, 4, 5, 5):
            transactions.heard_of(revision)
        assert ["forget", "changed"] == changes
        opened.database.instance.policy_revision = 5
        transactions.look_again()  # what the writer's connection has is news of its own
        assert ["forget", "changed"] * 2 == changes

    asyncio.run(work())


def test_m02_a_registrar_tells_which_revision_it_has_seen() -> None:
    """With each look, so that a notice that was lost is no later than the next one."""
    seat = Seat()
    seat.see(is_first=True)
    seat.see()
    assert [1, 1] == seat.heard


def test_b04_an_outcome_of_a_term_before_is_not_written(tmp_path: Path) -> None:
    """RFC 9031 §8.4.3.1: another registrar has told on meanwhile; all is read again."""

    async def work(rig: Rig) -> None:
        updates, right = rig.registrar.updates, rig.registrar.run_write

        async def run_write(work: Callable[[Registry], T]) -> T:
            if not updates._term:
                conduct(rig, False)
                raise StoreError("gone", Cause.SERVER)
            return await right(work)

        await rig.roll()
        updates._outcomes = [UpdateOutcome(None, 1, None, UpdateError.NO_ANSWER, None, 1)]
        rig.registrar.run_write = run_write  # type: ignore[method-assign]
        updates.changed()
        await rig.until(lambda: updates._term > 0)
        await rig.rest(5)
        assert [] == updates._outcomes

    experiment(tmp_path, work)
