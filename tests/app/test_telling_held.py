"""Nothing leaves between a change and the look at whom it concerns; time that is made up."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import TypeVar

from jrc.coap.endpoint import Way
from jrc.config import Rollover
from jrc.lab.node import SimulatedNode
from jrc.model import PledgeId
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledges
from jrc.service.rollover import pause_rollover, resume_rollover
from tests.desk import ACTOR
from tests.rolling import Rig, experiment, in_phase, in_state, names

T = TypeVar("T")

LOOK_S = 5.0
"""A look takes longer than a retransmission waits."""
NARROW = Rollover(in_flight=2, rate_bytes_per_s=1_000_000, ack_timeout_s=10.0, retry_s=30.0)


class Flights:
    """When a datagram left for each node, by its name."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._fly = rig.fly
        self.times: dict[bytes, list[float]] = {}
        rig.fly = self._note  # type: ignore[method-assign]

    def _note(self, datagram: bytes, way: Way) -> None:
        name = self._rig._name_of(IPv6Address(way.peer[0]))
        assert name is not None
        self.times.setdefault(name, []).append(asyncio.get_running_loop().time())
        self._fly(datagram, way)

    def count(self) -> int:
        return sum(len(times) for times in self.times.values())


def slow_looks(rig: Rig) -> None:
    """What is read is old when it comes."""
    right = rig.registrar.run_read

    async def run_read(work: Callable[[Registry], T]) -> T:
        found = await right(work)
        await asyncio.sleep(LOOK_S)
        return found

    rig.registrar.run_read = run_read  # type: ignore[method-assign]


async def revoke(rig: Rig, node: SimulatedNode) -> None:
    """`jrc pledge revoke --no-rollover`."""
    who = [PledgeId(node.identifier)]
    await rig.write(lambda tx: revoke_pledges(tx, who, actor=ACTOR, rekey=False))


def test_k09_no_retransmission_leaves_while_it_is_looked_who_is_revoked(tmp_path: Path) -> None:
    """It falls due meanwhile, and would tell the revoked pledge the new keys (row K9)."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        gone = rig.nodes[5]
        rig.place(gone).is_dead = True
        await rig.roll()
        await rig.rest(1)
        slow_looks(rig)
        await revoke(rig, gone)
        assert len(flights.times[gone.identifier]) == 1
        await rig.rest(60)
        assert len(flights.times[gone.identifier]) == 1

    experiment(tmp_path, work)


def test_k09_what_waits_for_one_look_waits_for_the_next_where_more_has_changed(
    tmp_path: Path,
) -> None:
    """The first look knows nothing yet of the second pledge that is revoked (row K9)."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        first, second, third = rig.nodes[5:8]
        for node in (first, second, third):
            rig.place(node).is_dead = True
        await rig.roll()
        await rig.rest(1)
        slow_looks(rig)
        await revoke(rig, first)
        await rig.rest(1)
        await revoke(rig, second)
        await rig.rest(60)
        assert len(flights.times[first.identifier]) == 1
        assert len(flights.times[second.identifier]) == 1
        assert len(flights.times[third.identifier]) > 1

    experiment(tmp_path, work)


def test_a_pause_stops_what_was_prepared_ahead_and_what_is_under_way(tmp_path: Path) -> None:
    """Nobody hears anything from then on; all of them do when it is resumed."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        dead = rig.nodes[1:4]
        for node in dead:
            rig.place(node).is_dead = True
        await rig.roll()
        await rig.rest(5)
        assert rig.registrar.updates._driver.open > NARROW.in_flight
        await rig.write(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))
        before = flights.count()
        await rig.rest(1500)
        assert (flights.count(), rig.registrar.updates._driver.open) == (before, 0)
        for node in dead:
            rig.place(node).is_dead = False
        await rig.write(lambda tx: resume_rollover(tx, "lab", actor=ACTOR))
        await rig.until(in_phase(rig, Phase.DONE), patience_s=300)
        assert in_state(rig, NodeState.REACHED) == names(rig.nodes)

    experiment(tmp_path, work, section=NARROW)
