"""A registrar that dies in the middle of a rollover: the next one goes on where it was.

The nodes outlive it and are the witness: they know every sequence number and every key they were
ever sent. ``JRC_ROLLOVER_KILLS`` raises the number of kills at random moments.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from jrc.cojp.replay import NumberBlock
from jrc.config import Rollover
from jrc.lab.configuration import LabKey
from jrc.model import KeySetState
from jrc.policy.rollover import NodeState, Phase, Tally
from jrc.service.registry import Registry
from jrc.service.rollover import abort_rollover
from tests.desk import ACTOR
from tests.rolling import Rig, names
from tests.virtual_loop import run_virtually

KILLS = int(os.environ.get("JRC_ROLLOVER_KILLS", "20"))
SEED = int(os.environ.get("JRC_KILL9_SEED", "20310831"))
ONE_BY_ONE = Rollover(
    in_flight=1, rate_bytes_per_s=1_000_000, ack_timeout_s=2.0, retry_s=30.0, guard_time_s=4.0
)
"""A transaction for every step of every node."""
BROKEN_KILLS = 20
NODES = 3
AWAY_S = 5.0
"""Until another process has begun."""
CALM_S = 15.0
"""Enough for every node to switch, and to drop the former keys."""


def is_over(rig: Rig) -> bool:
    record = rig.rollover()
    return record is not None and record.ended_at_ms is not None


def current(rig: Rig) -> tuple[LabKey, ...]:
    def read(tx: Registry) -> tuple[LabKey, ...]:
        (number,) = (
            each.id for each in tx.keysets.generations(1) if each.state is KeySetState.CURRENT
        )
        _, keys = tx.keysets.of_generation(number)
        return tuple(LabKey(key.key_id, key.key_usage, key.key_value) for key in keys)

    return rig.desk.read(read)


def faults(rig: Rig) -> list[str]:
    """What is wrong at any moment, whoever has died: what was said, and what the rows claim."""
    found = rig.violations()
    record = rig.rollover()
    if record is None or record.phase is Phase.ABORTED:
        return found
    wanted = rig.desk.read(lambda tx: tx.keysets.of_generation(record.generation_id))[1]
    ids = {key.key_id for key in wanted}
    return found + [
        f"{name.hex()} counts as reached, and has {sorted(rig.node(name).keys.held_ids())}"
        for name, row in rig.rows().items()
        if row.state is NodeState.REACHED and not ids <= rig.node(name).keys.held_ids()
    ]


def end_faults(rig: Rig) -> list[str]:
    """What is wrong when all is over and everybody was there."""
    keys = current(rig)
    ids = {key.key_id for key in keys}
    found = faults(rig)
    found += [
        f"{node.identifier.hex()} has {sorted(node.keys.held_ids())}, and not {sorted(ids)} alone"
        for node in rig.nodes
        if node.keys.sending != keys or node.keys.held_ids() != ids
    ]
    return found + [f"lost: {each}" for each in rig.mesh.lost_between(names(rig.nodes))]


async def begun(rig: Rig) -> None:
    await rig.start()
    rig.join()
    await rig.rest(10)


async def go_on(rig: Rig) -> None:
    """Another process, until what runs is over; an operator says again what was lost."""
    rig.place(rig.nodes[-1]).is_dead = False
    await asyncio.sleep(AWAY_S)
    await rig.start()
    if rig.rollover() is None:
        await rig.roll()
    await rig.until(lambda: is_over(rig))
    await rig.rest(CALM_S)


async def rolled(rig: Rig) -> None:
    await rig.roll()
    await rig.until(lambda: is_over(rig))


async def aborted(rig: Rig) -> None:
    """Called off when one node has the new keys and another is being told."""
    rig.place(rig.nodes[-1]).is_dead = True
    await rig.roll()
    await rig.until(lambda: _count(rig, NodeState.REACHED) == 1)
    await rig.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))
    rig.place(rig.nodes[-1]).is_dead = False
    await rig.until(lambda: _count(rig, NodeState.REVERTING) == 0)


def _count(rig: Rig, state: NodeState) -> int:
    return sum(row.state is state for row in rig.rows().values())


def killed_in(folder: Path, course: Callable[[Rig], object], number: int, *, after: bool) -> bool:
    """Whether a registrar dies in its transaction ``number``; all is well in the end."""
    folder.mkdir()

    async def carry_out() -> bool:
        rig = Rig(folder, NODES, section=ONE_BY_ONE)
        try:
            await begun(rig)
            await rig.kill()
            registrar = await rig.start(number, after_commit=after)
            try:
                await course(rig)  # type: ignore[misc]
            except asyncio.CancelledError:
                assert registrar.dead.is_set()
            if not registrar.dead.is_set():
                return False
            assert faults(rig) == [], number
            await go_on(rig)
            await rig.until(lambda: _count(rig, NodeState.REVERTING) == 0)
            await rig.rest(CALM_S)
            assert end_faults(rig) == [], number
            return True
        finally:
            rig.close()

    return run_virtually(carry_out())


@pytest.mark.parametrize("after", [False, True], ids=["before_commit", "after_commit"])
@pytest.mark.parametrize("course", [rolled, aborted])
def test_e06_a_kill_in_any_transaction_loses_nothing(
    tmp_path: Path, course: Callable[[Rig], object], after: bool
) -> None:
    """What was not committed never left; what was is gone on with (RFC 9031 §8.3.3)."""
    number = 1
    while killed_in(tmp_path / str(number), course, number, after=after):
        number += 1
    assert number > 2 * NODES


def kills(folder: Path, count: int, loss: float = 0.1) -> list[str]:
    """What is wrong after so many kills at random moments of one rollover after the other."""
    chance = Random(SEED)

    async def carry_out() -> list[str]:
        rig = Rig(folder, 3 * NODES, loss=loss, section=ONE_BY_ONE)
        found: list[str] = []
        try:
            await begun(rig)
            for _ in range(count):
                if rig.rollover() is None or is_over(rig):
                    await rig.roll()
                await rig.rest(chance.uniform(0, 20))
                await rig.kill()
                found = faults(rig)
                if found:
                    return found
                await rig.rest(chance.uniform(0, AWAY_S))
                await rig.start()
            await rig.until(lambda: is_over(rig))
            await rig.rest(CALM_S)
            return end_faults(rig)
        finally:
            rig.close()

    return run_virtually(carry_out())


def test_e06_b04_kills_at_random_moments_repeat_no_number_and_no_key_id(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1, §8.4.3.1: it always goes on, and no frame is lost in between."""
    assert kills(tmp_path, KILLS) == []


def test_b04_a_registrar_that_dies_all_the_time_does_not_use_up_the_numbers_to_come(
    tmp_path: Path,
) -> None:
    """A block is reserved when its first number is due (RFC 8613 App. B.1.1), so none piles up."""

    async def carry_out() -> None:
        rig = Rig(tmp_path, NODES, section=ONE_BY_ONE)
        try:
            await begun(rig)
            rig.place(rig.nodes[1]).is_dead = True
            await rig.roll()
            for _ in range(60):
                await rig.rest(1.5)
                await rig.kill()
                await rig.start()
            rig.place(rig.nodes[1]).is_dead = False
            await rig.until(lambda: is_over(rig), 60)
            assert end_faults(rig) == []
        finally:
            rig.close()

    run_virtually(carry_out())


def numbers_from_memory(patch: pytest.MonkeyPatch) -> None:
    """Sequence numbers begin where they always began."""
    fixed = NumberBlock(1_000, 1_008)
    patch.setattr("jrc.service.update.replay.reserve", lambda *_, **__: fixed)


def one_key_id(patch: pytest.MonkeyPatch) -> None:
    """Every generation has the key id of the first."""
    patch.setattr("jrc.service.key_domains.choose_key_ids", lambda *_, **__: (1,))


def no_quorum(patch: pytest.MonkeyPatch) -> None:
    """The 6LBR is told at once."""
    patch.setattr(Tally, "untried", 0)
    patch.setattr(Tally, "has_share", lambda *_: True)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [(numbers_from_memory, "two datagrams"), (one_key_id, "second key"), (no_quorum, "lost")],
)
def test_the_nodes_see_a_registrar_that_is_broken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[pytest.MonkeyPatch], None],
    seen: str,
) -> None:
    """A check that can't fail says nothing."""
    fault(monkeypatch)
    found = kills(tmp_path, BROKEN_KILLS, loss=0.0)
    assert any(seen in each for each in found), found
