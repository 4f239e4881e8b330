"""New credentials with their contexts and windows, by statements that are compiled once."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import cbor2
from sqlalchemy import ColumnElement, Executable, Table, bindparam, insert, literal_column

from jrc.errors import StateError
from jrc.service.records import CredentialState, Fingerprints, KeyKind, OpenedKeys, StoredKeys
from jrc.store.keyring import Purpose
from jrc.store.prepared import PreparedRows
from jrc.store.rowmac import CHANGES
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
_STATE_CHANGES = ("context_id", "needs_recovery")
_STATE = Inserting(context_state, [*_STATE_CHANGES, "mac"], _NOTHING_RECEIVED)
_STATE_ALIKE = [
    CHANGES if column.name in _STATE_CHANGES else _NOTHING_RECEIVED.get(column.name)
    for column in context_state.columns
    if column.name != "mac"
]
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
    if not drafts:
        return []
    pledges, identifiers, materials, provenances, sources = zip(*drafts, strict=True)
    opened = [material.opened() for material in materials]
    prints = _prints(scope, opened)
    contexts = draw_ids(scope.connection, context, len(drafts))
    aeads = [material.aead for material in materials]
    kinds = [_DERIVED if psk is None else _PSK for psk, *_ in opened]
    hkdfs = [material.hkdf for material in materials]
    secrets = _wrapped_secrets(scope, numbers, opened)
    states, imports, now_ms = (
        [each] * len(drafts) for each in (state.value, import_id, scope.now_ms)
    )
    head = (numbers, pledges, kinds, secrets, aeads, hkdfs, provenances, sources)
    tail = (states, imports, *zip(*prints, strict=True), now_ms)
    _CREDENTIAL.write(scope, [*zip(*head, *tail, strict=True)])
    keys = _wrapped_keys(scope, contexts, opened)
    columns = (contexts, pledges, numbers, identifiers, aeads, keys, now_ms)
    _CONTEXT.write(scope, [*zip(*columns, strict=True)])
    _STATE.write(scope, _state_rows(scope, contexts, [each.used_before for each in materials]))
    if state is not CredentialState.STAGED:
        write_kids(scope, zip(identifiers, contexts, strict=True))
    return prints


def fingerprints(scope: Scope, material: StoredKeys) -> Fingerprints:
    """What keys are compared by."""
    (prints,) = _prints(scope, [material.opened()])
    return prints


def _prints(scope: Scope, opened: Sequence[OpenedKeys]) -> list[Fingerprints]:
    keys = chain.from_iterable(each[:3] for each in opened)
    found = iter(scope.keyring.fingerprints(key for key in keys if key is not None))
    return [
        Fingerprints(None if psk is None else next(found), next(found), next(found))
        for psk, *_ in opened
    ]


def write_kids(scope: Scope, kids: Iterable[tuple[bytes, int]]) -> None:
    """Make contexts ones that can be looked up, by kid context and row number."""
    rows = list(kids)
    _KID.write(scope, rows)
    scope.learned.extend(kid_context for kid_context, _ in rows)


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
    scope: Scope, numbers: Sequence[int], used_before: Iterable[bool]
) -> list[tuple[Any, ...]]:
    mac = scope.mac.alike("context_state", _STATE_ALIKE)
    return [
        (number, int(is_used), mac(number, int(is_used)))
        for number, is_used in zip(numbers, used_before, strict=True)
    ]
