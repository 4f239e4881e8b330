"""``jrc pledge import --report``: what became of each row, in a file."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TextIO

from jrc.cli.options import Common
from jrc.cli.written_files import refuse_own_files
from jrc.errors import ExitCode, OperatorError

COLUMNS = ("line", "pledge_id", "outcome", "key_check", "column", "reason")
STORED = ("added", "returned", "replaced", "changed", "pending")
"""Outcomes of rows that change something."""
REFUSED = "refused"
DISCARDED = "discarded"
"""The outcome of a good row in a file that was not stored, as other rows are wrong."""

Outcomes = Callable[[Mapping[str, object], Sequence[bytes]], None]
_Write = Callable[[Sequence[object]], object]


def reporting(
    path: Path | None, source: str, asked: Common
) -> AbstractContextManager[Outcomes | None]:
    """As ``report_file``; gives None where no report is wanted.

    Raises:
        OperatorError: it would take the place of what the registrar needs.
    """
    if path is None:
        return nullcontext(None)
    refuse_own_files(path, asked)
    return report_file(path, source)


@contextmanager
def report_file(path: Path, source: str) -> Iterator[Outcomes]:
    """Takes the answer to an import and lines of outcomes; at the end ``path`` is there, whole.

    Its mode is 0600. It is CSV or JSON lines, as its name says; a former one is replaced. Where an
    error ends it, it is not there.

    Raises:
        OperatorError: it can't be written, or would be the import file itself.
    """
    begin = _WRITERS.get(path.suffix.lower())
    if begin is None:
        raise OperatorError(
            f"--report: {path} is neither CSV nor JSON lines by its name",
            "call it .csv or .jsonl",
            exit_code=ExitCode.USAGE,
        )
    if os.path.realpath(path) == os.path.realpath(source):
        raise OperatorError("--report would replace the import file", exit_code=ExitCode.USAGE)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _explained(path, "nothing was stored"):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with _explained(path, "`jrc events` says whether the pledges were stored"):
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                yield _outcomes(begin(file))
                file.flush()
                os.fsync(descriptor)
            _name(part, path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OperatorError(
            f"the report {path} can't be written ({error.strerror or error})", hint
        ) from None


def _name(part: Path, path: Path) -> None:
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _outcomes(write: _Write) -> Outcomes:
    late: dict[object, list[object]] = {}

    def take(done: Mapping[str, object], lines: Sequence[bytes]) -> None:
        is_stored = done["published"] or done["dry_run"]
        if done["published"] and not late:
            late.update(_faults(done))
        for line in lines:
            row = json.loads(line)
            if row[2] in STORED:
                row = (
                    _ended(row, late.get(row[0])) if is_stored else [*row[:2], DISCARDED, *row[3:]]
                )
            write(row)

    return take


def _faults(done: Mapping[str, object]) -> Iterator[tuple[object, list[object]]]:
    errors = done["errors"]
    assert isinstance(errors, list)
    for error in errors:
        yield error["line"], [error["column"], error["reason"]]


def _ended(row: list[object], fault: list[object] | None) -> list[object]:
    """A row that was good, and what became of it where it was overtaken before it was in force."""
    return row if fault is None else [*row[:2], REFUSED, "", *fault]


def _csv(file: TextIO) -> _Write:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    return writer.writerow


def _json_lines(file: TextIO) -> _Write:
    def write(row: Sequence[object]) -> None:
        file.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")

    return write


_WRITERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}
