"""A registrar that tells the nodes of a rollover their keys, turn by turn; nothing leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jrc.cojp.constants import CoapCode
from jrc.service.keying import Keying
from jrc.service.outcomes import Retry
from jrc.service.rollover import start_rollover
from jrc.service.rollover_records import RolloverNode, RolloverRecord
from jrc.service.telling import Facts
from jrc.service.update import Room, Turned, turn
from jrc.service.update_ports import Answered, PreparedUpdate, UpdateError, UpdateOutcome
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at

SECOND_MS = 1000
NUMBERS_EPOCH_MS = 1_767_225_600_000


class Office:
    """A registrar with joined nodes that tells them keys; nothing leaves."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.facts = Facts()
        self.keying = Keying(Retry(first_s=300, most_s=3600), self.facts)
        self.open: dict[int, int] = {}

    def join(self, *numbers: int, **more: Any) -> list[OddPledge]:
        """Pledges that have joined network lab."""
        with hall_at(self.desk) as hall:
            pledges = [hall.enroll(number, networks=("lab",), **more) for number in numbers]
            for pledge in pledges:
                hall.join(pledge)
        return pledges

    def start(self, network: str = "lab") -> None:
        """New keys for a network."""
        self.desk.write(lambda tx: start_rollover(tx, network, actor=ACTOR))

    def turn(self, *outcomes: UpdateOutcome, room: int = 64, each: int = 64) -> Turned:
        """One turn at the desk's time."""
        return self.desk.write(
            lambda tx: turn(tx, [self.keying], outcomes, Room(self.open, room, each), self.facts)
        )

    def node(self, number: int = 1) -> RolloverNode:
        """The row of a pledge in the running rollover, or the last one."""
        return self.nodes()[self.row_number(number)]

    def nodes(self) -> Mapping[int, RolloverNode]:
        return self.desk.read(
            lambda tx: {each.pledge_id: each for each in tx.rollovers.nodes(self.record().id)}
        )

    def record(self) -> RolloverRecord:
        return self.desk.read(lambda tx: tx.rollovers.latest(1)[0])

    def row_number(self, number: int) -> int:
        identifier = pledge_id(number).value
        ((found,),) = self.desk.sql("SELECT id FROM pledge WHERE identifier = :i", i=identifier)
        assert isinstance(found, int)
        return found

    def state(self, number: int = 1) -> Mapping[str, Any]:
        """A pledge's mutable context row."""
        names = ["numbers_reserved", "version"]
        (values,) = self.desk.sql(
            f"SELECT {', '.join(names)} FROM context_state WHERE context_id IN"
            " (SELECT id FROM context WHERE pledge_id = :p)",
            p=self.row_number(number),
        )
        return dict(zip(names, values, strict=True))


def answered(
    update: PreparedUpdate, code: int = CoapCode.CHANGED, payload: bytes = b""
) -> UpdateOutcome:
    return UpdateOutcome(update.ref, update.node, Answered(code, payload), None, None, 1)


def unanswered(
    update: PreparedUpdate, error: str = UpdateError.NO_ANSWER, hint: str | None = None
) -> UpdateOutcome:
    return UpdateOutcome(update.ref, update.node, None, error, hint, 5)
