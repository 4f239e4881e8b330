"""An import file as it comes: its format found, its rows read one by one.

Nothing is kept but the row that is being read, so that a file of any size takes the same memory.
"""

from collections.abc import Iterable
from enum import StrEnum

from jrc.errors import OperatorError
from jrc.service.import_cbor import SELF_DESCRIBED, CborReader
from jrc.service.import_csv import CsvRows, LineReader
from jrc.service.import_json import ArrayReader, JsonLines
from jrc.service.import_rows import MAX_ROW_BYTES, Names, Read, Reader, RowError

_BLANK = b" \t\r\n"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BRACKETS = "what begins with [ is read as JSON; a list in YAML has a dash for each entry"
_CBOR_STARTS = tuple(bytes((first,)) for first in range(0x80, 0xC0))
"""An array or a map; no text in UTF-8 begins so (RFC 3629 §3)."""


class Format(StrEnum):
    """How a file is written.

    ``json`` is an array, or lines if it begins with an object; ``cbor`` an array or a sequence,
    ``cose`` the same of COSE_Keys; ``yaml`` a list, or a document for each row.
    """

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    CBOR = "cbor"
    COSE = "cose"
    YAML = "yaml"


_ENDINGS = {form.value: form for form in Format} | {
    "tsv": Format.CSV,
    "ndjson": Format.JSONL,
    "yml": Format.YAML,
}


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
            f"there is no import format {asked!r}", f"it is one of {', '.join(Format)}"
        ) from None


def read_rows(
    chunks: Iterable[bytes], form: Format | None = None, names: Names | None = None
) -> Read:
    """The rows and faults of a whole file, given in chunks of any size."""
    reader = FileReader(form, names)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()


class FileReader:
    """Takes a file's bytes as they arrive (``feed``), then its end (``finish``).

    ``names`` has the columns of the file's own names.
    """

    def __init__(self, form: Format | None = None, names: Names | None = None) -> None:
        self._form = form
        self._names = names or Names()
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
        start, self._start = self._start, b""
        if self._form in (Format.CBOR, Format.COSE) or (
            self._form is None and content.startswith((*_CBOR_STARTS, SELF_DESCRIBED))
        ):
            is_cose = True if self._form is Format.COSE else None
            self._reader = CborReader(self._names, is_cose=is_cose)
            return self._reader.feed(start)
        self._reader = _text_reader(self._form, content, self._names)
        return self._reader.feed(start.removeprefix(_UTF8_MARK))


def _text_reader(form: Format | None, content: bytes, names: Names) -> Reader:
    if content.startswith(_UTF16_MARKS):
        return _Unreadable()
    if form is not Format.CSV and content.startswith(b"["):
        return ArrayReader(names, "" if form in (Format.JSON, Format.JSONL) else _BRACKETS)
    if form is Format.YAML or (form is None and _is_yaml(content)):
        from jrc.service.import_yaml import YamlReader  # PyYAML is for who needs it

        return YamlReader(names)
    if form is Format.CSV or (form is None and not content.startswith(b"{")):
        return LineReader(CsvRows(names))
    return LineReader(JsonLines(names))


def _is_yaml(content: bytes) -> bool:
    """Whether it begins as a list or a document does, and no header of a table."""
    return content.startswith((b"---", b"- ", b"%YA"))


class _Unreadable:
    """As ``import_rows.Reader``, for a file that spreadsheets call Unicode text."""

    def feed(self, data: bytes) -> Read:
        """Nothing."""
        return iter(())

    def finish(self) -> Read:
        """Says once why."""
        yield RowError(1, "", "the file is UTF-16", "save it as UTF-8")
