"""A registrar that changes keys, its nodes and the air between them, in time that is made up.

The parts of the daemon that tell nodes and move rollovers run as they are, on a real database; in
place of sockets there is a mesh. The registrar can be killed at any moment, or at any transaction,
and another one begun on the same database; the nodes live on, and remember.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from random import Random
from typing import Final, TypeVar, cast

from jrc.app.rollovers import RolloverKeeper
from jrc.app.updates import Updates
from jrc.coap.endpoint import COAP_PORT, Datagram, Endpoint, Way
from jrc.coap.update_message import Outgoing
from jrc.config import Rollover
from jrc.errors import Reason
from jrc.lab.mesh import Air, Mesh, Place, Sleep, connected
from jrc.lab.node import SimulatedNode
from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.lab.station import long_address, short_address
from jrc.model import Secret
from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.rollover import start_rollover
from jrc.service.rollover_records import RolloverNode, RolloverRecord, RolloverSettings
from tests.desk import ACTOR, NOW_MS, Desk
from tests.joining import Hall
from tests.virtual_loop import run_virtually

T = TypeVar("T")

PREFIX: Final = IPv6Network("2001:db8::/64")
LATENCY_S: Final = 0.2
"""One way, over a few hops."""
FAST: Final = Rollover(in_flight=16, rate_bytes_per_s=1_000_000, ack_timeout_s=2.0, retry_s=30.0)


class KilledError(BaseException):
    """The registrar's process is gone; nothing that it does may catch this."""


class Registrar:
    """One process of the registrar: everything here is gone when it is killed.

    ``kill_at`` counts down with each transaction: it dies in that one, before its commit or right
    after it.
    """

    def __init__(self, rig: "Rig", kill_at: int | None, *, after_commit: bool) -> None:
        self._rig = rig
        self._loop = asyncio.get_running_loop()
        self.hall = Hall(rig.desk)
        self.dead = asyncio.Event()
        self.failures: list[BaseException] = []
        self.drops: list[Reason] = []
        self.writes = 0
        self.joins_under_way = 0
        self._kill_at = kill_at
        self._after_commit = after_commit
        self._message_id = rig.chance.randrange(1 << 16)
        self._tasks: list[asyncio.Task[None]] = []
        self._revision = rig.desk.database.instance.policy_revision
        self.updates = Updates(
            rig.section,
            self,
            cast(Endpoint, self),
            self,
            self._next_message_id,
            self.hall.contexts.forget,
            self.drops.append,
            self._fatal,
            lambda: self.joins_under_way,
            (),
        )
        self.keeper = RolloverKeeper(rig.section, self, (), self._every, self._loop.time)

    async def start(self) -> None:
        await self.updates.start()
        await self.keeper.start()

    def kill(self) -> None:
        """SIGKILL: nothing is written down, and nothing more leaves."""
        self.dead.set()
        self.updates._driver.stop()
        for task in (*self._tasks, self.updates._task):
            if task is not None:
                task.cancel()
        self.hall.close()

    def receive(self, data: bytes, way: Way) -> None:
        """A datagram has come."""
        if not self.dead.is_set():
            self.updates.receive([Datagram(data, way, truncated=False)])

    # As Transactions

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        self._check_alive()
        self._rig.tick()
        self.writes += 1
        dies = self.writes == self._kill_at

        def watched(tx: Registry) -> T:
            result = work(tx)
            if dies and not self._after_commit:
                raise KilledError
            return result

        try:
            result = self._rig.desk.write(watched)
            if dies:
                raise KilledError
        except KilledError:
            self.dead.set()
            self._loop.call_soon(self.kill)
            raise asyncio.CancelledError from None
        self._learn()
        return result

    def _learn(self) -> None:
        """What the daemon does after a commit."""
        database = self._rig.desk.database
        self.hall.contexts.learn(database.take_learned())
        if database.instance.policy_revision != self._revision:
            self._revision = database.instance.policy_revision
            self.hall.contexts.forget_all()
            self.updates.changed()
            self.keeper.changed()

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        self._check_alive()
        self._rig.tick()
        return self._rig.desk.read(work)

    def _check_alive(self) -> None:
        if self.dead.is_set():
            raise asyncio.CancelledError

    # As Clock and Endpoint

    def now_ms(self) -> int:
        return self._rig.tick()

    def way_to(self, address: IPv6Address, port: int = COAP_PORT) -> Way:
        return Way((str(address), port, 0, 0), b"", 0, None)  # type: ignore[arg-type]

    def ask(self, datagram: Outgoing, way: Way) -> bool:
        self._rig.fly(datagram, way)
        return True

    def _next_message_id(self) -> int:
        self._message_id = (self._message_id + 1) & 0xFFFF
        return self._message_id

    def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        async def repeat() -> None:
            while True:
                await work()
                await asyncio.sleep(period_s)

        task = asyncio.create_task(repeat())
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fatal(error)

    def _fatal(self, error: BaseException) -> None:
        self.failures.append(error)


class Rig:
    """A network of ``count`` nodes, the first ``border_routers`` of them 6LBRs.

    Time begins with ``start``; ``loss`` is of each datagram and frame.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        *,
        loss: float = 0.0,
        section: Rollover = FAST,
        seed: int = 9031,
        period_s: float = 1.0,
        border_routers: int = 1,
    ) -> None:
        self._border_routers = border_routers
        self.chance = Random(seed)
        self.section = section
        self.desk = Desk(folder)
        self.desk.network()
        self.nodes = [self._enrolled(number) for number in range(count)]
        self._by_name = {node.identifier: node for node in self.nodes}
        self._long = {IPv6Address(long_address(PREFIX, name)): name for name in self._by_name}
        self.mesh = Mesh(
            connected(self.nodes, self.chance), Air(loss, self.chance), period_s=period_s
        )
        self._period_s = period_s
        self._registrar: Registrar | None = None
        self._began_ms = self.desk.now_ms = NOW_MS

    def _enrolled(self, number: int) -> SimulatedNode:
        role = int(number < self._border_routers)
        name, psk = self.desk.pledge(number + 1, role=role)
        pledge = SimulatedPledge(name.value, Secret(psk), b"\xca\xfe", role)
        return SimulatedNode(pledge, guard_time_s=self.section.guard_time_s)

    def close(self) -> None:
        if self._registrar is not None:
            self._registrar.kill()
        self.desk.close()

    # Time and air

    def tick(self) -> int:
        """The time of day that goes with the loop's, in ms."""
        self.desk.now_ms = self._began_ms + int(asyncio.get_running_loop().time() * 1000)
        return self.desk.now_ms

    def set_back(self, seconds: float) -> None:
        """The clock that tells the time of day is wrong by so much more from now on."""
        self._began_ms -= int(seconds * 1000)

    def fly(self, datagram: bytes, way: Way) -> None:
        """A datagram of the registrar, on its way to a node."""
        asyncio.get_running_loop().call_later(LATENCY_S, self._land, datagram, way)

    def _land(self, datagram: bytes, way: Way) -> None:
        loop = asyncio.get_running_loop()
        name = self._name_of(IPv6Address(way.peer[0]))
        answer = name and self.mesh.deliver(name, datagram, loop.time())
        if answer:
            loop.call_later(LATENCY_S, lambda: self.registrar.receive(answer, way))

    def _name_of(self, address: IPv6Address) -> bytes | None:
        if address in self._long:
            return self._long[address]
        found = [node for node in self.nodes if short_address(PREFIX, node) == address.packed]
        return found[0].identifier if len(found) == 1 else None

    # The registrar

    @property
    def registrar(self) -> Registrar:
        assert self._registrar is not None
        return self._registrar

    async def start(self, kill_at: int | None = None, *, after_commit: bool = False) -> Registrar:
        """Another process, in place of the one that was killed."""
        assert self._registrar is None or self._registrar.dead.is_set()
        self._registrar = Registrar(self, kill_at, after_commit=after_commit)
        await self._registrar.start()
        return self._registrar

    async def kill(self) -> None:
        """The process is gone."""
        self.registrar.kill()
        await asyncio.sleep(0)

    def join(self, *nodes: SimulatedNode) -> None:
        """Nodes join (again), without any loss."""
        self.tick()
        for node in nodes or self.nodes:
            answer = self.registrar.hall.ask(node.pledge.request(token=b"\x07"))
            outcome = answer and node.pledge.receive(answer)
            assert isinstance(outcome, Joined), outcome
            self.place(node).join(outcome.configuration)
        self.registrar._learn()

    async def write(self, work: Callable[[Registry], T]) -> T:
        """An operator's command."""
        return await self.registrar.run_write(work)

    async def roll(self, quorum_permille: int = 1000, deadline_s: int = 3600) -> None:
        """``jrc rollover start``."""
        settings = RolloverSettings(quorum_permille=quorum_permille, deadline_s=deadline_s)
        await self.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR, settings=settings))

    # What has become of it

    def rollover(self) -> RolloverRecord | None:
        """The last one."""
        found = self.desk.read(lambda tx: tx.rollovers.latest(1))
        return found[0] if found else None

    def rows(self) -> dict[bytes, RolloverNode]:
        """The nodes of the last rollover, by name."""
        record = self.rollover()
        assert record is not None

        def read(tx: Registry) -> dict[bytes, RolloverNode]:
            nodes = {node.pledge_id: node for node in tx.rollovers.nodes(record.id)}
            joined = {each.pledge_id: each.identifier for each in tx.rollovers.joined_nodes(1)}
            return {
                joined[number].value: node for number, node in nodes.items() if number in joined
            }

        return self.desk.read(read)

    async def until(self, is_so: Callable[[], bool], patience_s: float = 50_000) -> None:
        """Let time pass until something is so, or the registrar dies."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + patience_s
        while not is_so():
            assert loop.time() < deadline_s, (self.rollover(), self.registrar.failures)
            assert not self.registrar.failures, self.registrar.failures
            if self.registrar.dead.is_set():
                return
            await self.rest(self._period_s)

    async def rest(self, seconds: float) -> None:
        """Let time pass in which everybody transmits."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(seconds)
        self.mesh.advance(loop.time())

    def node(self, name: bytes) -> SimulatedNode:
        return self._by_name[name]

    def place(self, node: SimulatedNode) -> Place:
        return self.mesh.places[node.identifier]

    def put_to_sleep(self, node: SimulatedNode, every_s: float, awake_s: float) -> None:
        self.place(node).sleep = Sleep(every_s, awake_s)

    def violations(self) -> list[str]:
        """Sequence numbers that came twice, and key ids that came with a second value."""
        found = [text for node in self.nodes for text in node.record.violations]
        return found + [
            f"{node.identifier.hex()} got key id {key_id} for a second key"
            for node in self.nodes
            for key_id in node.keys.clashes
        ]


def names(nodes: Sequence[SimulatedNode]) -> set[bytes]:
    return {node.identifier for node in nodes}


def in_phase(rig: Rig, *phases: Phase) -> Callable[[], bool]:
    """Whether the last rollover is in one of them, for ``Rig.until``."""

    def is_so() -> bool:
        record = rig.rollover()
        return record is not None and record.phase in phases

    return is_so


def in_state(rig: Rig, *states: NodeState) -> set[bytes]:
    """The nodes of the last rollover that are in one of them."""
    return {name for name, row in rig.rows().items() if row.state in states}


def experiment(
    folder: Path,
    work: Callable[[Rig], Coroutine[None, None, None]],
    count: int = 12,
    loss: float = 0.0,
    section: Rollover = FAST,
) -> None:
    """``work`` in a network that has joined and is quiet."""

    async def carry_out() -> None:
        rig = Rig(folder, count, loss=loss, section=section)
        try:
            await rig.start()
            rig.join()
            await work(rig)
            assert rig.violations() == []
        finally:
            rig.close()

    run_virtually(carry_out())
