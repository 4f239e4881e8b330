"""Rows as JSON objects: one a line, or in one array that is taken apart as it comes."""

import codecs
import json
from collections.abc import Iterator

from jrc.service.import_rows import COLUMNS, MAX_ROW_BYTES, Read, Row, RowError, unknown_column

_BLANK = " \t\r\n"


class _Twice:
    """Stands for an object in which a name is there twice."""


def _object(pairs: list[tuple[str, object]]) -> "dict[str, object] | _Twice":
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice()


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def json_line(line: int, text: str) -> Read:
    """The row of a line."""
    try:
        value = _DECODER.decode(text)
    except (json.JSONDecodeError, RecursionError):
        yield RowError(line, "", "the line is no JSON object")
    else:
        yield from _rows(line, value)


def _rows(line: int, value: object) -> Read:
    """The row of a JSON value, or its faults; null stands for a value that is absent."""
    if isinstance(value, _Twice):
        yield RowError(line, "", "a name is there twice in the object")
        return
    if not isinstance(value, dict):
        yield RowError(line, "", "a row is a JSON object")
        return
    faults = list(_faults(value))
    if faults:
        yield from (RowError(line, column, reason) for column, reason in faults)
        return
    texts = {name: _text(name, item) or "" for name, item in value.items() if item is not None}
    yield Row(line, {name: text for name, text in texts.items() if text})


def _faults(value: dict[str, object]) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if name not in COLUMNS:
            yield "", unknown_column(name)
        elif item is not None and _text(name, item) is None:
            yield name, "the value is no string"


def _text(name: str, value: object) -> str | None:
    """The field as CSV has it; algorithms may be numbers, networks a list."""
    if isinstance(value, str):
        return value.strip()
    if name in ("aead", "hkdf") and type(value) is int:
        return str(value)
    if name == "used_before" and type(value) is bool:
        return "yes" if value else "no"
    if name == "network" and isinstance(value, list):
        names = [item for item in value if isinstance(item, str)]
        return ";".join(names) if len(names) == len(value) else None
    return None


_STEPS = {
    ("start", "["): "first",
    ("first", "]"): "end",
    ("comma", ","): "value",
    ("comma", "]"): "end",
}
"""What may follow where, but for the objects themselves."""

_ENDLESS = f"no JSON object ends here within {MAX_ROW_BYTES} bytes"
_MISPLACED = "an object, a comma or the end of the array is missing here"


class ArrayReader:
    """Takes one object after the other out of a JSON array; as ``import_rows.Reader``.

    A fault in the array itself ends it: what is behind can't be told apart any more.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._line = 1
        self._place = "start"

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        if self._place == "stopped":
            return
        try:
            self._text += self._decoder.decode(data)
        except UnicodeDecodeError as error:
            self._text += error.object[: error.start].decode("utf-8")
            yield from self._take()
            yield from self._stop("the file is not UTF-8")
            return
        yield from self._take()
        if len(self._text) > MAX_ROW_BYTES:
            yield from self._stop(_ENDLESS)

    def finish(self) -> Read:
        """What the end of the file completes."""
        if self._place != "end" or self._decoder.getstate()[0]:
            yield from self._stop("the JSON is wrong from here on, or its array is not closed")

    def _stop(self, reason: str) -> Read:
        if self._place != "stopped":
            yield RowError(self._line, "", reason)
        self._place, self._text = "stopped", ""

    def _take(self) -> Read:
        at = self._skip_blank(0)
        while at < len(self._text):
            if self._place in ("first", "value") and self._text[at] == "{":
                try:
                    value, end = _DECODER.raw_decode(self._text, at)
                except (json.JSONDecodeError, RecursionError):
                    break
                if end - at > MAX_ROW_BYTES:
                    yield from self._stop(_ENDLESS)
                    return
                yield from _rows(self._line, value)
                self._place = "comma"
            else:
                step = _STEPS.get((self._place, self._text[at]))
                if step is None:
                    yield from self._stop(_MISPLACED)
                    return
                self._place, end = step, at + 1
            self._line += self._text.count("\n", at, end)
            at = self._skip_blank(end)
        self._text = self._text[at:]

    def _skip_blank(self, at: int) -> int:
        end = at
        while end < len(self._text) and self._text[end] in _BLANK:
            end += 1
        self._line += self._text.count("\n", at, end)
        return end
