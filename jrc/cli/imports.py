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
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from jrc.cli import output
from jrc.cli.client import connect
from jrc.cli.keyfiles import STDIN, open_input
from jrc.cli.options import AsJson, Reason, common
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError

_PIECE_BYTES = 64 * 1024
_MAX_TABLE_ROWS = 1000
"""A terminal's table of more takes long to lay out, and nobody reads it there."""
_ERROR = {"line": "LINE", "column": "COLUMN", "reason": "REASON"}
_STORED = ("added", "returned", "replaced", "changed")
_OUTCOMES = (*_STORED, "unchanged", "skipped")


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

    Up to 100,000 errors are listed, on a terminal 1,000; what goes beyond is counted.

    Columns: pledge_id, psk (or pledge_sender_key, pledge_recipient_key, common_iv), and as wanted
    network (several with ;), role, label, profile, aead, hkdf, used_before (yes or no).

    \b
    Examples:
      jrc pledge import --dry-run pledges.csv
      jrc pledge import pledges.csv --reason "batch 7"
      zcat pledges.jsonl.gz | jrc pledge import - --format jsonl
    """
    content = open_input(file)
    try:
        with connect(common(context)) as api, _progress(content) as bar:
            query: dict[str, str | int] = {
                "source": "standard input" if file == STDIN else _shown_path(file),
                "on_conflict": on_conflict.value,
                "dry_run": int(dry_run),
                "partial": int(partial),
                "reason": reason,
            }
            if format_ is not None:
                query["format"] = format_.value
            done = api.upload("/v1/imports", query, _pieces(content, bar))
    finally:
        if file != STDIN:
            content.close()
    if as_json:
        output.document(done)
    else:
        _tell(done)
    _exit(done, partial=partial)


def _shown_path(file: str) -> str:
    """The file's absolute path; bytes in it that are no UTF-8 as backslash escapes."""
    return os.fsencode(Path(file).absolute()).decode(errors="backslashreplace")


class _Bar(Protocol):
    def __call__(self, piece: bytes) -> None: ...


class _Progress:
    """A bar on a terminal's standard error, nothing elsewhere."""

    def __init__(self, content: BinaryIO) -> None:
        status = os.fstat(content.fileno())
        self._total = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._lines = 0
        self._bar = Progress(
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[lines]} lines"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> _Bar:
        self._bar.start()
        task = self._bar.add_task("import", total=self._total, lines=0)

        def advance(piece: bytes) -> None:
            self._lines += piece.count(b"\n")
            self._bar.update(task, advance=len(piece), lines=self._lines)

        return advance

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()


def _progress(content: BinaryIO) -> AbstractContextManager[_Bar]:
    return _Progress(content) if sys.stderr.isatty() else nullcontext(lambda _piece: None)


async def _pieces(content: BinaryIO, bar: _Bar) -> AsyncIterator[bytes]:
    while piece := content.read(_PIECE_BYTES):
        yield piece
        bar(piece)


def _tell(done: dict[str, object]) -> None:
    errors = done["errors"]
    assert isinstance(errors, list)
    listed = errors[:_MAX_TABLE_ROWS] if sys.stdout.isatty() else errors
    if listed:
        output.listing(listed, _ERROR, as_json=False)
    more = _count(done, "error_count") - len(listed)
    if more:
        say(f"and {more} more that are not listed")
    would = "" if done["published"] else "would be "
    counts = ", ".join(
        f"{_count(done, name)} {would}{name}" for name in _OUTCOMES if _count(done, name)
    )
    say(f"{_verdict(done)}: {_count(done, 'rows')} rows read{counts and ', '}{counts}")


def _verdict(done: dict[str, object]) -> str:
    if done["dry_run"]:
        return "checked, nothing stored"
    return "stored" if done["published"] else "nothing stored"


def _count(done: dict[str, object], name: str) -> int:
    value = done[name]
    assert isinstance(value, int)
    return value


def _exit(done: dict[str, object], *, partial: bool) -> None:
    wrong = _count(done, "error_count")
    if not wrong:
        return
    if done["published"]:
        raise typer.Exit(ExitCode.PARTLY)
    would_help = not partial and any(_count(done, name) for name in _STORED)
    raise OperatorError(
        f"{wrong} {'error' if wrong == 1 else 'errors'} in the file; nothing was stored",
        "mend them, or say --partial to store the good rows" if would_help else "mend them",
    )
