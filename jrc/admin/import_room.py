"""How much an import may bring: the disk has to last for joins, and one caller is not alone.

Rows are staged on disk as they arrive, and what is not published is deleted afterwards; the
database's file keeps its length. So what counts is what is under way, and what is free.
"""

import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jrc.admin.peers import Caller
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import Scope, may

FREE_BYTES: Final = 64 * 1024 * 1024
"""What an import leaves free on the disk, for joins and their log."""
MAX_UNDER_WAY_BYTES: Final = 1024 * 1024 * 1024
"""Of all imports under way of one caller who may do nothing else: some ten million rows."""


def free_bytes_of(folder: Path) -> int | None:
    """What is free on the disk of a folder, None where nobody can tell."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


class ImportRoom:
    """For all imports of a registrar; ``free_bytes`` looks at a folder's disk."""

    def __init__(self, free_bytes: Callable[[Path], int | None] = free_bytes_of) -> None:
        self._free_bytes = free_bytes
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def held(self, caller: Caller, disk: Path | None) -> Iterator["Held"]:
        """One import's part of it, until that is published or deleted; ``disk`` is where it grows,
        None where that is not here."""
        held = Held(self, caller, disk)
        try:
            yield held
        finally:
            self._under_way[caller.actor] -= held.taken
            if not self._under_way[caller.actor]:
                del self._under_way[caller.actor]

    def take(self, size: int, caller: Caller, disk: Path | None) -> None:
        """Count so many bytes more of a caller's imports; the database of all is on one disk.

        Raises:
            OperatorError: there is no room for them.
        """
        self._under_way[caller.actor] += size
        is_bounded = not may(caller.scopes, Scope.OPERATE)
        if is_bounded and self._under_way[caller.actor] > MAX_UNDER_WAY_BYTES:
            raise _too_much(caller.actor)
        if disk is not None:
            self._check_disk(disk)

    def _check_disk(self, disk: Path) -> None:
        """Nothing, if what all have taken can be published: most of it is on disk as it is
        staged."""
        free = self._free_bytes(disk)
        if free is None or free >= FREE_BYTES + self._under_way.total():
            return
        raise OperatorError(
            f"{free >> 20} MiB are free on the disk of {disk}, too little for more of this import"
            " beside those under way; nothing was stored",
            "make room: it takes some thirteen times as much as its file is long, and joins need"
            " what is free beyond that",
        )


class Held:
    """What one import has ``taken`` of the room, in bytes."""

    def __init__(self, room: ImportRoom, caller: Caller, disk: Path | None) -> None:
        self._room, self._caller, self._disk = room, caller, disk
        self.taken = 0

    async def within(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """``body``, as far as there is room.

        Raises:
            OperatorError: there is none for more of it.
        """
        async for piece in body:
            self.taken += len(piece)
            self._room.take(len(piece), self._caller, self._disk)
            yield piece


def _too_much(actor: str) -> OperatorError:
    return OperatorError(
        f"{actor} has {MAX_UNDER_WAY_BYTES >> 20} MiB of imports under way; nothing of this one was"
        " stored",
        "wait for the others to end, or import the file in parts",
        exit_code=ExitCode.REFUSED,
    )
