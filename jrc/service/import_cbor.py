"""Rows as CBOR maps or COSE_Keys: in one array, or one after the other (RFC 8949, RFC 8742)."""

from typing import Any, Final

from jrc.cojp.cbor import (
    ARRAY,
    BYTES,
    INDEFINITE,
    MAP,
    NEGATIVE,
    TEXT,
    UNSIGNED,
    NotWellFormedError,
    read_head,
    skip,
)
from jrc.service.import_cose import Pairs, columns_of, is_cose_key
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

SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
"""The tag 55799 before an item says that it is CBOR (RFC 8949 §3.4.6)."""
_CONSTANTS: Final = {0xF4: False, 0xF5: True, 0xF6: None}
"""Simple values that JSON has too (RFC 8949 §3.3)."""
_STRINGS: Final = (BYTES, TEXT)
_LONG: Final = 24
"""From here on the head of an item goes on behind its first byte (RFC 8949 §3)."""

_SEQUENCE: Final = -2
"""In the place of a number of rows; ``INDEFINITE`` is another."""
_ENDLESS: Final = f"no CBOR map ends here within {MAX_ROW_BYTES} bytes"
_BROKEN: Final = "the CBOR is wrong from here on, nests too deep, or is cut off"
_UNBOUNDED: Final = "arrays and maps of indefinite length are not read"
_MIXED: Final = "COSE_Keys and rows with names do not stand in one file"
_UNREADABLE: Final = object()
"""Stands for a value of a type that no column has."""


class CborReader:
    """Takes one map after the other out of an array or a sequence; as ``import_rows.Reader``.

    Lengths are definite, so that an array that was cut off is known for one. A fault in the CBOR
    itself ends it: what is behind can't be told apart any more. ``is_cose``: each is a COSE_Key;
    None where the first one says so.
    """

    def __init__(self, names: Names, *, is_cose: bool | None = None) -> None:
        self._names = names
        self._is_cose = is_cose
        self._data = b""
        self._rows = 0
        self._count: int | None = None
        self._is_stopped = False
        self._worth_bytes = 0
        """Before there are as many, the row is not looked at anew: it may come byte by byte."""

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        if self._is_stopped:
            return
        self._data += data
        if len(self._data) < self._worth_bytes:
            return
        yield from self._take()
        if len(self._data) > MAX_ROW_BYTES:
            yield self._stop(_ENDLESS)

    def finish(self) -> Read:
        """What the end of the file completes."""
        if not self._is_stopped:
            yield from self._take()
        if self._is_stopped:
            return
        if self._data:
            yield self._stop(_BROKEN)
        elif self._count is None:
            yield self._stop("the file is empty")
        elif self._count > self._rows:
            missing = self._count - self._rows
            yield self._stop(f"the file ends before its array: {missing} of its rows are missing")

    def _stop(self, reason: str) -> RowError:
        self._is_stopped, self._data = True, b""
        return FileError(self._rows + 1, "", reason)

    def _take(self) -> Read:
        data, at = self._data, 0
        try:
            if self._count is None:
                self._count, at = _beginning(data)
            if self._count == INDEFINITE:
                yield self._stop(_UNBOUNDED)
                return
            while at < len(data) and self._rows != self._count:
                value, end = _map(data, at)
                if end - at > MAX_ROW_BYTES:
                    yield self._stop(_ENDLESS)
                    return
                self._rows, at = self._rows + 1, end
                yield from self._row(value)
        except NotWellFormedError:
            self._data = data[at:]
            self._worth_bytes = min(2 * len(self._data), MAX_ROW_BYTES)
            return
        self._data = data[at:]
        if self._data:
            yield self._stop("something follows the array")

    def _row(self, value: dict[str, object] | Twice | Pairs | str) -> Found:
        found = value if isinstance(value, str | Twice) else self._named(value)
        if isinstance(found, dict):
            return row_of(self._rows, found, self._names)
        return (RowError(self._rows, "", TWICE if isinstance(found, Twice) else found),)

    def _named(self, value: dict[str, object] | Pairs) -> dict[str, object] | Twice | str:
        """The values by name, or what is wrong; pairs have a name that is no text."""
        is_cose = not isinstance(value, dict) and is_cose_key(value)
        if self._is_cose is None:
            self._is_cose = is_cose
        if is_cose is not self._is_cose:
            return _MIXED
        if isinstance(value, dict):
            return value
        if not is_cose:
            return "a name in the map is no text"
        named = columns_of(value)
        if isinstance(named, str):
            return named
        return once(named, len(named)) if len(dict(value)) == len(value) else Twice()


def _beginning(data: bytes) -> tuple[int, int]:
    """How many rows come, or ``_SEQUENCE`` or ``INDEFINITE``; where the first is."""
    start = len(SELF_DESCRIBED) if data.startswith(SELF_DESCRIBED) else 0
    major, count, end = read_head(data, start)
    return (count, end) if major == ARRAY else (_SEQUENCE, start)


def _map(data: bytes, pos: int) -> tuple[dict[str, object] | Twice | Pairs | str, int]:
    """The map at ``pos`` and where it ends, or what is wrong.

    Pairs are those of a map in which some name is no text.
    """
    major, count, at = read_head(data, pos)
    if major != MAP or count == INDEFINITE:
        return _UNBOUNDED if major == MAP else "a row is a CBOR map", skip(data, pos)
    pairs: list[tuple[Any, object]] = []
    is_text = True
    for _ in range(count):
        name, at = _value(data, at)
        if type(name) is not str:
            is_text = False
            name = _UNREADABLE if type(name) is list else name
        value, at = _value(data, at)
        pairs.append((name, value))
    return (once(pairs, count) if is_text else pairs), at


def _value(data: bytes, pos: int, *, is_nested: bool = False) -> tuple[object, int]:
    """The item at ``pos`` and where it ends; ``_UNREADABLE`` if no column has its type."""
    if pos < len(data) and data[pos] & 31 < _LONG:
        major, value, at = data[pos] >> 5, data[pos] & 31, pos + 1
    else:
        major, value, at = read_head(data, pos)
    if major in _STRINGS and value != INDEFINITE:
        end = at + value
        if end > len(data):
            raise NotWellFormedError
        return (data[at:end] if major == BYTES else _text(data[at:end])), end
    if major in (UNSIGNED, NEGATIVE):
        return (value if major == UNSIGNED else -1 - value), at
    if major == ARRAY and value != INDEFINITE and not is_nested:
        items = []
        for _ in range(value):
            item, at = _value(data, at, is_nested=True)
            items.append(item)
        return items, at
    return _CONSTANTS.get(data[pos], _UNREADABLE), skip(data, pos)


def _text(content: bytes) -> object:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _UNREADABLE
