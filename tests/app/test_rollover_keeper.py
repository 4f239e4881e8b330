"""The keeper of rollovers: what one key domain meets keeps no other from going on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from jrc.app.rollovers import START_EVERY_S, RolloverKeeper
from jrc.app.tasks import RETRY_S
from jrc.config import Rollover
from jrc.errors import StateError
from jrc.policy.rollover import Phase
from jrc.service.registry import Registry
from jrc.service.rollover import advance, start_rollover
from jrc.service.rollover_course import counts_of
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.service.rollover_wishes import want_rollover
from tests.desk import ACTOR, Desk
from tests.rollovers import floor_at

T = TypeVar("T")
LATER_MS = 60_000


class Office:
    """What the keeper sees of a daemon."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.reads = self.writes = 0
        self.monotonic_s = 1000.0
        self.log: list[EventDict] = []
        self.keeper = RolloverKeeper(Rollover(), self, (), _every, lambda: self.monotonic_s)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        self.reads += 1
        return self.desk.read(work)

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        self.writes += 1
        revision = self.desk.database.instance.policy_revision
        done = self.desk.write(work)
        if self.desk.database.instance.policy_revision != revision:
            self.keeper.changed()
        return done

    def look(self, times: int = 1) -> None:
        """Once a second."""
        with capture_logs() as log:
            for _ in range(times):
                self.monotonic_s += 1
                asyncio.run(self.keeper.look())
        self.log += log

    def plan(self, name: str) -> None:
        """A rollover that begins a minute from now."""
        self.desk.write(
            lambda tx: start_rollover(
                tx, name, actor=ACTOR, not_before_ms=self.desk.now_ms + LATER_MS
            )
        )

    def want(self, domain_id: int) -> None:
        self.desk.write(
            lambda tx: want_rollover(tx, domain_id, cause=RolloverCause.REVOCATION, actor=ACTOR)
        )

    def phases(self) -> dict[object, object]:
        """As the rows have them, damaged or not."""
        return dict(self.desk.sql("SELECT domain_id, phase FROM rollover"))  # type: ignore[arg-type]

    def events(self) -> list[tuple[object, object]]:
        """What the log has of failures."""
        return [
            (line["event"], line.get("number")) for line in self.log if line["log_level"] == "error"
        ]


def _every(_period_s: float, _work: Callable[[], Awaitable[None]]) -> None:
    """The test looks by itself."""


@pytest.fixture
def office(desk: Desk) -> Office:
    """With two networks that have keys of their own."""
    desk.network("lab", b"\xca\xfe")
    desk.network("far", b"\xca\xfd", prefix="2001:db8:1::/64")
    return Office(desk)


@pytest.fixture
def planned(office: Office) -> Office:
    """A rollover in each key domain, due now."""
    office.plan("lab")
    office.plan("far")
    office.desk.now_ms += LATER_MS
    return office


def test_what_is_due_moves_in_each_key_domain(planned: Office) -> None:
    """Nobody has joined, so nothing is waited for but the guard time (RFC 9031 §8.5)."""
    planned.look(5)
    assert {1: Phase.GUARDING, 2: Phase.GUARDING} == planned.phases()
    assert [] == planned.events()


def test_a_damaged_rollover_stops_itself_alone(planned: Office) -> None:
    """The other key domain's moves on; the log has it once."""
    planned.desk.sql("UPDATE rollover SET quorum = 901 WHERE domain_id = 1")
    planned.look(5)
    assert Phase.PLANNED == planned.phases()[1]
    assert Phase.PLANNED != planned.phases()[2]
    assert ["rollover 1"] == [line["row"] for line in planned.log if "row" in line]


def test_a_move_that_fails_keeps_no_other_from_moving(
    planned: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again at each look, and said once."""

    def fails_for_the_first(tx: Registry, number: int, **more: object) -> object:
        if number == 1:
            raise StateError("key_generation 3 does not authenticate")
        return advance(tx, number, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("jrc.app.rollovers.advance", fails_for_the_first)
    planned.look(5)
    assert Phase.PLANNED == planned.phases()[1]
    assert Phase.PLANNED != planned.phases()[2]
    assert [("rollover_not_moved", 1)] == planned.events()
    monkeypatch.undo()
    planned.look()
    assert Phase.PLANNED != planned.phases()[1]


def test_a_rollover_that_can_not_be_counted_keeps_no_other_from_moving(
    planned: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is met while it is looked at what is due of one."""

    def fails_for_the_first(tx: Registry, record: object, installers: object) -> object:
        if record.id == 1:  # type: ignore[attr-defined]
            raise StateError("node 1 does not authenticate")
        return counts_of(tx, record, installers)  # type: ignore[arg-type]

    planned.look(2)
    monkeypatch.setattr("jrc.app.rollovers.counts_of", fails_for_the_first)
    planned.monotonic_s += Rollover().guard_time_s
    planned.look(3)
    assert {1: Phase.GUARDING, 2: Phase.DONE} == planned.phases()
    assert [("rollover_not_moved", 1)] == planned.events()


def test_where_none_can_begin_others_move_and_begin(office: Office) -> None:
    """A successor of another key domain does not wait for the row to be mended."""
    office.plan("lab")
    office.want(1)
    office.want(2)
    office.desk.sql("UPDATE rollover SET quorum = 901 WHERE domain_id = 1")
    office.look(8)
    assert {1, 2} == set(office.phases())
    assert [("rollover_not_begun", 1)] == office.events()


def test_that_nothing_can_begin_keeps_nothing_from_moving(
    planned: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moves come first; and it is tried again after a while, not at each look."""

    def fails(_tx: Registry) -> list[int]:
        raise StateError("network 1 does not authenticate")

    monkeypatch.setattr("jrc.app.rollovers.domains_that_may_begin", fails)
    failures = 0
    for _ in range(20):
        try:
            planned.look()
        except StateError:
            failures += 1
    assert {1: Phase.DONE, 2: Phase.DONE} == planned.phases()
    assert 20 / RETRY_S <= failures < 12


def test_a_failure_to_begin_is_not_looked_at_each_second(office: Office) -> None:
    """Nothing runs that could be read, so the database rests between the tries."""
    office.plan("lab")
    office.want(1)
    office.desk.sql("UPDATE rollover SET quorum = 901 WHERE domain_id = 1")
    office.look()
    office.reads = 0
    office.look(int(4 * RETRY_S))
    assert 4 == office.reads
    assert [("rollover_not_begun", 1)] == office.events()


def test_a_quiet_registrar_looks_once_a_minute(office: Office) -> None:
    """No rollover, none wanted."""
    office.look()
    office.reads = 0
    office.look(int(2 * START_EVERY_S))
    assert (2, 0) == (office.reads, office.writes)


def test_counting_many_nodes_takes_a_thousandth_of_the_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has joined meanwhile is found out later the longer a count takes; a change ends that."""
    many, counted = Office(desk), list[float]()

    def slow(tx: Registry, record: object, installers: object) -> object:
        counted.append(many.monotonic_s)
        many.monotonic_s += 0.006
        return counts_of(tx, record, installers)  # type: ignore[arg-type]

    with floor_at(desk, 3):
        desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
        many.look(2)
        monkeypatch.setattr("jrc.app.rollovers.counts_of", slow)
        many.look(25)
        assert 4 <= len(counted) <= 6
        many.keeper.changed()
        before = len(counted)
        many.look()
        assert before + 1 == len(counted)


def test_e02_a_deadline_that_pauses_is_logged_once(desk: Desk) -> None:
    """With the networks and how many are reached; who pauses one by hand knows it (row E2)."""
    with floor_at(desk, 3) as floor:
        office = Office(desk)
        floor.start()
        floor.tell(only={1})
        office.look()
        desk.now_ms += int(1000 * Rollover().deadline_s)
        office.look(3)
        assert Phase.PAUSED is floor.record().phase
        (line,) = (line for line in office.log if line["event"] == "rollover_paused")
        assert "`jrc rollover status lab`" in line.pop("hint")
        assert {
            "event": "rollover_paused",
            "log_level": "warning",
            "networks": ["lab"],
            "cause": "deadline",
            "reached": 1,
            "nodes": 3,
            "needed_permille": 1000,
        } == line
        floor.resume()
        floor.pause()
        office.log.clear()
        office.look(3)
        assert [] == office.log


def test_a_deadline_says_nothing_of_the_phase_that_came_meanwhile(desk: Desk) -> None:
    """A command was first, and the guard time is kept (RFC 9031 §8.5)."""
    with floor_at(desk, 1) as floor:
        office = Office(desk)
        floor.start(RolloverSettings(quorum_permille=900, deadline_s=60))
        desk.now_ms += 60_000
        (move,) = desk.read(office.keeper._due)
        assert move.deadline_passed
        floor.to_switching()
        floor.tell()
        assert floor.advance() is Phase.GUARDING
        desk.write(lambda tx: office.keeper._move(move, tx))
        assert floor.record().phase is Phase.GUARDING
