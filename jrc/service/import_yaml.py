"""Rows as YAML: the entries of a list, or a document each (docs/adr/0030). PyYAML's home.

A file is split where YAML itself says that an entry ends: at the next dash as far left, or at
``---``. PyYAML then sees one entry, and of what it finds only maps of text are taken: every scalar
is the text that stands there, so that ``00124b00``, ``1e5`` and ``0x10`` are no numbers.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from jrc.service.import_csv import LineReader
from jrc.service.import_rows import (
    MAX_ROW_BYTES,
    TWICE,
    FileError,
    Found,
    Names,
    Read,
    Row,
    RowError,
    Twice,
    once,
    row_of,
    too_long,
)

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML has it, which is ten times as fast; they give the same events."""

_ENTRY: Final = re.compile(r" *-(?:[ \t]|$)")
_DOCUMENT: Final = re.compile(r"(?:---|\.\.\.)(?:[ \t]|$)")
_VERSION: Final = "%YAML "
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_TRUTHS: Final = {"true": True, "false": False}
"""What plain scalars stand for (YAML 1.2.2 §10.2.1); the second for the column that takes it."""
_FLAG: Final = "used_before"

_NO_MAP: Final = "a row is a YAML map"
_SEVERAL: Final = "several rows stand where one does: let lines end as lines do"
_MISPLACED: Final = "the line is neither an entry of the list nor a part of one"
_BESIDE_MARK: Final = "what follows --- has to stand on lines of its own"
_SHARED: Final = "anchors and aliases are not read: write the value where it belongs"
_TAGGED: Final = "tags are not read: each value is the text that stands there"
_NO_TEXT: Final = "a name in the map is no text"
_NESTED: Final = "a value is neither text nor a list of texts"


class _UnreadError(ValueError):
    """An entry is not what a row may be; says why."""


class YamlReader:
    """Collects the lines of an entry, then takes it apart; as ``import_rows.Reader``."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._lines = LineReader(self._take)
        self._ready: list[Row | RowError] = []
        self._is_stopped = False
        self._dashes: int | None = None
        """The column of a list's dashes; None where the document is none, or has not begun."""
        self._begin()

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        return self._read(self._lines.feed(data))

    def finish(self) -> Read:
        """What the end of the file completes."""
        yield from self._read(self._lines.finish())
        if not self._is_stopped:
            self._flush()
            yield from self._taken()

    def _read(self, faults: Read) -> Read:
        """What comes of some lines; where one can't be read, nobody knows what belonged to it."""
        if self._is_stopped:
            return
        for fault in faults:
            assert isinstance(fault, RowError)
            self._stop(fault.line, fault.reason, fault.hint)
            break
        yield from self._taken()

    def _taken(self) -> Found:
        ready, self._ready = self._ready, []
        return ready

    def _stop(self, line: int, reason: str, hint: str = "") -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self._ready.append(FileError(line, "", reason, hint))

    # Splitting

    def _begin(self) -> None:
        self._first, self._size, self._entry = 0, 0, list[str]()

    def _take(self, line: int, text: str) -> Found:
        """The next line that is not blank."""
        if self._is_stopped:
            return ()
        if _DOCUMENT.match(text):
            self._flush()
            self._dashes = None
            if text[3:].strip() and not text[3:].lstrip().startswith("#"):
                self._stop(line, _BESIDE_MARK)
        elif not self._is_passed_over(text):
            self._take_content(line, text)
        return ()

    def _is_passed_over(self, text: str) -> bool:
        """Whether it is a comment between entries, or says which YAML this is."""
        if not self._first and self._dashes is None and text.startswith(_VERSION):
            return True
        is_inside = self._first and (self._dashes is None or _indent(text) > self._dashes)
        return not is_inside and text.lstrip(" ").startswith("#")

    def _take_content(self, line: int, text: str) -> None:
        indent, is_entry = _indent(text), _ENTRY.match(text) is not None
        if is_entry and not self._first:
            self._dashes = indent
        if is_entry and indent == self._dashes:
            self._flush()
        elif self._dashes is not None and indent <= self._dashes:
            self._stop(line, _MISPLACED)
            return
        self._add(line, text)

    def _add(self, line: int, text: str) -> None:
        """Keep a line of the entry, and the blank ones before it; not what is too much."""
        self._first = self._first or line
        blank = line - self._first - len(self._entry)
        self._size += len(text.encode()) + blank + 1
        if self._size <= MAX_ROW_BYTES:
            self._entry += [""] * blank + [text]

    def _flush(self) -> None:
        """The entry is whole."""
        first, size, entry = self._first, self._size, self._entry
        self._begin()
        if size > MAX_ROW_BYTES:
            self._ready.append(RowError(first, "", too_long()))
        elif first:
            self._ready += self._row(first, "\n".join(entry))

    # Taking apart

    def _row(self, first: int, text: str) -> Found:
        try:
            found = self._map(_plain(text))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = "" if mark is None else f", at the latest on line {first + mark.line}"
            return (RowError(first, "", f"the YAML is wrong{place}"),)
        except _UnreadError as error:
            return (RowError(first, "", str(error)),)
        if isinstance(found, Twice):
            return (RowError(first, "", TWICE),)
        return row_of(first, found, self._names)

    def _map(self, events: Iterator[Any]) -> dict[str, object] | Twice:
        event = next(events)
        if is_listed := type(event) is SequenceStartEvent:
            event = next(events)
        if type(event) is not MappingStartEvent:
            raise _UnreadError(_NO_MAP)
        pairs = []
        while type(event := next(events)) is not MappingEndEvent:
            if type(event) is not ScalarEvent:
                raise _UnreadError(_NO_TEXT)
            pairs.append((event.value, self._value(event.value, events)))
        if is_listed and type(next(events)) is not SequenceEndEvent:
            raise _UnreadError(_SEVERAL)
        if any(type(event) is DocumentStartEvent for event in events):
            raise _UnreadError(_SEVERAL)
        return once(pairs, len(pairs))

    def _value(self, name: str, events: Iterator[Any]) -> object:
        event = next(events)
        if type(event) is SequenceStartEvent:
            return list(_texts(events))
        if type(event) is not ScalarEvent:
            raise _UnreadError(_NESTED)
        if not event.implicit[0]:
            return event.value
        if event.value in _NULLS:
            return None
        if self._names.column(name) == _FLAG:
            return _TRUTHS.get(event.value.lower(), event.value)
        return event.value


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _texts(events: Iterator[Any]) -> Iterator[str]:
    """The scalars of a list, up to its end."""
    while type(event := next(events)) is not SequenceEndEvent:
        if type(event) is not ScalarEvent:
            raise _UnreadError(_NESTED)
        yield event.value


_STARTS: Final = (SequenceStartEvent, MappingStartEvent)


def _plain(text: str) -> Iterator[Any]:
    """What PyYAML finds in an entry, without the beginning of its one document.

    Raises:
        _UnreadError: a value is shared, or has a type.
        YAMLError: it is no YAML.
    """
    is_begun = False
    for event in yaml.parse(text, Loader=_LOADER):
        kind = type(event)
        if kind is AliasEvent:
            raise _UnreadError(_SHARED)
        if kind is ScalarEvent or kind in _STARTS:
            _refuse_properties(event)
        if kind is StreamStartEvent or (kind is DocumentStartEvent and not is_begun):
            is_begun = kind is DocumentStartEvent
        else:
            yield event


def _refuse_properties(event: Any) -> None:
    if event.anchor is not None:
        raise _UnreadError(_SHARED)
    if event.tag is not None:
        raise _UnreadError(_TAGGED)
