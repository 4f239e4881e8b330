"""A device goes to another owner, or comes from one: no key goes along (RFC 9031 §3, row A5).

Who hands a device on retires its key for good and gives a dossier without it. Who takes one needs
a key that neither this registrar nor the former owner has ever used with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId, PledgeState
from jrc.service.applicants import (
    Applicant,
    Purpose,
    UnfitError,
    key_check_of,
    key_column,
    key_material,
)
from jrc.service.enroll import Enrolled, add_pledge, find_pledge, look_up, take_out
from jrc.service.holdings import still_holds
from jrc.service.identities import end_with, identity_goes
from jrc.service.pledge_facts import holdings
from jrc.service.records import CredentialRecord, CredentialState, PledgeRecord
from jrc.service.registry import Registry
from jrc.service.wording import Plan, listed, role_name, utc_text

DOSSIER_VERSION: Final = 1
TRANSFERRED: Final = "pledge.transferred"
_REMEMBERED = 50
"""Entries of the audit log, joins left out, in which the key check value is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A pledge that has gone to another owner; ``changed`` is False where it had before.

    ``dossier`` is what the next owner is given: JSON, without a secret. ``said`` is what to know
    and to do next, in sentences.
    """

    pledge_id: str
    state: str
    changed: bool
    dossier: Mapping[str, object]
    said: tuple[str, ...]


# Out


def plan_transfer(tx: Registry, identifier: PledgeId) -> Plan:
    """What handing a device on does.

    Raises:
        OperatorError: it is unknown, damaged or revoked.
    """
    if look_up(tx, identifier).state is PledgeState.TRANSFERRED:
        sentence = f"Pledge {identifier} was transferred before; its dossier is written again."
        return Plan((sentence,), (str(identifier),), 1)
    record = _leaving(tx, identifier)
    sentences = [
        f"The key of pledge {identifier} is deleted for good, and it leaves its networks.",
        "It can come back with a new key only, by `jrc pledge transfer in`.",
        *identity_goes(tx, identifier),
        *still_holds(tx, record),
        *_change_keys(tx, record),
    ]
    return Plan(sentences, (str(identifier),), 1, needs_consent=True)


def transfer_out(
    tx: Registry, identifier: PledgeId, *, actor: str, reason: str = "", agreed: bool = False
) -> Transferred:
    """Retire a pledge's keys for good, and give its dossier; no answer from now on.

    Windows, numbers and fingerprints stay as a tombstone (row M3), and its short identifiers are
    held back until the keys they went out with are retired (RFC 9031 §8.4.4.1). Of one that was
    transferred before it gives the dossier once more.

    Raises:
        OperatorError: it is unknown, damaged or revoked, or the plan was not agreed to.
    """
    plan_transfer(tx, identifier).require(agreed)
    before = look_up(tx, identifier)
    if before.state is PledgeState.TRANSFERRED:
        return _transferred(tx, before, changed=False, said=())
    said = tuple(_change_keys(tx, before))
    standing = tx.pledges.standing([before])[before.id]
    check = tx.credentials.check_values([before.credential_id or 0]).get(before.credential_id or 0)
    detail = {
        "state": [before.state.value, PledgeState.TRANSFERRED.value],
        "key_check": check,
        **holdings(tx.networks.all(), before, standing),
        "last_join": utc_text(standing.joined_at_ms),
    }
    tx.credentials.retire(before.id, CredentialState.TRANSFERRED)
    take_out(tx, before.id)
    after = replace(
        before,
        state=PledgeState.TRANSFERRED,
        state_before_revocation=None,
        credential_id=None,
        candidate_id=None,
        network_ids=(),
    )
    tx.pledges.save(after)
    tx.record(Event(TRANSFERRED, actor, identifier.value, reason=reason, detail=detail))
    end_with(tx, identifier, TRANSFERRED, actor=actor, reason=reason)
    tx.policy_changed()
    return _transferred(tx, after, changed=True, said=said, check=check)


def _leaving(tx: Registry, identifier: PledgeId) -> PledgeRecord:
    record = find_pledge(tx, identifier)
    if record.state is PledgeState.REVOKED:
        raise OperatorError(
            f"pledge {identifier} is revoked: its networks are told so by its identifier",
            "`jrc pledge restore` comes first; one that stays revoked needs no transfer, for its"
            " next owner gives it a new key",
            exit_code=ExitCode.REFUSED,
        )
    return record


def _change_keys(tx: Registry, record: PledgeRecord) -> Iterator[str]:
    """That the device may have link-layer keys that are good, and what changes them."""
    told = {each.domain_id for each in tx.pledges.told_keys([record.id])[record.id]}
    names = [each.name for each in tx.networks.all().values() if each.domain_id in told]
    if names:
        yield (
            f"The device may still know link-layer keys of {listed(names)}, and its next owner may"
            f" read them: `jrc rollover start {names[0]}` changes them."
        )


def _transferred(
    tx: Registry,
    record: PledgeRecord,
    *,
    changed: bool,
    said: tuple[str, ...],
    check: str | None = None,
) -> Transferred:
    history = tx.credentials.history(record.id)
    retired = [each for each in history if each.state is CredentialState.TRANSFERRED]
    dossier = {
        "jrc_dossier": DOSSIER_VERSION,
        "pledge_id": record.identifier.hex(),
        "label": record.label,
        "role": role_name(record.role),
        "profile": None if record.profile is None else record.profile.value,
        "transferred_at": utc_text(max((each.retired_at_ms or 0 for each in retired), default=0)),
        "key_check": check if changed else _former_check(tx, record),
        "history": [_past(each) for each in history],
    }
    return Transferred(
        pledge_id=record.identifier.hex(),
        state=PledgeState.TRANSFERRED.value,
        changed=changed,
        dossier=dossier,
        said=said,
    )


def _former_check(tx: Registry, record: PledgeRecord) -> str | None:
    """The key check value of the retired key, as the audit log has it; the key is wiped."""
    entries = tx.events.besides_joins(record.identifier, _REMEMBERED)
    found = [each.detail.get("key_check") for each in entries if each.kind == TRANSFERRED]
    return found[-1] if found and isinstance(found[-1], str) else None


def _past(record: CredentialRecord) -> dict[str, object]:
    """A key of the past; where its file lay is its former owner's affair."""
    return {
        "kind": record.kind.value,
        "provenance": record.provenance,
        "state": record.state.value,
        "since": utc_text(record.created_at_ms),
        "retired_at": utc_text(record.retired_at_ms),
    }


# In


def transfer_in(
    tx: Registry,
    applicant: Applicant,
    former_check: str | None = None,
    *,
    actor: str,
    reason: str = "",
) -> Enrolled:
    """Enroll a device that comes from another owner, with a key that is new.

    ``former_check`` is the key check value of its former owner's key, as the dossier has it.

    Raises:
        OperatorError: it is enrolled here, its key was ever seen here or is its former owner's, or
            its details are refused.
    """
    _check_new_here(tx, applicant.identifier)
    if former_check is not None and _check_of(applicant) == former_check.lower():
        raise OperatorError(
            f"{key_column(applicant)}: this is the key of the device's former owner",
            "put a new one into the device (`jrc pledge generate`), and give that",
            exit_code=ExitCode.REFUSED,
        )
    return add_pledge(tx, applicant, actor=actor, reason=reason, purpose=Purpose.TRANSFER)


def _check_new_here(tx: Registry, identifier: PledgeId) -> None:
    record = tx.pledges.find([identifier.value]).get(identifier.value)
    gone = (PledgeState.TRANSFERRED, PledgeState.REMOVED)
    if record is None or record.damaged or record.state in gone:
        return
    raise OperatorError(
        f"pledge {identifier} is {record.state.value} here: it did not come from another owner",
        "a new key for it: `jrc pledge add ID --on-conflict replace`",
        exit_code=ExitCode.REFUSED,
    )


def _check_of(applicant: Applicant) -> str | None:
    """The key check value of an applicant; None where its key is refused anyhow."""
    try:
        return key_check_of(key_material(applicant))
    except UnfitError:
        return None
