"""A registrar with joined nodes that tells them settings and leases; nothing leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import Configuration
from jrc.service.keying import Keying
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.outcomes import Retry
from jrc.service.push_records import NodeUpdate
from jrc.service.pushing import LOOK_MS, Pushing
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledges
from jrc.service.telling import Facts
from jrc.service.update import Errand, Room, Turned, turn
from jrc.service.update_ports import Answered, PreparedUpdate, UpdateError, UpdateOutcome
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at

RETRY = Retry(first_s=300, most_s=3600)
AS_6LBR = bytes.fromhex("a201010542cafe")
HOUR_MS = 3_600_000
PAUSE_MS = 10_000
"""After which the sender numbers of a further update are due."""


class Bureau:
    """As in the daemon: both errands, one after the other, with the desk's time."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.pledges: dict[int, OddPledge] = {}
        self.restart()

    def restart(self) -> None:
        """Another process: whatever was only remembered is gone."""
        self.facts = Facts()
        self.keying = Keying(RETRY, self.facts)
        # No look takes any of the desk's time.
        self.pushing = Pushing(RETRY, self.facts, lambda: self.desk.now_ms / 1000)
        self.errands: tuple[Errand, ...] = (self.keying, self.pushing)
        self.open: dict[int, int] = {}
        self.desk.write(self._take_up)

    def _take_up(self, tx: Registry) -> None:
        for errand in self.errands:
            errand.take_up(tx)

    def join(self, *numbers: int, role: int = 0, **more: Any) -> list[Configuration]:
        """What pledges of network lab are told that join it, new ones or again."""
        with hall_at(self.desk) as hall:
            return [self.join_in(hall, number, role, **more) for number in numbers]

    def join_in(self, hall: Hall, number: int, role: int = 0, **more: Any) -> Configuration:
        if number not in self.pledges:
            given = {"networks": ("lab",), "role": role, **more}
            self.pledges[number] = hall.enroll(number, **given)
        hall.contexts.learn([pledge_id(number).value])
        return hall.join(self.pledges[number], AS_6LBR if role else JOIN)

    def set(self, name: str = "lab", **changes: Any) -> None:
        """`jrc network set`."""
        wanted = NetworkChanges(**changes)
        self.desk.write(lambda tx: set_network(tx, name, wanted, actor=ACTOR, agreed=True))

    def revoke(self, *numbers: int) -> None:
        """`jrc pledge revoke --no-rollover`."""
        names = [pledge_id(number) for number in numbers]
        self.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR, rekey=False))

    def restore(self, number: int) -> None:
        """`jrc pledge restore`."""
        self.desk.write(lambda tx: restore_pledge(tx, pledge_id(number), actor=ACTOR))

    def turn(self, *outcomes: UpdateOutcome, room: int = 64) -> Turned:
        """One turn at the desk's time."""
        return self.desk.write(
            lambda tx: turn(tx, self.errands, outcomes, Room(self.open, room, 64), self.facts)
        )

    def look(self) -> Turned:
        """A turn as soon as joins are looked at."""
        self.desk.now_ms += LOOK_MS
        return self.turn()

    def told(self) -> dict[int, Configuration]:
        """What the nodes are told that are due, by the number of their pledge; all take it."""
        self.desk.now_ms += PAUSE_MS
        found = {}
        turned = self.turn()
        while turned.updates:
            for update in turned.updates:
                found[self.number_of(update)] = decode_configuration(update.payload)
            self.desk.now_ms += PAUSE_MS
            turned = self.turn(*map(answered, turned.updates))
        return found

    def number_of(self, update: PreparedUpdate) -> int:
        query = "SELECT identifier FROM pledge WHERE id = :i"
        ((identifier,),) = self.desk.sql(query, i=update.node)
        assert isinstance(identifier, bytes)
        return int.from_bytes(identifier[4:])

    def row_number(self, number: int) -> int:
        query = "SELECT id FROM pledge WHERE identifier = :i"
        ((found,),) = self.desk.sql(query, i=pledge_id(number).value)
        assert isinstance(found, int)
        return found

    def row(self, number: int = 1) -> NodeUpdate:
        """How it goes with a node."""
        who = self.row_number(number)
        return self.desk.read(lambda tx: tx.pushes.find([who]))[who]

    def place_number(self, number: int = 1) -> int:
        """The settings that are noted of a node."""
        query = "SELECT settings_number FROM node WHERE pledge_id = :p"
        ((found,),) = self.desk.sql(query, p=self.row_number(number))
        assert isinstance(found, int)
        return found

    def lease(self, number: int = 1) -> Mapping[str, Any]:
        """A pledge's short identifier as it is on disk."""
        names = ["value", "lease_until_ms", "first_generation", "last_generation", "version"]
        (values,) = self.desk.sql(
            f"SELECT {', '.join(names)} FROM short_identifier WHERE pledge_id = :p",
            p=self.row_number(number),
        )
        return dict(zip(names, values, strict=True))

    def events(self, kind: str) -> list[tuple[object, ...]]:
        """Pledge and detail of what the audit log has of a kind."""
        return self.desk.sql(
            "SELECT pledge, detail FROM event WHERE kind = :k ORDER BY number", k=kind
        )


def answered(
    update: PreparedUpdate, code: int = CoapCode.CHANGED, payload: bytes = b""
) -> UpdateOutcome:
    """A verified answer."""
    return UpdateOutcome(update.ref, update.node, Answered(code, payload), None, None, 1)


def unanswered(update: PreparedUpdate, error: str = UpdateError.NO_ANSWER) -> UpdateOutcome:
    """None within the time."""
    return UpdateOutcome(update.ref, update.node, None, error, None, 5)


def asks_for_a_turn(bureau: Bureau) -> bool:
    """Whether there is something to tell somebody now."""
    next_ms = bureau.desk.read(bureau.pushing.next_due_ms)
    assert next_ms is not None
    return next_ms <= bureau.desk.now_ms
