"""``jrc doctor``."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jrc.cli import output
from jrc.cli.diagnosis.verdict import SEVERITY, Check, Finding, Status, examine, worst
from jrc.cli.options import AsJson, common
from jrc.cli.reporting import clean
from jrc.errors import ExitCode

if TYPE_CHECKING:
    from jrc.cli.diagnosis.case import Case

COLUMNS = {"status": "STATUS", "name": "CHECK", "what": "WHAT", "hint": "WHAT TO DO"}
STYLES = {
    Status.SUCCESS: "green",
    Status.SKIPPED: "dim",
    Status.WARNING: "bold yellow",
    Status.FAILURE: "bold red",
}
EXIT_CODES = {
    Status.SUCCESS: ExitCode.DONE,
    Status.SKIPPED: ExitCode.DONE,
    Status.WARNING: ExitCode.UNFINISHED,
    Status.FAILURE: ExitCode.FAILED,
}
"""For scripts: all is well; it works and something is not as it should be; it does not work."""

PROGRESS = {"join": "join: a registrar, a Join Proxy and a pledge on loopback ..."}


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    as_json: AsJson = False,
    no_join: Annotated[
        bool, typer.Option("--no-join", help="Leave the join in a throw-away network out.")
    ] = False,
) -> None:
    """Look at config, keys, database, disk, clock, network and daemon, and try a whole join.

    Nothing is changed. Each line is success, warning, failure, or skipped where an earlier failure
    leaves nothing to look at, and says what to do. It looks as the user who runs it: the service's
    sees most. Exit code 0: all is well; 5: there are warnings; 1: something does not work.

    \b
    Examples:
      sudo jrc doctor
      jrc --config ./config.toml doctor --json --no-join
    """
    # What it looks with is loaded when it runs, and by no other command.
    from jrc.cli.diagnosis.case import Case
    from jrc.cli.diagnosis.course import CHECKS

    case = Case(common(context), wants_join=not no_join)
    if as_json:
        found = list(examine(case, CHECKS))
        checks = [finding.json() for finding in found]
        output.document({"checks": checks, "status": _overall(found).value})
    elif sys.stdout.isatty():
        found = _on_terminal(case, CHECKS)
    else:
        found = []
        records = (finding.json() for finding in _kept(examine(case, CHECKS), found))
        output.listing(records, COLUMNS, as_json=False)
    raise typer.Exit(EXIT_CODES[_overall(found)])


def _overall(found: Iterable[Finding]) -> Status:
    """The worst; what was skipped has its reason elsewhere, or none that counts."""
    status = worst(finding.status for finding in found)
    return Status.SUCCESS if status is Status.SKIPPED else status


def _kept(findings: Iterable[Finding], found: list[Finding]) -> Iterator[Finding]:
    """The findings as they come, which are in ``found`` afterwards."""
    for finding in findings:
        found.append(finding)
        yield finding


def _on_terminal(case: "Case", checks: Sequence[Check["Case"]]) -> list[Finding]:
    """A line a finding as it comes, below it the check that is at work."""
    console = Console(highlight=False)
    width = max(len(check.name) for check in checks)
    found: list[Finding] = []
    with console.status("") as at_work:

        def begins(name: str) -> None:
            at_work.update(PROGRESS.get(name, f"{name} ..."))

        for finding in _kept(examine(case, checks, begins), found):
            console.print(_lines(finding, width))
    console.print(_summary(found))
    return found


def _lines(finding: Finding, width: int) -> Table:
    """Status, name and sentence, and below what to do."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=max(map(len, Status)), no_wrap=True)
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    mark = Text(finding.status.value, style=STYLES[finding.status])
    table.add_row(mark, Text(finding.name), Text(clean(finding.what)))
    if finding.hint:
        table.add_row("", "", Text(f"to do: {clean(finding.hint)}", style="italic"))
    return table


def _summary(found: Sequence[Finding]) -> Text:
    """How many of each kind, in the colour of the worst."""
    counts = Counter(finding.status for finding in found)
    words = [f"{status.value}: {counts[status]}" for status in reversed(SEVERITY) if counts[status]]
    return Text(", ".join(words), style=STYLES[_overall(found)])
