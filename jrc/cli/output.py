"""What commands print: tables on a terminal, tab-separated columns elsewhere, or JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jrc.cli.reporting import clean

ABSENT = "-"
_MAX_WHOLE_CHARACTERS = 40
"""What the first column names is copied into the next command, so it stays on one line."""

Record = Mapping[str, object]


def line(text: str) -> None:
    """One line of output."""
    sys.stdout.write(clean(text) + "\n")


def document(value: object) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def json_lines(records: Iterable[Record]) -> None:
    """One JSON object a line."""
    for record in records:
        sys.stdout.write(json.dumps(record) + "\n")


def json_array(records: Iterable[Record]) -> None:
    """One JSON array, written as its elements come, an element a line."""
    sys.stdout.write("[")
    before = "\n"
    for record in records:
        sys.stdout.write(before + json.dumps(record))
        before = ",\n"
    sys.stdout.write("\n]\n" if before != "\n" else "]\n")


def listing(
    records: Iterable[Record], columns: Mapping[str, str], *, as_json: bool, empty: str = ""
) -> None:
    """``records`` as a JSON array or as a table of ``columns`` (field: heading).

    ``empty`` is what a terminal shows where there is none.
    """
    if as_json:
        json_array(records)
    elif sys.stdout.isatty():
        _table(list(records), columns, empty)
    else:
        _columns(records, columns)


class Stream:
    """Records as they come: a JSON object or a line of ``columns`` each, seen at once in a pipe."""

    def __init__(self, columns: Mapping[str, str], *, as_json: bool) -> None:
        self._columns = columns
        self._as_json = as_json
        self._aligned = sys.stdout.isatty()
        self._widths = [0] * len(columns)
        if not as_json:
            self._line(list(columns.values()))

    def show(self, records: Iterable[Record]) -> None:
        """Some more of them."""
        if self._as_json:
            json_lines(records)
        else:
            for record in records:
                self._line([shown_as(record.get(name)) for name in self._columns])
        sys.stdout.flush()

    def _line(self, cells: Sequence[str]) -> None:
        if self._aligned:
            self._widths = [max(pair) for pair in zip(self._widths, map(len, cells), strict=True)]
            padded = (f"{cell:<{width}}" for cell, width in zip(cells, self._widths, strict=True))
            sys.stdout.write("  ".join(padded).rstrip() + "\n")
        else:
            sys.stdout.write("\t".join(cells) + "\n")


def fields(record: Record, headings: Mapping[str, str], *, as_json: bool) -> None:
    """One record as a JSON object, or a line for each field of ``headings`` that it has."""
    if as_json:
        document(record)
        return
    shown = {
        heading: shown_as(record[name]) for name, heading in headings.items() if name in record
    }
    width = max(map(len, shown), default=0)
    for heading, text in shown.items():
        line(f"{heading:<{width}}  {text}")


def shown_as(value: object) -> str:
    """A field's value on one line, without control characters."""
    if value is None or value in ("", [], {}):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown_as(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown_as, value))
    return clean(str(value)).replace("\n", "\\n")


def _table(records: Sequence[Record], columns: Mapping[str, str], empty: str) -> None:
    if not records:
        line(empty or "none")
        return
    rows = [[shown_as(record.get(name)) for name in columns] for record in records]
    whole = max(len(row[0]) for row in rows) <= _MAX_WHOLE_CHARACTERS
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, heading in enumerate(columns.values()):
        table.add_column(heading, overflow="fold", no_wrap=whole and place == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _columns(records: Iterable[Record], columns: Mapping[str, str]) -> None:
    sys.stdout.write("\t".join(columns.values()) + "\n")
    for record in records:
        sys.stdout.write("\t".join(shown_as(record.get(name)) for name in columns) + "\n")
