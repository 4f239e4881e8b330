"""A look through a whole backup: is it whole, who can open it, does its audit log hold together."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from jrc.errors import JrcError, OperatorError, StateError
from jrc.model import PledgeId, PledgeState, Secret
from jrc.service.event_chain import event_hash
from jrc.store import schema
from jrc.store.backup.container import Header, damaged
from jrc.store.backup.content import Head, Rows, Seal, read_content
from jrc.store.backup.dump import KEY_TABLES
from jrc.store.backup.frames import FrameError
from jrc.store.backup.keys import OpenKeys, Record
from jrc.store.rowmac import RowMac

GONE = frozenset(
    {PledgeState.REVOKED, PledgeState.REMOVED, PledgeState.SUPERSEDED, PledgeState.TRANSFERRED}
)
"""States of pledges that don't come back, or not here."""
_EVENT_FIELDS = (
    "number", "at_ms", "kind", "pledge", "network", "actor", "reason", "detail",
)  # fmt: skip
_ALONE = frozenset(
    {"context_state", "short_identifier", "recovery_run", "network_settings", "rollover"}
)
"""Tables whose MAC covers the row itself and nothing else of the database."""
MAX_NAMED = 20
MAX_KEY_ROWS = 10_000
"""Of the tables that are kept in memory until the keys are open."""
MAX_PLEDGES = 2_000_000
"""Of which a list is kept, some 300 bytes each."""
_STATES = frozenset(PledgeState)


class Concerned(NamedTuple):
    """A pledge in a backup that may come back."""

    pledge_id: str
    state: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a whole backup holds. ``key_error`` says why its keys can't be opened here, if so.

    ``damaged_rows`` counts rows that were damaged before the backup was made, ``damaged_names``
    the first of them; None where the keys can't be opened. ``broken_event`` is the first entry of
    the audit log that does not follow from the one before. ``since_ms`` is since when the database
    was in its condition, as its row says, None where that makes no sense.
    """

    seal: Seal
    header: Header
    pledges: Mapping[str, int]
    concerned: Sequence[Concerned]
    key_error: OperatorError | None
    damaged_rows: int | None
    damaged_names: Sequence[str]
    broken_event: int | None
    since_ms: int | None

    @property
    def head(self) -> Head:
        """What it says of itself, proved by its seal."""
        return self.seal.head

    @property
    def joined(self) -> int:
        """How many of its pledges had joined."""
        rows, _ = self.seal.tables.get("node", (0, b""))
        return rows


def examine_backup(
    file: BinaryIO,
    header: Header,
    identities: Sequence[Secret],
    name: str,
    open_keys: OpenKeys,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Examined:
    """What is in ``file``, whose header was read; every byte of it is checked.

    Raises:
        OperatorError: it is damaged, of a later version, sealed for others, or was not made by a
            registrar with the key that is here.
    """
    examiner = _Examiner(name, open_keys)
    seal = read_content(file, header, identities, examiner, name, progress)
    examiner.end(seal)
    return Examined(
        seal=seal,
        header=header,
        pledges=dict(sorted(examiner.states.items())),
        concerned=examiner.concerned,
        key_error=examiner.key_error,
        damaged_rows=None if examiner.mac is None else examiner.damaged_rows,
        damaged_names=examiner.damaged_names,
        broken_event=examiner.broken_event,
        since_ms=examiner.since_ms,
    )


@dataclass
class _Examiner:
    """As ``content.Sink``."""

    name: str
    open_keys: OpenKeys
    states: Counter[str] = field(default_factory=Counter)
    concerned: list[Concerned] = field(default_factory=list)
    mac: RowMac | None = None
    key_error: OperatorError | None = None
    damaged_rows: int = 0
    damaged_names: list[str] = field(default_factory=list)
    broken_event: int | None = None
    _table: str = ""
    _columns: Sequence[str] = ()
    _keys: dict[str, list[Record]] = field(default_factory=dict)
    _event: tuple[int, bytes] = (0, b"")

    def head(self, head: Head) -> None:
        """As ``Sink.head``."""
        self._event = (head.event_floor, head.event_floor_hash)

    def table(self, name: str, columns: Sequence[str]) -> None:
        """As ``Sink.table``."""
        if self._table in KEY_TABLES and name not in KEY_TABLES:
            self._open()
        self._table, self._columns = name, columns

    def rows(self, rows: Rows) -> None:
        """As ``Sink.rows``."""
        records = [dict(zip(self._columns, row, strict=True)) for row in rows]
        if self._table in KEY_TABLES:
            kept = self._keys.setdefault(self._table, [])
            kept.extend(records)
            self._bound(len(kept), MAX_KEY_ROWS)
        elif self._table == "event":
            self._follow(records)
        elif self._table == "pledge":
            self._count(records)
        if self.mac is not None and self._table in _ALONE:
            self._authenticate(self.mac, records)

    def end(self, seal: Seal) -> None:
        """Everything was read.

        Raises:
            OperatorError: another registrar has made it.
        """
        head = seal.head
        if self.broken_event is None and self._event != (head.event_number, head.event_hash):
            self.broken_event = self._event[0] + 1
        if self.mac is not None and not seal.is_ours(self.mac):
            raise damaged(self.name, "it was not made by the registrar whose database it holds")

    @property
    def since_ms(self) -> int | None:
        """As ``Examined.since_ms``."""
        rows = self._keys.get("instance", ())
        found = rows[0].get("condition_since_ms") if len(rows) == 1 else None
        return found if isinstance(found, int) else None

    def _open(self) -> None:
        """Open the row MAC key with what is at hand on this host."""
        try:
            self.mac = self.open_keys(self._keys).mac
        except OperatorError as error:
            self.key_error = error
        except StateError:
            raise damaged(self.name, "the data keys in it can't be opened") from None

    def _follow(self, records: Sequence[Record]) -> None:
        number, head = self._event
        for record in records:
            number += 1
            head = event_hash(head, [record.get(name) for name in _EVENT_FIELDS])
            is_good = (record.get("number"), record.get("hash")) == (number, head)
            if not is_good and self.broken_event is None:
                self.broken_event = number
        self._event = (number, head)

    def _bound(self, rows: int, most: int) -> None:
        if rows > most:
            raise FrameError(f"table {self._table} has more than {most} rows")

    def _count(self, records: Sequence[Record]) -> None:
        self._bound(len(self.concerned), MAX_PLEDGES)
        for record in records:
            state = str(record.get("state"))
            if state not in _STATES:
                state = PledgeState.DAMAGED.value
            self.states[state] += 1
            identifier = record.get("identifier")
            if state not in GONE and isinstance(identifier, bytes):
                label = str(record.get("label") or "")
                self.concerned.append(Concerned(_shown(identifier), state, label))

    def _authenticate(self, mac: RowMac, records: Sequence[Record]) -> None:
        table = schema.metadata.tables[self._table]
        if set(self._columns) != {column.name for column in table.columns}:
            return
        for record in records:
            if not mac.is_intact(table, record):
                self.damaged_rows += 1
                if len(self.damaged_names) < MAX_NAMED:
                    keys = ", ".join(str(record[column.name]) for column in table.primary_key)
                    self.damaged_names.append(f"{self._table} {keys}")


def _shown(identifier: bytes) -> str:
    with suppress(JrcError, ValueError):
        return str(PledgeId(identifier))
    return identifier.hex()
