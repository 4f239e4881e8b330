"""``jrc pledge import``: many pledges from one file."""

import json
import os
import sys
from collections.abc import AsyncIterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.client import Api, Query, connect
from jrc.cli.import_options import (
    Conflicts,
    Format,
    FormatName,
    KeysWait,
    OnConflict,
    Partial,
    import_query,
)
from jrc.cli.import_progress import pieces, shown_progress
from jrc.cli.import_report import STORED, Outcomes, reporting
from jrc.cli.keyfiles import STDIN, open_input
from jrc.cli.options import AsJson, Common, Reason, common, given
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.service.wording import counted

_MAX_TABLE_ROWS = 1000
"""A terminal's table of more takes long to lay out, and nobody reads it there."""
_MAX_HINTS = 5
_ERROR = {"line": "LINE", "column": "COLUMN", "reason": "REASON"}
_OUTCOMES = (*STORED, "unchanged", "skipped")
_BINARY = (Format.CBOR, Format.COSE)
_BINARY_ENDINGS = tuple(f".{form}" for form in _BINARY)


def import_(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="CSV, JSON, JSON lines, YAML, CBOR or COSE.")
    ],
    format_: FormatName = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="THEIRS=OURS",
            help="The column that a name in the file stands for; THEIRS= leaves it out."
            " May be repeated.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, store nothing.")] = False,
    on_conflict: Conflicts = OnConflict.FAIL,
    pending_firmware: KeysWait = False,
    partial: Partial = False,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", min=0, help="Store nothing if the file has another number."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="A line for each row: .csv, or .jsonl (JSON lines)."
        ),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Add the pledges in a file, all or none. Each wrong row is named, all of them in one run.

    Up to 100,000 errors are listed, on a terminal 1,000; what goes beyond is counted, and all are
    in the --report. A row is known by its line, in a JSON array and in CBOR by its number. A
    COSE_Key has the identifier as its kid.

    Columns: pledge_id, psk (or pledge_sender_key, pledge_recipient_key, common_iv), and as wanted
    network (several with ;), role, label, profile, aead, hkdf, used_before (yes or no), key_check
    (refuses the row if its key has another key check value). ssn_start and recv_start are for the
    device and are not stored. docs/import.md has more.

    A CSV file that was cut off on its way to standard input may look whole: --rows tells.

    \b
    Examples:
      jrc pledge import --dry-run pledges.csv
      jrc pledge import pledges.csv --reason "batch 7" --report batch7.csv
      jrc pledge import vendor.csv --map "Device EUI=pledge_id" --map Key=psk --map "Serial No="
      zcat pledges.jsonl.gz | jrc pledge import - --format jsonl
      ssh router jrc pledge import - --rows 200 < pledges.csv
      jrc pledge import next.csv --pending-firmware --reason "firmware 2.1"
    """
    rules = import_query(
        on_conflict,
        dry_run=dry_run,
        partial=partial,
        pending_firmware=pending_firmware,
        reason=reason,
    )
    query = rules | _told(file, format_, map_ or [], rows)
    done = _upload(common(context), file, query, report)
    if as_json:
        output.document(done)
    else:
        tell(done)
    leave(done, partial=partial)


def _told(
    file: str, form: Format | None, mapped: list[str], rows: int | None
) -> dict[str, str | int]:
    """What the registrar is told of the file."""
    said: dict[str, str | int] = given(
        format=None if form is None else form.value,
        map=json.dumps(mapping(mapped)) if mapped else None,
        rows=rows,
    )
    return {"source": shown_path(file), **said}


def _upload(asked: Common, file: str, query: Query, report: Path | None) -> dict[str, object]:
    """The answer of the registrar; the report is written on the way."""
    reported = reporting(report, file, asked)
    content = open_input(file)
    is_binary = query.get("format") in _BINARY or file.lower().endswith(_BINARY_ENDINGS)
    try:
        with (
            reported as outcomes,
            connect(asked) as api,
            shown_progress(content, counts_lines=not is_binary) as bar,
        ):
            return sent(api, query, pieces(content, bar), outcomes)
    finally:
        if file != STDIN:
            content.close()


def sent(
    api: Api, query: Query, body: AsyncIterable[bytes], take: Outcomes | None
) -> dict[str, object]:
    """The answer to an import; ``take`` gets what becomes of each row as it comes."""
    if take is None:
        return api.upload("/v1/imports", query, body)
    return api.upload_for_lines("/v1/imports", {**query, "outcomes": 1}, body, take)


def mapping(texts: list[str]) -> dict[str, str]:
    """The columns of a file's own names, from ``THEIRS=OURS``."""
    found: dict[str, str] = {}
    for text in texts:
        theirs, equals, ours = text.rpartition("=")
        theirs, ours = theirs.strip(), ours.strip().lower()
        if not equals or not theirs:
            raise typer.BadParameter(f"--map {text!r} is no THEIRS=OURS")
        if found.setdefault(theirs, ours) != ours:
            raise typer.BadParameter(f"--map: {theirs!r} is there twice")
    return found


def shown_path(file: str) -> str:
    """The file's absolute path; bytes in it that are no UTF-8 as backslash escapes."""
    if file == STDIN:
        return "standard input"
    return os.fsencode(Path(file).absolute()).decode(errors="backslashreplace")


def tell(done: dict[str, object]) -> None:
    """The errors and the counts of an import, for a person."""
    errors = done["errors"]
    assert isinstance(errors, list)
    listed = errors[:_MAX_TABLE_ROWS] if sys.stdout.isatty() else errors
    if listed:
        tell_errors(listed)
    more = _count(done, "error_count") - len(listed)
    if more:
        say(f"and {more} more that are not listed")
    would = "" if done["published"] else "would be "
    counts = ", ".join(
        f"{_count(done, name)} {would}{name}" for name in _OUTCOMES if _count(done, name)
    )
    rows = _count(done, "rows")
    say(f"{_verdict(done)}: {counted(rows, 'row')} read{counts and ', '}{counts}")
    if not rows and not done["error_count"]:
        say("hint: the file has no rows; --rows N makes one that breaks off early an error")
    if done["unsettled"]:
        say("some changes come into force by and by; `jrc events` has each of them")


def tell_errors(errors: Sequence[output.Record]) -> None:
    """Errors in rows as a table, and what to do about them."""
    output.listing(errors, _ERROR, as_json=False)
    for hint in _hints(errors):
        say(f"hint: {hint}")


def _hints(errors: Sequence[output.Record]) -> list[str]:
    """What to do about them, each once, with the first line that it is for."""
    firsts: dict[object, object] = {}
    for error in errors:
        firsts.setdefault(error["hint"], error["line"])
    told = [f"line {line}: {hint}" for hint, line in firsts.items() if hint]
    return told[:_MAX_HINTS]


def _verdict(done: dict[str, object]) -> str:
    if done["dry_run"]:
        return "checked, nothing stored"
    return "stored" if done["published"] else "nothing stored"


def _count(done: dict[str, object], name: str) -> int:
    value = done[name]
    assert isinstance(value, int)
    return value


def leave(done: dict[str, object], *, partial: bool) -> None:
    """Ends the command as the import ended."""
    wrong = _count(done, "error_count")
    if not wrong:
        return
    if done["published"]:
        raise typer.Exit(ExitCode.PARTLY)
    raise OperatorError(
        f"{counted(wrong, 'error')} in the file; nothing was stored",
        "mend them, or say --partial to store the good rows"
        if helps_partly(done, partial=partial)
        else "mend them",
    )


def helps_partly(done: dict[str, object], *, partial: bool) -> bool:
    """Whether ``--partial``, which was not said, would have stored something."""
    return not partial and any(_count(done, name) for name in STORED)
