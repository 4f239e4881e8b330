"""``jrc events verify``, ``export`` and ``prune``: the audit log as a whole."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Protocol, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from jrc.cli import output
from jrc.cli.asking import confirm
from jrc.cli.client import Api, Query, connect
from jrc.cli.options import AsJson, OfNetwork, Reason, Yes, common
from jrc.cli.reporting import say
from jrc.cli.written_files import refuse_own_files
from jrc.errors import ExitCode, OperatorError
from jrc.service.event_check import verify_lines
from jrc.service.wording import counted, utc_text

STDIO = "-"
_STRETCH = 20_000
_PAGE = 2000
_MAX_LINE_CHARACTERS = 2**20

Kind = Annotated[str | None, typer.Option(help="Of one kind, such as pledge.revoked.")]
OfPledge = Annotated[
    str | None, typer.Option("--pledge", metavar="ID", help="Those of one pledge.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From then on: 2026-11-30T08:15 (UTC), or 2h ago."
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Before then, written as for --since.")
]


def which(**given: str | None) -> dict[str, str | int]:
    """The filters that were given, as a query."""
    return {name: value for name, value in given.items() if value is not None}


# Verifying


def verify(
    context: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="An export, in place of the database.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute the chain of hashes anew. Exit code 1: an entry was changed or is missing.

    Of an export it is told whether its lines are as they were written and none between them is
    missing. Whether it goes on to the end shows when its last hash is compared with another one.

    \b
    Examples:
      jrc events verify
      jrc events verify events.jsonl
      zcat events.jsonl.gz | jrc events verify -
    """
    if file is None:
        with connect(common(context)) as api:
            found = _verified(api)
    else:
        with _reading(file) as lines:
            found = asdict(verify_lines(_lines(lines)))
    if as_json:
        output.document(found)
    else:
        output.line(str(found["sentence"]))
    if not found["intact"]:
        raise typer.Exit(ExitCode.FAILED)


def _verified(api: Api) -> Mapping[str, object]:
    """The whole log, a stretch at a time, so that it can be seen how far it is."""
    query: dict[str, str | int] = {"limit": _STRETCH}
    with _progress("events") as shown:
        while True:
            found = api.get("/v1/events/verify", query)
            shown(_whole(found, "number"), _whole(found, "last"))
            if found["done"]:
                return found
            query |= {"after": _whole(found, "number"), "hash": str(found["hash"])}


@contextmanager
def _reading(file: str) -> Iterator[TextIO]:
    if file == STDIO:
        yield sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8") as opened:
            yield opened
    except OSError as error:
        raise OperatorError(f"{file} can't be read: {error.strerror}") from None


def _lines(content: TextIO) -> Iterator[str]:
    try:
        while line := content.readline(_MAX_LINE_CHARACTERS):
            yield line
    except UnicodeDecodeError:
        raise OperatorError("this is no export: it is not UTF-8 text") from None


# Exporting


def export(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A new file; - is standard output.")
    ],
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    pledge: OfPledge = None,
    network: OfNetwork = None,
) -> None:
    """Write events as JSON, one a line, oldest first, each with its hash and that before it.

    `jrc events verify FILE` proves an export of all events without the database, on any host.
    No secret is in it. docs/audit-log.md describes the fields, and what a hash covers.

    \b
    Examples:
      jrc events export events.jsonl
      jrc events export - --since 7d --kind pledge.revoked | jq .pledge
    """
    query = which(since=since, until=until, kind=kind, pledge=pledge, network=network)
    asked = common(context)
    if file != STDIO:
        refuse_own_files(Path(file), asked)
    with connect(asked) as api:
        count, last = export_to(api, file, query)
    to = "" if file == STDIO else f" to {file}"
    so_far = "" if last is None else f"; the hash of the last one is {last}"
    say(f"exported {counted(count, 'event')}{to}{so_far}")


def export_to(api: Api, file: str, query: Query) -> tuple[int, object]:
    """Write the events that ``query`` asks for; how many, and the last hash, None for none.

    Raises:
        OperatorError: the file is there already, or can't be written.
    """
    count, last = 0, None
    # The first page is asked for before there is a file: what is refused leaves none behind.
    pages = api.pages("/v1/events/export", {"limit": _PAGE, **query}, "events")
    first = next(pages, None)
    with _writing(file) as out:
        while first is not None:
            out.write(json.dumps(first, separators=(",", ":")) + "\n")
            count, last = count + 1, first["hash"]
            first = next(pages, None)
    return count, last


@contextmanager
def _writing(file: str) -> Iterator[TextIO]:
    """A new file that only its owner reads, on disk when this returns; or standard output.

    Where it did not become whole it is removed: a later export could not be told from it.
    """
    if file == STDIO:
        yield sys.stdout
        return
    from jrc.store.syncing import sync

    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(f"{file} is there already", "name another file") from None
    except OSError as error:
        raise OperatorError(f"{file} can't be written: {error.strerror}") from None
    with ExitStack() as undo:
        undo.callback(Path(file).unlink, missing_ok=True)
        try:
            with open(number, "w", encoding="utf-8") as out:
                yield out
                out.flush()
                os.fsync(number)
            sync(Path(file).parent)
        except OSError as error:
            raise OperatorError(f"{file} can't be written: {error.strerror}") from None
        undo.pop_all()


# Removing


def prune(
    context: typer.Context,
    before: Annotated[
        str,
        typer.Option("--before", metavar="TIME", help="2026-11-30T08:15 (UTC), or 400d (ago)."),
    ],
    export_file: Annotated[
        str | None,
        typer.Option("--export", metavar="FILE", help="Write them to a new file first."),
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete old events for good. The rest stays verifiable, and an event says what has gone.

    Events go in the order in which they were written: none stays before one that goes, so one that
    is younger, by a clock that was ahead, keeps those after it.

    `[events] keep_days` in the config file has the daemon do so by itself.

    \b
    Examples:
      jrc events prune --before 400d --export events-2026.jsonl --reason "yearly"
      jrc events prune --before 2026-01-01 --yes
    """
    asked = common(context)
    if export_file not in (None, STDIO):
        refuse_own_files(Path(str(export_file)), asked)
    with connect(asked) as api:
        plan = api.post("/v1/events/removal/plan", {"before": before})
        removal = plan["removal"]
        if isinstance(removal, dict):
            # From here on it is this time, however long the answer or the export takes.
            body: dict[str, object] = {"before": utc_text(_whole(removal, "before_ms"))}
            confirm(plan, yes=yes)
            if export_file is not None:
                _export_first(api, export_file, removal)
            wanted = {"last": removal["last"], "reason": reason, "agreed": True}
            done = api.post("/v1/events/removal", {**body, **wanted})
        else:
            done = {"removed": 0, "first": None, "last": None}
    if as_json:
        output.document(done)
    elif done["removed"]:
        say(f"removed {counted(_whole(done, 'removed'), 'event')}, up to event {done['last']}")
    else:
        say("no event is that old; nothing was removed")


def _export_first(api: Api, file: str, removal: Mapping[str, object]) -> None:
    """The events that go, proved before any does."""
    if file == STDIO:
        raise OperatorError(
            "--export needs a file: events go only when they are kept there",
            exit_code=ExitCode.USAGE,
        )
    export_to(api, file, {"up_to": _whole(removal, "last")})
    with _reading(file) as lines:
        found = verify_lines(_lines(lines))
    if not found.intact or (found.first, found.number) != (removal["first"], removal["last"]):
        raise OperatorError(
            f"{file} does not verify, and nothing was removed: {found.sentence}",
            "`jrc events verify` tells whether the database does",
        )
    say(f"exported {counted(found.count, 'event')} to {file}")


# Progress


class _Shown(Protocol):
    def __call__(self, done: int, total: int) -> None: ...


def _progress(what: str) -> AbstractContextManager[_Shown]:
    """A bar on a terminal's standard error, nothing elsewhere."""
    return _bar(what) if sys.stderr.isatty() else nullcontext(lambda done, total: None)


@contextmanager
def _bar(what: str) -> Iterator[_Shown]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _whole(found: Mapping[str, object], name: str) -> int:
    value = found[name]
    assert isinstance(value, int)
    return value
