"""The devices in a sealed file: a CBOR array of maps, as ``jrc pledge import`` reads it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import cbor2

from jrc.cojp.cbor import ARRAY, NotWellFormedError, head, read_container
from jrc.handover.envelope import MAX_CONTENT_BYTES
from jrc.model import PledgeId, Secret
from jrc.service.import_file import FileReader, Format
from jrc.service.import_prepared import PreparedRow, UnfitRow, prepare
from jrc.service.import_rows import Row, RowError
from jrc.service.records import KeyOrigin

_KEYS = ("psk", "pledge_sender_key", "pledge_recipient_key", "common_iv")
_PIECE_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 9
MAX_REPORTED = 1000
"""Faults that are told; who has more has the wrong file."""


class Packing:
    """Takes the rows of a file; gives what is to be sealed, or what is wrong with them.

    Each is looked at as an import does. Two of one device, or with one key, are wrong as well.
    """

    def __init__(self) -> None:
        self.faults: list[RowError] = []
        self.fault_count = 0
        self.rows = 0
        self._packed = bytearray()
        self._of_devices: dict[bytes, int] = {}
        self._of_keys: dict[bytes, int] = {}

    def add(self, entries: Iterable[Row | RowError]) -> None:
        """Look at some more rows; ``is_full`` says when it is too many."""
        for entry in entries:
            prepared = prepare(entry, allow_weak=False)
            if isinstance(prepared, UnfitRow):
                self._note(prepared.faults)
                continue
            assert isinstance(entry, Row)
            self._note(self._repeated(prepared))
            self.rows += 1
            if not self.fault_count:
                self._packed += cbor2.dumps(_packed(entry, prepared))

    @property
    def is_full(self) -> bool:
        """Whether it is more than a sealed file may have."""
        return len(self._packed) > MAX_CONTENT_BYTES - _MAX_HEAD_BYTES

    def content(self) -> Secret:
        """What is to be sealed; there are rows, and no faults."""
        return Secret(head(ARRAY, self.rows) + self._packed)

    def _note(self, faults: Sequence[RowError]) -> None:
        self.fault_count += len(faults)
        self.faults += faults[: MAX_REPORTED - len(self.faults)]

    def _repeated(self, row: PreparedRow) -> list[RowError]:
        there = self._of_devices.setdefault(row.identifier, row.line)
        if there != row.line:
            reason = f"pledge {PledgeId(row.identifier)} is in row {there} as well"
            return [RowError(row.line, "pledge_id", reason, "leave one of them out")]
        keys = (row.sender_key, row.recipient_key) if row.psk is None else (row.psk,)
        for key in keys:
            there = self._of_keys.setdefault(key, row.line)
            if there != row.line:
                column = "psk" if row.psk is not None else "pledge_sender_key"
                reason = f"this key is the one of row {there} as well"
                hint = "every pledge needs a key of its own: `jrc pledge generate` draws them"
                return [RowError(row.line, column, reason, hint)]
        return []


def _packed(row: Row, prepared: PreparedRow) -> dict[str, str | bytes]:
    """The row's fields; keys as bytes."""
    psk = prepared.psk
    keys = (prepared.sender_key, prepared.recipient_key, prepared.common_iv)
    found: dict[str, str | bytes] = {"pledge_id": prepared.identifier}
    found |= dict(zip(_KEYS[1:], keys, strict=True)) if psk is None else {_KEYS[0]: psk}
    return found | _others(row)


def _others(row: Row) -> dict[str, str]:
    others = {name: text for name, text in row.fields.items() if name not in ("pledge_id", *_KEYS)}
    return others | {"provenance": KeyOrigin.HANDOVER.value}


def row_count(content: Secret) -> int:
    """How many rows an opened file says to have; 0 where it is no array."""
    try:
        return read_container(content.reveal()[:_MAX_HEAD_BYTES], 0, ARRAY)[0]
    except NotWellFormedError:
        return 0


def unpacked(content: Secret) -> Iterator[Row | RowError]:
    """The rows of an opened file, and what is wrong with them."""
    data, reader = content.reveal(), FileReader(Format.CBOR)
    for at in range(0, len(data), _PIECE_BYTES):
        yield from reader.feed(data[at : at + _PIECE_BYTES])
    yield from reader.finish()


def import_file(rows: Iterable[Row], count: int, networks: Sequence[str] = ()) -> Iterator[bytes]:
    """A CBOR file for an import, in pieces, of ``count`` rows.

    They say that they came by a hand-over, and with ``networks`` that their pledges may join those.
    """
    piece = bytearray(head(ARRAY, count))
    own: Mapping[str, str] = {"provenance": KeyOrigin.HANDOVER.value}
    if networks:
        own = {**own, "network": ";".join(networks)}
    for row in rows:
        piece += cbor2.dumps({**row.fields, **own})
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)
