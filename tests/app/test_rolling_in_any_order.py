"""Rollovers with everything in between that may happen: who has the keys in force loses no frame.

Nodes transmit all the time, and each frame that its receiver has no key for is judged when it is
lost. ``JRC_ROLLOVER_ORDERS`` raises the number of random orders.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest

from jrc.app.border_routers import look_at_border_routers
from jrc.coap.endpoint import Way
from jrc.cojp.constants import Role
from jrc.errors import OperatorError
from jrc.lab.mesh import Unread
from jrc.lab.node import SimulatedNode
from jrc.model import KeySetState
from jrc.policy.rollover import NodeState, Phase, Tally
from jrc.service.join_ports import JoinedMeanwhile
from jrc.service.join_terms import _comes_into
from jrc.service.records import Generation
from jrc.service.registry import Registry
from jrc.service.rollover import (
    abort_rollover,
    pause_rollover,
    resume_rollover,
    start_rollover,
)
from jrc.service.rollover_records import JoinedNode, RolloverNode, RolloverRecord, RolloverSettings
from tests.desk import ACTOR
from tests.rolling import LATENCY_S, Rig, in_phase
from tests.virtual_loop import run_virtually

ORDERS: Final = int(os.environ.get("JRC_ROLLOVER_ORDERS", "4"))
SEED: Final = int(os.environ.get("JRC_KILL9_SEED", "20310831"))
BORDER_ROUTERS, NODES, LATE = 2, 14, 2
"""How many there are, 6LBRs included, and how many of them join when it has begun."""
LOSS = 0.1
EVENTS = 20
PERIOD_S = 1.0
CALM_S = 30
AWAY_S = 5
LONG_S = 40


class _Rows(NamedTuple):
    """What the registrar takes to be so."""

    generations: list[Generation]
    last: RolloverRecord | None
    states: Mapping[int, RolloverNode]
    joined: list[JoinedNode]


def _read(tx: Registry) -> _Rows:
    last = next(iter(tx.rollovers.latest(1)), None)
    nodes = [] if last is None else tx.rollovers.nodes(last.id)
    states = {each.pledge_id: each for each in nodes}
    return _Rows(list(tx.keysets.generations(1)), last, states, list(tx.rollovers.joined_nodes(1)))


class Odd(Rig):
    """Also loses every update to the ``deaf`` and every answer of the ``mute``, and delays some."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(
            folder, NODES, loss=LOSS, seed=seed, period_s=PERIOD_S, border_routers=BORDER_ROUTERS
        )
        self.desk.database.on_border_router = look_at_border_routers(RolloverSettings())
        self.deaf: set[bytes] = set()
        self.mute: set[bytes] = set()
        self.slow: set[bytes] = set()

    def _land(self, datagram: bytes, way: Way) -> None:
        loop = asyncio.get_running_loop()
        name = self._name_of(IPv6Address(way.peer[0]))
        if name is None or name in self.deaf:
            return
        answer = self.mesh.deliver(name, datagram, loop.time())
        if answer and name not in self.mute:
            after_s = self.chance.uniform(0, LONG_S) if name in self.slow else LATENCY_S
            loop.call_later(after_s, lambda: self.registrar.receive(answer, way))


class Standing(NamedTuple):
    """Whose frames have to be read; and who has to read them, with the key ids that it can't."""

    senders: set[bytes]
    receivers: dict[bytes, frozenset[int]]

    def counts(self, lost: Unread) -> bool:
        """Whether a frame ought to have been read."""
        excused = self.receivers.get(lost.receiver)
        return lost.sender in self.senders and excused is not None and lost.key_id not in excused


class Witness:
    """Who counts: whoever has the keys in force, as the registrar believes, or ought to have them.

    One that was told them after the switch goes on with the former ones until it has heard these
    (RFC 9031 §8.4.3.2), and nobody may have the former ones any more: it is ``behind`` until then.
    """

    def __init__(self, rig: Odd) -> None:
        self._rig = rig
        self.lost: Counter[Unread] = Counter()
        self.counted = self.periods = 0
        self._seen = Counter(rig.mesh.unread)
        self._behind: set[bytes] = set()
        self._without: dict[bytes, frozenset[int]] = {}
        self._former: frozenset[int] = frozenset()
        self._retired: frozenset[int] = frozenset()
        self._excused: set[bytes] = set()
        self._rollover_id = 0

    def joined(self, node: SimulatedNode) -> None:
        """It has what it was given, and listens first; among nodes that are behind that may err."""
        self.look()
        lacks = self._former if node.is_border_router else self._retired
        self._without[node.identifier] = lacks
        if self._behind - {node.identifier}:
            self._behind.add(node.identifier)
        else:
            self._behind.discard(node.identifier)

    async def period(self) -> None:
        """Let a period pass; a frame counts if its two ends do before and after it."""
        before = self.look()
        await self._rig.rest(PERIOD_S)
        after = self.look()
        self.counted += len(after.senders)
        self.periods += 1
        for each, count in (self._rig.mesh.unread - self._seen).items():
            if before.counts(each) and after.counts(each):
                self.lost[each] += count
        self._seen = Counter(self._rig.mesh.unread)

    def look(self) -> Standing:
        """Who counts now."""
        rows = self._rig.desk.read(_read)
        (current,) = (each for each in rows.generations if each.state is KeySetState.CURRENT)
        before = [each for each in rows.generations if each.number < current.number]
        self._former = _ids(before)
        self._retired = _ids(each for each in before if each.state is not KeySetState.PREVIOUS)
        self._excuse(rows.last)
        having = self._having(rows, current)
        for each in rows.joined:
            name = each.identifier.value
            sending = {key.key_id for key in self._rig.node(name).keys.sending}
            if name not in having:
                self._behind.add(name)
            elif name in self._behind and sending == set(current.key_ids):
                self._behind.remove(name)
                # What was in force while it was out it has never been told.
                self._without[name] = self._former
        return Standing(having - self._behind, {name: self._unreadable(name) for name in having})

    def _unreadable(self, name: bytes) -> frozenset[int]:
        return self._former if name in self._behind else self._without.get(name, frozenset())

    def _excuse(self, last: RolloverRecord | None) -> None:
        """Those that were out of reach in the rollover that runs need not be told before it."""
        if last is not None and last.id != self._rollover_id:
            self._rollover_id = last.id
            self._excused = set()
            if last.distributing_at_ms is None:
                # A 6LBR has begun anew: nobody could be told before (RFC 9031 §5.1).
                self._excused = {node.identifier for node in self._rig.nodes}
        self._excused |= self._rig.deaf | self._rig.mute | self._rig.slow

    def _having(self, rows: _Rows, current: Generation) -> set[bytes]:
        """Who has the keys in force, or is a 6LN that nothing kept from being told them."""
        is_its = rows.last is not None and rows.last.generation_id == current.id
        held = self._rig.desk.sql("select pledge_id, generation_id from node")
        places = {row[0]: row[1] for row in held}
        found = set()
        for each in rows.joined:
            name, row = each.identifier.value, rows.states.get(each.pledge_id)
            told = is_its and row is not None and row.state is NodeState.REACHED
            ought = is_its and each.role == Role.NODE and name not in self._excused
            if places.get(each.pledge_id) == current.id or told or ought:
                found.add(name)
        return found


def _ids(generations: Iterable[Generation]) -> frozenset[int]:
    return frozenset(key_id for each in generations for key_id in each.key_ids)


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
