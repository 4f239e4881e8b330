"""Pledges put out of their networks, and taken back (RFC 9031 §8.4.2, §8.4.3.1).

Whatever is taken away leaves window, numbers and fingerprints behind (row M3), so that neither a
nonce nor a key comes a second time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, KeySetState, Network, PledgeId, PledgeState
from jrc.policy.revocation import Rekeying, rekeying_for
from jrc.service.damage import shown_state
from jrc.service.enroll import Changed, find_pledge
from jrc.service.holdings import live_keys_of, still_holds
from jrc.service.installers import InstallerId
from jrc.service.node_settings import settings_changed
from jrc.service.pledge_facts import holdings
from jrc.service.records import PledgeRecord, ToldKeys
from jrc.service.registry import Registry
from jrc.service.revocation_wording import (
    OMITTED,
    Case,
    admitted_anew,
    already_sentence,
    domain_sentences,
    list_sentences,
    not_all_error,
    outcome_sentence,
    refused_sentence,
    restored_sentence,
    successor_sentence,
)
from jrc.service.rollover import NewRollover, abort_rollover, start_in_domain
from jrc.service.rollover_course import networks_of
from jrc.service.rollover_leaving import leave
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.service.rollover_wishes import want_rollover
from jrc.service.waiting_keys import without_waiting
from jrc.service.wording import MAX_LISTED, Plan

MAX_AT_ONCE = 1000
"""Pledges that one command revokes; it is one transaction, which joins wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """What a revocation has come to in a key domain; ``outcome`` is a word of ``Rekeying``.

    ``rollover`` is the number of the one that is running, None where none is. ``error`` says why
    new keys could not be drawn: they are wanted all the same.
    """

    key_domain: str
    networks: tuple[str, ...]
    outcome: str
    rollover: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """What became of pledges that were revoked, and of the keys they have.

    ``said`` is what to know and to do next, in sentences.
    """

    pledges: tuple[Changed, ...]
    rollovers: tuple[Rekeyed, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of a pledge whose revocation was taken back.

    ``must_join`` says that it has to join before it is a node again.
    """

    pledge_id: str
    state: str
    changed: bool
    must_join: bool
    said: tuple[str, ...]


# Before


def plan_revocation(
    tx: Registry,
    identifiers: Sequence[PledgeId],
    *,
    settings: RolloverSettings | None = None,
    rekey: bool = True,
    installers: Collection[InstallerId] | None = None,
) -> Plan:
    """What revoking pledges does, to them and to the networks they have keys of.

    ``installers`` as for ``plan_rollover``.

    Raises:
        OperatorError: one is unknown or damaged, or there are too many.
    """
    records = _still_good(tx, identifiers)
    if not records:
        names = [str(identifier) for identifier in dict.fromkeys(identifiers)]
        return Plan((already_sentence(names),), names[:MAX_LISTED], len(names))
    names = [str(PledgeId(record.identifier)) for record in records]
    sentences = [refused_sentence(names)]
    if len(records) == 1:
        sentences += still_holds(tx, records[0])
    gone = {record.id for record in records}
    settings = settings or RolloverSettings()
    for case in _cases(tx, records):
        sentences += domain_sentences(tx, case, gone, settings, rekey=rekey, installers=installers)
    return Plan(sentences, names[:MAX_LISTED], len(names), needs_consent=True)


def _still_good(tx: Registry, identifiers: Sequence[PledgeId]) -> list[PledgeRecord]:
    """The rows of those that are not revoked yet, each once."""
    if len(identifiers) > MAX_AT_ONCE:
        raise OperatorError(
            f"{len(identifiers)} pledges are more than the {MAX_AT_ONCE} that one command revokes",
            "revoke them in several commands; the first of them alone needs to change keys:"
            " say --no-rollover to all but the last",
            exit_code=ExitCode.USAGE,
        )
    records, refused = [], []
    for identifier in dict.fromkeys(identifiers):
        try:
            records.append(find_pledge(tx, identifier))
        except OperatorError as error:
            refused.append(error)
    if refused:
        raise not_all_error(len(records) + len(refused), refused)
    return [record for record in records if record.state is not PledgeState.REVOKED]


def _cases(tx: Registry, records: Sequence[PledgeRecord]) -> list[Case]:
    """The key domains that have networks, and live keys that any of these may have."""
    cases = []
    for domain_id, told in sorted(live_keys_of(tx, records).items()):
        networks = tuple(networks_of(tx, domain_id))
        running = tx.rollovers.running(domain_id)
        rekeying = rekeying_for(None if running is None else running.course, told)
        if networks and rekeying is not Rekeying.NOT_NEEDED:
            cases.append(Case(networks, rekeying))
    return cases


# Revoking


def revoke_pledges(
    tx: Registry,
    identifiers: Sequence[PledgeId],
    *,
    actor: str,
    reason: str = "",
    agreed: bool = True,
    settings: RolloverSettings | None = None,
    rekey: bool = True,
) -> Revoked:
    """Answer pledges no more from now on, and give their networks keys that they don't have.

    Window, numbers and keys of the pledges stay (row M3); their stored answers are dead, and their
    short identifiers are held back until every generation that these went out with is retired
    (RFC 9031 §8.4.4.1). What they were let into is forgotten: restored, they are approved, or come
    in a window, anew. One rollover a key domain is enough for all of them; without ``rekey`` there
    is none, and the devices keep what they have.

    Raises:
        OperatorError: one is unknown or damaged, or the plan was not agreed to.
    """
    records = _still_good(tx, identifiers)
    plan_revocation(tx, identifiers, settings=settings, rekey=rekey).require(agreed)
    cases = _cases(tx, records)
    networks, standing = tx.networks.all(), tx.pledges.standing(records)
    for record in records:
        detail = holdings(networks, record, standing[record.id])
        _put_out(tx, record, detail, actor, reason)
    if records:
        tx.pledges.forget_answers([record.id for record in records])
        for network_id in _networks_of(records):
            settings_changed(tx, network_id)
        tx.policy_changed()
    rekeyed = [
        _rekey(tx, case, actor, reason, settings or RolloverSettings(), rekey=rekey)
        for case in cases
    ]
    now = {record.identifier for record in records}
    changed = [
        Changed(pledge_id=str(each), state=PledgeState.REVOKED.value, changed=each.value in now)
        for each in dict.fromkeys(identifiers)
    ]
    said = [
        outcome_sentence(each.networks, each.outcome, each.error, len(records)) for each in rekeyed
    ]
    said += list_sentences(tx, _networks_of(records))
    return Revoked(pledges=tuple(changed), rollovers=tuple(rekeyed), said=tuple(said))


def revoke_pledge(
    tx: Registry,
    identifier: PledgeId,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = True,
) -> Changed:
    """As ``revoke_pledges``, of one; how it is now."""
    done = revoke_pledges(tx, [identifier], actor=actor, reason=reason, agreed=agreed)
    return done.pledges[0]


def _put_out(
    tx: Registry, record: PledgeRecord, held: Mapping[str, object], actor: str, reason: str
) -> None:
    revoked = replace(
        without_waiting(tx, record),
        state=PledgeState.REVOKED,
        state_before_revocation=record.state,
    )
    detail = {"state": [record.state.value, revoked.state.value], **held}
    tx.pledges.save(revoked)
    tx.admissions.forget_admitted(record.id)
    tx.leases.release(record.id)
    leave(tx, record.id)
    tx.record(Event("pledge.revoked", actor, record.identifier, reason=reason, detail=detail))


def _rekey(
    tx: Registry,
    case: Case,
    actor: str,
    reason: str,
    settings: RolloverSettings,
    *,
    rekey: bool,
) -> Rekeyed:
    """Bring what the pledges have of a domain to its end; they have left what is running there."""
    domain, networks = case.networks[0].domain, case.names
    if not rekey and case.rekeying is not Rekeying.TAKEN_OUT:
        return Rekeyed(key_domain=domain, networks=networks, outcome=OMITTED)
    outcome, error = case.rekeying.value, None
    if case.rekeying is Rekeying.RESTARTED:
        abort_rollover(tx, networks[0], actor=actor, reason=reason)
    if case.rekeying in (Rekeying.STARTED, Rekeying.RESTARTED):
        wanted = NewRollover(
            cause=RolloverCause.REVOCATION, actor=actor, reason=reason, settings=settings
        )
        try:
            start_in_domain(tx, case.domain_id, wanted)
        except OperatorError as refusal:
            outcome, error = Rekeying.WANTED.value, refusal.message
    if outcome == Rekeying.WANTED:
        want_rollover(
            tx, case.domain_id, cause=RolloverCause.REVOCATION, actor=actor, reason=reason
        )
    running = tx.rollovers.running(case.domain_id)
    return Rekeyed(
        key_domain=domain,
        networks=networks,
        outcome=outcome,
        rollover=None if running is None else running.id,
        error=error,
    )


def _networks_of(records: Iterable[PledgeRecord]) -> list[int]:
    return sorted({number for record in records for number in record.network_ids})


# Restoring


def restore_pledge(tx: Registry, identifier: PledgeId, *, actor: str, reason: str = "") -> Restored:
    """Take a revocation, or a replacement by another device, back as far as it can be (row M3).

    Where its keys are in force and nothing changes them, it is the node that it was; else it has to
    join, for nobody gets keys again that others know to be retired. Networks that choose whom they
    admit have to let it in anew.

    Raises:
        OperatorError: it is unknown or damaged.
    """
    record = find_pledge(tx, identifier)
    if record.state not in (PledgeState.REVOKED, PledgeState.SUPERSEDED):
        state = _state_of(tx, identifier).value
        return Restored(
            pledge_id=str(identifier), state=state, changed=False, must_join=False, said=()
        )
    before = record.state_before_revocation or PledgeState.PROVISIONED
    tx.pledges.save(replace(record, state=before, state_before_revocation=None))
    networks = tx.networks.all()
    network = networks.get(tx.pledges.standing([record])[record.id].network_id or 0)
    successor = _let_go(tx, record) if before is not PledgeState.SUPERSEDED else None
    must_join = network is None or not _takes_its_place(tx, record, network)
    detail = {"state": [record.state.value, before.value], "must_join": must_join}
    tx.record(Event("pledge.restored", actor, identifier.value, reason=reason, detail=detail))
    for network_id in record.network_ids:
        settings_changed(tx, network_id)
    tx.policy_changed()
    return Restored(
        pledge_id=str(identifier),
        state=_state_of(tx, identifier).value,
        changed=True,
        must_join=must_join,
        said=(
            restored_sentence(network.name if network else None, must_join=must_join),
            *admitted_anew(identifier, [networks[each] for each in record.network_ids]),
            *([] if successor is None else [successor_sentence(successor)]),
        ),
    )


def _let_go(tx: Registry, record: PledgeRecord) -> PledgeId | None:
    """The pledge that has replaced it, from now on one of its own; None for none."""
    successor = tx.pledges.superseded_by(record.id)
    if successor is None or successor.damaged or successor.state is PledgeState.REMOVED:
        return None
    tx.pledges.save(replace(successor, supersedes_id=None))
    return PledgeId(successor.identifier)


def _takes_its_place(tx: Registry, record: PledgeRecord, network: Network) -> bool:
    """Let it be the node that it was; False where its network has other keys now, or soon."""
    current = ToldKeys(network.domain_id, KeySetState.CURRENT)
    is_good = current in tx.pledges.told_keys([record.id])[record.id]
    if is_good and tx.rollovers.running(network.domain_id) is None:
        tx.leases.take_back(record.id, network.domain_id)
        return True
    tx.pledges.forget_place(record.id)
    return False


def _state_of(tx: Registry, identifier: PledgeId) -> PledgeState:
    record = find_pledge(tx, identifier)
    return shown_state(record, tx.pledges.standing([record])[record.id])
