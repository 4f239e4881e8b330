"""The operator's hand on single pledges: add, look up, remove (RFC 9031 §3).

Whatever is taken away leaves window, numbers and fingerprints behind (row M3), so that neither a
nonce nor a key comes a second time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId, PledgeState
from jrc.policy.profiles import TRAITS
from jrc.service.applicants import Applicant, Fault, Purpose
from jrc.service.condition import require_open
from jrc.service.damage import damage_warning, damaged_error, damages_of
from jrc.service.examine import Decision, OnConflict, examine
from jrc.service.holdings import still_holds
from jrc.service.identities import end_with, identity_goes
from jrc.service.node_settings import settings_changed
from jrc.service.pledge_facts import differences, facts, holdings
from jrc.service.records import CredentialState, Damage, PledgeRecord
from jrc.service.registry import Registry
from jrc.service.rollover_leaving import leave
from jrc.service.waiting_keys import let_wait, without_waiting
from jrc.service.wording import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What adding a pledge came to; ``outcome`` is added, unchanged, replaced, ..."""

    pledge_id: str
    outcome: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The state of a pledge after a command; ``changed`` is False where it was so before."""

    pledge_id: str
    state: str
    changed: bool


def add_pledge(
    tx: Registry,
    applicant: Applicant,
    *,
    actor: str,
    reason: str = "",
    on_conflict: OnConflict = OnConflict.FAIL,
    purpose: Purpose = Purpose.ENROLL,
) -> Enrolled:
    """Enroll one pledge; the same pledge with the same key once more changes nothing (row A1).

    ``purpose``: its key may wait for the next firmware instead, beside the one in force (row A5).

    Raises:
        OperatorError: the pledge, its key or its details are refused; says why, names no key.
    """
    require_open(tx, "no pledge is added")
    decision = examine_one(tx, applicant, on_conflict, purpose)
    carry_out(tx, decision)
    names = {network.id: network.name for network in tx.networks.all().values()}
    networks = tuple(names[number] for number in decision.network_ids if number in names)
    if decision.new is not None or decision.change is not None:
        kind = f"pledge.{decision.outcome.value}"
        detail = _said(tx, decision)
        tx.record(Event(kind, actor, applicant.identifier.value, reason=reason, detail=detail))
        tx.policy_changed()
    return Enrolled(
        pledge_id=str(applicant.identifier), outcome=decision.outcome.value, networks=networks
    )


def examine_one(
    tx: Registry,
    applicant: Applicant,
    on_conflict: OnConflict = OnConflict.FAIL,
    purpose: Purpose = Purpose.ENROLL,
) -> Decision:
    """What becomes of one applicant.

    Raises:
        OperatorError: it is refused; says why, names no key.
    """
    (decision,) = examine(tx, [applicant], on_conflict, purpose=purpose)
    if isinstance(decision, Fault):
        raise OperatorError(
            f"{decision.column}: {decision.reason}", decision.hint, exit_code=ExitCode.REFUSED
        )
    return decision


def _said(tx: Registry, decision: Decision) -> dict[str, object]:
    """For the audit log: all of a new pledge, or what differs, each as [before, after]."""
    after, networks = find_pledge(tx, decision.applicant.identifier), tx.networks.all()
    if decision.change is None or decision.before is None:
        made = decision.new or decision.change
        return {**facts(networks, after), "key": None if made is None else made.provenance}
    detail = differences(networks, decision.before, after)
    has_new_key = decision.change.material is not None
    return {**detail, "key": decision.change.provenance} if has_new_key else detail


def carry_out(tx: Registry, decision: Decision) -> None:
    """Write what was decided on one pledge."""
    if decision.new is not None:
        tx.pledges.insert([decision.new], None)
    change, before = decision.change, decision.before
    if change is None or before is None:
        return
    if change.pending:
        let_wait(tx, before, change)
        return
    number = None
    if change.material is not None:
        before = without_waiting(tx, before)
        tx.credentials.retire(before.id, CredentialState.SUPERSEDED)
        number = tx.credentials.insert(change, before.identifier, None, staged=False)
    wanted = replace(
        before,
        role=change.role,
        label=change.label,
        profile=change.profile,
        network_ids=change.network_ids,
    )
    settle(tx, before, wanted, number)


def settle(
    tx: Registry, before: PledgeRecord, wanted: PledgeRecord, credential_id: int | None
) -> None:
    """Write a changed pledge; one with a new key, role or network has to join again.

    With a new key it has to be let in anew as well, where a network does not admit everybody.
    ``credential_id`` is the new key, which is in force, or None where the key stays.
    """
    if credential_id is not None:
        wanted = replace(
            wanted,
            credential_id=credential_id,
            candidate_id=None,
            state=PledgeState.PROVISIONED,
            state_before_revocation=None,
        )
        tx.pledges.forget_reports(before.id)
        tx.admissions.forget(before.id)
    if credential_id is not None or _is_displaced(tx, before, wanted):
        tx.pledges.forget_place(before.id)
        leave(tx, before.id)
    if wanted.profile is not None and not TRAITS[wanted.profile].takes_keys:
        # It is told none; the one that it had stays burned (RFC 9031 §8.4.4.1).
        tx.leases.release(before.id)
    if before.network_ids != wanted.network_ids:
        tx.leases.release(before.id, but=_domains(tx, wanted.network_ids))
        tx.admissions.forget(before.id, but=wanted.network_ids)
    tx.pledges.save(wanted)


def _is_displaced(tx: Registry, before: PledgeRecord, wanted: PledgeRecord) -> bool:
    place = tx.pledges.standing([before])[before.id].network_id
    return place is not None and (
        place not in wanted.network_ids
        or before.role != wanted.role
        or before.profile is not wanted.profile
    )


def _domains(tx: Registry, network_ids: Collection[int]) -> set[int]:
    networks = tx.networks.all()
    return {networks[number].domain_id for number in network_ids if number in networks}


# Looking up, removing


def find_pledge(tx: Registry, identifier: PledgeId) -> PledgeRecord:
    """The row of a pledge that is there, to work with.

    Raises:
        OperatorError: it is unknown, was removed or transferred, belongs to an unpublished import,
            or does not authenticate.
    """
    record = look_up(tx, identifier)
    if record.damaged:
        raise damaged_error(identifier)
    if record.state is PledgeState.TRANSFERRED:
        raise OperatorError(
            f"pledge {identifier} was transferred to another owner",
            f"`jrc pledge transfer in {identifier}` takes it back with a new key",
            exit_code=ExitCode.REFUSED,
        )
    return record


def look_up(tx: Registry, identifier: PledgeId) -> PledgeRecord:
    """The row of a pledge that is there, to be looked at or taken out; it may be ``damaged``.

    Raises:
        OperatorError: it is unknown, was removed, or belongs to an unpublished import.
    """
    record = tx.pledges.find([identifier.value]).get(identifier.value)
    if record is None or (record.staged and not record.damaged):
        raise OperatorError(f"pledge {identifier} is unknown", "`jrc pledge list` shows them all")
    if record.state is PledgeState.REMOVED:
        raise OperatorError(
            f"pledge {identifier} was removed", "`jrc pledge add` takes it back with a new key"
        )
    return record


def plan_removal(tx: Registry, identifier: PledgeId) -> Plan:
    """What removing a pledge does."""
    record = look_up(tx, identifier)
    sentences = [
        *damage_warning(identifier, damages_of(tx, record)),
        f"Pledge {identifier} is forgotten, and its key is deleted for good.",
        "It can come back with a new key only.",
        *identity_goes(tx, identifier),
        *still_holds(tx, record),
    ]
    return Plan(sentences, (str(identifier),), 1, needs_consent=True)


def remove_pledge(
    tx: Registry,
    identifier: PledgeId,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = True,
) -> Changed:
    """Delete a pledge's keys; a tombstone with window and fingerprints stays (row M3).

    Its short identifiers are free for others only when the keys they went out with are retired.
    It is the one way out for a pledge of which something does not authenticate: nothing that was
    changed past the program outlives it.

    Raises:
        OperatorError: it is unknown, or the plan was not agreed to.
    """
    record = look_up(tx, identifier)
    plan_removal(tx, identifier).require(agreed)
    found = damages_of(tx, record)
    detail = _removed(tx, record, found)
    tx.credentials.retire(record.id, CredentialState.REMOVED)
    take_out(tx, record.id)
    tx.pledges.save(_tombstone(tx, record))
    _blocklist_changed(tx, record)
    tx.record(Event("pledge.removed", actor, identifier.value, reason=reason, detail=detail))
    end_with(tx, identifier, "pledge.removed", actor=actor, reason=reason)
    tx.policy_changed()
    return Changed(pledge_id=str(identifier), state=PledgeState.REMOVED.value, changed=True)


def take_out(tx: Registry, pledge_id: int) -> None:
    """Let go of all that a pledge has of networks; its short identifiers are held back."""
    tx.leases.release(pledge_id)
    tx.leases.bury(pledge_id)
    tx.pledges.forget_place(pledge_id)
    leave(tx, pledge_id)
    tx.pledges.forget_reports(pledge_id)
    tx.admissions.forget(pledge_id)
    tx.pushes.forget(pledge_id)


def _removed(tx: Registry, record: PledgeRecord, found: Sequence[Damage]) -> dict[str, object]:
    """What the audit log keeps of a pledge; of a damaged one only what is damaged."""
    if found:
        return {"damaged": [damage.value for damage in found]}
    standing = tx.pledges.standing([record])[record.id]
    state = [record.state.value, PledgeState.REMOVED.value]
    return {"state": state, **holdings(tx.networks.all(), record, standing)}


def _blocklist_changed(tx: Registry, record: PledgeRecord) -> None:
    if record.state is PledgeState.REVOKED:
        for network_id in record.network_ids:
            settings_changed(tx, network_id)


def _tombstone(tx: Registry, record: PledgeRecord) -> PledgeRecord:
    """What stays of a pledge; of a damaged one no more than its number and its identifier."""
    if record.damaged:
        record = PledgeRecord(
            id=record.id,
            identifier=record.identifier,
            state=PledgeState.REMOVED,
            created_at_ms=tx.now_ms,
        )
    return replace(
        record,
        state=PledgeState.REMOVED,
        state_before_revocation=None,
        credential_id=None,
        candidate_id=None,
        network_ids=(),
    )
