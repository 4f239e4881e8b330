"""The audit log: pages of it, its chain with both ends, and its oldest entries going."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, literal_column, select

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.service import event_chain
from jrc.service.event_chain import Break, Place
from jrc.service.records import ChainedEvent, StoredEvent, Wanted
from jrc.store import ledger
from jrc.store.schema import event
from jrc.store.scope import Scope

_JOINED: ColumnElement[str] = literal_column("'pledge.joined'")
"""Not a parameter: the partial indexes are for all but joins, and have to be seen to fit."""
_JOINS = "pledge.joined"


class Events:
    """As ``service.registry.EventStore``; only with the ``log`` of a transaction can any go."""

    def __init__(self, scope: Scope, log: ledger.Ledger | None = None) -> None:
        self._scope = scope
        self._connection = scope.connection
        self._ledger = log

    def page(
        self, wanted: Wanted, *, after: int, limit: int, newest: bool = False
    ) -> Sequence[StoredEvent]:
        """Entries after a number in ascending order; ``newest`` gives the last ones instead."""
        query = _filtered(select(event), wanted).where(event.c.number > after).limit(limit)
        query = query.order_by(event.c.number.desc() if newest else event.c.number)
        rows = [_stored(row) for row in self._connection.execute(query)]
        return rows[::-1] if newest else rows

    def besides_joins(self, pledge: bytes, limit: int) -> Sequence[StoredEvent]:
        """The last entries about a pledge that are no joins, ascending; by index."""
        query = (
            select(event)
            .where(event.c.pledge == pledge, event.c.kind != _JOINED)
            .order_by(event.c.number.desc())
            .limit(limit)
        )
        return [_stored(row) for row in self._connection.execute(query)][::-1]

    def chain(self, *, after: int, limit: int) -> Sequence[ChainedEvent]:
        """All entries after a number, as their hashes cover them."""
        query = select(event).where(event.c.number > after).order_by(event.c.number).limit(limit)
        return [ChainedEvent(*row) for row in self._connection.execute(query)]

    def links(self, wanted: Wanted, *, after: int, limit: int) -> Sequence[ChainedEvent]:
        """As ``chain``, of certain entries, each with the hash of the one before it.

        That hash is None where the entry before is missing.
        """
        before = event.alias("before")
        joined = event.outerjoin(before, before.c.number == event.c.number - 1)
        query = (
            _filtered(select(event, before.c.hash), wanted)
            .select_from(joined)
            .where(event.c.number > after)
            .order_by(event.c.number)
            .limit(limit)
        )
        floor = self.ends()[0]
        found = [ChainedEvent(*row) for row in self._connection.execute(query)]
        return [
            each._replace(previous=floor.hash) if each.number == floor.number + 1 else each
            for each in found
        ]

    def ends(self) -> tuple[Place, Place]:
        """The last entry that was removed for its age, and the last one; under the row's MAC."""
        row = self._instance()
        return (
            Place(row.event_floor, row.event_floor_hash),
            Place(row.event_number, row.event_hash),
        )

    def count(self) -> int:
        """How many entries there are, as both ends tell."""
        floor, end = self.ends()
        return end.number - floor.number

    def hash_of(self, number: int) -> bytes | None:
        """What the row of an entry says is its hash; None where there is no such row."""
        return self._connection.scalar(select(event.c.hash).where(event.c.number == number))

    def first_since(self, at_ms: int) -> int | None:
        """The first entry, in the order of their numbers, that is not older than a time."""
        floor = self._instance().event_floor
        query = (
            select(event.c.number)
            .where(event.c.number > floor, event.c.at_ms >= at_ms)
            .order_by(event.c.number)
            .limit(1)
        )
        return self._connection.scalar(query)

    def remove_up_to(self, number: int, limit: int) -> int:
        """Delete the oldest entries, at most ``limit`` and none after ``number``; how many.

        The chain goes on from the last of them, whose hash stays.

        Raises:
            OperatorError: one of them is not as it was written, and is kept for whoever looks.
        """
        if self._ledger is None:
            raise StateError("a reading transaction removes no events")
        floor, end = self.ends()
        last = min(number, floor.number + limit)
        if last <= floor.number:
            return 0
        at = self._gone_along(floor, last)
        if last == end.number:
            _require(event_chain.at_end(at, end))
        else:  # what was changed together with its hash shows in the entry after it
            self._gone_along(at, last + 1)
        going = event.c.number > floor.number, event.c.number <= last
        self._connection.execute(delete(event).where(*going))
        self._ledger.raise_floor(*at)
        return last - floor.number

    def _gone_along(self, at: Place, last: int) -> Place:
        """Where the chain leads to from ``at``, up to an entry; each fits the one before."""
        for entry in self.chain(after=at.number, limit=last - at.number):
            following = event_chain.next_place(at, entry)
            if isinstance(following, Break):
                raise _broken(following)
            at = following
        _require(event_chain.at_end(at, Place(last, at.hash)))
        return at

    def _instance(self) -> ledger.Instance:
        if self._ledger is not None:
            return self._ledger.instance
        return ledger.read(self._connection, self._scope.mac)


def _require(found: Break | None) -> None:
    if found is not None:
        raise _broken(found)


def _broken(found: Break) -> OperatorError:
    return OperatorError(
        f"nothing was removed from event {found.number} on: {found.sentence}",
        "keep a copy of the database; `jrc events verify` looks at the whole log",
        exit_code=ExitCode.FAILED,
    )


def _filtered(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for column, value in (
        (event.c.kind, wanted.kind),
        (event.c.pledge, wanted.pledge),
        (event.c.network, wanted.network),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.kind not in (None, _JOINS):
        query = query.where(event.c.kind != _JOINED)
    if wanted.before is not None:
        query = query.where(event.c.number < wanted.before)
    if wanted.since_ms is not None:
        query = query.where(event.c.at_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(event.c.at_ms < wanted.until_ms)
    return query


def _stored(row: Row[Any]) -> StoredEvent:
    return StoredEvent(
        row.number,
        row.at_ms,
        row.kind,
        row.pledge,
        row.network,
        row.actor,
        row.reason,
        json.loads(row.detail),
    )
