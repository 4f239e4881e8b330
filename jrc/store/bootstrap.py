"""A new database: its file, schema, data keys, and the row that names it."""

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.key_records import NewSlot, SlotKind
from jrc.store import ledger, postgresql
from jrc.store.engine import create_private_file, database_path, writer_engine
from jrc.store.keyfile import new_key
from jrc.store.keyring import new_data_keys, open_keyring
from jrc.store.keyslots import FIRST_SLOT, RandomBytes, wrap_slot
from jrc.store.migrate import current_revision, migrate
from jrc.store.sealing import insert_data_keys, insert_slots
from jrc.store.server import server_with_tables


def create_database(
    url: str, slot_key: Secret, now_ms: int, random: RandomBytes = os.urandom
) -> bytes:
    """Make a database whose first slot ``slot_key`` opens; its epoch, for the instance file.

    Raises:
        OperatorError: there is one already, or it can't be made; nothing is left of it then.
    """
    path = database_path(url)
    if path is not None:
        create_private_file(path)
    try:
        with writer_engine(url).connect() as connection, connection.begin():
            return _fill(connection, slot_key, now_ms, random)
    except BaseException as error:
        if path is not None:
            _remove(path)
        if isinstance(error, DBAPIError):
            raise OperatorError(
                f"database.url: the database can't be made ({postgresql.said_by(error)})",
                postgresql.UNOPENED if path is None else "",
            ) from None
        raise


def _fill(connection: Connection, slot_key: Secret, now_ms: int, random: RandomBytes) -> bytes:
    if current_revision(connection) is not None:
        raise OperatorError("database.url: there is a database already; nothing was overwritten")
    migrate(connection)
    kek = new_key(random)
    keys = new_data_keys(kek, random)
    insert_data_keys(connection, keys, now_ms)
    mac = open_keyring(kek, keys, random).mac
    first = NewSlot(FIRST_SLOT, SlotKind.FILE, key=slot_key)
    insert_slots(connection, mac, [wrap_slot(first, kek, random)], now_ms)
    epoch = random(ledger.EPOCH_BYTES)
    ledger.create(connection, mac, epoch, now_ms, server_with_tables(connection))
    return epoch


def _remove(path: Path) -> None:
    """The file that was just made, with what SQLite put beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).unlink()
