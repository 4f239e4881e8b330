"""Pledges that are taken through RFC 8613 App. B.2: who waits, and one that lost its own state.

A registrar that was put back from a backup marks everybody (``recover.py``). One device that has
lost its sequence number, or the context of its last run, is marked by the operator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId
from jrc.service.condition import require_open
from jrc.service.enroll import find_pledge
from jrc.service.records import PledgeRecord
from jrc.service.recovery_store import Obstacle, Recovery
from jrc.service.registry import Registry
from jrc.service.wording import MAX_LISTED, Plan, counted, utc_text

MAX_AT_ONCE = 1000
NEW_KEY = "`jrc pledge add {0} --on-conflict replace` with a new key, in the device as well"

_OBSTACLES: Mapping[Obstacle, str] = {
    Obstacle.DERIVED_KEYS: "only its derived keys are known here, which give no other context",
    Obstacle.PROFILE: "devices of its profile know no RFC 8613 App. B.2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredPledge:
    """A pledge that waits for App. B.2; ``changed`` is False if it did before."""

    pledge_id: str
    changed: bool


@dataclass(frozen=True, slots=True)
class PledgeRecoveries:
    """What ``jrc pledge recover`` has done."""

    pledges: tuple[RecoveredPledge, ...]


def recovery_word(recovery: Recovery | None) -> str | None:
    """``waiting``, or ``reprovision`` where App. B.2 can't be done; None for a sound context."""
    if recovery is None:
        return None
    return "waiting" if recovery.obstacle is None else "reprovision"


def recovery_sentence(recovery: Recovery) -> str:
    """Where a pledge stands whose context was lost."""
    if recovery.obstacle is not None:
        return f"Its context was lost, and {_OBSTACLES[recovery.obstacle]}: it gets no answer."
    if not recovery.runs:
        return "Its context was lost: its next request is answered with RFC 8613 App. B.2."
    return (
        "Its context was lost, and it has not completed RFC 8613 App. B.2:"
        f" {counted(recovery.runs, 'run')} begun, the last at {utc_text(recovery.last_run_at_ms)}."
    )


def recovery_remedy(identifier: PledgeId, recovery: Recovery) -> str:
    """What a person does about it."""
    if recovery.obstacle is not None:
        return f"Give it a new key: {NEW_KEY.format(identifier)}."
    if not recovery.runs:
        return "Nothing: two exchanges bring it back, when it asks; a restart makes it ask."
    return (
        "Nothing, if it was just now. If it goes on so, its firmware knows no App. B.2: give it a"
        f" new key, {NEW_KEY.format(identifier)}."
    )


def plan_recovery(tx: Registry, identifiers: Sequence[PledgeId]) -> Plan:
    """What marking these pledges does.

    Raises:
        OperatorError: one is unknown, or can't be taken through App. B.2.
    """
    names = [str(each) for each in dict.fromkeys(identifiers)]
    _able(tx, identifiers)
    sentences = (
        f"The replay window of {counted(len(names), 'pledge')} is forgotten, with its last answer.",
        "Its next request is answered with RFC 8613 App. B.2, and it joins in a new context.",
        "Until then it gets no Parameter Updates.",
    )
    return Plan(sentences, names[:MAX_LISTED], len(names), needs_consent=True)


def recover_pledges(
    tx: Registry,
    identifiers: Sequence[PledgeId],
    *,
    actor: str,
    reason: str = "",
    agreed: bool = True,
) -> PledgeRecoveries:
    """Have pledges that lost their own state begin anew (RFC 9031 §8.3.3, RFC 8613 App. B.2).

    It gives nobody anything that has not the pledge's key: no request is answered under the old
    context any more.

    Raises:
        OperatorError: one is unknown or can't be taken through App. B.2, or the plan was not
            agreed to.
    """
    require_open(tx, "no pledge is recovered")
    plan_recovery(tx, identifiers).require(agreed)
    records = _able(tx, identifiers)
    before = tx.recoveries.waiting([record.id for record in records])
    for record in records:
        tx.recoveries.lose(record.id)
        tx.record(Event("pledge.lost", actor, record.identifier, reason=reason))
    tx.policy_changed()
    return PledgeRecoveries(
        tuple(
            RecoveredPledge(pledge_id=record.identifier.hex(), changed=record.id not in before)
            for record in records
        )
    )


def _able(tx: Registry, identifiers: Sequence[PledgeId]) -> list[PledgeRecord]:
    """The rows of pledges that can be taken through App. B.2, each once."""
    if len(identifiers) > MAX_AT_ONCE:
        raise OperatorError(
            f"{len(identifiers)} pledges are more than the {MAX_AT_ONCE} that one command recovers",
            "name them in several commands",
            exit_code=ExitCode.USAGE,
        )
    records = [find_pledge(tx, identifier) for identifier in dict.fromkeys(identifiers)]
    for record in records:
        obstacle = tx.recoveries.obstacle(record.id)
        if obstacle is not None:
            identifier = record.identifier.hex()
            raise OperatorError(
                f"pledge {identifier} can't be recovered: {_OBSTACLES[obstacle]}",
                f"give it a new key: {NEW_KEY.format(identifier)}",
                exit_code=ExitCode.REFUSED,
            )
    return records
