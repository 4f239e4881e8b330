"""Fingerprints of an import's keys that are not entered yet, in a few bytes each.

Fingerprints are random. Entered row by row, each touches another page of a large index; entered
all together in their order, each page is written once. So they wait here for the last row.
"""

from array import array
from collections.abc import Iterable
from io import BytesIO
from struct import Struct
from typing import IO

from jrc.errors import OperatorError
from jrc.service.records import Fingerprints

MOST_BYTES = 1024 * 1024
"""In memory; then they go into the file."""

_NUMBER_BYTES = 8
_ENTRY = Struct(">16sQ")
_ENTRY_BYTES = _ENTRY.size
_BUCKETS = 256


class PendingKeys:
    """(fingerprint, number of the credential), taken out in order.

    ``file`` holds what is too much for memory: 72 bytes of a row; without one, memory does.

    Raises:
        OperatorError: there is no room for them, in ``add`` and ``take``.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = BytesIO() if file is None else file
        self._file_bytes = 0
        self._blocks = [array("Q") for _ in range(_BUCKETS)]
        """Where the parts of each bucket are in the file: place, length, place, length..."""
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._count = self._held = 0
        self._next = 0
        self._sorted: list[bytes] = []
        self._refused: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def add(self, credentials: Iterable[tuple[int, Fingerprints]]) -> None:
        """These are to be entered."""
        buckets = self._buckets
        count = 0
        for number, prints in credentials:
            owner = number.to_bytes(_NUMBER_BYTES, "big")
            for value in prints:
                if value is not None:
                    buckets[value[0]] += value + owner
                    count += 1
        self._count += count
        self._held += count
        if self._held * _ENTRY_BYTES > MOST_BYTES:
            self._spill()

    def _spill(self) -> None:
        try:
            self._file.seek(self._file_bytes)
            self._file.write(b"".join(self._buckets))
        except OSError as error:
            raise _no_room(error) from None
        for blocks, bucket in zip(self._blocks, self._buckets, strict=True):
            blocks.extend((self._file_bytes, len(bucket)))
            self._file_bytes += len(bucket)
            bucket.clear()
        self._held = 0

    def take(self, most: int) -> list[tuple[bytes, int]]:
        """Up to ``most`` of them in their order, of equal ones the lowest number first.

        None if none is left; what is added in between comes in the next round.
        """
        taken: list[bytes] = []
        while len(taken) < most and (self._sorted or self._sort_next()):
            rest = most - len(taken)
            taken += self._sorted[:rest]
            del self._sorted[:rest]
        self._count -= len(taken)
        kept = [*_ENTRY.iter_unpack(b"".join(taken))]
        if self._refused:
            kept = [entry for entry in kept if entry[1] not in self._refused]
        if not self._count:
            self._refused.clear()
            self._file_bytes = self._next = 0
        return kept

    def refuse(self, numbers: Iterable[int]) -> None:
        """Enter nothing more of these credentials."""
        self._refused.update(numbers)

    def _sort_next(self) -> bool:
        """Have the next bucket in order; False when all are empty."""
        for _ in range(_BUCKETS):
            bucket = self._emptied(self._next)
            self._next = (self._next + 1) % _BUCKETS
            if bucket:
                parts = range(0, len(bucket), _ENTRY_BYTES)
                self._sorted = sorted([bucket[at : at + _ENTRY_BYTES] for at in parts])
                return True
        return False

    def _emptied(self, number: int) -> bytes:
        """What was in a bucket."""
        blocks, bucket = self._blocks[number], self._buckets[number]
        parts = []
        try:
            for place, length in zip(blocks[::2], blocks[1::2], strict=True):
                self._file.seek(place)
                parts.append(self._file.read(length))
        except OSError as error:
            raise _no_room(error) from None
        self._held -= len(bucket) // _ENTRY_BYTES
        content = b"".join((*parts, bucket))
        del blocks[:]
        bucket.clear()
        return content


def _no_room(error: OSError) -> OperatorError:
    return OperatorError(
        f"what the keys are compared by can't be kept ({error.strerror}); nothing was stored",
        "make room on the disk of the state directory",
    )
