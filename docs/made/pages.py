"""Markdown, as all pages that are made have it."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

MADE: Final = "<!-- Made from the code by `make reference`; edit that, not this page. -->\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown in which ``|`` is escaped (``cell``)."""
    lines = [_row(headings), _row(["---"] * len(headings)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def joined(parts: Iterable[str]) -> str:
    """A page of its parts, with one empty line between them at most."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def cell(text: str) -> str:
    """Plain text as it may stand in Markdown."""
    return text.replace("<", "&lt;").replace("*", "\\*")
