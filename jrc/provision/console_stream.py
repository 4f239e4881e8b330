"""What comes from one port: one board's console, or several with a word before each line.

Test runners and RIOT's multi-terminals put which board it is before a line: an expression with the
group ``source`` tells it, and what follows the match is the board's own line.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from jrc.provision.console import Console, Event
from jrc.provision.console_lines import Lines

SOURCE: Final = "source"
MAX_SOURCES: Final = 256
"""Boards on one port; lines of further ones are left out."""
MAX_SOURCE_CHARACTERS: Final = 32


class Said(NamedTuple):
    """An event, and whose it is: empty where a port has one board."""

    source: str
    event: Event


class Waiting(NamedTuple):
    """A pair that waits for ``settle``: whose it is, and the line that made it whole."""

    source: str
    line: int


class Stream:
    """Takes the bytes of a port, in any pieces; ``new_console`` is asked for each board's."""

    def __init__(
        self, new_console: Callable[[], Console], split: re.Pattern[str] | None = None
    ) -> None:
        self._lines = Lines()
        self._split = split
        self._new_console = new_console
        self._consoles: dict[str, Console] = {} if split else {"": new_console()}
        self._number = 0

    @property
    def waiting(self) -> list[Waiting]:
        """The pairs that wait, one of a board at most."""
        return [
            Waiting(name, console.waits_since)
            for name, console in self._consoles.items()
            if console.waits_since is not None
        ]

    def feed(self, data: bytes) -> list[Said]:
        """What the lines that ``data`` ends have said."""
        said: list[Said] = []
        for text in self._lines.feed(data):
            self._number += 1
            for source, console, line in self._whose(text):
                said += _told(source, console.feed(line, self._number))
        return said

    def settle(self, source: str) -> list[Said]:
        """The pair that waited of one of the boards in ``waiting``."""
        return _told(source, self._consoles[source].settle())

    def end(self) -> list[Said]:
        """The port has gone: the line that has begun is forgotten, and so is half a pair."""
        self._lines.drop()
        self._number = 0
        return [
            each for name, console in self._consoles.items() for each in _told(name, console.end())
        ]

    def _whose(self, text: str | None) -> Iterable[tuple[str, Console, str | None]]:
        """The consoles that a line is for, and what of it."""
        if text is None or self._split is None:
            return [(name, console, text) for name, console in self._consoles.items()]
        found = self._split.search(text)
        name = _name(found[SOURCE]) if found else ""
        if found is None or not name:
            return []
        if name not in self._consoles and len(self._consoles) < MAX_SOURCES:
            self._consoles[name] = self._new_console()
        console = self._consoles.get(name)
        return [(name, console, text[found.end() :])] if console else []


def _name(text: str | None) -> str:
    """A board's name with nothing in it that could drive a terminal, or be taken for a path."""
    return re.sub(r"[^\w.-]", "_", text or "", flags=re.ASCII)[:MAX_SOURCE_CHARACTERS]


def _told(source: str, events: Iterable[Event]) -> list[Said]:
    return [Said(source, event) for event in events]
