"""New credentials with their contexts and windows, by statements that are compiled once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import cbor2
from sqlalchemy import ColumnElement, Executable, Table, bindparam, insert, literal_column

from jrc.errors import StateError
from jrc.service.records import CredentialState, Fingerprints, KeyKind, OpenedKeys, StoredKeys
from jrc.store.keyring import Purpose
from jrc.store.prepared import PreparedRows
from jrc.store.schema import context, context_kid, context_state, credential
from jrc.store.scope import Scope, draw_ids


class Draft(NamedTuple):
    """A credential to write: whose, which keys, and from where."""

    pledge_id: int
    identifier: bytes
    material: StoredKeys
    provenance: str
    source: str


class Inserting:
    """INSERT of whole rows of a table; ``fixed`` are the columns that are alike in all of them.

    Rows are tuples in the order of ``changing``; columns in neither of the two stay NULL.
    """

    def __init__(
        self, table: Table, changing: Sequence[str], fixed: Mapping[str, int | str] | None = None
    ) -> None:
        names = [column.name for column in table.columns if column.name in changing]
        if names != list(changing):
            raise StateError(f"{table.name}: columns are to be given in the order {names}")
        # Words of the statement, for each parameter of each row is a call of the driver.
        alike: dict[str, ColumnElement[Any]] = {
            name: literal_column(_literal(value)) for name, value in (fixed or {}).items()
        }

        def build(listed: Sequence[Sequence[str]]) -> Executable:
            rows = [
                alike | {name: bindparam(key) for name, key in zip(changing, keys, strict=True)}
                for keys in listed
            ]
            return insert(table).values(rows).inline()

        self._statement = PreparedRows(build, changing)

    def write(self, scope: Scope, rows: Sequence[Sequence[Any]]) -> None:
        """Write the rows."""
        self._statement.many(scope.connection, rows)


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


_CREDENTIAL = Inserting(
    credential,
    ["id", "pledge_id", "kind", "wrapped_secret", "aead", "hkdf", "provenance", "source", "state",
     "import_id", "psk_fingerprint", "sender_fingerprint", "recipient_fingerprint",
     "created_at_ms"],
)  # fmt: skip
_CONTEXT = Inserting(
    context,
    ["id", "pledge_id", "credential_id", "id_context", "aead", "wrapped_keys", "created_at_ms"],
)
_PSK, _DERIVED = KeyKind.PSK.value, KeyKind.DERIVED.value
_NOTHING_RECEIVED = {"highest": -1, "seen": 0, "numbers_reserved": 0, "version": 1}
_STATE = Inserting(context_state, ["context_id", "needs_recovery", "mac"], _NOTHING_RECEIVED)
_STATE_SEALED = [column.name for column in context_state.columns if column.name != "mac"]
_NEEDS_RECOVERY = _STATE_SEALED.index("needs_recovery")
_KID = Inserting(context_kid, ["kid_context", "context_id"])


def write_credentials(
    scope: Scope,
    drafts: Sequence[Draft],
    numbers: Sequence[int],
    state: CredentialState,
    import_id: int | None,
) -> list[Fingerprints]:
    """Write them with windows in which nothing was received yet; their keys' fingerprints.

    Whose the keys are is still to be noted (``key_prints.py``).
    """
    opened = [draft.material.opened() for draft in drafts]
    prints = [_prints(scope, keys) for keys in opened]
    contexts = draw_ids(scope.connection, context, len(drafts))
    secrets = _wrapped_secrets(scope, numbers, opened)
    alike = (state.value, import_id)
    _CREDENTIAL.write(
        scope,
        [
            _credential_row(number, draft, secret, alike, compared, scope.now_ms)
            for number, draft, secret, compared in zip(
                numbers, drafts, secrets, prints, strict=True
            )
        ],
    )
    _CONTEXT.write(
        scope,
        [
            (at, pledge_id, number, identifier, material.aead, keys, scope.now_ms)
            for at, number, (pledge_id, identifier, material, _, _), keys in zip(
                contexts, numbers, drafts, _wrapped_keys(scope, contexts, opened), strict=True
            )
        ],
    )
    _STATE.write(scope, _state_rows(scope, contexts, drafts))
    if state is not CredentialState.STAGED:
        write_kids(scope, zip((draft.identifier for draft in drafts), contexts, strict=True))
    return prints


def fingerprints(scope: Scope, material: StoredKeys) -> Fingerprints:
    """What keys are compared by."""
    return _prints(scope, material.opened())


def _prints(scope: Scope, keys: OpenedKeys) -> Fingerprints:
    psk, sender_key, recipient_key, _ = keys
    fingerprint = scope.keyring.fingerprint
    return Fingerprints(
        None if psk is None else fingerprint(psk),
        fingerprint(sender_key),
        fingerprint(recipient_key),
    )


def write_kids(scope: Scope, kids: Iterable[tuple[bytes, int]]) -> None:
    """Make contexts ones that can be looked up, by kid context and row number."""
    rows = list(kids)
    _KID.write(scope, rows)
    scope.learned.extend(kid_context for kid_context, _ in rows)


def _credential_row(
    number: int,
    draft: Draft,
    secret: bytes,
    alike: tuple[str, int | None],
    prints: Fingerprints,
    now_ms: int,
) -> tuple[Any, ...]:
    pledge_id, _, material, provenance, source = draft
    kind = _DERIVED if prints.psk is None else _PSK
    return (
        *(number, pledge_id, kind, secret, material.aead, material.hkdf, provenance, source),
        *(*alike, *prints, now_ms),
    )


def _wrapped_secrets(
    scope: Scope, numbers: Sequence[int], opened: Sequence[OpenedKeys]
) -> list[bytes]:
    """The PSK as it is, or the derived keys as a CBOR array from the pledge's side."""
    values = [cbor2.dumps(derived) if psk is None else psk for psk, *derived in opened]
    return scope.keyring.wrap_rows(
        Purpose.CREDENTIAL, "credential", "wrapped_secret", 1, numbers, values
    )


def _wrapped_keys(
    scope: Scope, numbers: Sequence[int], opened: Sequence[OpenedKeys]
) -> list[bytes]:
    """The context's keys from the registrar's side, whose sender key the pledge receives with."""
    values = [
        cbor2.dumps((recipient_key, sender_key, common_iv))
        for _, sender_key, recipient_key, common_iv in opened
    ]
    return scope.keyring.wrap_rows(Purpose.CONTEXT, "context", "wrapped_keys", 1, numbers, values)


def _state_rows(
    scope: Scope, numbers: Sequence[int], drafts: Sequence[Draft]
) -> list[tuple[Any, ...]]:
    compute = scope.mac.compute
    sealed: list[Any] = [_NOTHING_RECEIVED.get(name) for name in _STATE_SEALED]
    rows = []
    for number, draft in zip(numbers, drafts, strict=True):
        needs_recovery = int(draft.material.used_before)
        sealed[0], sealed[_NEEDS_RECOVERY] = number, needs_recovery
        rows.append((number, needs_recovery, compute("context_state", sealed)))
    return rows
