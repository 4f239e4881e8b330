"""Staged imports: rows are written in chunks, and all visible or all gone by one row here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from jrc.errors import OperatorError
from jrc.model import Profile
from jrc.service.records import CredentialState, PledgeChange, StagedChange
from jrc.store.credentials import Credentials
from jrc.store.schema import (
    context,
    context_kid,
    context_state,
    credential,
    import_batch,
    pledge,
    pledge_network,
    staged_change,
)
from jrc.store.scope import Scope, chunked, draw_ids

_STAGED = "staged"
_PUBLISHED = "published"
_DISCARDED = "discarded"


class Imports:
    """As ``service.registry.ImportStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def begin(self, source: str) -> int:
        """Open an import; its number."""
        (number,) = draw_ids(self._connection, import_batch, 1)
        row = {
            "id": number,
            "source": source,
            "state": _STAGED,
            "created_at_ms": self._scope.now_ms,
            "published_at_ms": None,
            "row_count": 0,
        }
        self._connection.execute(insert(import_batch), row)
        return number

    def change(self, import_id: int, change: PledgeChange, identifier: bytes) -> None:
        """Hold a change of an existing pledge ready."""
        number = None
        if change.material is not None:
            credentials = Credentials(self._scope)
            number = credentials.insert(change, identifier, import_id, staged=True)
        row = {
            "import_id": import_id,
            "pledge_id": change.pledge_id,
            "credential_id": number,
            "role": change.role,
            "label": change.label,
            "profile": None if change.profile is None else change.profile.value,
            "network_ids": json.dumps(change.network_ids),
            "source": change.source,
            "version": 1,
        }
        self._connection.execute(insert(staged_change), self._scope.mac.seal(staged_change, row))

    def changed_by(self, import_id: int, pledge_ids: Sequence[int]) -> dict[int, StagedChange]:
        """Changes that this import holds ready for these pledges."""
        found = {}
        for numbers in chunked(pledge_ids):
            for change in self._changes(import_id, staged_change.c.pledge_id.in_(numbers), None):
                found[change.pledge_id] = change
        return found

    def changes(self, import_id: int, after: int, limit: int) -> Sequence[StagedChange]:
        """Changes in the order of their pledges' row numbers."""
        return self._changes(import_id, staged_change.c.pledge_id > after, limit)

    def _changes(
        self, import_id: int, condition: ColumnElement[bool], limit: int | None
    ) -> list[StagedChange]:
        query = (
            select(staged_change)
            .where(staged_change.c.import_id == import_id, condition)
            .order_by(staged_change.c.pledge_id)
            .limit(limit)
        )
        rows = self._connection.execute(query).mappings().all()
        for row in rows:
            self._scope.mac.check(staged_change, row)
        return [_change(row) for row in rows]

    def publish(self, import_id: int, row_count: int) -> None:
        """Make everything of it visible at once.

        Raises:
            OperatorError: it was discarded meanwhile, as broken off.
        """
        query = select(import_batch.c.state).where(import_batch.c.id == import_id)
        if self._connection.scalar(query) != _STAGED:
            raise OperatorError(
                "the import took so long that it was taken for broken off; nothing of it is left",
                "import it again, in smaller files",
            )
        self._set(import_id, _PUBLISHED, row_count, published_at_ms=self._scope.now_ms)

    def _set(
        self, import_id: int, state: str, row_count: int, published_at_ms: int | None = None
    ) -> None:
        self._connection.execute(
            update(import_batch)
            .where(import_batch.c.id == import_id)
            .values(state=state, row_count=row_count, published_at_ms=published_at_ms)
        )

    def clear_changes(self, import_id: int) -> None:
        """Drop the changes of a published import."""
        self._connection.execute(
            delete(staged_change).where(staged_change.c.import_id == import_id)
        )

    def leftover(self, before_ms: int | None = None) -> int | None:
        """An import that was neither published nor discarded, begun before a time if given."""
        query = select(import_batch.c.id).where(import_batch.c.state == _STAGED)
        if before_ms is not None:
            query = query.where(import_batch.c.created_at_ms < before_ms)
        return self._connection.scalar(query.order_by(import_batch.c.id).limit(1))

    def discard(self, import_id: int, limit: int) -> bool:
        """Delete up to ``limit`` staged rows; False when the last is gone."""
        of_import = credential.c.import_id == import_id
        query = select(credential.c.id, credential.c.pledge_id, credential.c.state)
        rows = self._connection.execute(query.where(of_import).limit(limit)).all()
        if not rows:
            self.clear_changes(import_id)
            self._set(import_id, _DISCARDED, 0)
            return False
        self._delete_credentials([row.id for row in rows])
        self._delete_pledges(
            [row.pledge_id for row in rows if row.state != CredentialState.STAGED.value]
        )
        return True

    def _delete_credentials(self, numbers: Sequence[int]) -> None:
        contexts = select(context.c.id).where(context.c.credential_id.in_(numbers))
        for statement in (
            delete(staged_change).where(staged_change.c.credential_id.in_(numbers)),
            delete(context_kid).where(context_kid.c.context_id.in_(contexts)),
            delete(context_state).where(context_state.c.context_id.in_(contexts)),
            delete(context).where(context.c.credential_id.in_(numbers)),
            delete(credential).where(credential.c.id.in_(numbers)),
        ):
            self._connection.execute(statement)

    def _delete_pledges(self, numbers: Sequence[int]) -> None:
        self._connection.execute(
            delete(pledge_network).where(pledge_network.c.pledge_id.in_(numbers))
        )
        self._connection.execute(delete(pledge).where(pledge.c.id.in_(numbers)))


def _change(row: Mapping[Any, Any]) -> StagedChange:
    return StagedChange(
        row["pledge_id"],
        row["credential_id"],
        row["role"],
        row["label"],
        None if row["profile"] is None else Profile(row["profile"]),
        tuple(json.loads(row["network_ids"])),
        row["source"],
    )
