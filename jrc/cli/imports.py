"""``jrc pledge import``: many pledges from one file."""

import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from jrc.cli import output
from jrc.cli.client import connect
from jrc.cli.keyfiles import STDIN, open_input
from jrc.cli.options import AsJson, Reason, common
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError

_PIECE_BYTES = 64 * 1024
_PEEK_BYTES = 4096
_ERROR = {"line": "LINE", "column": "COLUMN", "reason": "REASON"}
_COUNTS = ("added", "replaced", "unchanged", "skipped", "wrong")


class Format(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


class OnConflict(StrEnum):
    """What becomes of a row whose pledge is there with another key or other settings."""

    FAIL = "fail"
    SKIP = "skip"
    REPLACE = "replace"


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CSV, JSON or JSON lines.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="Else told by name and contents.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, store nothing.")] = False,
    on_conflict: Annotated[
        OnConflict, typer.Option("--on-conflict", help="For pledges that differ.")
    ] = OnConflict.FAIL,
    partial: Annotated[
        bool, typer.Option("--partial", help="Store the good rows if others are wrong.")
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add the pledges in a file, all or none. Each wrong row is named, all of them in one run.

    Columns: pledge_id, psk (or pledge_sender_key, pledge_recipient_key, common_iv), and as wanted
    network (several with ;), role, label, profile, aead, hkdf.

    \b
    Examples:
      jrc pledge import --dry-run pledges.csv
      jrc pledge import pledges.csv --reason "batch 7"
      zcat pledges.jsonl.gz | jrc pledge import - --format jsonl
    """
    content = open_input(file)
    try:
        with connect(common(context)) as api, _progress(content) as bar:
            start = content.read(_PEEK_BYTES)
            query = {
                "format": (format_ or _told_by(file, start)).value,
                "source": "standard input" if file == STDIN else str(Path(file).absolute()),
                "on_conflict": on_conflict.value,
                "dry_run": int(dry_run),
                "partial": int(partial),
                "reason": reason,
            }
            done = api.upload("/v1/imports", query, _pieces(start, content, bar))
    finally:
        if file != STDIN:
            content.close()
    if as_json:
        output.document(done)
    else:
        _tell(done)
    _exit(done)


class _Bar(Protocol):
    def __call__(self, count: int) -> None: ...


def _told_by(name: str, start: bytes) -> Format:
    """The format by the file's name, else by its first character."""
    by_name = {".csv": Format.CSV, ".json": Format.JSON, ".jsonl": Format.JSONL}
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    by_start = {b"[": Format.JSON, b"{": Format.JSONL}.get(first, Format.CSV)
    told = by_name.get(Path(name).suffix.lower())
    return by_start if told is None or told is Format.JSON else told


class _Progress:
    """A bar on a terminal's standard error, nothing elsewhere."""

    def __init__(self, content: BinaryIO) -> None:
        status = os.fstat(content.fileno())
        self._total = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._bar = Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), transient=True)

    def __enter__(self) -> _Bar:
        self._bar.start()
        task = self._bar.add_task("import", total=self._total)
        return lambda count: self._bar.update(task, advance=count)

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()


def _progress(content: BinaryIO) -> AbstractContextManager[_Bar]:
    return _Progress(content) if sys.stderr.isatty() else nullcontext(lambda _count: None)


async def _pieces(start: bytes, content: BinaryIO, bar: _Bar) -> AsyncIterator[bytes]:
    piece = start
    while piece:
        bar(len(piece))
        yield piece
        piece = content.read(_PIECE_BYTES)


def _tell(done: dict[str, object]) -> None:
    errors = done["errors"]
    assert isinstance(errors, list)
    if errors:
        output.listing(errors, _ERROR, as_json=False)
    more = _count(done, "wrong_rows_not_listed")
    if more:
        say(f"and {more} more errors that are not listed")
    counts = ", ".join(f"{_count(done, name)} {name}" for name in _COUNTS if _count(done, name))
    did = "checked, nothing stored" if done["dry_run"] else "stored"
    if not done["published"] and not done["dry_run"]:
        did = "nothing stored"
    say(f"{did}: {counts or 'no rows'}")


def _count(done: dict[str, object], name: str) -> int:
    value = done.get(name, 0)
    assert isinstance(value, int)
    return value


def _exit(done: dict[str, object]) -> None:
    wrong = _count(done, "wrong")
    if not wrong:
        return
    if done["published"]:
        raise typer.Exit(ExitCode.PARTLY)
    raise OperatorError(
        f"{wrong} rows are wrong; nothing was stored",
        "mend them, or say --partial to store the others",
    )
