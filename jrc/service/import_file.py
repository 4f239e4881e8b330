"""An import file as it comes: its format found, its rows read one by one.

Nothing is kept but the row that is being read, so that a file of any size takes the same memory.
"""

from collections.abc import Iterable
from enum import StrEnum

from jrc.errors import OperatorError
from jrc.service.import_csv import CsvRows, LineReader
from jrc.service.import_json import ArrayReader, json_line
from jrc.service.import_rows import MAX_ROW_BYTES, Read, Reader, RowError

_BLANK = b" \t\r\n"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Format(StrEnum):
    """How a file is written; ``json`` is an array, or lines if it begins with an object."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


_ENDINGS = {"csv": Format.CSV, "tsv": Format.CSV, "json": Format.JSON, "jsonl": Format.JSONL}


def format_of(name: str, asked: str | None = None) -> Format | None:
    """The format that was asked for or that the file's name gives; None is found by content.

    Raises:
        OperatorError: the format that was asked for does not exist.
    """
    if asked is None:
        return _ENDINGS.get(name.rpartition(".")[2].lower())
    try:
        return Format(asked)
    except ValueError:
        raise OperatorError(
            f"there is no import format {asked!r}", "it is csv, json or jsonl"
        ) from None


def read_rows(chunks: Iterable[bytes], form: Format | None = None) -> Read:
    """The rows and faults of a whole file, given in chunks of any size."""
    reader = FileReader(form)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()


class FileReader:
    """Takes a file's bytes as they arrive (``feed``), then its end (``finish``)."""

    def __init__(self, form: Format | None = None) -> None:
        self._form = form
        self._start = b""
        self._reader: Reader | None = None

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        if self._reader is not None:
            return self._reader.feed(data)
        self._start += data
        content = self._start.removeprefix(_UTF8_MARK).lstrip(_BLANK)
        if len(content) < len(_UTF8_MARK) and len(self._start) < MAX_ROW_BYTES:
            return iter(())
        return self._begin(content)

    def finish(self) -> Read:
        """What the end of the file completes."""
        if self._reader is None:
            yield from self._begin(self._start.removeprefix(_UTF8_MARK).lstrip(_BLANK))
        assert self._reader is not None
        yield from self._reader.finish()

    def _begin(self, content: bytes) -> Read:
        self._reader = _reader(self._form, content)
        start, self._start = self._start.removeprefix(_UTF8_MARK), b""
        return self._reader.feed(start)


def _reader(form: Format | None, content: bytes) -> Reader:
    if content.startswith(_UTF16_MARKS):
        return _Unreadable()
    if form is not Format.CSV and content.startswith(b"["):
        return ArrayReader()
    if form is Format.CSV or (form is None and not content.startswith(b"{")):
        return LineReader(CsvRows())
    return LineReader(json_line)


class _Unreadable:
    """As ``import_rows.Reader``, for a file that spreadsheets call Unicode text."""

    def feed(self, data: bytes) -> Read:
        """Nothing."""
        return iter(())

    def finish(self) -> Read:
        """Says once why."""
        yield RowError(1, "", "the file is UTF-16", "save it as UTF-8")
