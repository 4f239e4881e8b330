"""Why a rollover waits for a person, who has paused it, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jrc.policy.rollover import PauseCause, Phase, Tally
from jrc.service.records import StoredEvent, Wanted
from jrc.service.registry import Registry
from jrc.service.rollover_course import PAUSED_EVENT, generation_of, networks_of
from jrc.service.rollover_records import RolloverRecord
from jrc.service.wording import counted, utc_text

_SEARCHED: Final = 50
"""How many pauses of all key domains are looked through for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReport:
    """Why a rollover waits, from which phase on, and what to do about it; ``at`` in UTC.

    ``actor`` and ``at`` are null, and ``reason`` is empty, where the audit log has no such entry.
    """

    cause: str
    phase: str
    at: str | None
    actor: str | None
    reason: str
    sentence: str


_WAY_ON: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.PLANNED: "`jrc rollover resume {0}` lets it begin when it is due",
        Phase.DISTRIBUTING: "`jrc rollover resume {0}` goes on telling them,"
        " `resume {0} --anyway` switches without them, `abort {0}` calls it off",
        Phase.SWITCHING: "`jrc rollover resume {0}` goes on telling the 6LBRs, `resume {0}"
        " --anyway` ends the switch without those that are missing; there is no way back",
        Phase.GUARDING: "`jrc rollover resume {0}` begins the guard time anew",
    }
)


def pause_report(
    tx: Registry, record: RolloverRecord, nodes: Tally, network: str
) -> PauseReport | None:
    """What is shown of a paused rollover to those who asked for ``network``; else None."""
    if record.paused_from is None or record.pause_cause is None:
        return None
    entry = _pause_entry(tx, record)
    way_on = _WAY_ON[record.paused_from].format(network)
    return PauseReport(
        cause=record.pause_cause,
        phase=record.paused_from.value,
        at=None if entry is None else utc_text(entry.at_ms),
        actor=None if entry is None else entry.actor,
        reason="" if entry is None else entry.reason,
        sentence=f"{_why(record, nodes, entry)}: {way_on}.",
    )


def _why(record: RolloverRecord, nodes: Tally, entry: StoredEvent | None) -> str:
    if record.pause_cause == PauseCause.DEADLINE:
        return (
            f"The deadline has passed with {nodes.reached} of {counted(nodes.counted, '6LN')}"
            f" reached, and {record.quorum_permille / 10:g} % are needed"
        )
    if entry is None:
        return "It was paused"
    reason = " ".join(entry.reason.split())
    return f"It was paused by {entry.actor}" + (f' ("{reason}")' if reason else "")


def _pause_entry(tx: Registry, record: RolloverRecord) -> StoredEvent | None:
    """The newest entry of the audit log that tells of a pause of this rollover."""
    names = {network.name for network in networks_of(tx, record.domain_id)}
    number = generation_of(tx, record, record.generation_id).number
    # The newest pause of all is mostly the right one.
    for limit in (1, _SEARCHED):
        found = tx.events.page(Wanted(kind=PAUSED_EVENT), after=0, limit=limit, newest=True)
        for entry in reversed(found):
            networks = entry.detail.get("networks")
            is_here = isinstance(networks, list) and not names.isdisjoint(networks)
            if is_here and entry.detail.get("generation") == number:
                return entry
    return None
