"""The database file at its path: whether it is still the one that is open.

SQLite goes on with a file that was removed, or that another was put in the place of: what it
commits then is gone with the process, or belongs to nothing that a next start would find.
"""

import os
from pathlib import Path

from jrc.errors import Cause, StoreError

WAL = "-wal"
"""What SQLite puts behind the name of the file for its log."""


class FilePlace:
    """Made as the file is opened; each look takes a microsecond or two."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)  # a Path is made a string anew each time that it is used
        found = os.stat(self._path)
        self._expected = (found.st_dev, found.st_ino)
        self._log = str(path.resolve()) + WAL
        self._expected_log: tuple[int, int] | None = None

    def check(self) -> int:
        """When the file was last written, in nanoseconds of its file system.

        Raises:
            StoreError: the path leads to another file now, or to none.
        """
        found = _look(self._path)
        if (found.st_dev, found.st_ino) != self._expected:
            raise _replaced(f"another file was put in the place of {self._path}")
        return found.st_mtime_ns

    def check_log(self) -> None:
        """Nothing, if the WAL is where it was as it was first looked at.

        Raises:
            StoreError: it is gone, or another one is there.
        """
        found = _look(self._log)
        if self._expected_log is None:
            self._expected_log = (found.st_dev, found.st_ino)
        if (found.st_dev, found.st_ino) != self._expected_log:
            raise _replaced(f"another file was put in the place of {self._log}")


def _look(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise _replaced(f"{path} was removed or moved") from None
    except OSError as error:
        what = f"{path} can't be looked at: {error.strerror}"
        raise StoreError(what, Cause.IO_ERROR) from None


def _replaced(what: str) -> StoreError:
    return StoreError(f"{what} while it was in use", Cause.REPLACED)
