"""Rows as JSON objects: one a line, or in one array that is taken apart as it comes."""

import codecs
import json
import re

from jrc.service.import_rows import (
    MAX_ROW_BYTES,
    TWICE,
    FileError,
    Found,
    Names,
    Read,
    RowError,
    Twice,
    once,
    row_of,
)

_BLANK = re.compile(r"[ \t\r\n]*")
_MAX_DIGITS = 20
"""Python refuses numbers of some thousand digits, and no column has as many as these."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | Twice:
    return once(pairs, len(pairs))


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number)


class JsonLines:
    """Reads the lines of a file with an object in each: called with each."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __call__(self, line: int, text: str) -> Found:
        bare = text.strip(" \t\r")
        try:
            value, end = _DECODER.raw_decode(bare)
        except (json.JSONDecodeError, RecursionError):
            value, end = None, -1
        if end != len(bare):
            return (RowError(line, "", "the line is no JSON object"),)
        return _row(line, value, self._names)


def _row(number: int, value: object, names: Names) -> Found:
    """The row of a JSON value, or its faults."""
    if isinstance(value, dict):
        return row_of(number, value, names)
    reason = TWICE if isinstance(value, Twice) else "a row is a JSON object"
    return (RowError(number, "", reason),)


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

    A fault in the array itself ends it: what is behind can't be told apart any more. ``hint`` is
    said of such a fault.
    """

    def __init__(self, names: Names, hint: str = "") -> None:
        self._names = names
        self._hint = hint
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._rows = 0
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

    def _stop(self, reason: str) -> Found:
        if self._place == "stopped":
            return ()
        self._place, self._text = "stopped", ""
        return (FileError(self._rows + 1, "", reason, self._hint),)

    def _take(self) -> Read:
        text, at = self._text, 0
        while (at := _after_blanks(text, at)) < len(text):
            if self._place in ("first", "value") and text[at] == "{":
                try:
                    value, end = _DECODER.raw_decode(text, at)
                except (json.JSONDecodeError, RecursionError):
                    break
                if end - at > MAX_ROW_BYTES:
                    yield from self._stop(_ENDLESS)
                    return
                self._rows += 1
                yield from _row(self._rows, value, self._names)
                self._place, at = "comma", end
            else:
                step = _STEPS.get((self._place, text[at]))
                if step is None:
                    yield from self._stop(_MISPLACED)
                    return
                self._place, at = step, at + 1
        self._text = text[at:]


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()
