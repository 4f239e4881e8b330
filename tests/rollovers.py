"""A network whose nodes have joined for real, and a rollover moved by hand through its store."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.rollover import (
    abort_rollover,
    advance,
    pause_rollover,
    resume_rollover,
    start_rollover,
)
from jrc.service.rollover_records import RolloverNode, RolloverRecord, RolloverSettings
from jrc.service.rollover_reports import RolloverStatus, status
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk
from tests.joining import JOIN, Hall, hall_at

AS_6LBR = bytes.fromhex("a201010542cafe")
SETTINGS = RolloverSettings()


class Floor:
    """A registrar's desk with joined nodes; ``pledges`` are their devices, 6LNs first."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.desk: Desk = hall.desk
        self.pledges: dict[int, OddPledge] = {}

    def join(self, number: int, role: int = 0, **more: object) -> OddPledge:
        """A new pledge that has joined; its row has the same number if they come in order."""
        pledge = self.pledges[number] = self.hall.enroll(
            number, **{"role": role, "networks": ("lab",), **more}
        )
        self.hall.join(pledge, AS_6LBR if role else JOIN)
        return pledge

    def start(self, settings: RolloverSettings = SETTINGS, **more: object) -> RolloverStatus:
        """A rollover of ``lab``."""
        return self.desk.write(
            lambda tx: start_rollover(tx, "lab", actor=ACTOR, settings=settings, **more)  # type: ignore[arg-type]
        )

    def advance(self, number: int = 1, **flags: bool) -> Phase:
        """The phase after a look at a rollover."""
        return self.desk.write(lambda tx: advance(tx, number, **flags)).phase  # type: ignore[arg-type]

    def pause(self) -> None:
        """The operator's word."""
        self.desk.write(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))

    def resume(self, *, anyway: bool = False) -> None:
        """The operator's word."""
        self.desk.write(lambda tx: resume_rollover(tx, "lab", anyway=anyway, actor=ACTOR))

    def abort(self) -> None:
        """The operator's word."""
        self.desk.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))

    def to_switching(self) -> None:
        """Let all 6LNs be reached."""
        self.tell()
        assert self.advance() is Phase.SWITCHING

    def to_done(self, number: int = 1) -> None:
        """Let everybody be reached, and the guard time be over."""
        for _ in range(2):
            self.tell(number=number)
            self.advance(number)
        assert self.advance(number, guard_over=True) is Phase.DONE

    def due(self) -> list[int]:
        """The pledges that are to be told now."""
        found = self.desk.read(lambda tx: tx.rollovers.due(self.desk.now_ms, 100))
        return sorted(node.pledge_id for node in found)

    def tell(
        self,
        state: NodeState = NodeState.REACHED,
        only: Collection[int] = (),
        number: int = 1,
    ) -> None:
        """Let the nodes that are due come to a state, as after an exchange with each."""
        now_ms = self.desk.now_ms

        def told(node: RolloverNode) -> RolloverNode:
            reached_at_ms = now_ms if state is NodeState.REACHED else node.reached_at_ms
            next_at_ms = now_ms + 300_000 if state is NodeState.UNREACHABLE else None
            return node._replace(
                state=state,
                attempts=node.attempts + 1,
                sent_at_ms=node.sent_at_ms or now_ms,
                tried_at_ms=now_ms,
                reached_at_ms=reached_at_ms,
                next_at_ms=next_at_ms,
            )

        def work(tx: Registry) -> None:
            due = tx.rollovers.due(now_ms, 100)
            tx.rollovers.save_nodes(
                [
                    told(n)
                    for n in due
                    if n.rollover_id == number and (not only or n.pledge_id in only)
                ]
            )

        self.desk.write(work)

    def states(self, number: int = 1) -> dict[int, str]:
        """The state of each node of a rollover, by its pledge's row."""
        found = self.desk.read(lambda tx: tx.rollovers.nodes(number))
        return {node.pledge_id: node.state.value for node in found}

    def record(self, number: int = 1) -> RolloverRecord:
        """A rollover's row."""
        return self.desk.read(lambda tx: tx.rollovers.by_id(number))

    def status(self, **more: object) -> RolloverStatus:
        """What is shown of ``lab``."""
        return self.desk.read(lambda tx: status(tx, "lab", **more))  # type: ignore[arg-type]

    def generations(self) -> dict[int, str]:
        """The state of each generation of keys, by its number."""
        found = self.desk.read(lambda tx: tx.keysets.generations(1))
        return {each.number: each.state.value for each in found}

    def events(self) -> list[str]:
        """What the audit log has of rollovers, in order."""
        rows = self.desk.sql("SELECT kind FROM event WHERE kind LIKE 'rollover.%' ORDER BY number")
        return [str(kind).removeprefix("rollover.") for (kind,) in rows]


@contextmanager
def floor_at(desk: Desk, nodes: int = 2, routers: int = 1, **network: object) -> Iterator[Floor]:
    """A network ``lab`` of so many joined nodes; rows 1 to ``nodes`` are 6LNs, then 6LBRs."""
    desk.network(**network)  # type: ignore[arg-type]
    with hall_at(desk) as hall:
        floor = Floor(hall)
        for number in range(1, nodes + routers + 1):
            floor.join(number, role=int(number > nodes))
        yield floor
