"""Which keys pledges have and had: each fingerprint once, so that no key is given twice.

Fingerprints are random, and one that goes alone into a large index touches a page of its own. So
an import enters those of many rows at a time, in their order (``service.pending_keys``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.sql import Executable

from jrc.service.records import CredentialState, Fingerprints, KeyOwner
from jrc.store.prepared import Prepared, PreparedIn, PreparedRows, Rows
from jrc.store.schema import credential, key_fingerprint, pledge
from jrc.store.scope import Scope, chunked

_NAMES = ("fingerprint", "credential_id")


def _insert(listed: Sequence[Sequence[str]]) -> str:
    rows = (f"(:{fingerprint}, :{number})" for fingerprint, number in listed)
    into = "INSERT INTO key_fingerprint (fingerprint, credential_id) VALUES "
    return into + ", ".join(rows)


_INSERT = PreparedRows(lambda listed: text(_insert(listed)), _NAMES)
_INSERT_NEW = PreparedRows(lambda listed: text(f"{_insert(listed)} ON CONFLICT DO NOTHING"), _NAMES)
_DELETE = Prepared(
    text(
        "DELETE FROM key_fingerprint"
        " WHERE fingerprint = :fingerprint AND credential_id = :credential_id"
    ),
    _NAMES,
)


def _owner_of(listed: Sequence[str]) -> Executable:
    return (
        select(
            key_fingerprint.c.fingerprint,
            key_fingerprint.c.credential_id,
            pledge.c.identifier,
            credential.c.state,
            credential.c.source,
            credential.c.import_id,
        )
        .select_from(key_fingerprint)
        .join(credential, credential.c.id == key_fingerprint.c.credential_id)
        .join(pledge, pledge.c.id == credential.c.pledge_id)
        .where(key_fingerprint.c.fingerprint.in_([bindparam(name) for name in listed]))
    )


_OWNERS = PreparedIn(_owner_of)

Entry = tuple[bytes, int]
"""A fingerprint, and the number of the credential that has the key."""


class KeyPrints:
    """The fingerprints of one transaction's database."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def owners(self, fingerprints: Iterable[Fingerprints]) -> dict[bytes, KeyOwner]:
        """Who has, or had, any of these keys, by fingerprint."""
        wanted = {value for prints in fingerprints for value in prints if value is not None}
        return {
            row[0]: KeyOwner(bytes(row[2]), CredentialState(row[3]), row[4], row[5])
            for row in self._rows(wanted)
        }

    def _rows(self, wanted: Iterable[bytes]) -> Iterable[Sequence[Any]]:
        for some in chunked(sorted(wanted)):
            yield from _OWNERS.rows(self._connection, some)

    def enter(self, entries: Sequence[Entry]) -> None:
        """Note whose these keys are.

        Raises:
            DBAPIError: one is another credential's.
        """
        _INSERT.many(self._connection, sorted(entries))

    def enter_new(self, entries: Sequence[Entry]) -> list[Entry]:
        """Note whose these keys are, and give those that are another credential's already.

        Of several credentials with one key that of the lowest number gets it; ``entries`` are in
        their order.
        """
        if _INSERT_NEW.many(self._connection, entries) == len(entries):
            return []
        owners = {row[0]: row[1] for row in self._rows({entry[0] for entry in entries})}
        return [entry for entry in entries if owners.get(entry[0]) != entry[1]]

    def forget(self, rows: Rows) -> None:
        """Credentials were never in force: (number, fingerprints of the PSK, sender, recipient)."""
        entries = [(value, row[0]) for row in rows for value in row[1:] if value is not None]
        _DELETE.many(self._connection, sorted(entries))
