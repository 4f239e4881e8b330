"""The folder of scheduled backups: names by time, the newest, and those that are kept."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jrc.errors import OperatorError
from jrc.store.syncing import sync

_NAME = re.compile(r"jrc-([0-9]{8}T[0-9]{6}Z)\.backup")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Backups in ``folder`` under names of our own; nothing else there is looked at."""

    folder: Path

    def place(self, now_ms: int) -> Path:
        """Where a backup of this moment goes."""
        return self.folder / f"jrc-{datetime.fromtimestamp(now_ms // 1000, UTC):{_STAMP}}.backup"

    def files(self) -> list[Path]:
        """What is there, the oldest first.

        Raises:
            OperatorError: the folder can't be read.
        """
        try:
            found = [entry.name for entry in os.scandir(self.folder) if entry.is_file()]
        except OSError as error:
            raise OperatorError(
                f"backup.directory: {self.folder} can't be read ({error.strerror})",
                "make it, and let the registrar's user write there",
            ) from None
        return [self.folder / name for name in sorted(found) if _NAME.fullmatch(name)]

    def newest_ms(self) -> int | None:
        """When the newest was made, by its name; None where there is none.

        Raises:
            OperatorError: the folder can't be read.
        """
        for file in reversed(self.files()):
            match = _NAME.fullmatch(file.name)
            assert match is not None, "so they were chosen"
            with suppress(ValueError):
                made = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
                return int(made.timestamp()) * 1000
        return None

    def drop_all_but(self, keep: int) -> list[Path]:
        """Delete the oldest, so that ``keep`` are left; those deleted.

        Raises:
            OperatorError: one can't be deleted.
        """
        dropped = self.files()[:-keep]
        try:
            for file in dropped:
                file.unlink(missing_ok=True)
            if dropped:
                sync(self.folder)
        except OSError as error:
            raise OperatorError(f"{error.filename} can't be deleted ({error.strerror})") from None
        return dropped
