"""The keys of pledges and their OSCORE contexts; fingerprints outlive the wrapped secrets."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import cbor2
from sqlalchemy import ColumnElement, Row, delete, func, null, select, update

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import StateError
from jrc.policy.key_check import key_check
from jrc.service.records import (
    CredentialRecord,
    CredentialState,
    Fingerprints,
    KeyKind,
    KeyMaterial,
    KeyOwner,
    PledgeChange,
)
from jrc.store import drafts
from jrc.store.drafts import Draft
from jrc.store.key_prints import KeyPrints
from jrc.store.schema import (
    context,
    context_kid,
    credential,
    pledge,
    recovery_run,
)
from jrc.store.scope import Scope, draw_ids

WIPED = b""
"""What is left of ``context.wrapped_keys`` when its credential is no longer good for anything."""


class Credentials:
    """As ``service.registry.CredentialStore``; ``insert_many`` serves new pledges."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    # Reading

    def fingerprints(self, material: KeyMaterial) -> Fingerprints:
        """What the keys are compared by."""
        return drafts.fingerprints(self._scope, material)

    def owners(self, fingerprints: Sequence[Fingerprints]) -> dict[bytes, KeyOwner]:
        """Who has, or had, any of these keys, by fingerprint.

        A PSK and keys derived from one are looked for in each other's place too.
        """
        return KeyPrints(self._scope).owners(fingerprints)

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
        """Write a further credential with its context; a staged one can't be looked up yet.

        With ``import_id`` the fingerprints of its keys are entered by ``Imports.enter_keys``.
        """
        assert change.material is not None
        draft = Draft(
            change.pledge_id,
            identifier,
            change.material,
            change.provenance,
            change.source,
        )
        (number,) = draw_ids(self._connection, credential, 1)
        state = CredentialState.STAGED if staged else CredentialState.CURRENT
        self.insert_many([draft], [number], state, import_id)
        return number

    def insert_many(
        self,
        new: Sequence[Draft],
        numbers: Sequence[int],
        state: CredentialState,
        import_id: int | None,
    ) -> list[Fingerprints]:
        """Write credentials with contexts and windows in which nothing was received yet.

        The fingerprints of an import's keys are still to be entered.
        """
        prints = drafts.write_credentials(self._scope, new, numbers, state, import_id)
        if import_id is None:
            entries = [
                (value, number)
                for number, found in zip(numbers, prints, strict=True)
                for value in found
                if value is not None
            ]
            KeyPrints(self._scope).enter(entries)
        return prints

    def put_in_force(self, credential_id: int, identifier: bytes) -> None:
        """Make a staged credential one that can be looked up."""
        self._connection.execute(
            update(credential)
            .where(credential.c.id == credential_id)
            .values(state=CredentialState.CURRENT.value)
        )
        query = select(context.c.id).where(context.c.credential_id == credential_id)
        drafts.write_kids(
            self._scope, [(identifier, number) for number in self._connection.scalars(query)]
        )

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

    def add_candidate(self, change: PledgeChange, identifier: bytes) -> int:
        """As ``CredentialStore.add_candidate``."""
        number = self.insert(change, identifier, None, staged=False)
        self.set_state(number, CredentialState.CANDIDATE)
        return number

    def set_state(self, credential_id: int, state: CredentialState) -> None:
        """As ``CredentialStore.set_state``."""
        self._connection.execute(
            update(credential).where(credential.c.id == credential_id).values(state=state.value)
        )

    def wipe(self, credential_id: int, state: CredentialState) -> None:
        """As ``CredentialStore.wipe``."""
        self._wipe([credential_id], state)

    def check_values(self, credential_ids: Sequence[int]) -> dict[int, str]:
        """As ``CredentialStore.check_values``."""
        query = (
            select(credential, pledge.c.identifier)
            .join(pledge, pledge.c.id == credential.c.pledge_id)
            .where(credential.c.id.in_(credential_ids))
            .where(credential.c.wrapped_secret.is_not(None))
        )
        found = {}
        for row in self._connection.execute(query):
            with suppress(StateError):  # what was damaged has none
                found[row.id] = key_check(*self._pledge_keys(row))
        return found

    def _pledge_keys(self, row: Row[Any]) -> tuple[bytes, bytes, bytes]:
        """Sender key, recipient key and common IV from the pledge's side."""
        place = ("credential", row.id, "wrapped_secret", 1)
        secret = self._scope.keyring.unwrap(*place, row.wrapped_secret)
        if row.kind == KeyKind.DERIVED.value:
            sender_key, recipient_key, common_iv = cbor2.loads(secret)
            return sender_key, recipient_key, common_iv
        ours = derive_for_jrc(secret, row.identifier, row.aead, row.hkdf)
        return ours.recipient_key, ours.sender_key, ours.common_iv

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
