"""Why a pledge does not get in: what it tried, what the database says, and what to do.

For the person who stands beside a device that does not join, and wants one answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jrc.cojp.constants import Label
from jrc.errors import Reason, StateError
from jrc.model import Admission, KeySetState, Network, PledgeId, PledgeState, Profile
from jrc.policy import windows
from jrc.policy.admission import Gate, gate
from jrc.policy.profiles import TRAITS, accepted_identifiers
from jrc.service.attempts import Attempt, Outcome, Success
from jrc.service.condition import is_open, remedy
from jrc.service.damage import damage_sentence, damages
from jrc.service.explain_credentials import sentences_of_credentials
from jrc.service.explain_keys import facts_of_keys
from jrc.service.key_domains import current_generation
from jrc.service.pledge_recovery import recovery_remedy, recovery_sentence
from jrc.service.pledges import profile_in_force
from jrc.service.records import PledgeRecord, Standing
from jrc.service.registry import Registry
from jrc.service.remedies import NOTHING_HEARD, REMEDIES
from jrc.service.wording import listed, utc_text

_GONE = (PledgeState.REMOVED, PledgeState.TRANSFERRED)
_EUI64_BYTES = 8
_UNIVERSAL_LOCAL = 0x02
"""The bit by which an interface identifier differs from its EUI-64 (RFC 4291 App. A)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """Attempts with one outcome in a row; times in UTC, ``short_id`` in hex.

    ``peer`` and ``own_proxy`` as in ``Attempt``.
    """

    outcome: str
    count: int
    first: str | None
    last: str | None
    peer: str
    own_proxy: str | None
    authenticated: bool
    network: str | None
    short_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactReport:
    """Something about a pledge that matters to its joins, or to what it is told and has.

    ``reason`` is one of ``errors.Reason``, or of its keys; ``blocks`` where it keeps it out.
    """

    reason: str
    sentence: str
    what_to_do: str
    blocks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeaningReport:
    """What an outcome means."""

    outcome: str
    meaning: str
    what_to_do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known; ``attempts`` is None where no daemon runs, whose memory has them.

    ``heard`` is what to do about a pledge that was not heard of, None for one that was.
    """

    pledge_id: str
    state: str
    facts: tuple[FactReport, ...]
    attempts: tuple[AttemptReport, ...] | None
    meanings: tuple[MeaningReport, ...]
    heard: MeaningReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerReport:
    """An identifier that nobody has; ``looks_like`` is a pledge's that may be meant."""

    pledge_id: str
    count: int
    first: str | None
    last: str | None
    peer: str
    own_proxy: str | None
    looks_like: str | None


def explain_pledge(
    tx: Registry, identifier: PledgeId, attempts: Sequence[Attempt] | None
) -> Explanation:
    """Why a pledge does, or does not, get in; it need not be provisioned."""
    record = tx.pledges.find([identifier.value]).get(identifier.value)
    is_gone = record is not None and (record.state in _GONE or record.staged)
    record, gone = (None, record) if is_gone else (record, None)
    facts = _stranger(tx, identifier, gone) if record is None else _facts(tx, record)
    tried = None if attempts is None else tuple(attempt_reports(tx, attempts))
    unheard = tried == ()
    return Explanation(
        pledge_id=str(identifier),
        state=_shown_state(record, gone),
        facts=(*_closed(tx), *facts),
        attempts=tried,
        meanings=tuple(_meanings(attempts or ())),
        heard=_nothing_heard() if unheard else None,
    )


def _shown_state(record: PledgeRecord | None, gone: PledgeRecord | None) -> str:
    if gone is not None and gone.state is PledgeState.TRANSFERRED:
        return gone.state.value
    return "unknown" if record is None else record.state.value


def _closed(tx: Registry) -> Iterator[FactReport]:
    """That nobody gets in at all (RFC 9031 §8.3.3)."""
    if not is_open(tx):
        state = tx.database
        yield FactReport(
            reason=Reason.QUARANTINED.value,
            sentence=f"Nobody is answered: the database is {state.condition}: {state.detail}.",
            what_to_do=remedy(state.condition),
            blocks=True,
        )


def explain_strangers(tx: Registry, found: Sequence[tuple[bytes, Attempt]]) -> list[StrangerReport]:
    """The identifiers that were asked for lately and that nobody has, the last first."""
    meant = _meant(tx, [identifier for identifier, _ in found])
    return [
        StrangerReport(
            pledge_id=identifier.hex(),
            count=attempt.count,
            first=utc_text(attempt.first_ms),
            last=utc_text(attempt.last_ms),
            peer=str(attempt.peer),
            own_proxy=attempt.own_proxy,
            looks_like=meant.get(identifier),
        )
        for identifier, attempt in found
    ]


# What was tried


def attempt_reports(tx: Registry, attempts: Iterable[Attempt]) -> Iterator[AttemptReport]:
    """As people read them."""
    networks = tx.networks.all()
    for attempt in attempts:
        network, short_id = _joined(attempt, networks)
        yield AttemptReport(
            outcome=attempt.outcome.value,
            count=attempt.count,
            first=utc_text(attempt.first_ms),
            last=utc_text(attempt.last_ms),
            peer=str(attempt.peer),
            own_proxy=attempt.own_proxy,
            authenticated=attempt.authenticated,
            network=network,
            short_id=short_id,
        )


def _joined(attempt: Attempt, networks: Mapping[int, Network]) -> tuple[str | None, str | None]:
    """Network and short identifier that an answer has given."""
    standing = attempt.standing
    if standing is None or standing.place is None or isinstance(attempt.outcome, Reason):
        return None, None
    network = networks.get(standing.place.network_id)
    if network is None:
        return None, None
    lease = standing.lease_in(network.domain_id)
    return network.name, None if lease is None else f"{lease.value:04x}"


def _meanings(attempts: Iterable[Attempt]) -> Iterator[MeaningReport]:
    """What the outcomes mean, back to the last join: what was before is mended."""
    told: set[Outcome] = set()
    for attempt in attempts:
        outcome = attempt.outcome
        if outcome not in told:
            meaning, what_to_do = REMEDIES[outcome]
            yield MeaningReport(outcome=outcome.value, meaning=meaning, what_to_do=what_to_do)
            told.add(outcome)
        if outcome is Success.JOINED:
            return


def _nothing_heard() -> MeaningReport:
    meaning, what_to_do = NOTHING_HEARD
    return MeaningReport(outcome="nothing_heard", meaning=meaning, what_to_do=what_to_do)


# What the database says


def _stranger(
    tx: Registry, identifier: PledgeId, gone: PledgeRecord | None
) -> Iterator[FactReport]:
    if gone is not None and gone.staged:
        yield _fact(Reason.UNKNOWN_CONTEXT, "It belongs to an import that is not published.")
    elif gone is not None and gone.state is PledgeState.TRANSFERRED:
        yield FactReport(
            reason=Reason.UNKNOWN_CONTEXT.value,
            sentence=f"It was transferred to another owner at {utc_text(gone.updated_at_ms)}.",
            what_to_do=f"If it came back: `jrc pledge transfer in {identifier}` with a new key.",
            blocks=True,
        )
    elif gone is not None:
        yield _fact(Reason.UNKNOWN_CONTEXT, f"It was removed at {utc_text(gone.updated_at_ms)}.")
    else:
        yield _fact(Reason.UNKNOWN_CONTEXT, "It is not provisioned.")
    meant = _meant(tx, [identifier.value]).get(identifier.value)
    if meant is not None:
        yield _fact(
            Reason.UNKNOWN_CONTEXT,
            f"Pledge {meant} is provisioned, which is the same EUI-64 in another form.",
        )


def _facts(tx: Registry, record: PledgeRecord) -> Iterator[FactReport]:
    """Whatever keeps a pledge out, the plainest first."""
    standing = tx.pledges.standing([record])[record.id]
    found = damages(record, standing)
    if found:
        sentence = damage_sentence(PledgeId(record.identifier), found)
        yield _fact(Reason.DAMAGED_STATE, f"{sentence[:1].upper()}{sentence[1:]}.")
    if record.damaged:
        return
    lost = tx.recoveries.waiting([record.id]).get(record.id)
    if lost is not None:
        yield FactReport(
            reason=(Reason.NOT_RECOVERABLE if lost.obstacle else Reason.RECOVERING).value,
            sentence=recovery_sentence(lost),
            what_to_do=recovery_remedy(PledgeId(record.identifier), lost),
            blocks=lost.obstacle is not None,
        )
    if record.state is PledgeState.REVOKED:
        yield _fact(Reason.REVOKED, f"It was revoked at {utc_text(record.updated_at_ms)}.")
    if record.state is PledgeState.SUPERSEDED:
        yield _fact(Reason.REVOKED, f"It was replaced at {utc_text(record.updated_at_ms)}.")
    takes_keys = TRAITS[profile_in_force(record, tx.networks.all())].takes_keys
    if takes_keys and any(
        label == Label.LINK_LAYER_KEY_SET and addinfo is None
        for _, label, addinfo in tx.pledges.reports(record.id)
    ):
        yield _fact(Reason.KEYS_UNSUPPORTED, "It has reported that it can't take a key set.")
    try:
        yield from _facts_of_networks(tx, record, standing)
        for holding, sentence, what_to_do in facts_of_keys(tx, record):
            yield FactReport(
                reason=holding.value, sentence=sentence, what_to_do=what_to_do, blocks=False
            )
    except StateError as error:
        yield _fact(Reason.DAMAGED_STATE, f"{error}.")
    for sentence in sentences_of_credentials(tx, record):
        yield _fact(Reason.BAD_TAG, sentence, blocks=False)


def _facts_of_networks(
    tx: Registry, record: PledgeRecord, standing: Standing
) -> Iterator[FactReport]:
    networks = tx.networks.all()
    own = [networks[number] for number in record.network_ids if number in networks]
    if not own:
        yield _fact(Reason.UNKNOWN_NETWORK, "It may join no network.")
    for network in own:
        yield from _facts_of_network(tx, record, standing, network)
    yield from _facts_of_profile(profile_in_force(record, networks), standing, own)


def _facts_of_network(
    tx: Registry, record: PledgeRecord, standing: Standing, network: Network
) -> Iterator[FactReport]:
    if current_generation(tx.keysets.generations(network.domain_id)) is None:
        yield _fact(Reason.NO_KEYS, f"Network {network.name} has no keys in force.")
    if _lacks_jrc_address(tx, record, network):
        sentence = (
            f"Network {network.name} takes the registrar's address from interface"
            f" {network.jrc_address_from}, which has none."
        )
        yield _fact(Reason.NO_JRC_ADDRESS, sentence)
    entry = tx.admissions.find(record.id, network.id)
    verdict = gate(
        network.admission,
        was_admitted=entry is not None and entry.admitted_at_ms is not None,
        waits=entry is not None,
        window_is_open=network.admission is Admission.WINDOW and _has_open_window(tx, network),
    )
    if verdict is Gate.SHUT:
        sentence = f"Network {network.name} has no open window, and has not let it in before."
        yield _fact(Reason.WINDOW_CLOSED, sentence)
    elif verdict is Gate.WAIT:
        asked = utc_text(None if entry is None else entry.asked_at_ms)
        sentence = f"It waits to be approved for network {network.name} since {asked}."
        yield _fact(Reason.AWAITING_APPROVAL, sentence)
    elif verdict is Gate.ASK:
        sentence = f"Network {network.name} has not approved it, and it has not asked yet."
        yield _fact(Reason.AWAITING_APPROVAL, sentence)
    labels = TRAITS[record.profile or network.profile].labels
    has_none = all(lease.domain_id != network.domain_id for lease in standing.leases)
    if has_none and Label.SHORT_IDENTIFIER in labels:
        yield from _range_of(tx, network)


def _lacks_jrc_address(tx: Registry, record: PledgeRecord, network: Network) -> bool:
    """Whether the pledge would have to be told an address that there is none of just now."""
    if network.jrc_address is not None or not network.jrc_address_from:
        return False
    profile = record.profile or network.profile
    reports = tx.pledges.reports(record.id)
    reported = {label for _, label, addinfo in reports if addinfo is None}
    return Label.JRC_ADDRESS in TRAITS[profile].labels - reported


def _facts_of_profile(
    profile: Profile, standing: Standing, networks: Iterable[Network]
) -> Iterator[FactReport]:
    """What such devices do that keeps them out (docs/openwsn.md)."""
    for network in networks:
        accepted = accepted_identifiers(profile, network.identifiers)
        missing = accepted[len(network.identifiers) :]
        if missing:
            names = listed(value.hex() for value in missing)
            sentence = (
                f"Devices of profile {profile} call network {network.name} {names}, which is none"
                " of its identifiers."
            )
            yield _fact(Reason.UNKNOWN_NETWORK, sentence, blocks=False)
    if TRAITS[profile].forgets_numbers and standing.highest >= 0:
        sentence = (
            f"Devices of profile {profile} begin to count anew when they restart: up to number"
            f" {standing.highest}, one a minute, it then gets silence."
        )
        yield _fact(Reason.REPLAYED, sentence, blocks=False)


def _has_open_window(tx: Registry, network: Network) -> bool:
    return any(
        window.network_id == network.id
        and windows.ended(window, tx.now_ms, tx.windows.seen_ms) is None
        for window in tx.windows.not_closed()
    )


def _range_of(tx: Registry, network: Network) -> Iterator[FactReport]:
    generations = tx.keysets.generations(network.domain_id)
    live = [entry.number for entry in generations if entry.state is not KeySetState.RETIRED]
    if tx.leases.used(network.domain_id, min(live, default=0)) >= len(network.short_ids):
        sentence = f"Network {network.name} has no short identifier left."
        yield _fact(Reason.NO_SHORT_IDENTIFIER, sentence)


def _fact(reason: Reason, sentence: str, *, blocks: bool = True) -> FactReport:
    what_to_do = REMEDIES[reason].what_to_do
    return FactReport(reason=reason.value, sentence=sentence, what_to_do=what_to_do, blocks=blocks)


# Which pledge may be meant


def _meant(tx: Registry, identifiers: Sequence[bytes]) -> dict[bytes, str]:
    """Pledges whose EUI-64 was asked for in another form, by what was asked for."""
    forms = {identifier: _other_forms(identifier) for identifier in identifiers}
    wanted = list({form for others in forms.values() for form in others})
    there = {
        identifier
        for identifier, record in tx.pledges.find(wanted).items()
        if record.state is not PledgeState.REMOVED and not record.staged
    }
    return {
        identifier: listed(sorted(form.hex() for form in others if form in there))
        for identifier, others in forms.items()
        if there.intersection(others)
    }


def _other_forms(identifier: bytes) -> set[bytes]:
    """An EUI-64 in the other byte order, as an interface identifier, and both."""
    if len(identifier) != _EUI64_BYTES:
        return set()
    forms = {identifier, identifier[::-1]}
    forms |= {bytes((form[0] ^ _UNIVERSAL_LOCAL, *form[1:])) for form in tuple(forms)}
    forms.add((bytes((identifier[0] ^ _UNIVERSAL_LOCAL, *identifier[1:])))[::-1])
    return forms - {identifier}
