"""A row of an import as far as it can be judged alone: its keys checked and derived.

This is most of an import's work and needs no database, so that another process can do it
(``admin/prepare_rows.py``): what is here is plain values, and one of ours alone makes them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from jrc.model import PledgeId, Profile, Secret
from jrc.policy.credentials import MIN_KEY_BYTES
from jrc.service.applicants import Applicant, DerivedKeys, Fault, check_alone
from jrc.service.import_fields import applicant_of
from jrc.service.import_rows import FileError, Row, RowError
from jrc.service.records import OpenedKeys


class PreparedRow(NamedTuple):
    """A row that is good by itself; keys are named from the pledge's side, ``psk`` may be None.

    ``is_whole`` is as in ``Row``. Its keys are ``StoredKeys`` as they are: a million rows have no
    time for an object around each of them.
    """

    line: int
    identifier: bytes
    psk: bytes | None
    sender_key: bytes
    recipient_key: bytes
    common_iv: bytes
    aead: int
    hkdf: int
    used_before: bool
    networks: tuple[str, ...]
    role: int | None
    label: str | None
    profile: str | None
    provenance: str
    is_whole: bool

    def __repr__(self) -> str:
        return f"PreparedRow(line={self.line}, identifier={self.identifier.hex()})"

    def opened(self) -> OpenedKeys:
        """As ``StoredKeys.opened``."""
        return self.psk, self.sender_key, self.recipient_key, self.common_iv

    def applicant(self, source: str, *, allow_weak: bool) -> Applicant:
        """What it asks for; ``source`` is the file."""
        derived = (Secret(self.sender_key), Secret(self.recipient_key), Secret(self.common_iv))
        return Applicant(
            identifier=PledgeId(self.identifier),
            keys=DerivedKeys(*derived) if self.psk is None else Secret(self.psk),
            networks=self.networks,
            role=self.role,
            label=self.label,
            profile=None if self.profile is None else Profile(self.profile),
            aead=self.aead,
            hkdf=self.hkdf,
            provenance=self.provenance,
            source=f"{source}:{self.line}",
            allow_weak=allow_weak,
            used_before=self.used_before,
        )


_NETWORKS_AT = PreparedRow._fields.index("networks")
_make = partial(tuple.__new__, PreparedRow)


class UnfitRow(NamedTuple):
    """A row with faults of its own, or what is wrong with a file.

    ``identifier`` is empty where the row has none that may be shown.
    """

    line: int
    faults: tuple[RowError, ...]
    is_whole: bool
    identifier: bytes = b""


Entry = PreparedRow | UnfitRow


def prepare(entry: Row | RowError, *, allow_weak: bool) -> Entry:
    """What a row comes to without a look at the database."""
    if isinstance(entry, RowError):
        return UnfitRow(entry.line, (entry,), is_whole=not isinstance(entry, FileError))
    applicant, faults = applicant_of(entry, "")
    if applicant is None:
        return _unfit(entry, faults)
    if allow_weak:
        applicant = applicant._replace(allow_weak=True)
    checked = check_alone(applicant)
    if isinstance(checked, Fault):
        return _unfit(entry, [RowError(entry.line, *checked)])
    return _prepared(entry, *checked)


def _unfit(row: Row, faults: Sequence[RowError]) -> UnfitRow:
    try:
        found = PledgeId.from_hex(row.fields.get("pledge_id", "")).value
    except ValueError:
        found = b""
    return UnfitRow(row.line, tuple(faults), row.is_whole, shown_identifier(found))


def shown_identifier(value: bytes) -> bytes:
    """The identifier of a row that is refused; empty where it may be a key in the wrong column."""
    return value if len(value) < MIN_KEY_BYTES else b""


def _prepared(row: Row, applicant: Applicant, keys: OpenedKeys) -> PreparedRow:
    profile = applicant.profile
    return PreparedRow(
        row.line,
        applicant.identifier.value,
        *keys,
        applicant.aead,
        applicant.hkdf,
        applicant.used_before,
        applicant.networks,
        applicant.role,
        applicant.label,
        None if profile is None else profile.value,
        applicant.provenance,
        row.is_whole,
    )


def to_plain(entries: Sequence[Entry]) -> list[Any]:
    """Entries as lists, numbers, strings and bytes; the reverse is ``from_plain``.

    Rows that are good stand together by columns, of which most say the same in all rows.
    """
    return [
        _columns(list(some)) if kind is PreparedRow else [_plain(entry) for entry in some]  # type: ignore[arg-type]
        for kind, some in groupby(entries, type)
    ]


def _columns(rows: Sequence[PreparedRow]) -> tuple[Any, ...]:
    """The number of rows, then each column: its one value where all rows have the same."""
    columns = (
        column[:1] if column.count(column[0]) == len(rows) else column
        for column in zip(*rows, strict=True)
    )
    return len(rows), *columns


def _plain(entry: UnfitRow) -> list[Any]:
    faults = [tuple(fault) for fault in entry.faults]
    return [entry.line, faults, entry.is_whole, entry.identifier]


def from_plain(plain: Sequence[Any]) -> list[Entry]:
    """Entries that ``to_plain`` was given; tuples may have become lists."""
    entries: list[Entry] = []
    for some in plain:
        if isinstance(some[0], int):
            entries += _rows(*some)
        else:
            entries += (
                UnfitRow(line, tuple(RowError(*fault) for fault in faults), *rest)
                for line, faults, *rest in some
            )
    return entries


def _rows(count: int, *columns: Sequence[Any]) -> Iterator[PreparedRow]:
    whole = [list(column) * count if len(column) == 1 else column for column in columns]
    whole[_NETWORKS_AT] = [*map(tuple, whole[_NETWORKS_AT])]
    return map(_make, zip(*whole, strict=True))
