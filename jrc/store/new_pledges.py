"""Rows of new pledges, by statements that are compiled once."""

from collections.abc import Iterable, Sequence
from typing import Any

from jrc.model import PledgeState
from jrc.service.records import CredentialState, Fingerprints, NewPledge
from jrc.store.credentials import Credentials
from jrc.store.drafts import Draft, Inserting
from jrc.store.schema import credential, pledge, pledge_network
from jrc.store.scope import Scope, draw_ids

_STATE, _VERSION = PledgeState.PROVISIONED.value, 1
_PLEDGE = Inserting(
    pledge,
    ["id", "identifier", "role", "label", "profile", "credential_id", "import_id",
     "created_at_ms", "updated_at_ms", "mac"],
    {"state": _STATE, "version": _VERSION},
)  # fmt: skip
_NETWORK = Inserting(pledge_network, ["pledge_id", "network_id", "position"])


def insert_pledges(
    scope: Scope, pledges: Sequence[NewPledge], import_id: int | None
) -> list[tuple[int, Fingerprints]]:
    """As ``Pledges.insert``."""
    numbers = draw_ids(scope.connection, pledge, len(pledges))
    credentials = draw_ids(scope.connection, credential, len(pledges))
    rows = list(zip(numbers, credentials, pledges, strict=True))
    _PLEDGE.write(scope, [_row(scope, *row, import_id) for row in rows])
    write_networks(scope, ((number, new.network_ids) for number, _, new in rows))
    drafts = [
        Draft(number, new.identifier, new.material, new.provenance, new.source)
        for number, _, new in rows
    ]
    state = CredentialState.CURRENT
    prints = Credentials(scope).insert_many(drafts, credentials, state, import_id)
    return list(zip(credentials, prints, strict=True))


def write_networks(scope: Scope, entries: Iterable[tuple[int, Sequence[int]]]) -> None:
    """Write which networks pledges may join, in the order of preference."""
    rows = [
        (pledge_id, network_id, position)
        for pledge_id, network_ids in entries
        for position, network_id in enumerate(network_ids)
    ]
    _NETWORK.write(scope, rows)


def _row(
    scope: Scope, number: int, credential_id: int, new: NewPledge, import_id: int | None
) -> tuple[Any, ...]:
    """The row; the MAC has every column as the table has it."""
    now_ms = scope.now_ms
    profile = None if new.profile is None else new.profile.value
    mac = scope.mac.compute(
        "pledge",
        (
            *(number, new.identifier, _STATE, None, new.role, new.label, profile),
            *(credential_id, None, import_id, None, now_ms, now_ms, _VERSION),
            list(new.network_ids),
        ),
    )
    return (
        *(number, new.identifier, new.role, new.label, profile),
        *(credential_id, import_id, now_ms, now_ms, mac),
    )
