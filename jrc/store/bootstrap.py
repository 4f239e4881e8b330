"""A new database: its file, schema, data keys, and the row that names it."""

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.store import ledger
from jrc.store.engine import create_private_file, database_path, writer_engine
from jrc.store.keyring import RandomBytes, WrappedDataKey, new_data_keys, open_keyring
from jrc.store.migrate import current_revision, migrate
from jrc.store.rowmac import RowMac
from jrc.store.schema import data_key

EPOCH_BYTES = 16


def create_database(url: str, kek: Secret, now_ms: int, random: RandomBytes = os.urandom) -> bytes:
    """Make a database under ``kek``; the epoch that names it comes back, for the instance file.

    Raises:
        OperatorError: there is one already, or it can't be made; nothing is left of it then.
    """
    path = database_path(url)
    if path is not None:
        create_private_file(path)
    try:
        with writer_engine(url).connect() as connection, connection.begin():
            return _fill(connection, kek, now_ms, random)
    except BaseException as error:
        if path is not None:
            _remove(path)
        if isinstance(error, DBAPIError):
            raise OperatorError(
                f"database.url: the database can't be made ({error.orig})"
            ) from None
        raise


def _fill(connection: Connection, kek: Secret, now_ms: int, random: RandomBytes) -> bytes:
    if current_revision(connection) is not None:
        raise OperatorError("database.url: there is a database already; nothing was overwritten")
    migrate(connection)
    keys = new_data_keys(kek, random)
    connection.execute(insert(data_key), [_row(key, now_ms) for key in keys])
    epoch = random(EPOCH_BYTES)
    ledger.create(connection, RowMac(open_keyring(kek, keys, random).row_mac_key), epoch, now_ms)
    return epoch


def _row(key: WrappedDataKey, now_ms: int) -> dict[str, object]:
    return {
        "id": key.id,
        "purpose": key.purpose.value,
        "kek_id": key.kek_id,
        "wrapped": key.wrapped,
        "created_at_ms": now_ms,
        "retired_at_ms": None,
    }


def _remove(path: Path) -> None:
    """The file that was just made, with what SQLite put beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).unlink()
