"""How joins are shown: a live table on a terminal, a line each elsewhere."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jrc.cli.output import line
from jrc.cli.reporting import say
from jrc.errors import ExitCode
from jrc.lab.demo import describe, find_faults, short_id_of
from jrc.lab.network import JoinResult
from jrc.lab.pledge import Joined

HEADINGS = ("pledge", "short address", "took", "requests", "result")
REFRESHES_PER_S = 10
LINES_AROUND_TABLE = 6


def tell(text: str) -> None:
    """One line of output, seen at once also through a pipe."""
    line(text)
    sys.stdout.flush()


class Screen(Protocol):
    """Shows results as they come."""

    def show(self, result: JoinResult) -> None:
        """One pledge is done."""
        ...


class Lines:
    """One line a pledge, for pipes and logs."""

    def show(self, result: JoinResult) -> None:
        """One pledge is done."""
        pledge, short_id, took, requests, text = _cells(result)
        tell(f"{pledge}  {short_id:>4}  {took:>8}  {requests:>2}  {text}")


class LiveTable:
    """A table that grows while pledges join; the last rows if the terminal is short."""

    def __init__(self, console: Console, live: Live, expected: int) -> None:
        self._console = console
        self._live = live
        self._expected = expected
        self._results: list[JoinResult] = []

    def show(self, result: JoinResult) -> None:
        """One pledge is done."""
        self._results.append(result)
        room = max(1, self._console.height - LINES_AROUND_TABLE)
        self._live.update(self._table(self._results[-room:]))

    def finish(self) -> None:
        """Prints the whole table for good."""
        self._console.print(self._table(self._results))

    def _table(self, results: Sequence[JoinResult]) -> Table:
        joined = sum(isinstance(result.outcome, Joined) for result in self._results)
        table = Table(title=f"{joined} of {self._expected} joined", title_justify="left")
        for heading in HEADINGS:
            right = heading in ("took", "requests")
            table.add_column(heading, justify="right" if right else "left", no_wrap=True)
        for result in results:
            *cells, text = _cells(result)
            style = "green" if isinstance(result.outcome, Joined) else "red"
            table.add_row(*cells, Text(text, style=style))
        return table


@contextmanager
def screen(expected: int) -> Iterator[Screen]:
    """Where to show the results of ``expected`` pledges."""
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_S, transient=True) as live:
        table = LiveTable(console, live, expected)
        yield table
    table.finish()


def judge(results: Sequence[JoinResult]) -> ExitCode:
    """Says what is wrong with the joins, or that nothing is."""
    faults = find_faults(results)
    for fault in faults:
        say(f"fault: {fault}")
    if faults:
        return ExitCode.FAILED
    tell(f"all {len(results)} joined, with the same link-layer keys and a short address each")
    return ExitCode.DONE


def tell_switch(nodes: int, key_ids: Sequence[int]) -> None:
    """All nodes send with other keys than before."""
    tell(
        f"all {nodes} nodes send with {'key' if len(key_ids) == 1 else 'keys'} "
        f"{', '.join(map(str, key_ids))}"
    )


def _cells(result: JoinResult) -> tuple[str, str, str, str, str]:
    took = f"{result.elapsed_s * 1000:.1f} ms"
    requests = str(result.transmissions)
    return result.pledge_id.hex(), short_id_of(result), took, requests, describe(result)
