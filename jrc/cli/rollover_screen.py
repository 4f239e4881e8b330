"""How a rollover is shown as it goes on: a live table on a terminal, a line a change elsewhere."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jrc.cli.output import Record, shown_as
from jrc.cli.reporting import clean
from jrc.cli.rollover_words import headline, hindrances, news, numbers, summary, told

REFRESHES_PER_S = 4
LINES_AROUND_ROWS = 3
"""Headings, how many rows there are beside these, and the cursor's line."""
BAR_CHARACTERS = 40
_MAX_ID_CHARACTERS = 24
_MAX_HINDRANCES = 3
_WIDTHS: Final = {"node": 16, "state": 11, "tries": 5, "sent": 8, "reached": 8, "switched": 8}
"""What stays readable where a long trouble wants the room."""

_RANKS: Final = {
    state: rank
    for rank, state in enumerate(
        ("unreachable", "refused", "sent", "pending", "reverting", "must_join", "reached",
         "reverted", "left")
    )
}  # fmt: skip
"""Stragglers stand on top."""
_TROUBLED: Final = frozenset({"unreachable", "refused"})
_STYLES: Final = {
    "unreachable": "red", "refused": "red", "sent": "yellow", "must_join": "yellow",
    "reverting": "yellow", "reached": "green", "reverted": "green", "left": "dim",
}  # fmt: skip
_FINAL_STYLES: Final = {"done": "green", "aborted": "red", "paused": "yellow"}


class Screen(Protocol):
    """Shows a rollover each time it was looked at."""

    def show(self, status: Record, nodes: Sequence[Record]) -> None:
        """The rollover as it is now; its nodes may be as of the look before."""
        ...


class Lines:
    """A line for each change of the phase, of what hinders, and, if ``each_node``, of a node."""

    def __init__(self, write: Callable[[str], None], *, each_node: bool) -> None:
        self._write = write
        self._each_node = each_node
        self._id: object = None
        self._headline = ""
        self._hindrances: Collection[tuple[str, str]] = ()
        self._told: tuple[int, int] | None = None
        self._states: dict[object, tuple[object, object]] | None = None

    def show(self, status: Record, nodes: Sequence[Record]) -> None:
        """As ``Screen.show``; at the first look, which nodes are in trouble."""
        if status["id"] != self._id:
            self._id, self._states, self._hindrances = status["id"], None, ()
        is_news = headline(status) != self._headline
        if self._states is not None:
            self._show_nodes(nodes)
        if is_news:
            self._line(f"{headline(status)}; {summary(status)}")
        elif not self._each_node and told(status) != self._told:
            self._line(f"{status['network']}: {numbers(status)}")
        if self._states is None:
            self._show_nodes([node for node in nodes if node["state"] in _TROUBLED])
        self._show_hindrances(status, nodes)
        self._headline, self._told = headline(status), told(status)
        self._states = {node["pledge_id"]: (node["state"], node["attempts"]) for node in nodes}

    def _show_nodes(self, nodes: Sequence[Record]) -> None:
        """Those that are not as they were."""
        before = self._states or {}
        for node in nodes if self._each_node else ():
            if before.get(node["pledge_id"]) != (node["state"], node["attempts"]):
                self._line(f"{node['network']}: {news(node)}")

    def _show_hindrances(self, status: Record, nodes: Sequence[Record]) -> None:
        """Those that were not there before; what each node meets is said of it already."""
        found = hindrances(status, () if self._each_node else nodes)
        for what, sentence in found.items():
            if what not in self._hindrances:
                self._line(f"{status['network']}: {sentence}")
        self._hindrances = found.keys()

    def _line(self, text: str) -> None:
        self._write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}")


class LiveTable:
    """A table that fits the terminal, stragglers on top, and a bar over it."""

    def __init__(self, console: Console, live: Live, most_rows: int | None = None) -> None:
        self._console = console
        self._live = live
        self._most_rows = most_rows

    def show(self, status: Record, nodes: Sequence[Record]) -> None:
        """As ``Screen.show``."""
        self._live.update(picture(self._console, status, nodes, self._most_rows))


def picture(
    console: Console, status: Record, nodes: Sequence[Record], most_rows: int | None = None
) -> RenderableType:
    """The whole of it, with as many nodes as the terminal has lines for."""
    head = _head(status, list(hindrances(status, nodes).values()))
    taken = len(console.render_lines(head)) + LINES_AROUND_ROWS
    room = max(1, console.height - taken)
    shown = sorted(nodes, key=_place)[: room if most_rows is None else min(room, most_rows)]
    parts: list[RenderableType] = [head]
    if shown:
        parts.append(_table(shown, status))
    if len(nodes) > len(shown):
        parts.append(Text(f"and {len(nodes) - len(shown)} more", style="dim"))
    return Group(*parts)


def _head(status: Record, troubles: Sequence[str]) -> RenderableType:
    """What it is, how far, and what is in the way; the sentences wrap."""
    reached, counted = told(status)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=max(1, counted), completed=reached, width=BAR_CHARACTERS),
        f"{reached} of {counted}",
    )
    style = _FINAL_STYLES.get(str(status["phase"]), "bold")
    shown = [Text(clean(each), style="yellow") for each in troubles[:_MAX_HINDRANCES]]
    return Group(Text(headline(status), style=style), bar, Text(clean(summary(status))), *shown)


def _place(node: Record) -> tuple[int, float]:
    """Stragglers first; of the others those that changed last."""
    at = node["reached"] or node["tried"] or node["sent"]
    moment = datetime.fromisoformat(str(at)).timestamp() if at else 0.0
    return _RANKS.get(str(node["state"]), 0), -moment


def _table(nodes: Sequence[Record], status: Record) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, width in _WIDTHS.items():
        right = heading == "tries"
        table.add_column(
            heading,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if right else "left",
            min_width=width,
            max_width=_MAX_ID_CHARACTERS if heading == "node" else None,
        )
    table.add_column("trouble", no_wrap=True, overflow="ellipsis")
    for node in nodes:
        state = str(node["state"])
        table.add_row(
            Text(str(node["pledge_id"])),
            Text(state, style=_STYLES.get(state, "")),
            str(node["attempts"]),
            _clock(node["sent"]),
            _clock(node["reached"]),
            _clock(switched_at(node, status)),
            Text(shown_as(node["last_error"]) if node["last_error"] else ""),
        )
    return table


def switched_at(node: Record, status: Record) -> object:
    """Since when a node is to send with the new keys, None where it is not yet.

    A 6LBR begins as it gets them; a 6LN that has them follows what it hears (RFC 9031 §8.4.3.1-2),
    which is certain when each 6LBR has begun, and in a network without any it is not.
    """
    begun = status["switching"]
    if node["role"] == "6ln":
        without_router = status["without_router"]
        assert isinstance(without_router, list | tuple)
        begun = None if node["network"] in without_router else status["guarding"]
    reached = node["reached"]
    if node["state"] != "reached" or not reached or not begun:
        return None
    return max(str(reached), str(begun))


def _clock(at: object) -> str:
    """A time as this terminal's clock shows it."""
    return f"{datetime.fromisoformat(str(at)).astimezone():%H:%M:%S}" if at else ""


def on_terminal() -> bool:
    """Whether ``screen`` shows a table that somebody looks at."""
    return Console().is_terminal


@contextmanager
def screen(
    *, to_stderr: bool = False, each_node: bool = True, most_rows: int | None = None
) -> Iterator[Screen]:
    """Where to show a rollover; ``each_node`` is for lines, ``most_rows`` for the table."""
    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        yield Lines(lambda text: _print(console, text), each_node=each_node)
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_S) as live:
        yield LiveTable(console, live, most_rows)


def _print(console: Console, text: str) -> None:
    console.file.write(clean(text) + "\n")
    console.file.flush()
