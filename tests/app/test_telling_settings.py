"""Settings and leases told to whole networks of nodes with aiocoap's OSCORE (RFC 9031 §8.4.2).

The daemon's own parts, a real database, time that is made up.
"""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from jrc.model import PledgeId
from jrc.policy.rollover import Phase
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.node_orders import throttle_nodes
from jrc.service.nodes import NodeReport, list_nodes
from jrc.service.revoking import revoke_pledges
from tests.desk import ACTOR
from tests.rolling import Rig, experiment, in_phase, names

HOUR_S = 3600.0


async def change(rig: Rig, **changes: object) -> None:
    """`jrc network set lab`."""
    wanted = NetworkChanges(**changes)  # type: ignore[arg-type]
    await rig.write(lambda tx: set_network(tx, "lab", wanted, actor=ACTOR, agreed=True))


async def revoke(rig: Rig, name: bytes) -> None:
    """`jrc pledge revoke --no-rollover`."""
    who = [PledgeId(name)]
    await rig.write(lambda tx: revoke_pledges(tx, who, actor=ACTOR, rekey=False))


def behind(rig: Rig) -> dict[str, NodeReport]:
    found = rig.desk.read(lambda tx: list_nodes(tx, behind=True))
    return {report.pledge_id: report for report in found}


def test_g01_g02_settings_reach_every_node_that_lives(tmp_path: Path) -> None:
    """Through loss, in its sleep, and nobody who is revoked (RFC 9031 §8.4.2)."""

    async def work(rig: Rig) -> None:
        gone, dead, sleepy = rig.nodes[5], rig.nodes[6], rig.nodes[7]
        rig.place(dead).is_dead = True
        rig.put_to_sleep(sleepy, 600, 30)
        await change(rig, join_rate_bytes_per_s=40)
        await revoke(rig, gone.identifier)
        told = len(gone.record.told)
        await rig.until(lambda: set(behind(rig)) <= {dead.identifier.hex()})
        for node in rig.nodes:
            if node not in (gone, dead):
                assert (40, (gone.identifier,)) == (node.join_rate_bytes_per_s, node.blocklist)
        assert len(gone.record.told) <= told + 1
        await rig.rest(2 * HOUR_S)
        report = behind(rig)[dead.identifier.hex()]
        assert (("settings",), "no_answer") == (report.lacks, report.last_error)
        assert report.attempts > 2

    experiment(tmp_path, work, count=40, loss=0.1)


def test_g01_who_joins_again_is_told_the_blocklist_soon(tmp_path: Path) -> None:
    """Nothing but the database says that it did; with no rollover it is looked at now and then."""

    async def work(rig: Rig) -> None:
        gone, back = rig.nodes[5].identifier, rig.nodes[6]
        await revoke(rig, gone)
        await rig.until(lambda: not behind(rig))
        for _ in range(3):
            rig.join(back)
            assert not back.blocklist
            await rig.rest(20)
            assert back.blocklist == (gone,)

    experiment(tmp_path, work)


def test_f05_leases_never_end_while_nodes_live(tmp_path: Path) -> None:
    """Two hours each, for ten hours: renewed in time, with the same identifiers (§8.4.4)."""

    async def work(rig: Rig) -> None:
        before = {node.identifier: node.short_id for node in rig.nodes}
        await change(rig, lease_hours=2)
        await rig.until(lambda: not behind(rig))
        for _ in range(5):
            counts = {node.identifier: len(node.record.told) for node in rig.nodes}
            await asyncio.sleep(2 * HOUR_S)
            # In each two hours every node has heard of its lease, which ends after that time.
            assert all(len(node.record.told) > counts[node.identifier] for node in rig.nodes)
        assert before == {node.identifier: node.short_id for node in rig.nodes}

    experiment(tmp_path, work, count=6, loss=0.05)


def test_g02_a_throttle_reaches_one_node_alone(tmp_path: Path) -> None:
    """Lifted it is as the others."""

    async def work(rig: Rig) -> None:
        node, other = rig.nodes[3], rig.nodes[4]
        await change(rig, join_rate_bytes_per_s=40)
        await rig.until(lambda: not behind(rig))
        who = [PledgeId(node.identifier)]
        for rate, expected in ((0, 0), (None, 40)):
            await rig.write(partial(throttle_nodes, identifiers=who, rate=rate, actor=ACTOR))
            await rig.until(lambda: not behind(rig))
            assert (expected, 40) == (node.join_rate_bytes_per_s, other.join_rate_bytes_per_s)

    experiment(tmp_path, work)


def test_settings_and_keys_are_told_at_the_same_time(tmp_path: Path) -> None:
    """One exchange at a time with each node (RFC 9031 §7.2), and none forgets the other."""

    async def work(rig: Rig) -> None:
        await rig.roll()
        await change(rig, join_rate_bytes_per_s=40, lease_hours=24)
        await rig.until(lambda: not behind(rig) and in_phase(rig, Phase.DONE)())
        await rig.rest(30)
        for node in rig.nodes:
            assert node.join_rate_bytes_per_s == 40
            assert node.keys.held_ids() == {2}

    experiment(tmp_path, work, count=30, loss=0.1)


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("kill_at", [1, 2, 3, 4])
def test_b04_killed_at_any_transaction_it_goes_on(
    tmp_path: Path, kill_at: int, after_commit: bool
) -> None:
    """No node sees a number twice, and each has all of it in the end (RFC 9031 §7.3.1)."""

    async def work(rig: Rig) -> None:
        gone = rig.nodes[5]
        await change(rig, join_rate_bytes_per_s=40, lease_hours=24)
        await revoke(rig, gone.identifier)
        for _ in range(3):
            await rig.kill()
            await rig.start(kill_at, after_commit=after_commit)
            await rig.rest(60)
        await rig.kill()
        await rig.start()
        await rig.until(lambda: not behind(rig))
        told = [node for node in rig.nodes if node is not gone]
        assert {node.join_rate_bytes_per_s for node in told} == {40}
        assert {node.blocklist for node in told} == {(gone.identifier,)}
        assert names(told) == {node.identifier for node in told if node.short_id}

    experiment(tmp_path, work, count=10, loss=0.1)
