"""The public credentials that devices have and had."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Column, Select, insert, select, update

from jrc.service.identity_store import IdentityRecord, Origin
from jrc.store.schema import identity
from jrc.store.scope import Scope, chunked, draw_ids

_NAMES = [column.name for column in identity.columns if column.name != "mac"]
_LIVE = identity.c.superseded_at_ms.is_(None)


class Identities:
    """As ``service.identity_store.IdentityStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def in_force(self, identifiers: Collection[bytes]) -> Mapping[bytes, IdentityRecord]:
        """Those in force by device; they may be ``damaged``."""
        found = self._live_by(identity.c.identifier, identifiers)
        return {each.identifier: each for each in found}

    def holders(self, thumbprints: Collection[bytes]) -> Mapping[bytes, IdentityRecord]:
        """Those in force by the key that they show; they may be ``damaged``."""
        found = self._live_by(identity.c.thumbprint, thumbprints)
        return {each.thumbprint: each for each in found}

    def history(self, identifier: bytes) -> Sequence[IdentityRecord]:
        """All that a device has and had, oldest first, damaged ones left out."""
        query = select(identity).where(identity.c.identifier == identifier).order_by(identity.c.id)
        return [each for each in self._records(query) if not each.damaged]

    def page(self, *, after: bytes | None, limit: int) -> Sequence[IdentityRecord]:
        """Those in force in the order of devices, after one if given; they may be ``damaged``."""
        query = select(identity).where(_LIVE).order_by(identity.c.identifier).limit(limit)
        if after is not None:
            query = query.where(identity.c.identifier > after)
        return list(self._records(query))

    def add(self, draft: IdentityRecord) -> None:
        """Write a new one, which gets its number here."""
        (number,) = draw_ids(self._connection, identity, 1)
        sealed = self._scope.mac.seal(identity, _row(replace(draft, id=number)))
        self._connection.execute(insert(identity), sealed)

    def supersede(self, record: IdentityRecord) -> None:
        """Let one be in force no more; a damaged one stays damaged."""
        values: dict[str, object] = {"superseded_at_ms": self._scope.now_ms}
        if not record.damaged:
            after = replace(record, superseded_at_ms=self._scope.now_ms, version=record.version + 1)
            values = self._scope.mac.seal(identity, _row(after))
        self._connection.execute(update(identity).where(identity.c.id == record.id).values(values))

    def _live_by(self, column: Column[Any], wanted: Collection[bytes]) -> Iterator[IdentityRecord]:
        for some in chunked(list(wanted)):
            yield from self._records(select(identity).where(_LIVE, column.in_(some)))

    def _records(self, query: Select[Any]) -> Iterator[IdentityRecord]:
        for row in self._connection.execute(query).mappings():
            damaged = not self._scope.mac.is_usable(identity, row)
            values: dict[str, Any] = {name: row[name] for name in _NAMES}
            yield IdentityRecord(
                **values | {"provenance": _origin(row["provenance"]), "damaged": damaged}
            )


def _origin(word: str) -> Origin:
    """One that was damaged counts for nothing anyhow."""
    return Origin(word) if word in set(Origin) else Origin.OPERATOR


def _row(record: IdentityRecord) -> dict[str, object]:
    row = asdict(record) | {"provenance": record.provenance.value}
    del row["damaged"]
    return row
