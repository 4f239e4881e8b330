"""Rollovers with everything in between that may happen: who has the keys in force loses no frame.

Nodes transmit all the time, and each frame that its receiver has no key for is judged when it is
lost. ``JRC_ROLLOVER_ORDERS`` raises the number of random orders.
"""

import os
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import pytest

from jrc.errors import OperatorError
from jrc.lab.node import SimulatedNode
from jrc.policy.rollover import NodeState, Phase, Tally
from jrc.service.join_ports import JoinedMeanwhile
from jrc.service.join_terms import _comes_into
from jrc.service.registry import Registry
from jrc.service.rollover import (
    abort_rollover,
    pause_rollover,
    resume_rollover,
    start_rollover,
)
from jrc.service.rollover_records import RolloverSettings
from tests.app.frame_witness import BORDER_ROUTERS, LONG_S, NODES, Odd, Witness
from tests.desk import ACTOR
from tests.rolling import in_phase
from tests.virtual_loop import run_virtually

ORDERS: Final = int(os.environ.get("JRC_ROLLOVER_ORDERS", "4"))
SEED: Final = int(os.environ.get("JRC_KILL9_SEED", "20310831"))
LATE = 2
"""How many of the nodes join when it has begun."""
EVENTS = 20
CALM_S = 30
AWAY_S = 5


class Course:
    """One random order of events; ``rig`` is a network that has joined."""

    def __init__(self, rig: Odd, chance: Random) -> None:
        self._rig = rig
        self._chance = chance
        self._late = rig.nodes[-LATE:]
        self.witness = Witness(rig)
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        """All events, and then what it takes for the last rollover to end."""
        often = (self.again, self.again, self.out, self.begin)
        choices = (*often, *often, *often, self.late, self.router, self.die, self.pause, self.abort)
        await self.begin()
        for _ in range(EVENTS):
            await self._wait()
            event = self._chance.choice(choices)
            phase = self._phase()
            await event()
            self.done[f"{event.__name__} {phase}"] += 1
        await self._end()

    async def join_as_it_switches(self) -> None:
        """Every other 6LN joins again while those between have not heard the new keys yet."""
        await self.begin()
        for _ in range(LONG_S):
            if self._phase() == "guarding":
                break
            await self._rest(1)
        for node in self._rig.nodes[BORDER_ROUTERS:-LATE:2]:
            self._join(node)
        await self._end()

    async def _rest(self, periods: int) -> None:
        for _ in range(periods):
            await self.witness.period()

    async def _wait(self) -> None:
        """For a while, or until a phase has begun: what happens then is what may go wrong."""
        phase = self._phase()
        if self._chance.random() < 0.5:
            await self._rest(self._chance.randrange(8))
            return
        for _ in range(LONG_S // 2):
            if self._phase() != phase:
                break
            await self._rest(1)
        await self._rest(self._chance.randrange(3))

    async def _end(self) -> None:
        for names in (self._rig.deaf, self._rig.mute, self._rig.slow):
            names.clear()
        for _ in range(20):
            await self._rest(CALM_S)
            if self._phase() == "paused":
                await self._say(lambda tx: resume_rollover(tx, "lab", actor=ACTOR))
            elif self._phase() in ("done", "aborted", "None") and not self._wanted():
                return
        raise AssertionError(f"it does not end: {self._rig.rollover()}")

    def _phase(self) -> str:
        record = self._rig.rollover()
        return "None" if record is None else record.phase.value

    def _wanted(self) -> bool:
        return bool(self._rig.desk.read(lambda tx: tx.rollovers.all_wanted()))

    # What nodes do

    async def late(self) -> None:
        """A node joins for the first time."""
        if self._late:
            self._join(self._late.pop(0))

    async def again(self) -> None:
        """A 6LN has forgotten everything."""
        nodes = self._rig.nodes[BORDER_ROUTERS : NODES - len(self._late)]
        self._join(self._chance.choice(nodes))

    async def router(self) -> None:
        """A 6LBR has forgotten everything."""
        self._join(self._chance.choice(self._rig.nodes[:BORDER_ROUTERS]))

    def _join(self, node: SimulatedNode) -> None:
        self._rig.join(node)
        self.witness.joined(node)

    async def out(self) -> None:
        """A node is out of reach or too slow, or is not so any more."""
        names = self._chance.choice((self._rig.deaf, self._rig.mute, self._rig.slow))
        if names:
            names.clear()
        else:
            names.add(self._chance.choice(self._rig.nodes).identifier)

    # What happens to the registrar

    async def die(self) -> None:
        """Nobody writes anything down."""
        await self._rig.kill()
        await self._rest(self._chance.randrange(AWAY_S))
        await self._rig.start()

    async def begin(self) -> None:
        """The operator wants new keys, or to go on."""
        permille = self._chance.choice((900, 1000))
        settings = RolloverSettings(quorum_permille=permille, deadline_s=20)
        await self._say(lambda tx: start_rollover(tx, "lab", actor=ACTOR, settings=settings))
        await self._say(lambda tx: resume_rollover(tx, "lab", actor=ACTOR))

    async def pause(self) -> None:
        """The operator's word."""
        await self._say(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))

    async def abort(self) -> None:
        """The operator's word."""
        await self._say(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))

    async def _say(self, work: Callable[[Registry], object]) -> None:
        with suppress(OperatorError):
            await self._rig.write(work)


Run = Callable[[Course], Coroutine[None, None, None]]


def course_of(folder: Path, seed: int, run: Run = Course.run) -> Course:
    """One order of events that has come to its end."""

    async def carry_out() -> Course:
        rig = Odd(folder, seed)
        try:
            await rig.start()
            rig.join(*rig.nodes[:-LATE])
            # The second 6LBR may count its slots anew, so it has got other keys than the first.
            await rig.until(in_phase(rig, Phase.DONE))
            await rig.rest(CALM_S)
            course = Course(rig, Random(seed))
            await run(course)
            assert rig.violations() == []
            return course
        finally:
            rig.close()

    return run_virtually(carry_out())


@pytest.mark.parametrize("number", range(ORDERS))
def test_e02_e03_whatever_happens_in_a_rollover_who_has_the_keys_loses_no_frame(
    tmp_path: Path, number: int
) -> None:
    """Loss, late answers, joins, 6LBRs and registrars that begin anew (RFC 9031 §8.4.3.1-2)."""
    course = course_of(tmp_path, SEED + number)
    assert course.witness.lost == {}, course.done
    # Nor does it say so because nobody counts.
    assert course.witness.counted > course.witness.periods * NODES // 2


def test_e03_who_joins_as_a_network_switches_loses_no_frame(tmp_path: Path) -> None:
    """It has both sets, as its neighbours do (RFC 9031 §8.4.3.1-2)."""
    assert course_of(tmp_path, SEED, Course.join_as_it_switches).witness.lost == {}


BROKEN_SEEDS = range(400, 420)


def no_quorum(patch: pytest.MonkeyPatch) -> None:
    """The 6LBRs are told at once."""
    patch.setattr(Tally, "untried", 0)
    patch.setattr(Tally, "has_share", lambda *_: True)


def the_new_set_alone(patch: pytest.MonkeyPatch) -> None:
    """A 6LN that joins while the others switch can't hear those that have not."""
    patch.setattr("jrc.service.join_terms.keys_for_join", lambda current, *_: current.keys)


def a_join_counts_as_told(patch: pytest.MonkeyPatch) -> None:
    """A node that has joined while keys were distributed is not told them."""

    def terms(*_: object, **__: object) -> JoinedMeanwhile | None:
        found = _comes_into(*_, **__)  # type: ignore[arg-type]
        return found and found._replace(state=NodeState.REACHED, is_due=False)

    patch.setattr("jrc.service.join_terms._comes_into", terms)


@pytest.mark.parametrize(
    ("fault", "run"),
    [
        (no_quorum, Course.run),
        (the_new_set_alone, Course.join_as_it_switches),
        (a_join_counts_as_told, Course.run),
    ],
)
def test_the_witness_sees_a_registrar_that_is_broken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[pytest.MonkeyPatch], None],
    run: Run,
) -> None:
    """A check that can't fail says nothing; not every course has what it takes to fail."""
    fault(monkeypatch)

    def lost(seed: int) -> bool:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return bool(course_of(folder, seed, run).witness.lost)

    assert any(map(lost, BROKEN_SEEDS))
