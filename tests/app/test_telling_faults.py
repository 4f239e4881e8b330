"""What telling nodes does when something goes wrong that nobody expected, or a process has died."""

from pathlib import Path
from typing import Any

import pytest

from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover import abort_rollover
from jrc.service.update import turn as right_turn
from tests.desk import ACTOR
from tests.rolling import Rig, experiment, in_phase, in_state, names


def test_a_fault_in_a_turn_stops_neither_joins_nor_the_turns_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and tried again; the registrar lives on."""
    faults = iter([RuntimeError("odd"), ValueError("odder")])

    def turn(*given: Any) -> Any:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        return right_turn(*given)

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("jrc.app.updates.turn", turn)
        await rig.roll()
        rig.join(rig.nodes[3])
        await rig.until(in_phase(rig, Phase.DONE))

    experiment(tmp_path, work)
    assert next(faults, None) is None


def test_e10_a_process_that_follows_goes_on_with_an_abort_at_once(tmp_path: Path) -> None:
    """Who was being told the keys in force again is told again, without waiting for minutes."""

    async def work(rig: Rig) -> None:
        dead = rig.nodes[5]
        rig.place(dead).is_dead = True
        await rig.roll()
        await rig.rest(60)
        await rig.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))
        await rig.rest(1)
        await rig.kill()
        rig.place(dead).is_dead = False
        await rig.start()
        everybody = names(rig.nodes[1:])
        await rig.until(lambda: in_state(rig, NodeState.REVERTED) == everybody, patience_s=60)
        assert in_state(rig, NodeState.REVERTED) == everybody

    experiment(tmp_path, work)


def test_while_nobody_can_be_told_there_are_few_transactions(tmp_path: Path) -> None:
    """With a clock that is behind, each look would be a commit that changes nothing."""

    async def work(rig: Rig) -> None:
        rig.set_back(3600)
        await rig.roll()
        before = rig.desk.database.instance.commit_number
        await rig.rest(600)
        assert rig.desk.database.instance.commit_number - before < 40

    experiment(tmp_path, work)
