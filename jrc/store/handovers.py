"""The sealed files that were opened."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select

from jrc.service.handover_store import HandoverRecord
from jrc.store.schema import handover
from jrc.store.scope import Scope, chunked, draw_ids


class Handovers:
    """As ``service.handover_store.HandoverStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def find(self, builder: bytes, serial: str) -> HandoverRecord | None:
        """The file of this builder with this serial, if it was opened.

        Raises:
            StateError: its row does not authenticate.
        """
        query = select(handover).where(handover.c.builder == builder, handover.c.serial == serial)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else self._record(row)

    def builders(self, import_ids: Collection[int]) -> dict[int, bytes]:
        """As ``HandoverStore.builders``."""
        found = {}
        for numbers in chunked(sorted(import_ids)):
            query = select(handover).where(handover.c.import_id.in_(numbers))
            for row in self._connection.execute(query).mappings():
                found[row["import_id"]] = self._record(row).builder
        return found

    def add(self, draft: HandoverRecord) -> None:
        """Write a new one, which gets its number here."""
        (number,) = draw_ids(self._connection, handover, 1)
        row = draft._replace(id=number)._asdict()
        self._connection.execute(insert(handover), self._scope.mac.seal(handover, row))

    def page(self, *, after: int, limit: int) -> Sequence[HandoverRecord]:
        """Those after a number, in the order in which they were opened.

        Raises:
            StateError: a row does not authenticate.
        """
        query = select(handover).where(handover.c.id > after).order_by(handover.c.id).limit(limit)
        return [self._record(row) for row in self._connection.execute(query).mappings()]

    def _record(self, row: Mapping[Any, Any]) -> HandoverRecord:
        self._scope.mac.check(handover, row)
        return HandoverRecord(**{name: row[name] for name in HandoverRecord._fields})
