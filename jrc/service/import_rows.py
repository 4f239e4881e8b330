"""What a row of an import file is, before anybody has judged it.

No message repeats what stood in a field, for it may be a key in the wrong column.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from jrc.errors import ExitCode, OperatorError
from jrc.service.wording import may_hold_key, nearest

COLUMNS = (
    "pledge_id", "psk", "pledge_sender_key", "pledge_recipient_key", "common_iv", "network",
    "role", "label", "profile", "aead", "hkdf", "used_before", "key_check", "ssn_start",
    "recv_start", "provenance",
)  # fmt: skip
"""Stable names; a row has ``psk``, or the three derived values, and may lack the others.

``ssn_start`` and ``recv_start`` are for the device's build: the registrar only looks whether they
are numbers. ``key_check`` is the key check value that the row's keys have to have, ``provenance``
how they came about.
"""
BYTE_COLUMNS = frozenset(COLUMNS[:5]) | {"key_check"}
"""Hex where a file is text; CBOR may have the bytes themselves."""
NUMBER_COLUMNS = frozenset(("aead", "hkdf", "ssn_start", "recv_start"))

MAX_ROW_BYTES = 65_536

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_MAX_SPELLINGS = 256


class Row(NamedTuple):
    """A row as it was read: where it is, fields by column; empty ones are left out.

    ``line`` is the line it stands on, and in a JSON array or CBOR, which have none, the row's
    number. ``is_whole`` is False where the file's header is wrong: fields are missing then, and the
    row is read for its mistakes alone.
    """

    line: int
    fields: Mapping[str, str]
    is_whole: bool = True


class RowError(NamedTuple):
    """A row, or a file, that can't be taken; ``column`` is empty where no single one is wrong."""

    line: int
    column: str
    reason: str
    hint: str = ""


class FileError(RowError):
    """The file itself is wrong or ends too early: what follows is not known, and nothing stored."""

    __slots__ = ()


Read = Iterator[Row | RowError]
Found = Sequence[Row | RowError]


class Reader(Protocol):
    """Takes a file's bytes as they arrive, keeping no more of them than one row."""

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        ...

    def finish(self) -> Read:
        """What the end of the file completes."""
        ...


class Names:
    """Which column a name in a file stands for, whatever its case and the blanks around it.

    ``mapped`` has the columns of names that are not ours; one that is left out has an empty one.

    Raises:
        OperatorError: a name is mapped to a column that does not exist, or to two.
    """

    def __init__(self, mapped: Mapping[str, str] | None = None) -> None:
        found: dict[str, str] = {}
        for theirs, ours in (mapped or {}).items():
            if ours and ours not in COLUMNS:
                raise OperatorError(
                    f"--map: there is no column {ours[:64]!r}{nearest(ours, COLUMNS)}",
                    f"the columns are {', '.join(COLUMNS)}",
                    exit_code=ExitCode.USAGE,
                )
            if found.setdefault(_folded(theirs), ours) != ours:
                raise OperatorError(
                    f"--map: {theirs[:64]!r} is there twice, in another case",
                    "names are the same in capitals and in small letters: leave one out",
                    exit_code=ExitCode.USAGE,
                )
        self._columns = {name: name for name in COLUMNS} | found
        self._spelled = dict(self._columns)

    def column(self, name: str) -> str | None:
        """The column; empty where the name is to be left out, None where it is unknown."""
        column = self._spelled.get(name)
        if column is None:
            column = self._columns.get(_folded(name))
            if column is not None and len(self._spelled) < _MAX_SPELLINGS:
                self._spelled[name] = column
        return column


def _folded(name: str) -> str:
    return name.strip().casefold()


def row_of(number: int, items: Mapping[str, object], names: Names) -> Found:
    """The row that a JSON object or a CBOR map is, or its faults; null is a value that is absent.

    ``number`` is the row's ``line``.
    """
    fields: dict[str, str] = {}
    faults = []
    for name, item in items.items():
        column = names.column(name)
        if not column:
            if column is None:
                faults.append(RowError(number, "", unknown_column(name)))
            continue
        text = item.strip() if type(item) is str else _text(column, item)
        if text is None:
            kind = "whole number" if column in NUMBER_COLUMNS else "string"
            faults.append(RowError(number, column, f"the value is no {kind}"))
        elif text:
            if column in fields:
                faults.append(RowError(number, "", f"the column {column} is there twice"))
            fields[column] = text
    return faults or (Row(number, fields),)


def _text(column: str, value: object) -> str | None:
    """The field as CSV has it; keys may be bytes, some values numbers, networks a list."""
    if value is None:
        return ""
    if column in BYTE_COLUMNS:
        return value.hex() if isinstance(value, bytes) else None
    if column in NUMBER_COLUMNS:
        return str(value) if type(value) is int else None
    if column == "used_before" and type(value) is bool:
        return "yes" if value else "no"
    if column == "network" and isinstance(value, list):
        names = [item for item in value if isinstance(item, str)]
        return ";".join(names) if len(names) == len(value) else None
    return None


def once(pairs: Iterable[tuple[str, object]], count: int) -> "dict[str, object] | Twice":
    """The pairs by name, if each of ``count`` names is there once."""
    found = dict(pairs)
    return found if len(found) == count else Twice()


class Twice:
    """Stands for an object or map in which a name is there twice."""


TWICE = "a name is there twice in the row"


def may_be_shown(text: str) -> bool:
    """Whether a text of a file can't be a key, nor drive a terminal."""
    return not may_hold_key(text) and text.isprintable() and not set(text) <= _HEX_DIGITS


def unknown_column(name: str) -> str:
    """Says that a column is unknown; what may be a key in the place of a name is not repeated."""
    if not may_be_shown(name):
        return "a column has a name that is unknown"
    return f"unknown column {name!r}{nearest(name, COLUMNS)}"


def too_long() -> str:
    """Says that a row goes on and on."""
    return f"the row has more than {MAX_ROW_BYTES} bytes"
