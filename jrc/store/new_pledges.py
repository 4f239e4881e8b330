"""Rows of new pledges, by statements that are compiled once."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from jrc.model import PledgeState
from jrc.service.records import CredentialState, Fingerprints, NewPledge
from jrc.store.credentials import Credentials
from jrc.store.drafts import Draft, Inserting
from jrc.store.rowmac import CHANGES
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
    if not pledges:
        return []
    numbers = draw_ids(scope.connection, pledge, len(pledges))
    credentials = draw_ids(scope.connection, credential, len(pledges))
    identifiers, roles, labels, profiles, networks, materials, provenances, sources = zip(
        *pledges, strict=True
    )
    words = [None if profile is None else profile.value for profile in profiles]
    imports, now_ms = ([each] * len(pledges) for each in (import_id, scope.now_ms))
    macs = _macs(
        scope,
        import_id,
        alike=zip(roles, words, networks, strict=True),
        changing=zip(numbers, identifiers, labels, credentials, strict=True),
    )
    columns = (
        *(numbers, identifiers, roles, labels, words, credentials),
        *(imports, now_ms, now_ms, macs),
    )
    _PLEDGE.write(scope, [*zip(*columns, strict=True)])
    write_networks(scope, zip(numbers, networks, strict=True))
    drafts = [*map(Draft, numbers, identifiers, materials, provenances, sources)]
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


def _macs(
    scope: Scope,
    import_id: int | None,
    alike: Iterable[tuple[int, str | None, tuple[int, ...]]],
    changing: Iterable[tuple[int, bytes, str, int]],
) -> list[bytes]:
    """MACs of rows, which have every column as the table has it, and the networks."""
    now_ms = scope.now_ms

    @cache
    def of(role: int, profile: str | None, network_ids: tuple[int, ...]) -> Callable[..., bytes]:
        return scope.mac.alike(
            "pledge",
            (
                *(CHANGES, CHANGES, _STATE, None, role, CHANGES, profile),
                *(CHANGES, None, import_id, None, now_ms, now_ms, _VERSION),
                list(network_ids),
            ),
        )

    return [of(*terms)(*values) for terms, values in zip(alike, changing, strict=True)]
