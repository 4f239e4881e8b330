"""Staged imports: rows are written in chunks, and all visible or all gone by one row here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, exists, insert, or_, select, update

from jrc.errors import OperatorError
from jrc.model import PledgeState, Profile
from jrc.service.records import (
    CredentialState,
    Fingerprints,
    ImportBatch,
    KeyKind,
    PledgeChange,
    StagedChange,
    Withdrawn,
)
from jrc.store.credentials import Credentials
from jrc.store.drafts import fingerprints
from jrc.store.key_prints import Entry, KeyPrints
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

_STAGED_COLUMNS = (
    credential.c.id,
    credential.c.pledge_id,
    credential.c.state,
    credential.c.psk_fingerprint,
    credential.c.sender_fingerprint,
    credential.c.recipient_fingerprint,
)
_PRINTS_AT, _PRINTS_END = 3, 6
_STAGED = "staged"
_PUBLISHED = "published"
_DISCARDED = "discarded"
_ENDED = (PledgeState.REVOKED, PledgeState.SUPERSEDED)
_FIRST_UNSETTLED = (
    select(import_batch.c.id, import_batch.c.actor, import_batch.c.reason)
    .where(import_batch.c.state == _PUBLISHED)
    .where(exists().where(staged_change.c.import_id == import_batch.c.id))
    .order_by(import_batch.c.published_at_ms, import_batch.c.id)
    .limit(1)
)


class Imports:
    """As ``service.registry.ImportStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def begin(self, source: str, actor: str, reason: str) -> int:
        """Open an import; its number."""
        (number,) = draw_ids(self._connection, import_batch, 1)
        row = {
            "id": number,
            "source": source,
            "actor": actor,
            "reason": reason,
            "state": _STAGED,
            "created_at_ms": self._scope.now_ms,
            "published_at_ms": None,
            "row_count": 0,
        }
        self._connection.execute(insert(import_batch), row)
        return number

    def change(
        self, import_id: int, change: PledgeChange, identifier: bytes, *, waits: bool
    ) -> tuple[int, Fingerprints] | None:
        """Hold a change of an existing pledge ready; as ``Pledges.insert`` of its new key."""
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
            "waits": int(waits),
            "version": 1,
        }
        self._connection.execute(insert(staged_change), self._scope.mac.seal(staged_change, row))
        if number is None or change.material is None:
            return None
        return number, fingerprints(self._scope, change.material)

    def enter_keys(self, entries: Sequence[Entry]) -> list[Entry]:
        """Note whose keys these are; those that are somebody else's already.

        ``entries`` are fingerprints and numbers of credentials, in their order.
        """
        return KeyPrints(self._scope).enter_new(entries)

    def withdraw(self, import_id: int, credential_ids: Sequence[int]) -> list[Withdrawn]:
        """Delete staged credentials with their pledges, or the changes they were staged for."""
        query = (
            select(
                *_STAGED_COLUMNS,
                credential.c.kind,
                credential.c.source,
                pledge.c.identifier,
                pledge.c.state.label("pledge_state"),
            )
            .join(pledge, pledge.c.id == credential.c.pledge_id)
            .where(credential.c.id.in_(credential_ids))
            .where(credential.c.import_id == import_id)
        )
        rows = self._connection.execute(query).all()
        self._delete(rows)
        return [
            Withdrawn(
                row.id,
                row.identifier,
                row.source,
                KeyKind(row.kind),
                is_new=row.state != CredentialState.STAGED.value,
                returns=row.pledge_state == PledgeState.REMOVED.value,
            )
            for row in rows
        ]

    def changed_by(self, import_id: int, pledge_ids: Sequence[int]) -> dict[int, StagedChange]:
        """Changes that this import holds ready for these pledges."""
        found = {}
        for numbers in chunked(pledge_ids):
            query = _changes_of(import_id).where(staged_change.c.pledge_id.in_(numbers))
            for row in self._connection.execute(query).mappings().all():
                self._scope.mac.check(staged_change, row)
                found[row["pledge_id"]] = _change(row)
        return found

    def overtaken(self, import_id: int) -> bytes | None:
        """As ``ImportStore.overtaken``."""
        has_key = staged_change.c.credential_id.is_not(None)
        is_gone = or_(
            pledge.c.state.in_([state.value for state in _ENDED]) & has_key,
            pledge.c.state == PledgeState.TRANSFERRED.value,
            (pledge.c.state == PledgeState.REMOVED.value) & ~has_key,
            (staged_change.c.waits != 0) & pledge.c.credential_id.is_(None),
            pledge.c.credential_id > staged_change.c.credential_id,
            pledge.c.candidate_id > staged_change.c.credential_id,
        )
        query = (
            select(pledge.c.identifier)
            .join(staged_change, staged_change.c.pledge_id == pledge.c.id)
            .where(staged_change.c.import_id == import_id, is_gone)
            .order_by(pledge.c.id)
            .limit(1)
        )
        return self._connection.scalar(query)

    def unsettled(self, limit: int) -> tuple[ImportBatch, Sequence[StagedChange]] | None:
        """As ``ImportStore.unsettled``."""
        batch = self._connection.execute(_FIRST_UNSETTLED).first()
        if batch is None:
            return None
        query = _changes_of(batch.id).order_by(staged_change.c.pledge_id).limit(limit)
        rows = self._connection.execute(query).mappings().all()
        mac = self._scope.mac
        changes = [
            _change(row)
            if mac.is_usable(staged_change, row)
            else StagedChange(row["pledge_id"], None, 0, "", None, (), "", damaged=True)
            for row in rows
        ]
        return ImportBatch(batch.id, batch.actor, batch.reason), changes

    def is_unsettled(self, import_id: int) -> bool:
        """As ``ImportStore.is_unsettled``."""
        return self._connection.scalar(_changes_of(import_id).limit(1)) is not None

    def forget_changes(self, import_id: int, pledge_ids: Sequence[int]) -> None:
        """As ``ImportStore.forget_changes``."""
        for numbers in chunked(pledge_ids):
            self._connection.execute(
                delete(staged_change)
                .where(staged_change.c.import_id == import_id)
                .where(staged_change.c.pledge_id.in_(numbers))
            )

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

    def leftover(self, before_ms: int | None = None) -> int | None:
        """An import that was neither published nor discarded, begun before a time if given."""
        query = select(import_batch.c.id).where(import_batch.c.state == _STAGED)
        if before_ms is not None:
            query = query.where(import_batch.c.created_at_ms < before_ms)
        return self._connection.scalar(query.order_by(import_batch.c.id).limit(1))

    def discard(self, import_id: int, limit: int) -> bool:
        """Delete up to ``limit`` staged rows; False when the last is gone."""
        query = select(*_STAGED_COLUMNS).where(credential.c.import_id == import_id).limit(limit)
        rows = self._connection.execute(query).all()
        if not rows:
            of_this = staged_change.c.import_id == import_id
            self._connection.execute(delete(staged_change).where(of_this))
            self._set(import_id, _DISCARDED, 0)
            return False
        self._delete(rows)
        return True

    def _delete(self, rows: Sequence[Any]) -> None:
        """Delete credentials of an import (``_STAGED_COLUMNS``), and the pledges that it added."""
        KeyPrints(self._scope).forget([(row.id, *row[_PRINTS_AT:_PRINTS_END]) for row in rows])
        for some in chunked(rows):
            self._delete_credentials([row.id for row in some])
            self._delete_pledges(
                [row.pledge_id for row in some if row.state != CredentialState.STAGED.value]
            )

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


def _changes_of(import_id: int) -> Select[Any]:
    return select(staged_change).where(staged_change.c.import_id == import_id)


def _change(row: Mapping[Any, Any]) -> StagedChange:
    return StagedChange(
        row["pledge_id"],
        row["credential_id"],
        row["role"],
        row["label"],
        None if row["profile"] is None else Profile(row["profile"]),
        tuple(json.loads(row["network_ids"])),
        row["source"],
        bool(row["waits"]),
    )
