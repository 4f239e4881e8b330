"""What this host remembers of final backups it has restored, beside the instance file.

A final backup goes on where it was, once. The file of the backup says whether it did, and this
record does; what neither can tell is a copy of the backup that was restored on another host.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jrc.errors import OperatorError
from jrc.store.backup.container import Header
from jrc.store.backup.content import Head
from jrc.store.syncing import sync

FINAL_WITHIN_MS = 24 * 3600 * 1000
"""A move takes minutes; what is older has most likely been used, or given up."""
CLOCKS_APART_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class RestoredFinals:
    """The record in ``path``, a JSON object a line."""

    path: Path

    @classmethod
    def beside(cls, instance_file: Path) -> "RestoredFinals":
        """The one of a registrar."""
        return cls(instance_file.with_name(instance_file.name + ".restored"))

    def has(self, epoch: bytes) -> bool:
        """Whether a final backup of the database with this epoch was restored here.

        Raises:
            OperatorError: the record can't be read.
        """
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError):
            raise OperatorError(f"{self.path} can't be read") from None
        return any(_epoch(line) == epoch.hex() for line in lines)

    def add(self, head: Head, now_ms: int) -> None:
        """Remember one, unless it is there; on disk when this returns.

        Raises:
            OperatorError: it can't be read or written.
        """
        if self.has(head.epoch):
            return
        entry = {"epoch": head.epoch.hex(), "backup": head.id.hex(), "at_ms": now_ms}
        try:
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as to:
                to.write(json.dumps(entry) + "\n")
                to.flush()
                os.fsync(to.fileno())
            sync(self.path.parent)
        except OSError as error:
            raise OperatorError(f"{self.path} can't be written ({error.strerror})") from None

    def why_not_open(
        self,
        header: Header,
        head: Head,
        ended_ms: int | None,
        now_ms: int,
        *,
        is_begun: bool = False,
    ) -> str | None:
        """Why a backup may not go on where it was; None where it may.

        ``ended_ms`` is when its database has ended: other final backups of it may have been made
        since. ``is_begun``: a restore of it to this host was broken off before its end.

        Raises:
            OperatorError: the record can't be read.
        """
        if not head.is_final:
            return "it is no final backup"
        if not is_begun and (header.is_spent or self.has(head.epoch)):
            return "this final backup was restored before"
        if ended_ms is None or now_ms - ended_ms > FINAL_WITHIN_MS:
            return "its database has ended more than a day ago"
        if head.created_at_ms - now_ms > CLOCKS_APART_MS:
            return "this final backup is of a time that this host's clock has not reached"
        return None


def _epoch(line: str) -> object:
    with suppress(ValueError, RecursionError):
        entry = json.loads(line)
        if isinstance(entry, dict):
            return entry.get("epoch")
    return None
