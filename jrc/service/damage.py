"""Pledges of which something in the database does not authenticate: who is, and the way on.

They get no answer as long as it is so. A person can look at them and take them out; nothing else
works on them, for that would seal anew what was changed past the program.
"""

from jrc.errors import OperatorError
from jrc.model import PledgeId, PledgeState
from jrc.service.records import Damage, PledgeRecord, Standing
from jrc.service.registry import Registry
from jrc.service.wording import listed

_ANSWERED = (PledgeState.PROVISIONED, PledgeState.JOINED, PledgeState.WAITING)


def damages(record: PledgeRecord, standing: Standing) -> tuple[Damage, ...]:
    """What does not authenticate."""
    return (Damage.ROW, *standing.damaged) if record.damaged else standing.damaged


def damages_of(tx: Registry, record: PledgeRecord) -> tuple[Damage, ...]:
    """What does not authenticate, looked up."""
    return damages(record, tx.pledges.standing([record])[record.id])


def shown_state(record: PledgeRecord, standing: Standing) -> PledgeState:
    """``damaged`` for one that would be answered but for that; a revoked one is just revoked."""
    is_hit = record.state in _ANSWERED and standing.damaged
    return PledgeState.DAMAGED if is_hit else record.state


def damage_sentence(identifier: PledgeId, found: tuple[Damage, ...]) -> str:
    """What is wrong, without a full stop."""
    verb = "does" if len(found) == 1 else "do"
    return f"pledge {identifier} gets no answer: its {listed(found)} {verb} not authenticate"


def damage_warning(identifier: PledgeId, found: tuple[Damage, ...]) -> list[str]:
    """The sentence for a plan, none where all is well."""
    if not found:
        return []
    sentence = damage_sentence(identifier, found)
    return [f"{sentence[0].upper()}{sentence[1:]}."]


def damage_hint(identifier: PledgeId) -> str:
    """What to do about it."""
    return (
        f"`jrc pledge remove {identifier}` takes it out, and `jrc pledge add {identifier}` lets it"
        " come back with a new key"
    )


def damaged_error(identifier: PledgeId) -> OperatorError:
    """The refusal to work on a pledge whose row does not authenticate."""
    return OperatorError(damage_sentence(identifier, (Damage.ROW,)), damage_hint(identifier))
