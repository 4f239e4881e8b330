"""Lines of a file, and CSV in them: header, then rows; ``,``, ``;`` or tab between the fields."""

import csv
from collections.abc import Callable, Iterator

from jrc.service.import_rows import (
    COLUMNS,
    MAX_ROW_BYTES,
    Read,
    Row,
    RowError,
    too_long,
    unknown_column,
)

_DELIMITERS = (",", ";", "\t")


class LineReader:
    """Splits into lines, none longer than ``MAX_ROW_BYTES``, and gives each to ``read``.

    As ``import_rows.Reader``. ``read`` gets the line's number and text, never a blank one.
    """

    def __init__(self, read: Callable[[int, str], Read]) -> None:
        self._read = read
        self._line = 0
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._one(line)
        if len(self._rest) > MAX_ROW_BYTES:
            if not self._skipping:
                yield RowError(self._line + 1, "", too_long())
            self._skipping, self._rest = True, b""

    def finish(self) -> Read:
        """What the end of the file completes."""
        if self._rest:
            yield from self._one(self._rest)
        if not self._line:
            yield RowError(1, "", "the file is empty")

    def _one(self, line: bytes) -> Read:
        self._line += 1
        if self._skipping:
            self._skipping = False
            return
        if len(line) > MAX_ROW_BYTES:
            yield RowError(self._line, "", too_long())
            return
        try:
            text = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            yield RowError(self._line, "", "the line is not UTF-8")
            return
        if text.strip():
            yield from self._read(self._line, text)


class CsvRows:
    """Reads the lines of a CSV file: called with each.

    A field in quotes ends on its own line, since no column holds line ends: so one stray quote
    spoils one row and not the rest of the file.
    """

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._delimiter = _DELIMITERS[0]
        self._known: frozenset[str] = frozenset()
        self._is_whole = True

    def __call__(self, line: int, text: str) -> Read:
        if self._header is None:
            yield from self._read_header(line, text)
        elif "pledge_id" in self._known:
            yield self._row(line, text, self._header)

    def _row(self, line: int, text: str, header: list[str]) -> Row | RowError:
        fields = _split(text, self._delimiter)
        if fields is None:
            return RowError(line, "", "a quoted field is not closed, or goes on behind its quote")
        if len(fields) != len(header):
            return RowError(line, "", f"{len(fields)} fields, and {len(header)} in the header")
        pairs = [(name, value.strip()) for name, value in zip(header, fields, strict=True)]
        found = {name: value for name, value in pairs if value and name in self._known}
        return Row(line, found, self._is_whole)

    def _read_header(self, line: int, text: str) -> Read:
        self._delimiter = max(_DELIMITERS, key=text.count)
        names = [name.strip().lower() for name in _split(text, self._delimiter) or []]
        errors = [RowError(line, "", *fault) for fault in _header_faults(names)]
        self._header, self._is_whole = names, not errors
        self._known = frozenset(name for name in COLUMNS if names.count(name) == 1)
        yield from errors


def _split(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _header_faults(names: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a header: nothing below it is stored then."""
    if "pledge_id" not in names:
        hint = f"the columns are {', '.join(COLUMNS)}"
        yield "the first line is no header with a column pledge_id", hint
        return
    for name in names:
        if name not in COLUMNS:
            yield unknown_column(name), ""
    for name in COLUMNS:
        if names.count(name) > 1:
            yield f"the column {name} is there twice", ""
