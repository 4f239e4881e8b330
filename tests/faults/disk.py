"""A disk that forgets: what may be on it after a power cut, made of the calls a daemon has made.

POSIX promises no more than this. What a file was given is there once an fsync or fdatasync of it
has returned; before that, any part of it may be, in units of 512 bytes. A name that was made,
changed or removed is so for good once its directory was synced; before that, the changes since are
there up to some point.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR_BYTES = 512
"""The least that a disk writes as a whole."""
SHARES = (0.0, 0.5, 1.0)
"""Of the unsynced writes that are there; another share is drawn as often as each of these."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A size."""

    size: int


@dataclass(slots=True)
class File:
    """What is on disk for good, and what was written since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write | Truncate] = field(default_factory=list)
    size: int = 0

    def write(self, offset: int, data: bytes) -> None:
        """``offset`` -1 is at the end."""
        at = self.size if offset < 0 else offset
        self.pending.append(Write(at, data))
        self.size = max(self.size, at + len(data))

    def truncate(self, size: int) -> None:
        self.pending.append(Truncate(size))
        self.size = size

    def sync(self) -> None:
        """All that was written is on disk."""
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def after_power_cut(self, chance: random.Random) -> bytes:
        """What may be found."""
        found = bytearray(self.durable)
        share = chance.choice((*SHARES, chance.random()))
        for change in self.pending:
            if isinstance(change, Truncate):
                if chance.random() < share:
                    _apply(found, change)
                continue
            for piece in _sectors(change):
                if chance.random() < share:
                    _apply(found, piece)
        return bytes(found)


def _apply(content: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _sectors(write: Write) -> list[Write]:
    """The parts of a write that come to the disk as wholes."""
    parts, at, end = [], write.offset, write.offset + len(write.data)
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        parts.append(Write(at, write.data[at - write.offset : until - write.offset]))
        at = until
    return parts


@dataclass(slots=True)
class Disk:
    """The files of one directory, by name."""

    names: dict[str, File] = field(default_factory=dict)
    _durable: dict[str, File] = field(default_factory=dict)
    _pending: list[dict[str, File]] = field(default_factory=list)

    @classmethod
    def of(cls, content: Mapping[str, bytes]) -> "Disk":
        """All of it is on disk for good."""
        names = {name: File(bytearray(data), size=len(data)) for name, data in content.items()}
        return cls(names, dict(names))

    def create(self, name: str) -> None:
        """An empty file of that name, in place of what it had."""
        if name in self.names:
            self.names[name].truncate(0)
            return
        self.names[name] = File()
        self._renamed()

    def rename(self, old: str, new: str) -> None:
        """The name ``new`` for what was ``old``."""
        self.names[new] = self.names.pop(old)
        self._renamed()

    def unlink(self, name: str) -> None:
        """No name for it any more."""
        del self.names[name]
        self._renamed()

    def _renamed(self) -> None:
        self._pending.append(dict(self.names))

    def sync_names(self) -> None:
        """The directory is on disk as it is."""
        self._durable = dict(self.names)
        self._pending.clear()

    def after_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """What may be found."""
        reached = chance.randrange(len(self._pending) + 1)
        names = self._pending[reached - 1] if reached else self._durable
        return {name: file.after_power_cut(chance) for name, file in names.items()}
