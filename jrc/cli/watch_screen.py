"""How `jrc provision watch` is shown: a live table on a terminal, a line or an object a change."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jrc.cli.output import Record
from jrc.cli.reporting import clean
from jrc.cli.watch_rows import Row, State

REFRESHES_PER_S: Final = 4
SHOWN_THUMBPRINT: Final = 16
"""Digits of a thumbprint that a table has room for."""
_LINES_AROUND_ROWS: Final = 4
_MAX_TROUBLES: Final = 5
_WIDTHS: Final = {
    "port": 8, "state": 13, "device": 16, "identity": 16, "key": 8, "stored": 6, "last": 8,
}  # fmt: skip
"""What stays readable where a long name wants the room."""
_STYLES: Final[Mapping[State, str]] = {
    State.NEW: "green",
    State.SAME: "green",
    State.SUPERSEDED: "yellow",
    State.REFUSED: "red",
    State.PROBLEM: "red",
    State.SENDING: "cyan",
    State.ENTERING: "cyan",
    State.KEY_SENT: "cyan",
    State.KEY_STORED: "green",
    State.WAITING: "dim",
    State.ENDED: "dim",
}
_TROUBLED: Final = frozenset({State.REFUSED, State.PROBLEM})


class Screen(Protocol):
    """Shows consoles."""

    def tell(self, record: Record) -> None:
        """A change."""
        ...

    def show(self, rows: Sequence[Row], headline: str) -> None:
        """How all of them are now; ``headline`` says it in one sentence."""
        ...


class Lines:
    """A line a change."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._headline = ""

    def tell(self, record: Record) -> None:
        """As ``Screen.tell``."""
        self._write(f"{record['at']} {record.get('port', 'registrar')}: {_sentence(record)}")

    def show(self, rows: Sequence[Row], headline: str) -> None:
        """Nothing: the changes say it."""


class Objects:
    """A JSON object a change."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def tell(self, record: Record) -> None:
        """As ``Screen.tell``."""
        self._write(json.dumps(record))

    def show(self, rows: Sequence[Row], headline: str) -> None:
        """Nothing: the changes say it."""


class LiveTable:
    """A row a console, those with a problem on top."""

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live

    def tell(self, record: Record) -> None:
        """Nothing: the table shows it."""

    def show(self, rows: Sequence[Row], headline: str) -> None:
        """As ``Screen.show``."""
        self._live.update(picture(rows, headline, self._console.height))


def picture(rows: Sequence[Row], headline: str, height: int) -> RenderableType:
    """The table, with as many rows as ``height`` lines have room for, and what is in the way."""
    ranked = sorted(rows, key=lambda row: row.state not in _TROUBLED)
    troubled = [row for row in ranked if row.trouble]
    room = max(1, height - _LINES_AROUND_ROWS - min(len(troubled), _MAX_TROUBLES))
    shown = ranked[:room]
    parts: list[RenderableType] = [Text(clean(headline), style="bold"), _table(shown)]
    if len(rows) > len(shown):
        parts.append(Text(f"and {len(rows) - len(shown)} more", style="dim"))
    return Group(*parts, *map(_trouble, troubled[:_MAX_TROUBLES]))


def _trouble(row: Row) -> RenderableType:
    """On a line of its own, which is all that a column would have room for."""
    style = "red" if row.state in _TROUBLED else "dim"
    words = clean(f"{row.name}: {row.trouble}").replace("\n", " ")
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    # A run shows identities or gives keys: eighty columns have no room for both.
    has_keys = any(row.key for row in rows)
    for heading, width in _WIDTHS.items():
        if heading != ("identity" if has_keys else "key"):
            table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=width)
    for row in rows:
        table.add_row(
            Text(clean(row.name)),
            Text(row.state.value, style=_STYLES.get(row.state, "")),
            Text(row.device),
            Text(row.key if has_keys else row.thumbprint[:SHOWN_THUMBPRINT]),
            Text(str(row.stored), justify="right"),
            f"{row.last.astimezone():%H:%M:%S}" if row.last else "",
        )
    return table


_SENTENCES: Final[Mapping[str, str]] = {
    "away": "can't be reached; what is seen is kept",
    "back": "there again",
    "waiting": "waiting",
    "opened": "open",
    "closed": "closed",
    "ended": "at its end",
    "stuck": "can't be written to",
    "new": "{pledge_id} stored, identity {thumbprint}",
    "same": "{pledge_id} is known with this identity",
    "superseded": "{pledge_id} stored: identity {thumbprint} takes the place of the one before",
    "refused": "{pledge_id} refused",
    "problem": "problem",
    "alone": "nothing to store",
    "key unheard": "{pledge_id} has gone",
    "key greeted": "{pledge_id} has no key",
    "key entering": "{pledge_id}: the registrar is told its new key",
    "key ready": "{pledge_id}: the registrar has its key; it is asked anew who it is",
    "key comparing": "{pledge_id} has a key: the registrar is asked for it",
    "key sent": "{pledge_id} is sent its key",
    "key stored": "{pledge_id} has stored its key, check value {key_check}",
    "key done": "{pledge_id} has a key that the registrar knows, check value {key_check}",
    "key problem": "{pledge_id} has no key that is good here",
    "key unanswered": "{pledge_id} may have no key",
    "key given up": "{pledge_id} gets no key in this run",
    "key exposed": "{pledge_id} needs another key",
}


def _sentence(record: Record) -> str:
    """A change in words."""
    said = _SENTENCES.get(str(record["event"]), str(record["event"])).format_map(dict(record))
    at = f" in line {record['line']}" if "line" in record else ""
    why = f": {record['error']}" if "error" in record else ""
    hint = f" ({record['hint']})" if "hint" in record else ""
    return f"{said}{at}{why}{hint}"


@contextmanager
def screen(*, as_json: bool) -> Iterator[Screen]:
    """Where to show consoles: standard output."""
    console = Console()
    if as_json or not console.is_terminal:
        yield Objects(_print) if as_json else Lines(_print)
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_S) as live:
        yield LiveTable(console, live)


def _print(text: str) -> None:
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()
