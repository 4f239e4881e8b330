"""A look into a database that nothing is written to, for commands that open it themselves."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from jrc.model import Secret
from jrc.store import ledger as ledgers
from jrc.store.engine import (
    check_private,
    connected,
    database_path,
    lookup_engine,
    writer_engine,
)
from jrc.store.faults import store_error
from jrc.store.ledger import Instance
from jrc.store.migrate import check_schema
from jrc.store.sealing import open_keys
from jrc.store.transaction import ReadTransaction

T = TypeVar("T")


def examine(
    url: str, slot_key: Secret, work: Callable[[ReadTransaction], T], now_ms: int
) -> tuple[Instance, T]:
    """A database's instance row and what ``work`` reads, after the checks of ``open``.

    The caller holds the lock; nothing is written.

    Raises:
        OperatorError: it can't be read, its schema is another, or ``slot_key`` opens no slot.
        StateError: the row does not authenticate.
    """
    path = database_path(url)
    if path is not None:
        check_private(path)
    else:
        connected(writer_engine(url)).close()  # which looks at what the server promises
    with closing(connected(lookup_engine(url))) as connection:
        check_schema(connection)
        try:
            keyring = open_keys(connection, slot_key)
            instance = ledgers.read(connection, keyring.mac)
            return instance, work(ReadTransaction(connection, keyring, keyring.mac, now_ms))
        except DBAPIError as error:
            raise store_error(error) from None
