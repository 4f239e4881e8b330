"""A registrar of network lab that tells nodes, turn by turn, for tests in any order of events."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jrc.cojp.constants import CoapCode
from jrc.errors import ConflictError, OperatorError
from jrc.service.keying import Keying
from jrc.service.outcomes import Retry
from jrc.service.pushing import Pushing
from jrc.service.registry import Registry
from jrc.service.rollover import advance
from jrc.service.rollover_records import RolloverSettings
from jrc.service.rollover_wishes import start_wanted
from jrc.service.telling import Facts
from jrc.service.update import Room, Turned, turn
from jrc.service.update_ports import Answered, PreparedUpdate, UpdateError, UpdateOutcome
from tests.desk import ACTOR, Desk


def _goes_on() -> None:
    """A process that does not die."""


class Turns:
    """Updates under way by the row number of their pledge, and outcomes of those that ended."""

    def __init__(self, desk: Desk, retry: Retry, *, is_pushing: bool = False) -> None:
        self.desk = desk
        self.facts = Facts()
        self.keying = Keying(retry, self.facts)
        self.errands: list[Keying | Pushing] = [self.keying]
        if is_pushing:
            self.errands.append(Pushing(retry, self.facts, lambda: desk.now_ms / 1000))
        self.open: dict[int, PreparedUpdate] = {}
        self.outcomes: list[UpdateOutcome] = []

    def take(self, before_commit: Callable[[], None] = _goes_on) -> Turned:
        """One turn: outcomes are written down, and updates prepared, which are then under way."""
        outcomes, self.outcomes = self.outcomes, []
        room = Room(dict.fromkeys(self.open, 1), 64, 64)

        def work(tx: Registry) -> Turned:
            done = turn(tx, self.errands, outcomes, room, self.facts)
            before_commit()
            return done

        done = self._twice(work)
        self.open.update({update.node: update for update in done.updates})
        return done

    def _twice(self, work: Callable[[Registry], Turned]) -> Turned:
        try:
            return self.desk.write(work)
        except ConflictError:
            self.keying.anew = True
            return self.desk.write(work)
        finally:
            self.keying.anew = False

    def end(self, number: int, code: int | None = CoapCode.CHANGED) -> None:
        """The update to a pledge ends, if there is one: with this answer, or with none."""
        update = self.open.pop(number, None)
        if update is None:
            return
        answered = None if code is None else Answered(code, b"")
        error = UpdateError.NO_ANSWER if code is None else None
        self.outcomes.append(UpdateOutcome(update.ref, update.node, answered, error, None, 1))

    def command(self, use_case: Any, **more: object) -> None:
        """What the operator wants done to the network, refused or not."""
        with suppress(OperatorError):
            self.desk.write(lambda tx: use_case(tx, "lab", actor=ACTOR, **more))

    def go_on(self, *, guard_over: bool = True, deadline_passed: bool = True) -> None:
        """The daemon looks at what is running, and begins what is wanted."""

        def work(tx: Registry) -> None:
            for record in tx.rollovers.all_running():
                advance(tx, record.id, guard_over=guard_over, deadline_passed=deadline_passed)
            for wanted in tx.rollovers.all_wanted():
                start_wanted(tx, wanted.domain_id, RolloverSettings())

        self.desk.write(work)
