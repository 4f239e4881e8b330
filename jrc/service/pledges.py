"""Looking at pledges: listings in pages, and everything about one. Keys are never shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jrc.model import Network, PledgeId, PledgeState, Profile
from jrc.policy.addresses import global_address
from jrc.policy.profiles import TRAITS
from jrc.service.damage import damage_hint, damage_sentence, damages, shown_state
from jrc.service.enroll import look_up
from jrc.service.events import EventReport, event_report
from jrc.service.identity_shown import CredentialShown, identity_of
from jrc.service.network_reports import find_network
from jrc.service.pledge_recovery import recovery_remedy, recovery_sentence, recovery_word
from jrc.service.records import CredentialRecord, PledgeRecord, Standing
from jrc.service.recovery_store import Recovery
from jrc.service.registry import Registry
from jrc.service.reports import UnsupportedReport, reports_of
from jrc.service.wording import role_name, utc_text

PAGE = 500
SHOWN_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReport:
    """That a pledge waits for approval, and since when; the time in UTC."""

    network: str
    asked: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeReport:
    """A pledge as listings show it; times in UTC, ``short_id`` and ``pledge_id`` in hex.

    ``damaged`` says that something of it does not authenticate, so that it is not answered; what
    else is shown of such a pledge may be wrong. ``recovery`` is ``waiting`` where its context was
    lost and its next request begins RFC 8613 App. B.2, ``reprovision`` where it can't do that.
    """

    pledge_id: str
    state: str
    networks: tuple[str, ...]
    role: str
    short_id: str | None
    last_join: str | None
    address: str | None
    label: str
    waiting: tuple[WaitingReport, ...]
    damaged: bool
    recovery: str | None


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
class KeyReport:
    """A key in the life of a pledge; ``key_check`` only of those that are not wiped.

    ``state`` is current, candidate (it waits for the next firmware), superseded, withdrawn,
    transferred or removed. Times in UTC.
    """

    kind: str
    provenance: str
    source: str
    since: str | None
    state: str
    retired_at: str | None
    key_check: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeDetails:
    """Everything about a pledge. ``highest_number`` is -1 until the first request verified.

    ``next_sender_number`` is the registrar's own, None where the device's context was replaced.

    ``damage`` says in a sentence what does not authenticate and what to do about it. ``profile``
    is its own; without one, that of its first network is in force. ``replaces`` and
    ``replaced_by`` are pledges in hex: a device that died, and the one that took its place.
    ``identity`` is what the device has printed of itself, None where that was not seen.
    """

    pledge: PledgeReport
    damage: str | None
    recovery_means: str | None
    profile: str | None
    profile_in_force: str
    profile_means: str
    joined_network: str | None
    highest_number: int
    next_sender_number: int | None
    created: str | None
    updated: str | None
    replaces: str | None
    replaced_by: str | None
    credentials: tuple[CredentialReport, ...]
    keys: tuple[KeyReport, ...]
    unsupported: tuple[UnsupportedReport, ...]
    identity: CredentialShown | None
    events: tuple[EventReport, ...]


def list_pledges(
    tx: Registry,
    *,
    network: str | None = None,
    state: PledgeState | None = None,
    recovering: bool = False,
    search: str | None = None,
    after: PledgeId | None = None,
    limit: int = PAGE,
) -> list[PledgeReport]:
    """One page in the order of identifiers; the next begins ``after`` the last one's.

    ``recovering`` gives those alone whose context was lost, ``search`` those with this text in the
    label, or these digits in the identifier.

    Raises:
        OperatorError: there is no such network.
    """
    network_id = None if network is None else find_network(tx, network).id
    networks = tx.networks.all()
    found: list[PledgeReport] = []
    begin = None if after is None else after.value
    while len(found) < limit:
        records = tx.pledges.page(
            after=begin,
            limit=limit,
            network_id=network_id,
            state=state,
            recovering=recovering,
            search=search,
        )
        numbers = [record.id for record in records]
        standing, lost = tx.pledges.standing(records), tx.recoveries.waiting(numbers)
        reports = [
            _report(record, standing[record.id], networks, lost.get(record.id))
            for record in records
        ]
        # What a row says of its state counts only where the row authenticates.
        found += [report for report in reports if state is None or report.state == state.value]
        if len(records) < limit:
            break
        begin = records[-1].identifier
    return found[:limit]


def reports_of_pledges(tx: Registry, identifiers: Sequence[bytes]) -> Mapping[bytes, PledgeReport]:
    """Those of these pledges that are there and were not removed, by identifier."""
    records = [
        each
        for each in tx.pledges.find(identifiers).values()
        if not each.staged and each.state is not PledgeState.REMOVED
    ]
    networks, standing = tx.networks.all(), tx.pledges.standing(records)
    lost = tx.recoveries.waiting([record.id for record in records])
    return {
        record.identifier: _report(record, standing[record.id], networks, lost.get(record.id))
        for record in records
    }


def show_pledge(tx: Registry, identifier: PledgeId) -> PledgeDetails:
    """Everything about one pledge.

    Raises:
        OperatorError: it is unknown.
    """
    record = look_up(tx, identifier)
    networks = tx.networks.all()
    standing = tx.pledges.standing([record])[record.id]
    found = damages(record, standing)
    lost = tx.recoveries.waiting([record.id]).get(record.id)
    place = networks.get(standing.network_id or 0)
    events = tx.events.besides_joins(identifier.value, SHOWN_EVENTS)
    profile = profile_in_force(record, networks)
    history = tx.credentials.history(record.id)
    return PledgeDetails(
        pledge=_report(record, standing, networks, lost),
        damage=f"{damage_sentence(identifier, found)}: {damage_hint(identifier)}"
        if found
        else None,
        recovery_means=lost and f"{recovery_sentence(lost)} {recovery_remedy(identifier, lost)}",
        profile=None if record.profile is None else record.profile.value,
        profile_in_force=profile.value,
        profile_means=TRAITS[profile].meaning,
        joined_network=None if place is None else place.name,
        highest_number=standing.highest,
        next_sender_number=standing.next_number,
        created=None if record.damaged else utc_text(record.created_at_ms),
        updated=None if record.damaged else utc_text(record.updated_at_ms),
        replaces=_replaces(tx, record),
        replaced_by=_hex(tx.pledges.superseded_by(record.id)),
        credentials=tuple(map(_credential, history)),
        keys=tuple(_keys(tx, history)),
        unsupported=reports_of(tx, record),
        identity=identity_of(tx, identifier),
        events=tuple(map(event_report, events)),
    )


def _replaces(tx: Registry, record: PledgeRecord) -> str | None:
    if record.damaged or record.supersedes_id is None:
        return None
    return tx.pledges.by_id(record.supersedes_id).identifier.hex()


def _hex(record: PledgeRecord | None) -> str | None:
    return None if record is None else record.identifier.hex()


def profile_in_force(record: PledgeRecord, networks: Mapping[int, Network]) -> Profile:
    """The pledge's own, else that of the first of its networks."""
    if record.profile is not None:
        return record.profile
    found = (networks[number].profile for number in record.network_ids if number in networks)
    return next(found, Profile.RFC9031)


def _report(
    record: PledgeRecord,
    standing: Standing,
    networks: Mapping[int, Network],
    lost: Recovery | None,
) -> PledgeReport:
    place = networks.get(standing.network_id or 0)
    short_id = _short_id(standing, place)
    assigned = [networks[number] for number in record.network_ids if number in networks]
    return PledgeReport(
        pledge_id=record.identifier.hex(),
        state=shown_state(record, standing).value,
        networks=tuple(network.name for network in assigned),
        role=role_name(record.role),
        short_id=None if short_id is None else f"{short_id:04x}",
        last_join=utc_text(standing.joined_at_ms),
        address=_address(record, standing, place),
        label=record.label,
        waiting=tuple(
            WaitingReport(network=networks[each.network_id].name, asked=utc_text(each.asked_at_ms))
            for each in standing.waiting
            if each.network_id in networks
        ),
        damaged=bool(damages(record, standing)),
        recovery=recovery_word(lost),
    )


def _address(record: PledgeRecord, standing: Standing, place: Network | None) -> str | None:
    """Its IPv6 address, if it has joined and its identifier can be trusted (RFC 9031 §8.2.1)."""
    if place is None or record.damaged:
        return None
    short_id = _short_id(standing, place)
    address = standing.address or global_address(
        place.prefix, PledgeId(record.identifier), short_id, record.profile or place.profile
    )
    return None if address is None else str(address)


def _short_id(standing: Standing, place: Network | None) -> int | None:
    """The one it holds where it has joined, else any it holds."""
    for lease in standing.leases:
        if place is None or lease.domain_id == place.domain_id:
            return lease.value
    return None


def _keys(tx: Registry, history: Sequence[CredentialRecord]) -> Iterator[KeyReport]:
    good = [each.id for each in history if each.retired_at_ms is None]
    checks = tx.credentials.check_values(good)
    for each in history:
        yield KeyReport(
            kind=each.kind.value,
            provenance=each.provenance,
            source=each.source,
            since=utc_text(each.created_at_ms),
            state=each.state.value,
            retired_at=utc_text(each.retired_at_ms),
            key_check=checks.get(each.id),
        )


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
