"""What telling nodes does when something goes wrong that nobody expected, or a process has died."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jrc.errors import StateError
from jrc.policy.rollover import NodeState, Phase
from jrc.service.outcomes import MAX_EXCHANGE_MS
from jrc.service.rollover import abort_rollover
from jrc.service.update import record as right_record
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
        monkeypatch.setattr("jrc.app.update_turns.turn", turn)
        await rig.roll()
        rig.join(rig.nodes[3])
        await rig.until(in_phase(rig, Phase.DONE))

    experiment(tmp_path, work)
    assert next(faults, None) is None


def test_a_fault_loses_no_answer_that_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is written by itself; else its node would be told anew after ten minutes."""
    faults = iter([RuntimeError("odd")])

    def turn(tx: Any, errands: Any, outcomes: Any, *more: Any) -> Any:
        if outcomes:
            for fault in faults:
                raise fault
        return right_turn(tx, errands, outcomes, *more)

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("jrc.app.update_turns.turn", turn)
        await rig.roll()
        began_s = asyncio.get_running_loop().time()
        await rig.until(in_phase(rig, Phase.DONE))
        assert asyncio.get_running_loop().time() - began_s < MAX_EXCHANGE_MS / 2000

    experiment(tmp_path, work)
    assert next(faults, None) is None


def test_no_fault_hides_behind_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more while an answer is written by itself reaches the guard too; the others go on."""
    faults, more = iter([RuntimeError("odd")]), iter([TypeError("odder")])

    def turn(tx: Any, errands: Any, outcomes: Any, *rest: Any) -> Any:
        if outcomes:
            for fault in faults:
                raise fault
        return right_turn(tx, errands, outcomes, *rest)

    def record(*given: Any) -> None:
        for fault in more:
            raise fault
        right_record(*given)

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("jrc.app.update_turns.turn", turn)
        monkeypatch.setattr("jrc.app.update_turns.record", record)
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))

    with capture_logs() as logs:
        experiment(tmp_path, work)
    failed = [line["kind"] for line in logs if line["event"] == "updates_failed"]
    assert failed == ["RuntimeError", "TypeError"]


def test_a_rollover_that_can_not_go_on_keeps_nobody_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that it needs is damaged; what nodes have answered is written all the same."""

    def advance(*_: Any, **__: Any) -> Any:
        raise StateError("key_generation 2 does not authenticate")

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("jrc.app.update_turns.advance", advance)
        await rig.roll()
        await rig.until(lambda: len(in_state(rig, NodeState.REACHED)) == len(rig.nodes) - 1)

    with capture_logs() as logs:
        experiment(tmp_path, work)
    assert "rollover_not_advanced" in [line["event"] for line in logs]


def test_a_turn_looks_at_nothing_that_the_loop_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs on a thread of its own: whom there is room for was counted before."""
    seen: list[int] = []

    class Watched(dict[int, Any]):
        """Counts who goes through it in a transaction."""

        def items(self) -> Any:
            seen.append(inside[0])
            return super().items()

    inside = [0]

    async def work(rig: Rig) -> None:
        updates = rig.registrar.updates
        right_turn_in = updates._turns._turn_in

        def turn_in(*given: Any) -> Any:
            inside[0] = 1
            try:
                return right_turn_in(*given)
            finally:
                inside[0] = 0

        monkeypatch.setattr(updates._turns, "_turn_in", turn_in)
        monkeypatch.setattr(updates, "_open", Watched())
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))

    experiment(tmp_path, work)
    assert 0 in seen
    assert 1 not in seen


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


@pytest.mark.parametrize(("requests", "expected"), [(0, 8), (1, 3)])
def test_while_requests_wait_fewer_updates_share_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requests: int, expected: int
) -> None:
    """They wait for it too; where nobody waits, a commit is shared by many."""
    monkeypatch.setattr("jrc.app.updates.BATCH", 8)
    monkeypatch.setattr("jrc.app.updates.BATCH_BESIDE_JOINS", 3)
    sizes: list[int] = []

    def turn(*given: Any) -> Any:
        turned = right_turn(*given)
        sizes.append(len(turned.updates))
        return turned

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("jrc.app.update_turns.turn", turn)
        rig.registrar.joins_under_way = requests
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))

    experiment(tmp_path, work)
    assert max(sizes) == expected
