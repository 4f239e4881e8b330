"""Rows of an import file, read as they come: CSV with a header, JSON lines, or a JSON array.

Nothing is kept but the row that is being read, so that a file of any size takes the same memory.
No message repeats what stood in a field, for it may be a key in the wrong column.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from jrc.errors import OperatorError
from jrc.service.wording import nearest

COLUMNS = (
    "pledge_id", "psk", "pledge_sender_key", "pledge_recipient_key", "common_iv", "network",
    "role", "label", "profile", "aead", "hkdf",
)  # fmt: skip
"""Stable names; a row has ``psk``, or the three derived values, and may lack the others."""

MAX_ROW_BYTES = 65_536
_DELIMITERS = (",", ";", "\t")
_BLANK = b" \t\r\n"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Format(StrEnum):
    """How a file is written; ``json`` is an array, or lines if it begins with an object."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


class Row(NamedTuple):
    """A row as it was read: line of its beginning, fields by column; absent ones are left out."""

    line: int
    fields: Mapping[str, str]


class RowError(NamedTuple):
    """A row, or a file, that can't be taken; ``column`` is empty where no single one is wrong."""

    line: int
    column: str
    reason: str
    hint: str = ""


Read = Iterator[Row | RowError]


def format_of(name: str, asked: str | None = None) -> Format | None:
    """The format that was asked for or that the file's name gives; None is found by content.

    Raises:
        OperatorError: the format that was asked for does not exist.
    """
    if asked is not None:
        try:
            return Format(asked)
        except ValueError:
            raise OperatorError(
                f"there is no import format {asked!r}", "it is csv, json or jsonl"
            ) from None
    ending = name.rpartition(".")[2].lower()
    endings = {"csv": Format.CSV, "tsv": Format.CSV, "json": Format.JSON, "jsonl": Format.JSONL}
    return endings.get(ending)


def read_rows(chunks: Iterable[bytes], form: Format | None = None) -> Read:
    """The rows and faults of a whole file, given in chunks of any size."""
    reader = RowReader(form)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()


class RowReader:
    """Takes a file's bytes as they arrive (``feed``), then its end (``finish``)."""

    def __init__(self, form: Format | None = None) -> None:
        self._form = form
        self._start = b""
        self._inner: _Lines | _Array | None = None

    def feed(self, data: bytes) -> Read:
        """The rows that are complete now."""
        if self._inner is None:
            self._start += data
            if not self._begin():
                return
            data, self._start = self._start, b""
        assert self._inner is not None
        yield from self._inner.feed(data)

    def _begin(self, *, ended: bool = False) -> bool:
        """Whether enough was seen to know the format."""
        if len(self._start) < len(_UTF8_MARK) and not ended:
            return False
        self._start = self._start.removeprefix(_UTF8_MARK)
        content = self._start.lstrip(_BLANK)
        if not content and not ended and len(self._start) < MAX_ROW_BYTES:
            return False
        self._inner = _reader(self._form, content)
        return True

    def finish(self) -> Read:
        """What the end of the file completes."""
        if self._inner is None:
            self._begin(ended=True)
            assert self._inner is not None
            yield from self._inner.feed(self._start)
        yield from self._inner.finish()


def _reader(form: Format | None, content: bytes) -> "_Lines | _Array":
    if content[:2] in _UTF16_MARKS:
        return _Lines(_Unreadable("the file is UTF-16; save it as UTF-8"))
    if form is not Format.CSV and content[:1] == b"[":
        return _Array()
    if form is Format.CSV or (form is None and content[:1] != b"{"):
        return _Lines(_Csv())
    return _Lines(_json_line)


class _Lines:
    """Splits into lines, none longer than ``MAX_ROW_BYTES``, and reads each by itself."""

    def __init__(self, read: "_LineReader") -> None:
        self._read = read
        self._line = 0
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Read:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._one(line)
        if len(self._rest) > MAX_ROW_BYTES:
            if not self._skipping:
                yield RowError(self._line + 1, "", _too_long())
            self._skipping, self._rest = True, b""

    def finish(self) -> Read:
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
            yield RowError(self._line, "", _too_long())
            return
        try:
            text = line.decode("utf-8").strip("\r")
        except UnicodeDecodeError:
            yield RowError(self._line, "", "the line is not UTF-8")
            return
        if text.strip():
            yield from self._read(self._line, text)


def _too_long() -> str:
    return f"the row has more than {MAX_ROW_BYTES} bytes"


class _LineReader:
    """Reads one line that is not blank."""

    def __call__(self, line: int, text: str) -> Read:
        raise NotImplementedError


class _Unreadable(_LineReader):
    """Says once why nothing of the file can be read."""

    def __init__(self, reason: str) -> None:
        self._reason: str | None = reason

    def __call__(self, line: int, text: str) -> Read:
        yield from ()


class _Csv(_LineReader):
    """Header first; a field in quotes ends on its own line, since no column holds line ends."""

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._delimiter = ","
        self._useless = False

    def __call__(self, line: int, text: str) -> Read:
        if self._useless:
            return
        if self._header is None:
            yield from self._read_header(line, text)
            return
        fields = _split(text, self._delimiter)
        if fields is None:
            yield RowError(line, "", "a quoted field is not closed, or goes on behind its quote")
        elif len(fields) != len(self._header):
            yield RowError(
                line, "", f"{len(fields)} fields, where the header has {len(self._header)}"
            )
        else:
            values = {
                name: value.strip()
                for name, value in zip(self._header, fields, strict=True)
                if value.strip()
            }
            yield Row(line, values)

    def _read_header(self, line: int, text: str) -> Read:
        counts = {delimiter: text.count(delimiter) for delimiter in _DELIMITERS}
        self._delimiter = max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
        names = [name.strip().lower() for name in _split(text, self._delimiter) or []]
        errors = [RowError(line, "", reason, hint) for reason, hint in _header_faults(names)]
        self._header, self._useless = names, bool(errors)
        yield from errors


def _split(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _header_faults(names: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a header; nothing below it can be read then."""
    if "pledge_id" not in names:
        yield (
            "the first line is no header with a column pledge_id",
            f"the columns are {', '.join(COLUMNS)}",
        )
        return
    for name in names:
        if name not in COLUMNS:
            yield f"unknown column {name!r}{nearest(name, COLUMNS)}", ""
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the column {name} is there twice", ""


# JSON


class _RowFault(ValueError):  # noqa: N818
    """A JSON value that is no row: column and reason."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise _RowFault(name if name in COLUMNS else "", "a name is there twice")
    return dict(pairs)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _json_line(line: int, text: str) -> Read:
    try:
        value = _DECODER.decode(text)
    except _RowFault as fault:
        yield RowError(line, fault.column, fault.reason)
    except (json.JSONDecodeError, RecursionError):
        yield RowError(line, "", "the line is no JSON object")
    else:
        yield from _row(line, value)


def _row(line: int, value: object) -> Read:
    """The row of a JSON object; null stands for a value that is absent."""
    if not isinstance(value, dict):
        yield RowError(line, "", "a row is a JSON object")
        return
    unknown = [name for name in value if name not in COLUMNS]
    for name in unknown:
        yield RowError(line, "", f"unknown name {name[:40]!r}{nearest(name, COLUMNS)}")
    if unknown:
        return
    try:
        fields = {name: _text(name, item) for name, item in value.items() if item is not None}
    except _RowFault as fault:
        yield RowError(line, fault.column, fault.reason)
        return
    yield Row(line, {name: text for name, text in fields.items() if text})


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if name in ("aead", "hkdf") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name == "network" and isinstance(value, list) and all(
        isinstance(item, str) for item in value
    ):
        return ";".join(value)
    raise _RowFault(name, "the value is no string")


class _Array:
    """Takes one object after the other out of a JSON array, and holds no more than one."""

    def __init__(self) -> None:
        self._bytes = b""
        self._text = ""
        self._line = 1
        self._place = "["
        self._done = False

    def feed(self, data: bytes) -> Read:
        if self._done:
            return
        try:
            self._decode(data)
        except UnicodeDecodeError:
            yield self._stop("the file is not UTF-8")
            return
        yield from self._take()
        if len(self._text) > MAX_ROW_BYTES and not self._done:
            yield self._stop(f"no JSON object ends here within {MAX_ROW_BYTES} bytes")

    def _decode(self, data: bytes) -> None:
        """Add what is complete; a character cut in two waits for the rest of it."""
        data = self._bytes + data
        end = len(data)
        while end > max(0, len(data) - 3) and data[end - 1] & 0xC0 == 0x80:
            end -= 1
        if end and data[end - 1] >= 0xC0:
            end -= 1
        else:
            end = len(data)
        try:
            self._text += data[:end].decode("utf-8")
            self._bytes = data[end:]
        except UnicodeDecodeError:
            self._bytes = b""
            raise

    def finish(self) -> Read:
        if self._done:
            return
        if self._bytes or self._place != "end":
            yield self._stop("the JSON array is not closed, or holds no JSON")

    def _stop(self, reason: str) -> RowError:
        """Nothing behind this can be told apart any more."""
        self._done, self._text = True, ""
        return RowError(self._line, "", reason)

    def _take(self) -> Read:
        at = 0
        while not self._done:
            at = self._skip_blank(at)
            if at == len(self._text):
                break
            if self._place == "value" and self._text[at] == "{":
                end, found = self._object_at(at)
                if end is None:
                    break
                yield from found
                self._count(at, end)
                at, self._place = end, "comma"
                continue
            step = _STEPS.get((self._place, self._text[at]))
            if step is None:
                yield self._stop("a comma, an object or the end of the array is missing here")
                return
            self._place, at = step, at + 1
        self._text = self._text[at:]

    def _skip_blank(self, at: int) -> int:
        end = at
        while end < len(self._text) and self._text[end] in " \t\r\n":
            end += 1
        self._count(at, end)
        return end

    def _count(self, at: int, end: int) -> None:
        self._line += self._text.count("\n", at, end)

    def _object_at(self, at: int) -> tuple[int | None, Read]:
        """Where the object ends and what it gives; None while it is not complete."""
        line = self._line
        try:
            value, end = _DECODER.raw_decode(self._text, at)
        except _RowFault as fault:
            self._done = True
            return at, iter([RowError(line, fault.column, fault.reason)])
        except (json.JSONDecodeError, RecursionError):
            return None, iter(())
        return end, _row(line, value)


_STEPS = {
    ("[", "["): "first",
    ("first", "]"): "end",
    ("comma", ","): "value",
    ("comma", "]"): "end",
}
