"""Backups: what the audit log has of them, and the end of a database that moves elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Event
from jrc.service.registry import Registry
from jrc.service.wording import utc_text

BEGUN: Final = "backup.begun"
MADE: Final = "backup.made"
FAILED: Final = "backup.failed"
"""Kinds of events."""


@dataclass(frozen=True, slots=True)
class BackupWish:
    """A backup to be made: for which recipients (``age1...``), under which header of its file.

    A final one is the last of this database, which goes on elsewhere from it.
    """

    recipients: tuple[str, ...]
    header_digest: bytes
    is_final: bool = False


def needs_note(tx: Registry) -> bool:
    """Whether ``note_backup`` has something to write: a database that was moved never changes."""
    return tx.database.condition is not Condition.MOVED


def note_backup(tx: Registry, wish: BackupWish, *, actor: str, reason: str = "") -> None:
    """Write down that a backup begins; a final one ends this database with the same transaction.

    Whatever commits afterwards is refused, so that the dump that follows holds all that was ever
    answered from here.

    Raises:
        OperatorError: a final backup was asked for, and the database is quarantined.
    """
    detail = {"recipients": len(wish.recipients), "final": wish.is_final}
    tx.record(Event(BEGUN, actor, reason=reason, detail=detail))
    if not wish.is_final:
        return
    if tx.database.condition is Condition.QUARANTINED:
        raise OperatorError(
            "the database is quarantined, so it can't go on elsewhere where it was",
            "run `jrc recover` first; a backup without --final is made at any time",
            exit_code=ExitCode.REFUSED,
        )
    when = utc_text(tx.now_ms)
    tx.set_condition(Condition.MOVED, f"its final backup was made at {when}")
    tx.record(Event("database.moved", actor, reason=reason))


def note_made(tx: Registry, *, actor: str, reason: str = "") -> None:
    """Write down that a backup is whole: its file was written and read back."""
    tx.record(Event(MADE, actor, reason=reason))


def note_failure(tx: Registry, *, actor: str, reason: str = "") -> None:
    """Write down that a backup failed which somebody else was to make; ``reason`` says who."""
    tx.record(Event(FAILED, actor, reason=reason))


def failed_at(last_events_ms: Mapping[str, int]) -> int | None:
    """When the last backup failed, None where another one was made since; both by kind."""
    failed_ms = last_events_ms.get(FAILED)
    if failed_ms is None or failed_ms < last_events_ms.get(MADE, 0):
        return None
    return failed_ms
