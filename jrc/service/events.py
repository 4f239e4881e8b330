"""Reading the audit log, and proving that nothing of it was changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from jrc.model import PledgeId
from jrc.service.records import StoredEvent
from jrc.service.registry import Registry
from jrc.service.wording import counted, utc_text

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """An entry of the audit log; ``at`` in UTC, ``pledge`` in hex."""

    number: int
    at: str
    kind: str
    pledge: str | None
    network: str | None
    actor: str
    reason: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """Whether the chain of hashes holds; ``broken_at`` is the first entry that does not fit."""

    intact: bool
    count: int
    broken_at: int | None
    sentence: str


def list_events(
    tx: Registry,
    *,
    after: int = 0,
    limit: int = PAGE,
    newest: bool = False,
    kind: str | None = None,
    pledge: PledgeId | None = None,
    network: str | None = None,
) -> list[EventReport]:
    """One page in ascending order, after a number; ``newest`` gives the last ones instead."""
    entries = tx.events.page(
        after=after,
        limit=limit,
        newest=newest,
        kind=kind,
        pledge=None if pledge is None else pledge.value,
        network=network,
    )
    return [event_report(entry) for entry in entries]


def event_report(entry: StoredEvent) -> EventReport:
    """An entry as people and programs read it."""
    return EventReport(
        number=entry.number,
        at=utc_text(entry.at_ms) or "",
        kind=entry.kind,
        pledge=None if entry.pledge is None else entry.pledge.hex(),
        network=entry.network,
        actor=entry.actor,
        reason=entry.reason,
        detail=entry.detail,
    )


def verify_chain(tx: Registry) -> ChainReport:
    """Whether every entry is there as it was written, in order.

    Raises:
        StateError: the row with the head of the chain does not authenticate.
    """
    count, broken = tx.events.count(), tx.events.first_broken()
    if broken is None:
        sentence = f"{counted(count, 'event')}, each as it was written."
    else:
        sentence = f"Event {broken} was changed, removed or added: the log can't be trusted."
    return ChainReport(intact=broken is None, count=count, broken_at=broken, sentence=sentence)
