"""The keys of pledges and their OSCORE contexts; fingerprints outlive the wrapped secrets."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cbor2
from sqlalchemy import ColumnElement, Row, delete, func, insert, null, or_, select, update

from jrc.service.records import (
    CredentialRecord,
    CredentialState,
    Fingerprints,
    KeyKind,
    KeyMaterial,
    KeyOwner,
    PledgeChange,
)
from jrc.store.keyring import Purpose
from jrc.store.schema import (
    context,
    context_kid,
    context_state,
    credential,
    pledge,
    recovery_run,
)
from jrc.store.scope import CHUNK, Scope, draw_ids

WIPED = b""
"""What is left of ``context.wrapped_keys`` when its credential is no longer good for anything."""


class Draft(NamedTuple):
    """A credential to write: whose, which keys, and from where."""

    pledge_id: int
    identifier: bytes
    material: KeyMaterial
    provenance: str
    source: str
    state: CredentialState
    import_id: int | None


class Credentials:
    """As ``service.registry.CredentialStore``; ``insert_many`` serves new pledges."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    # Reading

    def fingerprints(self, material: KeyMaterial) -> Fingerprints:
        """What the keys are compared by."""
        fingerprint = self._scope.keyring.fingerprint
        return Fingerprints(
            None if material.psk is None else fingerprint(material.psk.reveal()),
            fingerprint(material.sender_key.reveal()),
            fingerprint(material.recipient_key.reveal()),
        )

    def owners(self, fingerprints: Sequence[Fingerprints]) -> dict[bytes, KeyOwner]:
        """Who has, or had, any of these keys, by fingerprint.

        A PSK and keys derived from one are looked for in each other's place too.
        """
        wanted = sorted({value for prints in fingerprints for value in prints if value})
        found: dict[bytes, KeyOwner] = {}
        for at in range(0, len(wanted), CHUNK):
            for row in self._matching(wanted[at : at + CHUNK]):
                state = CredentialState(row.state)
                owner = KeyOwner(row.identifier, state, row.source, row.import_id)
                for value in row[:3]:
                    if value is not None:
                        found[value] = owner
        return found

    def _matching(self, wanted: Sequence[bytes]) -> Iterable[Row[Any]]:
        prints = (
            credential.c.psk_fingerprint,
            credential.c.sender_fingerprint,
            credential.c.recipient_fingerprint,
        )
        query = (
            select(
                *prints,
                pledge.c.identifier,
                credential.c.state,
                credential.c.source,
                credential.c.import_id,
            )
            .join(pledge, pledge.c.id == credential.c.pledge_id)
            .where(or_(*(column.in_(wanted) for column in prints)))
        )
        return self._connection.execute(query)

    def records(self, credential_ids: Sequence[int]) -> dict[int, CredentialRecord]:
        """Credentials by row number."""
        found = self._select(credential.c.id.in_(credential_ids))
        return {record.id: record for record in found}

    def count(self, provenance: str) -> int:
        """How many keys in force came so."""
        found = (
            select(func.count())
            .select_from(credential)
            .where(credential.c.provenance == provenance)
            .where(credential.c.state == CredentialState.CURRENT.value)
        )
        return self._connection.scalar(found) or 0

    def history(self, pledge_id: int) -> list[CredentialRecord]:
        """Every credential of a pledge, newest first, staged ones left out."""
        staged = credential.c.state == CredentialState.STAGED.value
        return self._select((credential.c.pledge_id == pledge_id) & ~staged)

    def _select(self, condition: ColumnElement[bool]) -> list[CredentialRecord]:
        query = select(credential).where(condition).order_by(credential.c.id.desc())
        return [_record(row) for row in self._connection.execute(query)]

    # Writing

    def insert(
        self, change: PledgeChange, identifier: bytes, import_id: int | None, *, staged: bool
    ) -> int:
        """Write a further credential with its context; a staged one can't be looked up yet."""
        assert change.material is not None
        draft = Draft(
            change.pledge_id,
            identifier,
            change.material,
            change.provenance,
            change.source,
            CredentialState.STAGED if staged else CredentialState.CURRENT,
            import_id,
        )
        (number,) = draw_ids(self._connection, credential, 1)
        self.insert_many([draft], [number])
        return number

    def insert_many(self, drafts: Sequence[Draft], numbers: Sequence[int]) -> None:
        """Write credentials with contexts and windows in which nothing was received yet."""
        contexts = draw_ids(self._connection, context, len(drafts))
        rows = list(zip(numbers, drafts, strict=True))
        self._connection.execute(insert(credential), [self._row(*row) for row in rows])
        self._connection.execute(
            insert(context),
            [self._context_row(at, row) for at, row in zip(contexts, rows, strict=True)],
        )
        self._connection.execute(
            insert(context_state),
            [self._state_row(at, row) for at, row in zip(contexts, drafts, strict=True)],
        )
        kids = [
            (draft.identifier, at)
            for at, draft in zip(contexts, drafts, strict=True)
            if draft.state is not CredentialState.STAGED
        ]
        if kids:
            self._write_kids(kids)

    def _row(self, number: int, draft: Draft) -> dict[str, object]:
        material = draft.material
        prints = self.fingerprints(material)
        return {
            "id": number,
            "pledge_id": draft.pledge_id,
            "kind": material.kind.value,
            "wrapped_secret": self._scope.keyring.wrap(
                Purpose.CREDENTIAL, "credential", number, "wrapped_secret", 1, _secret(material)
            ),
            "aead": material.aead,
            "hkdf": material.hkdf,
            "provenance": draft.provenance,
            "source": draft.source,
            "state": draft.state.value,
            "import_id": draft.import_id,
            "psk_fingerprint": prints.psk,
            "sender_fingerprint": prints.sender,
            "recipient_fingerprint": prints.recipient,
            "created_at_ms": self._scope.now_ms,
            "retired_at_ms": None,
        }

    def _context_row(self, number: int, row: tuple[int, Draft]) -> dict[str, object]:
        credential_id, draft = row
        return {
            "id": number,
            "pledge_id": draft.pledge_id,
            "credential_id": credential_id,
            "id_context": draft.identifier,
            "aead": draft.material.aead,
            "wrapped_keys": self._scope.keyring.wrap(
                Purpose.CONTEXT, "context", number, "wrapped_keys", 1, _keys(draft.material)
            ),
            "created_at_ms": self._scope.now_ms,
        }

    def _state_row(self, context_id: int, draft: Draft) -> dict[str, object]:
        row: dict[str, object] = {column.name: None for column in context_state.columns}
        del row["mac"]
        row.update(
            context_id=context_id,
            highest=-1,
            seen=0,
            numbers_reserved=0,
            needs_recovery=int(draft.material.used_before),
            version=1,
        )
        return self._scope.mac.seal(context_state, row)

    def put_in_force(self, credential_id: int, identifier: bytes) -> None:
        """Make a staged credential one that can be looked up."""
        self._connection.execute(
            update(credential)
            .where(credential.c.id == credential_id)
            .values(state=CredentialState.CURRENT.value)
        )
        query = select(context.c.id).where(context.c.credential_id == credential_id)
        self._write_kids([(identifier, number) for number in self._connection.scalars(query)])

    def _write_kids(self, kids: Sequence[tuple[bytes, int]]) -> None:
        """Make contexts ones that can be looked up, by kid context and row number."""
        self._connection.execute(
            insert(context_kid),
            [{"kid_context": kid_context, "context_id": number} for kid_context, number in kids],
        )
        self._scope.learned.extend(kid_context for kid_context, _ in kids)

    def retire(self, pledge_id: int, state: CredentialState, *, keep: int | None = None) -> None:
        """Wipe the secrets of a pledge's credentials but ``keep``; windows and fingerprints stay.

        Staged ones are their import's affair. Those wiped before keep the state they got then.
        """
        query = (
            select(credential.c.id)
            .where(credential.c.pledge_id == pledge_id)
            .where(credential.c.wrapped_secret.is_not(None))
            .where(credential.c.state != CredentialState.STAGED.value)
        )
        retired = [number for number in self._connection.scalars(query) if number != keep]
        if retired:
            self._wipe(retired, state)

    def _wipe(self, credential_ids: Sequence[int], state: CredentialState) -> None:
        self._connection.execute(
            update(credential)
            .where(credential.c.id.in_(credential_ids))
            .values(wrapped_secret=null(), state=state.value, retired_at_ms=self._scope.now_ms)
        )
        of_these = context.c.credential_id.in_(credential_ids)
        ids = select(context.c.id).where(of_these)
        for table in (context_kid, recovery_run):
            self._connection.execute(delete(table).where(table.c.context_id.in_(ids)))
        self._connection.execute(update(context).where(of_these).values(wrapped_keys=WIPED))


def _secret(material: KeyMaterial) -> bytes:
    """The PSK as it is, or the derived keys as a CBOR array from the pledge's side."""
    if material.psk is not None:
        return material.psk.reveal()
    keys = (material.sender_key, material.recipient_key, material.common_iv)
    return cbor2.dumps([key.reveal() for key in keys])


def _keys(material: KeyMaterial) -> bytes:
    """The context's keys from the registrar's side, whose sender key the pledge receives with."""
    keys = (material.recipient_key, material.sender_key, material.common_iv)
    return cbor2.dumps([key.reveal() for key in keys])


def _record(row: Row[Any]) -> CredentialRecord:
    return CredentialRecord(
        id=row.id,
        pledge_id=row.pledge_id,
        kind=KeyKind(row.kind),
        aead=row.aead,
        hkdf=row.hkdf,
        provenance=row.provenance,
        source=row.source,
        state=CredentialState(row.state),
        import_id=row.import_id,
        fingerprints=Fingerprints(
            row.psk_fingerprint, row.sender_fingerprint, row.recipient_fingerprint
        ),
        created_at_ms=row.created_at_ms,
        retired_at_ms=row.retired_at_ms,
    )
