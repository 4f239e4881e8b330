"""What a driver's error means: which of the causes that a person can do something about."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from jrc.errors import Cause, StoreError
from jrc.store import postgresql

_PRIMARY = 0xFF
"""An extended result code of SQLite has the primary one in its lowest byte."""

_CAUSES = {
    sqlite3.SQLITE_FULL: Cause.DISK_FULL,
    sqlite3.SQLITE_READONLY: Cause.READ_ONLY,
    sqlite3.SQLITE_BUSY: Cause.LOCKED,
    sqlite3.SQLITE_LOCKED: Cause.LOCKED,
    sqlite3.SQLITE_IOERR: Cause.IO_ERROR,
    sqlite3.SQLITE_CORRUPT: Cause.CORRUPT,
    sqlite3.SQLITE_NOTADB: Cause.CORRUPT,
}
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


def cause_of(error: DBAPIError) -> Cause:
    """The cause of a driver's error, ``DATABASE`` where it does not say more."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        return postgresql.cause_of(error)
    primary = code & _PRIMARY
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR) and _is_out_of_files():
        return Cause.OPEN_FILES
    return _CAUSES.get(primary, Cause.DATABASE)


def store_error(error: DBAPIError) -> StoreError:
    """The error as the rest of the program knows it."""
    return StoreError(postgresql.said_by(error), cause_of(error))


@contextmanager
def readable() -> Iterator[None]:
    """A driver's error in here is a ``StoreError``."""
    try:
        yield
    except DBAPIError as error:
        raise store_error(error) from error


def _is_out_of_files() -> bool:
    """Whether this process can open nothing more: SQLite does not say why it could not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in _OUT_OF_FILES
    return False
