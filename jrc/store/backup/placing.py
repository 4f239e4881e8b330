"""Where a restored file goes: what is in the way stays until one rename puts another in its place.

Everything that can fail comes before. Where a restore is broken off, the database that was there
still is, and what a final backup goes on as waits under a name of its own for the same command.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jrc.errors import OperatorError, StateError
from jrc.store.logfile import misfit
from jrc.store.syncing import sync

ENDS: Final = ("", "-wal", "-shm")
"""What SQLite puts beside a database's file."""
_KEPT: Final = ENDS[:2]
"""What of that holds rows."""
_BUILT_AS: Final = ".restoring"
_BEGUN_AS: Final = ".moving-"
_TRIAL_BYTES: Final = 64 * 1024
"""Far more than an instance file and an entry of the record of final backups."""


def building_name(path: Path) -> Path:
    """Where a database is filled; nothing there is of use to anybody but the one that does."""
    return path.with_name(path.name + _BUILT_AS)


def begun_name(path: Path, epoch: bytes) -> Path:
    """Where a whole database waits that a final backup goes on as.

    Whoever puts it in its place takes the name away: that is why it goes on once.
    """
    return path.with_name(f"{path.name}{_BEGUN_AS}{epoch.hex()}")


def drop_begun(path: Path, but: Path) -> None:
    """Remove what other restores have left that were broken off: they are not to go on."""
    for file in path.parent.glob(f"{path.name}{_BEGUN_AS}*"):
        if file != but:
            file.unlink(missing_ok=True)


def try_folder(instance_file: Path) -> None:
    """Nothing, if the instance file can be written, as far as a trial beside it tells.

    Raises:
        OperatorError: its folder is missing, full, or can't be written.
    """
    trial = instance_file.with_name(instance_file.name + ".trial")
    try:
        if os.path.isdir(instance_file) or os.path.isdir(f"{instance_file}.new"):
            raise IsADirectoryError(0, "a folder is in its place")
        with open(trial, "wb") as file:
            file.write(bytes(_TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
        trial.unlink()
        sync(trial.parent)
    except OSError as error:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
        raise OperatorError(
            f"instance.file: {instance_file} can't be written ({error.strerror}); nothing was"
            " changed",
            "make its folder, and see who may write there and whether its disk is full",
        ) from None


@contextmanager
def kept_aside(path: Path, instance_file: Path, now_ms: int) -> Iterator[Path | None]:
    """A copy of the database at ``path``, to stay if nothing is raised; None where there is none.

    What is at ``path`` meanwhile is one file with all that its log held, unless that is damaged:
    a rename can put another in its place.

    Raises:
        OSError: it can't be read, or there is no room for a copy.
        OperatorError: a copy of this second is there.
    """
    found = [end for end in _KEPT if os.path.lexists(f"{path}{end}")]
    if not found:
        yield None
        return
    stamp = f"{datetime.fromtimestamp(now_ms // 1000, UTC):%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.before-restore-{stamp}")
    if os.path.lexists(aside):
        raise OperatorError(f"{aside} exists; nothing was changed", "try again in a second")
    try:
        for end in found:
            shutil.copy2(f"{path}{end}", f"{aside}{end}")
            sync(Path(f"{aside}{end}"))
        sync(path.parent)
        _fold_log(path, instance_file)
        yield aside if "" in found else None
    except BaseException:
        _give_back(path, aside)
        raise


def _give_back(path: Path, aside: Path) -> None:
    """As it was: a log that is in the file by now may be laid over that once more."""
    if not os.path.lexists(f"{path}-wal"):
        with suppress(FileNotFoundError):
            os.rename(f"{aside}-wal", f"{path}-wal")
    _remove(aside)


def _fold_log(path: Path, instance_file: Path) -> None:
    """No log beside the file: SQLite would lay it over the one that takes its place."""
    log = Path(f"{path}-wal")
    with suppress(sqlite3.Error, OperatorError):
        if log.exists() and misfit(instance_file, path) is None:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in ENDS[1:]:
        Path(f"{path}{end}").unlink(missing_ok=True)
    sync(path.parent)


@contextmanager
def built(path: Path) -> Iterator[Path]:
    """The name under which a database is filled; nothing is there at the end."""
    building = building_name(path)
    _remove(building)
    try:
        yield building
    finally:
        _remove(building)


def settle(file: Path) -> None:
    """Everything in the one file, and that on disk.

    Raises:
        StateError: SQLite has left a part of it beside the file.
    """
    if any(os.path.lexists(f"{file}{end}") for end in ENDS[1:]):
        raise StateError(f"{file} was not written out when it was closed")
    sync(file)


def rename(file: Path, to: Path) -> None:
    """Another name for a file, on disk when this returns."""
    os.rename(file, to)
    sync(to.parent)


def _remove(file: Path) -> None:
    for end in ENDS:
        Path(f"{file}{end}").unlink(missing_ok=True)
