"""What the backup commands show: how far they are, and what is in a backup."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from jrc.service.wording import utc_text

if TYPE_CHECKING:
    from jrc.store.backup.examine import Examined

HEADINGS = {
    "file": "backup",
    "made": "made",
    "final": "final",
    "spent": "restored before",
    "program": "by jrc",
    "schema": "schema",
    "epoch": "epoch",
    "commit_number": "transactions",
    "rows": "rows",
    "pledges": "pledges",
    "joined": "had joined",
    "key": "its keys",
    "slots": "are opened by",
    "events": "audit log",
}


@contextmanager
def shown_progress(
    what: str, total: int | None, unit: str = "bytes"
) -> Iterator[Callable[[int], None]]:
    """What is told how far something is; a terminal shows it."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:,.0f} " + unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def examined_fields(path: str, found: "Examined") -> Mapping[str, object]:
    """What a backup holds, for people and scripts."""
    head = found.head
    return {
        "file": path,
        "id": head.id.hex(),
        "made": utc_text(head.created_at_ms),
        "final": head.is_final,
        "spent": found.header.is_spent,
        "program": head.program,
        "schema": head.schema,
        "backend": head.backend,
        "epoch": head.epoch.hex(),
        "commit_number": head.commit_number,
        "rows": found.seal.row_count,
        "tables": {name: rows for name, (rows, _) in found.seal.tables.items()},
        "pledges": dict(found.pledges),
        "joined": found.joined,
        "kek_ids": [each.hex() for each in head.kek_ids],
        "slots": list(head.slots),
        "key": "open here" if found.key_error is None else "not opened here",
        "key_error": None if found.key_error is None else found.key_error.message,
        "events": "whole" if found.broken_event is None else f"broken at {found.broken_event}",
        "broken_event": found.broken_event,
        "damaged_rows": found.damaged_rows,
        "damaged": list(found.damaged_names),
    }


def examined_remarks(found: "Examined") -> Iterator[str]:
    """What a person is to know beside the fields, a sentence each."""
    if found.key_error is not None:
        yield f"not looked at: rows and who made it, as its keys were not opened: {found.key_error}"
        if found.key_error.hint:
            yield f"hint: {found.key_error.hint}"
    if found.broken_event is not None:
        yield (
            f"the audit log was broken before the backup was made: entry {found.broken_event} does"
            " not follow from the one before"
        )
    if found.damaged_rows:
        yield (
            f"{found.damaged_rows} rows were damaged before the backup was made, first"
            f" {', '.join(found.damaged_names)}; pledges of theirs get no answer"
        )
