"""What pledges have tried lately, all of them in one list, with what each outcome means."""

from collections.abc import Sequence
from dataclasses import dataclass

from jrc.service.attempts import Attempt
from jrc.service.explain import AttemptReport, attempt_reports
from jrc.service.registry import Registry
from jrc.service.remedies import REMEDIES


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestAttempt(AttemptReport):
    """Attempts of one pledge with one outcome in a row, and what to do about them."""

    pledge_id: str
    meaning: str
    what_to_do: str


def latest_attempts(tx: Registry, found: Sequence[tuple[bytes, Attempt]]) -> list[LatestAttempt]:
    """What ``Attempts.latest`` has, as people read it."""
    reports = attempt_reports(tx, [attempt for _, attempt in found])
    return [
        LatestAttempt(
            pledge_id=identifier.hex(),
            meaning=REMEDIES[attempt.outcome].meaning,
            what_to_do=REMEDIES[attempt.outcome].what_to_do,
            **{name: getattr(report, name) for name in AttemptReport.__slots__},
        )
        for (identifier, attempt), report in zip(found, reports, strict=True)
    ]
