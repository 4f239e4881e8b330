"""What moves rollovers by the clock: deadlines, guard times, those that are to begin (§8.4.3.1).

The guard time is measured by a clock that nobody can set, and anew by each process: it may last
longer than asked for, and never shorter (RFC 9031 §8.5).
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import structlog

from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.app.tasks import RETRY_S
from jrc.config import Rollover
from jrc.errors import JrcError
from jrc.offline import rollover_settings
from jrc.policy.rollover import DeadlinePassed, Event, GuardOver, PauseCause, Phase, Progress, step
from jrc.service.condition import is_open
from jrc.service.installers import InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover import advance
from jrc.service.rollover_course import counts_of, networks_of, plan_of
from jrc.service.rollover_records import RolloverRecord
from jrc.service.rollover_wishes import (
    Begun,
    domains_that_may_begin,
    is_to_begin,
    periodic,
    start_wanted,
)

DAY_S = 86_400
LOOK_EVERY_S = 1.0
COUNTING_SHARE = 0.001
"""Of the time, for counting a rollover's nodes: 10,000 of them take some 6 ms. What is told is
followed by ``Updates``; this finds who has joined meanwhile."""
START_EVERY_S = 60.0
"""How often it is looked whether keys are old enough for a rollover that nobody asked for."""

_NOT_MOVED, _NOT_BEGUN = "rollover_not_moved", "rollover_not_begun"

_log = structlog.get_logger("jrc")


class _Move(NamedTuple):
    """What is due of a rollover in the ``phase`` in which it was seen."""

    rollover_id: int
    phase: Phase
    guard_over: bool
    deadline_passed: bool


class RolloverKeeper:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs.

    ``installers`` are those of the config file: a switch waits for their radios.
    """

    name = "rollovers"

    def __init__(
        self,
        section: Rollover,
        transactions: Transactions,
        installers: Collection[InstallerId],
        every: Every,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._section = section
        self._transactions = transactions
        self._installers = installers
        self._every = every
        self._monotonic_s = monotonic_s
        self._guarding_since_s: dict[int, float] = {}
        self._running: dict[int, Phase] = {}
        self._count_at_s: dict[int, float] = {}
        self._is_changed = True
        self._conducts = True
        self._start_at_s = 0.0
        self._failures: dict[tuple[str, int], str] = {}

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: a rollover may have begun or moved on."""
        self._is_changed = True

    def conduct(self, is_conductor: bool) -> None:
        """Move rollovers, or leave that to another registrar; guard times begin anew."""
        self._conducts = is_conductor
        self._guarding_since_s.clear()
        self._is_changed = True

    def use(self, section: Rollover) -> None:
        """These settings from now on, also for what runs."""
        self._section = section
        self._start_at_s = 0.0

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {"running": len(self._running)}

    async def look(self) -> None:
        """Move what is due; reads the database only while something runs or may have changed."""
        if not self._conducts:
            return
        was_changed = self._is_changed
        if was_changed or self._running:
            await self._move_due()
        now_s = self._monotonic_s()
        if was_changed or self._is_changed or now_s >= self._start_at_s:
            self._start_at_s = now_s + RETRY_S
            if await self._start_due():
                self._start_at_s = now_s + START_EVERY_S

    async def _move_due(self) -> None:
        """Each in a transaction of its own: what one meets keeps no other from moving."""
        if self._is_changed:
            self._count_at_s.clear()
        self._is_changed = False
        try:
            moves = await self._transactions.run_read(self._due)
        except BaseException:
            self._is_changed = True
            raise
        for move in moves:
            with self._apart(_NOT_MOVED, move.rollover_id):
                if paused := await self._transactions.run_write(partial(self._move, move)):
                    _log.warning("rollover_paused", **paused)
                self._failures.pop((_NOT_MOVED, move.rollover_id), None)

    async def _start_due(self) -> bool:
        """Those that were wanted while others ran, and those of keys that have grown old.

        True where that is all done, False where something has failed.
        """
        every_s = int(self._section.every_days * DAY_S)
        settings = rollover_settings(self._section)

        def start(domain_id: int, tx: Registry) -> list[Begun]:
            begun = [start_wanted(tx, domain_id, settings)]
            if every_s:
                begun.append(periodic(tx, domain_id, every_s, settings))
            return [each for each in begun if each is not None]

        for domain_id in await self._transactions.run_read(partial(self._to_begin, every_s)):
            with self._apart(_NOT_BEGUN, domain_id):
                for begun in await self._transactions.run_write(partial(start, domain_id)):
                    _say(begun)
                self._failures.pop((_NOT_BEGUN, domain_id), None)
        return not any(event == _NOT_BEGUN for event, _ in self._failures)

    def _to_begin(self, every_s: int, tx: Registry) -> list[int]:
        """The key domains in which a rollover is to begin now."""
        due, domains = [], domains_that_may_begin(tx) if is_open(tx) else ()
        self._forget_failures(_NOT_BEGUN, domains)
        for domain_id in domains:
            with self._apart(_NOT_BEGUN, domain_id):
                if is_to_begin(tx, domain_id, every_s):
                    due.append(domain_id)
                else:
                    self._failures.pop((_NOT_BEGUN, domain_id), None)
        return due

    @contextmanager
    def _apart(self, event: str, number: int) -> Iterator[None]:
        """An expected error ends what is done for one alone; the log has it once."""
        try:
            yield
        except JrcError as error:
            if self._failures.get((event, number)) != str(error):
                _log.error(event, number=number, error=str(error))
            self._failures[event, number] = str(error)

    def _forget_failures(self, event: str, but: Collection[int]) -> None:
        gone = [key for key in self._failures if key[0] == event and key[1] not in but]
        for key in gone:
            del self._failures[key]

    def _due(self, tx: Registry) -> list[_Move]:
        records = tx.rollovers.all_running() if is_open(tx) else []
        self._running = {record.id: record.phase for record in records}
        self._count_at_s = {
            number: at_s for number, at_s in self._count_at_s.items() if number in self._running
        }
        guarding = {record.id for record in records if record.phase is Phase.GUARDING}
        now_s = self._monotonic_s()
        self._guarding_since_s = {
            number: self._guarding_since_s.get(number, now_s) for number in guarding
        }
        self._forget_failures(_NOT_MOVED, self._running)
        moves = []
        for record in records:
            with self._apart(_NOT_MOVED, record.id):
                move = self._move_of(tx, record)
                if move is not None:
                    moves.append(move)
                else:
                    self._failures.pop((_NOT_MOVED, record.id), None)
        return moves

    def _move_of(self, tx: Registry, record: RolloverRecord) -> _Move | None:
        """What is due of one, None where it stays."""
        if record.phase is Phase.PAUSED:
            return None
        if record.phase is Phase.PLANNED:
            is_due = (record.distributing_at_ms or 0) <= tx.now_ms
            return _Move(record.id, record.phase, False, False) if is_due else None
        now_s = self._monotonic_s()
        guarded_s = now_s - self._guarding_since_s.get(record.id, now_s)
        guard_over = record.phase is Phase.GUARDING and guarded_s >= self._section.guard_time_s
        if record.phase is Phase.GUARDING:
            deadline_passed = guarded_s >= self._section.guard_time_s + record.deadline_s
        else:
            late = record.deadline_at_ms is not None and record.deadline_at_ms <= tx.now_ms
            deadline_passed = record.phase is Phase.DISTRIBUTING and late
        if not (deadline_passed or guard_over) and now_s < self._count_at_s.get(record.id, now_s):
            return None
        counts = counts_of(tx, record, self._installers)
        counted_s = self._monotonic_s()
        self._count_at_s[record.id] = counted_s + (counted_s - now_s) / COUNTING_SHARE
        event: Event = Progress(counts)
        if deadline_passed:
            event = DeadlinePassed(counts)
        elif guard_over:
            event = GuardOver(counts)
        plan = plan_of(record)
        if step(plan, event)[0] is plan:
            return None
        return _Move(record.id, record.phase, guard_over, deadline_passed)

    def _move(self, move: _Move, tx: Registry) -> Mapping[str, object] | None:
        """For the log where the deadline has paused it (row E2), else None."""
        if tx.rollovers.by_id(move.rollover_id).phase is not move.phase:
            # A command was first: a deadline of one phase says nothing of another.
            return None
        record = advance(
            tx,
            move.rollover_id,
            guard_over=move.guard_over,
            deadline_passed=move.deadline_passed,
            installers=self._installers,
        )
        if record.phase is not Phase.PAUSED or record.pause_cause != PauseCause.DEADLINE:
            return None
        nodes = tx.rollovers.counts(record.id).nodes
        names = [network.name for network in networks_of(tx, record.domain_id)]
        return {
            "networks": names,
            "cause": record.pause_cause,
            "reached": nodes.reached,
            "nodes": nodes.counted,
            "needed_permille": record.quorum_permille,
            "hint": f"`jrc rollover status {names[0]}` shows who is missing, and what can be done",
        }


def _say(begun: Begun) -> None:
    networks = list(begun.networks)
    if begun.rollover is not None:
        _log.info("rollover_started", networks=networks, cause=begun.rollover.cause)
    elif begun.error is not None:
        _log.error(
            "rollover_not_started",
            networks=networks,
            error=begun.error.message,
            hint=begun.error.hint,
        )
