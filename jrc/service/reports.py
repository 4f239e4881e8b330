"""What pledges have reported that they can't act upon (RFC 9031 §8.4.5)."""

from dataclasses import dataclass

from jrc.model import Event, PledgeId
from jrc.service.enroll import find_pledge
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedReport:
    """Something the pledge says it can't act upon (RFC 9031 §8.4.5); ``addinfo`` in hex."""

    code: int
    label: int
    addinfo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The labels whose reports were cleared; ``changed`` is False where there were none."""

    pledge_id: str
    labels: tuple[int, ...]
    changed: bool


def reports_of(tx: Registry, record: PledgeRecord) -> tuple[UnsupportedReport, ...]:
    """What a pledge has reported, by label."""
    return tuple(
        UnsupportedReport(
            code=code, label=label, addinfo=None if addinfo is None else addinfo.hex()
        )
        for code, label, addinfo in tx.pledges.reports(record.id)
    )


def clear_reports(tx: Registry, identifier: PledgeId, *, actor: str, reason: str = "") -> Cleared:
    """Forget what a pledge has reported, as for new firmware: its next join gets everything.

    Raises:
        OperatorError: it is unknown, or its row does not authenticate.
    """
    record = find_pledge(tx, identifier)
    labels = tuple(report.label for report in reports_of(tx, record))
    if labels:
        tx.pledges.forget_reports(record.id)
        detail = {"labels": labels}
        kind = "pledge.reports_cleared"
        tx.record(Event(kind, actor, identifier.value, reason=reason, detail=detail))
        tx.policy_changed()
    return Cleared(pledge_id=str(identifier), labels=labels, changed=bool(labels))
