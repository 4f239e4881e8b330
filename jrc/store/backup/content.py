"""What a backup says of itself, and its rows on their way in, checked frame by frame.

The frames: ``["head", {...}]``, then for each table ``["table", name, [column, ...]]`` and any
number of ``["rows", [[value, ...], ...]]``, and ``["end", {table: [rows, sha256]}, mac]``. A
table's SHA-256 covers its frames; the MAC, made with the database's own row MAC key, covers the
head and all of these: whoever has the recipient alone can't make a backup that is restored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, BinaryIO, Protocol

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.store.backup.container import Header, damaged
from jrc.store.backup.frames import FrameError, FrameReader
from jrc.store.backup.seal import decrypt
from jrc.store.rowmac import RowMac
from jrc.store.schema import SCHEMA_REVISION

FORMAT = 1
_VALUES = (int, float, str, bytes, type(None))
_SOURCE = "backup"
MAX_TABLES = 256
"""A schema has some forty; each takes memory to the end."""

Value = int | float | str | bytes | None
Rows = Sequence[Sequence[Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Which database at which moment; times in milliseconds since 1970.

    ``kek_ids`` name the keys that open its data keys, ``slots`` what those may be taken from: no
    key is in a backup that opens it. ``header_digest`` is that of the file's header.
    """

    format: int = FORMAT
    id: bytes
    created_at_ms: int
    program: str
    schema: str
    backend: str
    epoch: bytes
    commit_number: int
    incarnation: int
    condition: str
    is_final: bool
    event_floor: int
    event_floor_hash: bytes
    event_number: int
    event_hash: bytes
    kek_ids: tuple[bytes, ...]
    slots: tuple[str, ...]
    header_digest: bytes

    def encoded(self) -> dict[str, object]:
        """As it stands in its frame."""
        return asdict(self)


class Sink(Protocol):
    """Where the content goes; each method may refuse it."""

    def head(self, head: Head) -> None:
        """What the backup says of itself; nothing of it is proved before the end."""
        ...

    def table(self, name: str, columns: Sequence[str]) -> None:
        """The next table."""
        ...

    def rows(self, rows: Rows) -> None:
        """Some of its rows."""
        ...


class Ignored:
    """A ``Sink`` for whoever wants to know whether the file is whole, and no more."""

    def head(self, head: Head) -> None:
        """As ``Sink.head``."""

    def table(self, name: str, columns: Sequence[str]) -> None:
        """As ``Sink.table``."""

    def rows(self, rows: Rows) -> None:
        """As ``Sink.rows``."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the end says: rows and SHA-256 of each table, and the MAC over head and these."""

    head: Head
    head_frame: bytes
    tables: Mapping[str, tuple[int, bytes]]
    mac: bytes

    @property
    def row_count(self) -> int:
        """Rows of all tables."""
        return sum(rows for rows, _ in self.tables.values())

    def is_ours(self, mac: RowMac) -> bool:
        """Whether a registrar with this row MAC key has made it."""
        return mac.fits(_SOURCE, mac_values(self.head_frame, self.tables), self.mac)


def mac_of(mac: RowMac, head_frame: bytes, tables: Mapping[str, tuple[int, bytes]]) -> bytes:
    """The MAC of ``Seal``."""
    return mac.compute(_SOURCE, mac_values(head_frame, tables))


def mac_values(head_frame: bytes, tables: Mapping[str, tuple[int, bytes]]) -> list[object]:
    """What the MAC covers."""
    return [head_frame, *((name, *tables[name]) for name in sorted(tables))]


@dataclass(slots=True)
class ContentReader:
    """Takes frames in their order, checks them, and hands what is in them to ``sink``.

    Raises (each method):
        FrameError: the frames are not those of a backup.
        OperatorError: it is of a later version.
    """

    sink: Sink
    header: Header
    name: str
    _head: Head | None = None
    _head_frame: bytes = b""
    _table: str | None = None
    _width: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _hashes: dict[str, Any] = field(default_factory=dict)
    _seal: Seal | None = None

    def take(self, content: list[object], frame: bytes) -> None:
        """The next frame."""
        if self._seal is not None:
            raise FrameError("something follows its end")
        if (self._head is None) != (content[0] == "head"):
            raise FrameError("its head is not where it should be")
        match content:
            case ["head", dict() as told]:
                self._take_head(told, frame)
            case ["table", str() as name, list() as columns]:
                self._take_table(name, columns, frame)
            case ["rows", list() as rows]:
                self._take_rows(rows, frame)
            case ["end", dict() as tables, bytes() as mac]:
                self._take_end(tables, mac)
            case _:
                raise FrameError("a frame is none of those a backup has")

    def seal(self) -> Seal:
        """What the end has said."""
        if self._seal is None:
            raise FrameError("its end is missing")
        return self._seal

    def _take_head(self, told: dict[object, object], frame: bytes) -> None:
        head = head_from(told, self.name)
        if head.header_digest != self.header.digest:
            raise FrameError("its header was changed")
        self._head, self._head_frame = head, frame
        self.sink.head(head)

    def _take_table(self, name: str, columns: list[object], frame: bytes) -> None:
        names = [each for each in columns if isinstance(each, str)]
        if name in self._counts or len(set(names)) != len(columns):
            raise FrameError(f"table {name} is there twice, or has a column twice")
        if len(self._counts) == MAX_TABLES:
            raise FrameError(f"it has more than {MAX_TABLES} tables")
        self._table, self._width = name, len(columns)
        self._counts[name], self._hashes[name] = 0, sha256(frame)
        self.sink.table(name, names)

    def _take_rows(self, rows: list[object], frame: bytes) -> None:
        if self._table is None:
            raise FrameError("rows come before their table")
        good: list[list[Value]] = [
            row for row in rows if isinstance(row, list) and len(row) == self._width
        ]
        if len(good) != len(rows) or not all(type(v) in _VALUES for row in good for v in row):
            raise FrameError(f"a row of table {self._table} has other values than its columns")
        self._counts[self._table] += len(rows)
        self._hashes[self._table].update(frame)
        self.sink.rows(good)

    def _take_end(self, tables: dict[object, object], mac: bytes) -> None:
        found = {name: (self._counts[name], self._hashes[name].digest()) for name in self._counts}
        if tables != {name: list(each) for name, each in found.items()}:
            raise FrameError("rows or checksums of a table are not those it was made with")
        assert self._head is not None, "the head comes first"
        self._seal = Seal(self._head, self._head_frame, found, mac)


_LISTS: Mapping[str, type] = {"kek_ids": bytes, "slots": str}
_SCALARS: Mapping[str, type] = {
    each.name: {"int": int, "bytes": bytes, "str": str, "bool": bool}[str(each.type.__name__)]
    for each in fields(Head)
    if each.name not in _LISTS and isinstance(each.type, type)
}


def head_from(told: Mapping[object, object], name: str) -> Head:
    """The head in its frame.

    Raises:
        FrameError: it is none.
        OperatorError: it is one of a later version, or of a later schema.
    """
    if isinstance(told.get("format"), int) and told["format"] != FORMAT:
        raise OperatorError(
            f"{name} has the backup format {told['format']}, and this version of jrc knows"
            f" {FORMAT}",
            "restore it with the version of jrc that made it, or a later one",
        )
    if set(told) != {*_SCALARS, *_LISTS}:
        raise FrameError("its head has other fields than it should")
    values: dict[str, Any] = {key: told[key] for key in _SCALARS}
    values |= {key: _items(told[key], kind) for key, kind in _LISTS.items()}
    if any(type(values[key]) is not kind for key, kind in _SCALARS.items()):
        raise FrameError("its head has a field of the wrong type")
    head = Head(**values)
    if head.schema > SCHEMA_REVISION:
        raise OperatorError(
            f"{name} was made with schema {head.schema} by jrc {head.program}, and this version"
            f" works with {SCHEMA_REVISION}",
            "restore it with the version of jrc that made it, or a later one",
        )
    return head


def _items(value: object, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, list) or any(type(item) is not kind for item in value):
        raise FrameError("its head has a field of the wrong type")
    return tuple(value)


def read_content(
    file: BinaryIO,
    header: Header,
    identities: Sequence[Secret],
    sink: Sink,
    name: str,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Seal:
    """Everything in ``file`` from where it stands, handed to ``sink``; what its end says.

    ``progress`` is told how far it is in the file. Nothing of it may be acted upon before this has
    returned.

    Raises:
        OperatorError: it is damaged, cut off, of a later version, or sealed for others.
    """
    contents = ContentReader(sink, header, name)
    frames = FrameReader(contents.take)

    def take(piece: bytes) -> None:
        frames.feed(piece)
        progress(file.tell())

    try:
        decrypt(file, take, identities, name)
        frames.end()
        return contents.seal()
    except FrameError as error:
        raise damaged(name, str(error)) from None
