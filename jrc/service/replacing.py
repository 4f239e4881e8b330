"""A device died, or was stolen, and another one takes its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId, PledgeState
from jrc.service.applicants import Applicant
from jrc.service.damage import damages_of
from jrc.service.enroll import carry_out, examine_one, find_pledge, settle
from jrc.service.holdings import still_holds
from jrc.service.pledge_facts import differences, facts, holdings
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.revoking import Rekeyed, plan_revocation, revoke_pledges
from jrc.service.rollover_leaving import leave
from jrc.service.rollover_records import RolloverSettings
from jrc.service.waiting_keys import without_waiting
from jrc.service.wording import Plan, listed, role_name

_GONE = (PledgeState.REVOKED, PledgeState.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Which pledge takes the place of which; ``revoke`` puts the old one out, as if stolen.

    ``applicant`` has the new one's key where it is not enrolled yet, else it is None.
    """

    old: PledgeId
    new: PledgeId
    applicant: Applicant | None = None
    revoke: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What has become of both; ``rollovers`` and ``said`` as of a revocation."""

    pledge_id: str
    state: str
    replaced_by: str
    networks: tuple[str, ...]
    role: str
    rollovers: tuple[Rekeyed, ...]
    said: tuple[str, ...]


def plan_replacement(
    tx: Registry, asked: Replacement, *, settings: RolloverSettings | None = None
) -> Plan:
    """What replacing a pledge does to both.

    Raises:
        OperatorError: one of them can't be; says why.
    """
    old = _old(tx, asked)
    new = _new(tx, asked, old)
    sentences = [*_sentences(tx, asked, old), *_lost(tx, old, new)]
    if asked.revoke:
        sentences += plan_revocation(tx, [asked.old], settings=settings).sentences
    else:
        sentences += still_holds(tx, old)
        if tx.pledges.told_keys([old.id])[old.id]:
            sentences.append(
                "No keys are changed. For a device that was stolen, or is not known to be dead,"
                " say --revoke."
            )
    return Plan(sentences, (str(asked.old), str(asked.new)), 1, needs_consent=True)


def _sentences(tx: Registry, asked: Replacement, old: PledgeRecord) -> Iterator[str]:
    shown = facts(tx.networks.all(), old)
    names = shown["networks"]
    assert isinstance(names, list)
    yield (
        f"Pledge {asked.new} takes the place of {asked.old}, which gets no more answers:"
        f" {shown['role']} in {listed(names) if names else 'no network'}."
    )
    yield (
        f"It gets a short identifier of its own when it joins; that of {asked.old} is held back"
        " until the keys that it went out with are retired."
    )


def _lost(tx: Registry, old: PledgeRecord, new: PledgeRecord | None) -> Iterator[str]:
    """What an enrolled pledge may not join any more."""
    if new is None:
        return
    networks = tx.networks.all()
    left = [networks[each].name for each in new.network_ids if each not in old.network_ids]
    if left:
        yield f"Pledge {new.identifier.hex()} may join {listed(left)} no more."


def _old(tx: Registry, asked: Replacement) -> PledgeRecord:
    old = find_pledge(tx, asked.old)
    if old.state is PledgeState.SUPERSEDED:
        by = tx.pledges.superseded_by(old.id)
        if by is not None and by.state is not PledgeState.REMOVED:
            raise _refused(
                f"pledge {asked.old} was replaced by {by.identifier.hex()} already",
                f"`jrc pledge replace {by.identifier.hex()} {asked.new}` replaces that one",
            )
    return old


def _new(tx: Registry, asked: Replacement, old: PledgeRecord) -> PledgeRecord | None:
    """The row of the pledge that takes over, None where it is still to be enrolled."""
    if asked.new == asked.old:
        raise _refused(
            f"pledge {asked.old} can't take its own place",
            "a new key for the same device: `jrc pledge add ID --on-conflict replace`",
        )
    record = tx.pledges.find([asked.new.value]).get(asked.new.value)
    if record is None or record.state is PledgeState.REMOVED:
        if asked.applicant is None:
            raise _refused(
                f"pledge {asked.new} is not enrolled",
                "give its key with --psk-file FILE, or import it first",
            )
        examine_one(tx, _like(tx, asked.applicant, old))
        return None
    new = find_pledge(tx, asked.new)
    _check_free(tx, asked, new)
    return new


def _check_free(tx: Registry, asked: Replacement, new: PledgeRecord) -> None:
    if asked.applicant is not None:
        raise _refused(
            f"pledge {asked.new} is enrolled already", "leave --psk-file and --derived-file out"
        )
    if new.state in _GONE:
        raise _refused(
            f"pledge {asked.new} is {new.state.value}", "`jrc pledge restore` comes first"
        )
    if damages_of(tx, new) or tx.pledges.standing([new])[new.id].network_id is not None:
        raise _refused(
            f"pledge {asked.new} has joined, and is a node of its own",
            "name one that has not: a device that was just made, or reset",
        )


def _like(tx: Registry, applicant: Applicant, old: PledgeRecord) -> Applicant:
    """Enrolled as the old one is; its profile is only its own where the old one's was."""
    networks = tx.networks.all()
    names = tuple(networks[each].name for each in old.network_ids if each in networks)
    return applicant._replace(networks=names, role=old.role, label=old.label, profile=old.profile)


def replace_pledge(
    tx: Registry,
    asked: Replacement,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = False,
    settings: RolloverSettings | None = None,
) -> Replaced:
    """Give a pledge's networks, role, label, profile and approvals to another one.

    The old one is answered no more; its window, numbers and key stay (row M3), and its short
    identifiers are held back (RFC 9031 §8.4.4.1). ``restore_pledge`` takes it back.

    Raises:
        OperatorError: one of them can't be, or the plan was not agreed to.
    """
    plan_replacement(tx, asked, settings=settings).require(agreed)
    old = _old(tx, asked)
    admitted = _admitted(tx, old)
    held = holdings(tx.networks.all(), old, tx.pledges.standing([old])[old.id])
    new = _enrolled(tx, asked, old, actor, reason)
    for network_id in admitted:
        tx.admissions.admit(new.id, network_id)
    if asked.revoke:
        done = revoke_pledges(
            tx, [asked.old], actor=actor, reason=reason, agreed=True, settings=settings
        )
        rollovers, said = done.rollovers, done.said
    else:
        rollovers, said = (), ()
        _supersede(tx, old)
    state = find_pledge(tx, asked.old).state
    detail = {"state": [old.state.value, state.value], "by": str(asked.new), **held}
    tx.record(Event("pledge.superseded", actor, asked.old.value, reason=reason, detail=detail))
    tx.policy_changed()
    networks = tx.networks.all()
    return Replaced(
        pledge_id=str(asked.old),
        state=state.value,
        replaced_by=str(asked.new),
        networks=tuple(networks[each].name for each in new.network_ids if each in networks),
        role=role_name(new.role),
        rollovers=rollovers,
        said=said,
    )


def _admitted(tx: Registry, old: PledgeRecord) -> Sequence[int]:
    """The networks that have let it in, by approval or in a window."""
    found = ((each, tx.admissions.find(old.id, each)) for each in old.network_ids)
    return [
        number for number, entry in found if entry is not None and entry.admitted_at_ms is not None
    ]


def _enrolled(
    tx: Registry, asked: Replacement, old: PledgeRecord, actor: str, reason: str
) -> PledgeRecord:
    """The new pledge as it is to be, which the audit log hears of."""
    before = _new(tx, asked, old)
    kind = "pledge.changed"
    if before is None:
        assert asked.applicant is not None, "the plan has seen it"
        decision = examine_one(tx, _like(tx, asked.applicant, old))
        carry_out(tx, decision)
        kind, before = f"pledge.{decision.outcome.value}", find_pledge(tx, asked.new)
        detail = facts(tx.networks.all(), before)
        tx.pledges.save(replace(before, supersedes_id=old.id))
    else:
        wanted = replace(
            before,
            network_ids=old.network_ids,
            role=old.role,
            label=old.label,
            profile=old.profile,
            supersedes_id=old.id,
        )
        detail = differences(tx.networks.all(), before, wanted)
        settle(tx, before, wanted, None)
    detail["replaces"] = str(asked.old)
    tx.record(Event(kind, actor, asked.new.value, reason=reason, detail=detail))
    return find_pledge(tx, asked.new)


def _supersede(tx: Registry, old: PledgeRecord) -> None:
    """Answer the old one no more, and tell it nothing; one that is revoked stays so."""
    if old.state not in _GONE:
        state = PledgeState.SUPERSEDED
        gone = without_waiting(tx, old)
        tx.pledges.save(replace(gone, state=state, state_before_revocation=old.state))
    tx.pledges.forget_answers([old.id])
    tx.admissions.forget_admitted(old.id)
    tx.leases.release(old.id)
    leave(tx, old.id)


def _refused(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.REFUSED)
