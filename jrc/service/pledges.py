"""Looking at pledges: listings in pages, and everything about one. Keys are never shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jrc.model import Network, PledgeId, PledgeState
from jrc.policy.addresses import global_address
from jrc.service.enroll import find_pledge
from jrc.service.events import EventReport, event_report
from jrc.service.networks import find_network
from jrc.service.records import CredentialRecord, PledgeRecord, Standing
from jrc.service.registry import Registry
from jrc.service.wording import role_name, utc_text

PAGE = 500
SHOWN_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeReport:
    """A pledge as listings show it; times in UTC, ``short_id`` and ``pledge_id`` in hex.

    ``damaged`` says that its row does not authenticate, so that it is not answered.
    """

    pledge_id: str
    state: str
    networks: tuple[str, ...]
    role: str
    short_id: str | None
    last_join: str | None
    address: str | None
    label: str
    damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReport:
    """A key a pledge has or had, without the key."""

    kind: str
    state: str
    aead: int
    hkdf: int
    provenance: str
    source: str
    created: str | None
    retired: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedReport:
    """Something the pledge says it can't act upon (RFC 9031 §8.4.5); ``addinfo`` in hex."""

    code: int
    label: int
    addinfo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeDetails:
    """Everything about a pledge. ``highest_number`` is -1 until the first request verified."""

    pledge: PledgeReport
    profile: str | None
    joined_network: str | None
    highest_number: int
    created: str | None
    updated: str | None
    credentials: tuple[CredentialReport, ...]
    unsupported: tuple[UnsupportedReport, ...]
    events: tuple[EventReport, ...]


def list_pledges(
    tx: Registry,
    *,
    network: str | None = None,
    state: PledgeState | None = None,
    after: PledgeId | None = None,
    limit: int = PAGE,
) -> list[PledgeReport]:
    """One page in the order of identifiers; the next begins ``after`` the last one's.

    Raises:
        OperatorError: there is no such network.
    """
    network_id = None if network is None else find_network(tx, network).id
    records = tx.pledges.page(
        after=None if after is None else after.value,
        limit=limit,
        network_id=network_id,
        state=state,
    )
    networks = tx.networks.all()
    standing = tx.pledges.standing(records)
    return [_report(record, standing[record.id], networks) for record in records]


def count_pledges(tx: Registry) -> Mapping[str, int]:
    """How many pledges are in each state."""
    counts = tx.pledges.counts().get(None, {})
    return {state.value: count for state, count in counts.items()}


def show_pledge(tx: Registry, identifier: PledgeId) -> PledgeDetails:
    """Everything about one pledge.

    Raises:
        OperatorError: it is unknown.
    """
    record = find_pledge(tx, identifier)
    networks = tx.networks.all()
    standing = tx.pledges.standing([record])[record.id]
    place = networks.get(standing.network_id or 0)
    events = tx.events.besides_joins(identifier.value, SHOWN_EVENTS)
    return PledgeDetails(
        pledge=_report(record, standing, networks),
        profile=None if record.profile is None else record.profile.value,
        joined_network=None if place is None else place.name,
        highest_number=standing.highest,
        created=utc_text(record.created_at_ms),
        updated=utc_text(record.updated_at_ms),
        credentials=tuple(map(_credential, tx.credentials.history(record.id))),
        unsupported=_unsupported(tx.pledges.reports(record.id)),
        events=tuple(map(event_report, events)),
    )


def _report(
    record: PledgeRecord, standing: Standing, networks: Mapping[int, Network]
) -> PledgeReport:
    place = networks.get(standing.network_id or 0)
    short_id = _short_id(standing, place)
    identifier = PledgeId(record.identifier)
    address = None if place is None else global_address(place.prefix, identifier, short_id)
    assigned = [networks[number] for number in record.network_ids if number in networks]
    return PledgeReport(
        pledge_id=str(identifier),
        state=record.state.value,
        networks=tuple(network.name for network in assigned),
        role=role_name(record.role),
        short_id=None if short_id is None else f"{short_id:04x}",
        last_join=utc_text(standing.joined_at_ms),
        address=None if address is None else str(address),
        label=record.label,
        damaged=record.damaged,
    )


def _short_id(standing: Standing, place: Network | None) -> int | None:
    """The one it holds where it has joined, else any it holds."""
    for lease in standing.leases:
        if place is None or lease.domain_id == place.domain_id:
            return lease.value
    return None


def _credential(record: CredentialRecord) -> CredentialReport:
    return CredentialReport(
        kind=record.kind.value,
        state=record.state.value,
        aead=record.aead,
        hkdf=record.hkdf,
        provenance=record.provenance,
        source=record.source,
        created=utc_text(record.created_at_ms),
        retired=utc_text(record.retired_at_ms),
    )


def _unsupported(
    reports: Sequence[tuple[int, int, bytes | None]],
) -> tuple[UnsupportedReport, ...]:
    return tuple(
        UnsupportedReport(
            code=code, label=label, addinfo=None if addinfo is None else addinfo.hex()
        )
        for code, label, addinfo in reports
    )
