"""SQLite's log (WAL) beside a database file that it may not belong to.

SQLite lays the pages of a log over any file of that name. Over an older one they make a database of
two days: the newest instance row, from the log, and old rows beside it, each under a good MAC. So
the file is looked at without its log before anything opens the two together; the last one that
closes them writes the log into the file, and nothing tells afterwards.
"""

import os
from pathlib import Path

import structlog

from jrc.errors import ExitCode, OperatorError
from jrc.store.instancefile import UnknownError, read
from jrc.store.on_disk import reached_by_file, reached_with_log
from jrc.store.place import WAL
from jrc.store.syncing import sync

OF_NEWER = ".of-newer-"
"""In the name of a log that was set aside from an older file, before its number."""
OF_OLDER = ".of-older-"
"""The same of a log that was older than its file."""

_log = structlog.get_logger("jrc")


def older_file(instance_file: Path, database: Path) -> str | None:
    """Why a database file is not the one that its log belongs to, None where nothing says so.

    Where there is no log the instance row tells (``instancefile.judge``).

    Raises:
        OperatorError: the instance file can't be read.
    """
    log = _log_of(database)
    if not log.exists():
        return None
    try:
        memory = read(instance_file)
    except UnknownError:
        return None  # and for that it will be quarantined
    found = reached_by_file(database)
    if found is None or memory.admits_file(found):
        return None
    if memory.expected is not None and memory.expected.admits_file(found):
        return None
    return f"{database} is an older file than the one that {log} belongs to, or another one"


def older_log(database: Path) -> str | None:
    """Why a log is not the one of its database file, None where nothing says so.

    It brings the instance row of its day along, and would write the pages of that day over those of
    a file that may be the newest: a log of the file's own never leads back.
    """
    log = _log_of(database)
    if not log.exists():
        return None
    alone, together = reached_by_file(database), reached_with_log(database)
    if alone is None or together is None or together.commit_number >= alone.commit_number:
        return None
    return f"{log} is older than {database}, or of another database"


def misfit(instance_file: Path, database: Path) -> str | None:
    """Why a database file may not be opened together with its log, None where it may.

    Raises:
        OperatorError: the instance file can't be read.
    """
    return older_file(instance_file, database) or older_log(database)


def check_file(instance_file: Path, database: Path) -> None:
    """Nothing, if a database file may be opened together with its log.

    Raises:
        OperatorError: one of them is an old copy, or the instance file can't be read.
    """
    why = misfit(instance_file, database)
    if why is not None:
        raise OperatorError(
            why,
            "put the newest database file and its log back if you have them; `jrc run` opens this"
            " one without that log, and quarantines it if it is old (docs/recovery.md)",
            exit_code=ExitCode.REFUSED,
        )


def set_log_aside(instance_file: Path, database: Path) -> Path | None:
    """Where a log is now that was not of the file it lay beside; None for none.

    An old copy alone is what it was on its day, and is quarantined for it. The newest file, put
    back with its log or without one that is not its own, is whole again.

    Raises:
        OperatorError: it can't be moved, or the instance file can't be read.
    """
    is_newer = older_file(instance_file, database) is not None
    if not is_newer and older_log(database) is None:
        return None
    log = _log_of(database)
    aside = _unused(log, OF_NEWER if is_newer else OF_OLDER)
    try:
        os.rename(log, aside)
        log.with_name(f"{database.resolve().name}-shm").unlink(missing_ok=True)
        sync(log.parent)
    except OSError as error:
        raise OperatorError(f"{log} can't be moved ({error.strerror})") from None
    _log.warning("log_set_aside", file=str(database), log=str(aside))
    return aside


def _log_of(database: Path) -> Path:
    file = database.resolve()
    return file.with_name(file.name + WAL)


def _unused(log: Path, which: str) -> Path:
    number = 1
    while (aside := log.with_name(f"{log.name}{which}{number}")).exists():
        number += 1
    return aside
