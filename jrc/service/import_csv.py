"""Lines of a file, and CSV in them: header, then rows; ``,``, ``;`` or tab between the fields."""

import csv
from collections.abc import Callable, Iterator

from jrc.service.import_rows import (
    COLUMNS,
    MAX_ROW_BYTES,
    Found,
    Names,
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

    def __init__(self, read: Callable[[int, str], Found]) -> None:
        self._read = read
        self._line = 0
        self._rest = b""
        self._skipping = False
        self._is_blank = True

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
        if self._is_blank:
            yield RowError(1, "", "the file is empty")

    def _one(self, line: bytes) -> Found:
        self._line += 1
        if self._is_blank:
            self._is_blank = not line.strip()
        if self._skipping:
            self._skipping = False
            return ()
        if len(line) > MAX_ROW_BYTES:
            return (RowError(self._line, "", too_long()),)
        if b"\0" in line:
            return (RowError(self._line, "", "the line holds a NUL byte", "save it as UTF-8"),)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return (RowError(self._line, "", "the line is not UTF-8"),)
        return () if not text or text.isspace() else self._read(self._line, text.rstrip("\r"))


class CsvRows:
    """Reads the lines of a CSV file: called with each.

    A field in quotes ends on its own line, since no column holds line ends: so one stray quote
    spoils one row and not the rest of the file.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._columns: list[str] = []
        self._delimiter = _DELIMITERS[0]
        self._is_readable = True
        self._is_whole = True

    def __call__(self, line: int, text: str) -> Found:
        if not self._columns:
            return self._read_header(line, text)
        return (self._row(line, text),) if self._is_readable else ()

    def _row(self, line: int, text: str) -> Row | RowError:
        fields = _split(text, self._delimiter)
        columns = self._columns
        if fields is None:
            return RowError(line, "", "a quoted field is not closed, or goes on behind its quote")
        if len(fields) != len(columns):
            return RowError(line, "", f"{len(fields)} fields, and {len(columns)} in the header")
        found = {}
        for column, field in zip(columns, fields, strict=True):
            value = field.strip()
            if value and column:
                found[column] = value
        return Row(line, found, self._is_whole)

    def _read_header(self, line: int, text: str) -> Found:
        self._delimiter = max(_DELIMITERS, key=text.count)
        names = _split(text, self._delimiter) or [""]
        columns = [self._names.column(name) for name in names]
        errors = [RowError(line, "", *fault) for fault in _header_faults(names, columns)]
        self._is_whole, self._is_readable = not errors, "pledge_id" in columns
        self._columns = [name if name and columns.count(name) == 1 else "" for name in columns]
        return errors


def _split(text: str, delimiter: str) -> list[str] | None:
    if '"' not in text and "\r" not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _header_faults(names: list[str], columns: list[str | None]) -> Iterator[tuple[str, str]]:
    """What is wrong with a header: nothing below it is stored then."""
    if "pledge_id" not in columns:
        hint = f"the columns are {', '.join(COLUMNS)}; --map THEIRS=OURS names others"
        yield "the first line is no header with a column pledge_id", hint
        return
    for name, column in zip(names, columns, strict=True):
        if column is None:
            yield unknown_column(name), "--map THEIRS=OURS names it, --map THEIRS= leaves it out"
    for name in COLUMNS:
        if columns.count(name) > 1:
            yield f"the column {name} is there twice", ""
