"""The audit log for reading: pages, and the proof that nothing of it was changed."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, literal_column, select

from jrc.service.records import StoredEvent
from jrc.store import ledger
from jrc.store.schema import event
from jrc.store.scope import Scope

_PAGE = 1000


class Events:
    """As ``service.registry.EventStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def page(
        self,
        *,
        after: int,
        limit: int,
        newest: bool = False,
        kind: str | None = None,
        pledge: bytes | None = None,
        network: str | None = None,
    ) -> Sequence[StoredEvent]:
        """Entries after a number in ascending order; ``newest`` gives the last ones instead."""
        query = select(event).where(event.c.number > after).limit(limit)
        query = query.order_by(event.c.number.desc() if newest else event.c.number)
        for column, value in (
            (event.c.kind, kind),
            (event.c.pledge, pledge),
            (event.c.network, network),
        ):
            if value is not None:
                query = query.where(column == value)
        rows = [_stored(row) for row in self._connection.execute(query)]
        return rows[::-1] if newest else rows

    def besides_joins(self, pledge: bytes, limit: int) -> Sequence[StoredEvent]:
        """The last entries about a pledge that are no joins, ascending; by index."""
        query = (
            select(event)
            .where(event.c.pledge == pledge, event.c.kind != literal_column("'pledge.joined'"))
            .order_by(event.c.number.desc())
            .limit(limit)
        )
        return [_stored(row) for row in self._connection.execute(query)][::-1]

    def count(self) -> int:
        """How many entries the log should have."""
        return ledger.read(self._connection, self._scope.mac).event_number

    def first_broken(self) -> int | None:
        """The number of the first entry that does not fit the chain of hashes, or is missing.

        The head of the chain lies in the instance row, under its MAC.
        """
        end = ledger.read(self._connection, self._scope.mac)
        number, head = 0, ledger.GENESIS_HASH
        for row in self._rows():
            number += 1
            fields = tuple(row)
            head = ledger.event_hash(head, fields[:-1])
            if row.hash != head:
                return number
        if number != end.event_number:
            return min(number, end.event_number) + 1
        return None if head == end.event_hash else number

    def _rows(self) -> Iterator[Row[Any]]:
        after = -1
        while True:
            query = select(event).where(event.c.number > after)
            rows = self._connection.execute(query.order_by(event.c.number).limit(_PAGE)).all()
            if not rows:
                return
            yield from rows
            after = rows[-1].number


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
