"""How far an import is: a bar on a terminal's standard error, nothing elsewhere."""

import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_PIECE_BYTES = 64 * 1024
_BAR_COLUMNS = 12
"""So that all of it has room in 80 columns."""


class _Bar(Protocol):
    def __call__(self, piece: bytes) -> None: ...


def shown_progress(content: BinaryIO, *, counts_lines: bool) -> AbstractContextManager[_Bar]:
    """Gives what is told of each piece that was taken, and of the end by an empty one."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _piece: None)
    return _Progress(content, counts_lines=counts_lines)


async def pieces(content: BinaryIO, bar: _Bar) -> AsyncIterator[bytes]:
    """The contents of a file, in pieces; ``bar`` is told of each that was taken."""
    while piece := content.read(_PIECE_BYTES):
        yield piece
        bar(piece)
    bar(b"")


class _RateColumn(ProgressColumn):
    """Lines, and lines a second; CBOR has none."""

    def render(self, task: Task) -> Text:
        lines = task.fields["lines"]
        if not lines:
            return Text("")
        rate = f", {lines / task.elapsed:,.0f}/s" if task.elapsed else ""
        return Text(f"{lines:,} lines{rate}")


class _Progress:
    def __init__(self, content: BinaryIO, *, counts_lines: bool) -> None:
        status = os.fstat(content.fileno())
        self._total = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._counts_lines = counts_lines
        self._lines = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=_BAR_COLUMNS),
            DownloadColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> _Bar:
        self._bar.start()
        task = self._bar.add_task("staging", total=self._total, lines=0)

        def advance(piece: bytes) -> None:
            if not piece:
                self._bar.update(task, description="publishing")
                return
            self._lines += piece.count(b"\n") * self._counts_lines
            self._bar.update(task, advance=len(piece), lines=self._lines)

        return advance

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()
