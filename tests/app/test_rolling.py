"""Whole rollovers in a network of nodes that hold keys and transmit with them (RFC 9031 §8.4.3).

The daemon's own parts, a real database, aiocoap's OSCORE in the nodes, time that is made up.
"""

import asyncio
from pathlib import Path

import pytest

from jrc.lab.configuration import KEYS, SHORT_IDENTIFIER, LabKey
from jrc.lab.link_keys import KeySet
from jrc.lab.node import SimulatedNode
from jrc.model import KeySetState, PledgeId
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.rollover import abort_rollover, resume_rollover
from tests.desk import ACTOR
from tests.rolling import FAST, Rig, experiment, in_phase, in_state, names

SLEEPY, DEAD = 5, 3


def key_ids(rig: Rig) -> dict[KeySetState, list[int]]:
    """By the state of their generation."""
    found: dict[KeySetState, list[int]] = {}
    for generation in rig.desk.read(lambda tx: tx.keysets.generations(1)):
        found.setdefault(generation.state, []).extend(generation.key_ids)
    return found


def keys_of(rig: Rig, state: KeySetState) -> KeySet:
    """The one generation in a state, as a node has it."""

    def read(tx: Registry) -> KeySet:
        (number,) = (each.id for each in tx.keysets.generations(1) if each.state is state)
        _, keys = tx.keysets.of_generation(number)
        return tuple(LabKey(key.key_id, key.key_usage, key.key_value) for key in keys)

    return rig.desk.read(read)


def in_time(rig: Rig) -> set[bytes]:
    """Who was reached before the 6LBR was told: between them no frame may be lost."""
    record = rig.rollover()
    assert record is not None
    assert record.switching_at_ms is not None
    lbr = rig.nodes[0].identifier
    return {
        name
        for name, row in rig.rows().items()
        if row.state is NodeState.REACHED
        and row.reached_at_ms is not None
        and (name == lbr or row.reached_at_ms <= record.switching_at_ms)
    }


def only(node: SimulatedNode, keys: KeySet) -> bool:
    """Whether a node sends with these keys and has no others."""
    return node.keys.sending == keys and node.keys.held_ids() == {key.key_id for key in keys}


def test_e02_200_nodes_with_loss_sleepers_and_dead_ones_end_as_the_rfc_asks(tmp_path: Path) -> None:
    """Who was reached has the new keys alone, and no frame between them is lost (§8.4.3.1-2)."""

    async def work(rig: Rig) -> None:
        asleep, dead = rig.nodes[10 : 10 + SLEEPY], rig.nodes[20 : 20 + DEAD]
        for node in asleep:
            rig.put_to_sleep(node, every_s=600, awake_s=30)
        for node in dead:
            rig.place(node).is_dead = True
        await rig.rest(60)
        await rig.roll(quorum_permille=950)
        await rig.until(in_phase(rig, Phase.DONE))
        reached = in_state(rig, NodeState.REACHED)
        await rig.rest(700)
        current = keys_of(rig, KeySetState.CURRENT)
        assert key_ids(rig) == {KeySetState.CURRENT: [2], KeySetState.RETIRED: [1]}
        assert names(rig.nodes) - reached <= names([*asleep, *dead])
        assert in_state(rig, NodeState.UNREACHABLE) == names(rig.nodes) - reached
        assert names(dead).isdisjoint(reached)
        assert all(only(node, current) for node in rig.nodes if node.identifier in reached)
        assert rig.mesh.lost_between(in_time(rig)) == {}
        assert rig.mesh.sent > 100_000

    # One node in 4,000 has no answer to five transmissions: it is tried again before all is done.
    section = FAST.model_copy(update={"guard_time_s": 300.0, "retry_s": 10.0})
    experiment(tmp_path, work, count=200, loss=0.1, section=section)


def test_e05_who_was_not_reached_gets_the_keys_when_it_joins_again(tmp_path: Path) -> None:
    """RFC 9031 §8.4.3.1; until then it hears nothing that it can read."""

    async def work(rig: Rig) -> None:
        late = rig.nodes[5]
        rig.place(late).is_dead = True
        await rig.roll(quorum_permille=900)
        await rig.until(in_phase(rig, Phase.DONE))
        rig.place(late).is_dead = False
        await rig.rest(60)
        assert rig.place(late).listening
        assert late.keys.held_ids() == {1}
        rig.join(late)
        await rig.rest(60)
        assert only(late, keys_of(rig, KeySetState.CURRENT))
        assert not rig.place(late).listening
        assert rig.mesh.unread == {}

    experiment(tmp_path, work)


def test_e02_the_6lbr_is_told_after_everybody_else_and_the_old_keys_go_after_the_guard_time(
    tmp_path: Path,
) -> None:
    """RFC 9031 §8.4.3.1, §8.5."""

    async def work(rig: Rig) -> None:
        lbr, *others = rig.nodes
        rig.place(others[3]).is_dead = True
        await rig.roll()
        await rig.rest(100)
        assert in_phase(rig, Phase.DISTRIBUTING)()
        assert lbr.record.told == []
        rig.place(others[3]).is_dead = False
        await rig.until(lambda: bool(lbr.record.told))
        assert all(len(node.record.told) == 1 for node in others)
        await rig.until(in_phase(rig, Phase.GUARDING))
        began_s = asyncio.get_running_loop().time()
        assert key_ids(rig) == {KeySetState.CURRENT: [2], KeySetState.PREVIOUS: [1]}
        await rig.until(in_phase(rig, Phase.DONE))
        assert asyncio.get_running_loop().time() - began_s >= FAST.guard_time_s - 1
        record = rig.rollover()
        assert record is not None
        assert record.ended_at_ms is not None
        assert record.guarding_at_ms is not None
        assert record.ended_at_ms - record.guarding_at_ms >= FAST.guard_time_s * 1000
        assert rig.mesh.unread == {}

    experiment(tmp_path, work)


def test_e02_a_deadline_with_less_pauses_and_the_operator_may_go_on_anyway(tmp_path: Path) -> None:
    """The JRC decides that an overwhelming majority has the keys, or a person does (§8.4.3.1)."""

    async def work(rig: Rig) -> None:
        dead = rig.nodes[5:9]
        for node in dead:
            rig.place(node).is_dead = True
        await rig.roll(quorum_permille=900, deadline_s=120)
        await rig.until(in_phase(rig, Phase.PAUSED, Phase.SWITCHING, Phase.DONE))
        assert in_phase(rig, Phase.PAUSED)()
        await rig.rest(60)
        assert in_phase(rig, Phase.PAUSED)()
        assert rig.nodes[0].record.told == []
        await rig.write(lambda tx: resume_rollover(tx, "lab", anyway=True, actor=ACTOR))
        await rig.until(in_phase(rig, Phase.DONE))
        assert in_state(rig, NodeState.UNREACHABLE) == names(dead)
        await rig.rest(100)
        assert rig.mesh.lost_between(in_state(rig, NodeState.REACHED)) == {}

    experiment(tmp_path, work)


def test_e10_an_abort_takes_the_new_keys_away_again_and_never_uses_them(tmp_path: Path) -> None:
    """Each node that was sent them is sent the current set (RFC 9031 §8.4.3.2)."""

    async def work(rig: Rig) -> None:
        dead = rig.nodes[5]
        rig.place(dead).is_dead = True
        await rig.roll()
        await rig.rest(60)
        current = keys_of(rig, KeySetState.CURRENT)
        await rig.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))
        others = names(rig.nodes[1:]) - {dead.identifier}
        await rig.until(lambda: in_state(rig, NodeState.REVERTED) == others)
        assert in_state(rig, NodeState.REVERTING) == {dead.identifier}
        await rig.rest(60)
        assert all(only(node, current) for node in rig.nodes)
        assert rig.mesh.unread == {}
        assert key_ids(rig) == {KeySetState.CURRENT: [1], KeySetState.ABORTED: [2]}
        rig.place(dead).is_dead = False
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))
        await rig.rest(60)
        assert key_ids(rig) == {KeySetState.CURRENT: [3], KeySetState.RETIRED: [1, 2]}
        assert all(only(node, keys_of(rig, KeySetState.CURRENT)) for node in rig.nodes)
        assert rig.mesh.unread == {}

    experiment(tmp_path, work)


@pytest.mark.parametrize("phase", [Phase.DISTRIBUTING, Phase.SWITCHING, Phase.GUARDING])
def test_e03_a_node_that_joins_again_meanwhile_loses_no_frame(tmp_path: Path, phase: Phase) -> None:
    """It gets what its neighbours send with, and the new set alone in the end (§8.4.3.1-2)."""

    async def work(rig: Rig) -> None:
        rebooted, dead = rig.nodes[4], rig.nodes[0 if phase is Phase.SWITCHING else 5]
        if phase is not Phase.GUARDING:
            rig.place(dead).is_dead = True
        await rig.roll()
        await rig.until(in_phase(rig, phase))
        await rig.rest(3)
        rig.join(rebooted)
        held = {1} if phase is Phase.DISTRIBUTING else {1, 2}
        assert rebooted.keys.held_ids() == held
        await rig.rest(10)
        assert in_state(rig, NodeState.REACHED) >= {rebooted.identifier}
        rig.place(dead).is_dead = False
        await rig.until(in_phase(rig, Phase.DONE))
        await rig.rest(60)
        assert all(only(node, keys_of(rig, KeySetState.CURRENT)) for node in rig.nodes)
        assert rig.mesh.lost_between(names(rig.nodes)) == {}

    experiment(tmp_path, work)


def test_e04_a_node_that_can_not_take_keys_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    """4.00 with Unsupported_Configuration: shown, and counted as tried (RFC 9031 §8.3)."""

    async def work(rig: Rig) -> None:
        stubborn = rig.nodes[7]
        stubborn._understands = {SHORT_IDENTIFIER}
        await rig.roll(quorum_permille=900)
        await rig.until(in_phase(rig, Phase.DONE))
        assert in_state(rig, NodeState.REFUSED) == {stubborn.identifier}
        row = rig.rows()[stubborn.identifier]
        assert (row.attempts, str(KEYS) in str(row.last_error)) == (1, True)
        reached = in_state(rig, NodeState.REACHED)
        assert reached == names(rig.nodes) - {stubborn.identifier}
        assert rig.mesh.lost_between(reached) == {}

    experiment(tmp_path, work)


def test_b08_a_node_that_lost_its_replay_window_is_asked_again_with_its_echo(
    tmp_path: Path,
) -> None:
    """One exchange, two numbers (RFC 8613 App. B.1.2, RFC 9175 §2.3)."""

    async def work(rig: Rig) -> None:
        forgetful = rig.nodes[4]
        forgetful.forget_window()
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))
        assert in_state(rig, NodeState.REACHED) == names(rig.nodes)
        assert len(forgetful.record.numbers) == 2
        assert rig.rows()[forgetful.identifier].attempts == 1

    experiment(tmp_path, work)


@pytest.mark.parametrize("when", [None, Phase.DISTRIBUTING, Phase.SWITCHING, Phase.GUARDING])
def test_g01_no_update_to_a_revoked_node_ever_carries_a_key(
    tmp_path: Path, when: Phase | None
) -> None:
    """Whenever it is revoked; and in the end its keys open nothing (RFC 9031 §8.4.3.1)."""

    async def work(rig: Rig) -> None:
        lost, slow = rig.nodes[6], rig.nodes[0 if when is Phase.SWITCHING else 5]
        if when is not None:
            rig.place(slow).is_dead = when is not Phase.GUARDING
            await rig.roll()
            await rig.until(in_phase(rig, when))
            await rig.rest(3)
        told = len(lost.record.told)
        identifier = PledgeId(lost.identifier)
        await rig.write(lambda tx: revoke_pledge(tx, identifier, actor=ACTOR))
        await rig.rest(20)
        rig.place(slow).is_dead = False
        await rig.until(lambda: not rig.desk.read(lambda tx: tx.rollovers.all_wanted()))
        await rig.until(in_phase(rig, Phase.DONE))
        await rig.rest(60)
        assert lost.record.told[told:] == []
        current = keys_of(rig, KeySetState.CURRENT)
        assert not lost.keys.holds(current)
        assert all(only(node, current) for node in rig.nodes if node is not lost)
        assert rig.mesh.lost_between(names(rig.nodes) - {lost.identifier}) == {}
        assert rig.registrar.hall.ask(lost.pledge.request()) is None

    experiment(tmp_path, work)


@pytest.mark.parametrize("comes_another", [False, True])
def test_e02_the_old_keys_stay_while_no_6lbr_begins_with_the_new_ones(
    tmp_path: Path, comes_another: bool
) -> None:
    """6LNs wait to hear them (RFC 9031 §8.4.3.2): a lost 6LBR is not out before another comes."""

    async def work(rig: Rig) -> None:
        lost, *others = rig.nodes
        old = keys_of(rig, KeySetState.CURRENT)
        await rig.write(lambda tx: revoke_pledge(tx, PledgeId(lost.identifier), actor=ACTOR))
        await rig.until(in_phase(rig, Phase.SWITCHING))
        await rig.rest(600)
        assert in_phase(rig, Phase.SWITCHING)()
        assert in_state(rig, NodeState.REACHED) == names(others)
        assert all(node.keys.sending == old for node in rig.nodes)
        assert key_ids(rig) == {KeySetState.PREVIOUS: [1], KeySetState.CURRENT: [2]}
        if comes_another:
            await rig.write(lambda tx: restore_pledge(tx, PledgeId(lost.identifier), actor=ACTOR))
            rig.join(lost)
        else:
            await rig.write(lambda tx: resume_rollover(tx, "lab", anyway=True, actor=ACTOR))
        await rig.until(in_phase(rig, Phase.DONE))
        await rig.rest(60)
        current = keys_of(rig, KeySetState.CURRENT)
        assert all(only(node, current) == comes_another for node in others)
        assert all((node.keys.sending == old) != comes_another for node in others)
        assert rig.mesh.lost_between(names(others)) == {}

    experiment(tmp_path, work)


def test_e03_a_node_that_joins_again_and_again_keeps_no_old_keys_alive(tmp_path: Path) -> None:
    """It has both sets each time; the guard ends at its deadline (RFC 9031 §8.4.3.2, §8.5)."""

    async def work(rig: Rig) -> None:
        restless = rig.nodes[4]
        await rig.roll(deadline_s=120)
        await rig.until(in_phase(rig, Phase.GUARDING))
        began_s = asyncio.get_running_loop().time()
        rig.place(restless).is_dead = True
        for _ in range(100):
            rig.join(restless)
            await rig.rest(5)
            if not in_phase(rig, Phase.GUARDING)():
                break
        lasted_s = asyncio.get_running_loop().time() - began_s
        assert FAST.guard_time_s + 120 - 6 <= lasted_s <= FAST.guard_time_s + 120 + 6
        assert in_phase(rig, Phase.DONE)()
        assert in_state(rig, NodeState.UNREACHABLE) == {restless.identifier}
        assert key_ids(rig) == {KeySetState.CURRENT: [2], KeySetState.RETIRED: [1]}

    experiment(tmp_path, work)


def test_g01_a_node_that_is_revoked_while_it_is_being_told_hears_nothing_more(
    tmp_path: Path,
) -> None:
    """The exchange ends at once: no retransmission has the keys for it (RFC 9031 §8.4.3.1)."""

    async def work(rig: Rig) -> None:
        lost = rig.nodes[6]
        rig.place(lost).is_dead = True
        await rig.roll()
        await rig.rest(5)
        assert rig.rows()[lost.identifier].state is NodeState.SENT
        await rig.write(lambda tx: revoke_pledge(tx, PledgeId(lost.identifier), actor=ACTOR))
        await rig.rest(0.5)
        rig.place(lost).is_dead = False
        await rig.until(lambda: not rig.desk.read(lambda tx: tx.rollovers.all_wanted()))
        await rig.until(in_phase(rig, Phase.DONE))
        await rig.rest(120)
        assert lost.record.numbers == {}
        assert not lost.keys.holds(keys_of(rig, KeySetState.CURRENT))

    experiment(tmp_path, work)


def test_b04_while_the_clock_is_behind_no_update_leaves(tmp_path: Path) -> None:
    """A number might have been used already (RFC 8613 App. B.1.1); it goes on when it is right."""

    async def work(rig: Rig) -> None:
        await rig.rest(60)
        await rig.roll()
        await rig.until(in_phase(rig, Phase.DONE))
        numbers = [len(node.record.numbers) for node in rig.nodes]
        rig.set_back(3600)
        await rig.roll(deadline_s=86_400)
        await rig.rest(200)
        assert [len(node.record.numbers) for node in rig.nodes] == numbers
        assert rig.registrar.updates.status()["why"] is not None
        rig.set_back(-3600)
        await rig.until(in_phase(rig, Phase.DONE))
        assert rig.registrar.updates.status()["why"] is None

    experiment(tmp_path, work)
