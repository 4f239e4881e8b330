"""A key that waits for a device's next firmware is taken back, before anybody joins with it."""

from jrc.model import Event, PledgeId
from jrc.service.damage import shown_state
from jrc.service.enroll import Changed, find_pledge
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.waiting_keys import without_waiting
from jrc.service.wording import Plan


def plan_withdrawal(tx: Registry, identifier: PledgeId) -> Plan:
    """What withdrawing the key that waits does.

    Raises:
        OperatorError: the pledge is unknown, damaged or was transferred.
    """
    record = find_pledge(tx, identifier)
    if record.candidate_id is None:
        return Plan((f"No key of pledge {identifier} waits.",), (str(identifier),), 1)
    sentences = (
        f"The key that waits for the next firmware of pledge {identifier} is deleted for good.",
        "A device that has that firmware already gets no answer: give it a new key.",
        "The key in force stays.",
    )
    return Plan(sentences, (str(identifier),), 1, needs_consent=True)


def withdraw_key(
    tx: Registry, identifier: PledgeId, *, actor: str, reason: str = "", agreed: bool = False
) -> Changed:
    """Wipe the key that waits; its window and fingerprints stay, and the key in force.

    Raises:
        OperatorError: the pledge is unknown, damaged or was transferred, or the plan was not
            agreed to.
    """
    record = find_pledge(tx, identifier)
    plan_withdrawal(tx, identifier).require(agreed)
    waited = record.candidate_id
    if waited is not None:
        detail = {"key_check": tx.credentials.check_values([waited]).get(waited)}
        tx.pledges.save(without_waiting(tx, record))
        tx.record(Event("pledge.withdrawn", actor, identifier.value, reason=reason, detail=detail))
        tx.policy_changed()
    return Changed(pledge_id=str(identifier), state=_state(tx, record), changed=waited is not None)


def _state(tx: Registry, record: PledgeRecord) -> str:
    return shown_state(record, tx.pledges.standing([record])[record.id]).value
