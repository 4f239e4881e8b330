"""Old events of the audit log going, so that what stays can still be verified."""

from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event
from jrc.service.registry import Registry
from jrc.service.wording import Plan, counted, utc_text

CHUNK = 500
"""Events that one transaction deletes: joins wait for each (docs/audit-log.md)."""
REMOVED = "events.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The oldest events, ``first`` to ``last``, all of them from before ``before_ms``.

    ``hash`` is that of the last one, in hex: a later proof begins with it.
    """

    first: int
    last: int
    before_ms: int
    hash: str

    @property
    def count(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def removal_due(tx: Registry, before_ms: int, keep_at_least: int) -> Removal | None:
    """The oldest events without a younger one among them, but the last ``keep_at_least``.

    An event that was written while the clock was ahead keeps those after it. None for no event.

    Raises:
        OperatorError: the last of them is missing.
    """
    floor, end = tx.events.ends()
    younger = tx.events.first_since(before_ms)
    last = min(end.number if younger is None else younger - 1, end.number - keep_at_least)
    if last <= floor.number:
        return None
    hash_ = tx.events.hash_of(last)
    if hash_ is None:
        raise OperatorError(
            f"event {last} is missing: the audit log was changed past jrc",
            "`jrc events verify` tells where",
        )
    return Removal(first=floor.number + 1, last=last, before_ms=before_ms, hash=hash_.hex())


def plan_removal(removal: Removal | None) -> Plan:
    """What removing events does, for consent."""
    if removal is None:
        return Plan(("No event is that old, and none is removed.",))
    what = (
        f"{counted(removal.count, 'event')} of the audit log, up to event {removal.last}, deleted"
        f" for good: all from before {utc_text(removal.before_ms)}."
    )
    more = "The rest stays verifiable. `--export FILE` keeps a copy first."
    return Plan((what, more), needs_consent=True)


def begin_removal(
    tx: Registry, removal: Removal, *, actor: str, reason: str = "", agreed: bool = True
) -> bool:
    """Say in the log what goes, and remove the first ``CHUNK`` of it; whether more is left.

    Raises:
        OperatorError: it was not agreed to, or others have removed events since it was planned.
    """
    plan_removal(removal).require(agreed)
    if tx.events.ends()[0].number + 1 != removal.first:
        raise OperatorError(
            "somebody else has removed events meanwhile", "try again", exit_code=ExitCode.FAILED
        )
    detail = {
        "first": removal.first,
        "last": removal.last,
        "hash": removal.hash,
        "before": utc_text(removal.before_ms),
    }
    tx.record(Event(REMOVED, actor, reason=reason, detail=detail))
    return go_on_removing(tx, removal)


def go_on_removing(tx: Registry, removal: Removal) -> bool:
    """Remove ``CHUNK`` more; whether any is left."""
    return tx.events.remove_up_to(removal.last, CHUNK) == CHUNK
