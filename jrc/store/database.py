"""The open database: one writer connection, keyring, MAC key, and transactions on them.

A ``Database`` belongs to one thread at a time; the daemon's belongs to the writer thread
(``writer.py``). Whoever opens it holds the lock on its state directory.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, RootTransaction, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from jrc.errors import ConflictError, OperatorError, StateError, StoreError
from jrc.model import Event, Network, Pledge, Secret
from jrc.service.join_ports import NetworkPolicy
from jrc.store import ledger as ledgers
from jrc.store.engine import (
    check_private,
    connected,
    database_path,
    lookup_engine,
    reader_engine,
    writer_engine,
)
from jrc.store.joins import Joins
from jrc.store.keyring import Keyring, Purpose, RandomBytes, WrappedDataKey, open_keyring
from jrc.store.ledger import Instance, Ledger
from jrc.store.migrate import check_schema
from jrc.store.policy import load_policy
from jrc.store.rowmac import RowMac
from jrc.store.schema import data_key

T = TypeVar("T")

_NOT_COMMITTED = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
"""Failures of a commit that leave no doubt: the disk was full, or another process held a lock."""


@dataclass(slots=True)
class Transaction:
    """A write transaction of the operator's use cases; closed and committed by ``Database``."""

    connection: Connection
    ledger: Ledger
    keyring: Keyring
    mac: RowMac
    now_ms: int
    random: RandomBytes
    learned: list[bytes] = field(default_factory=list)

    def record(self, *events: Event) -> None:
        """Add to the audit log."""
        self.ledger.record(*events)


@dataclass(slots=True)
class ReadTransaction:
    """A consistent view of the database that can't write."""

    connection: Connection
    keyring: Keyring
    mac: RowMac
    now_ms: int


class CommitError(Exception):
    """The commit itself failed: whether it is on disk is unknown, so nothing may go on."""


class Database:
    """Opened by ``open``; every method blocks, none is for the loop."""

    def __init__(
        self, url: str, connection: Connection, keyring: Keyring, random: RandomBytes
    ) -> None:
        self.url = url
        self.keyring = keyring
        self.mac = RowMac(keyring.row_mac_key)
        self.random = random
        self.on_border_router: Callable[[Transaction, Network, Pledge], bool] | None = None
        """Called in a join's transaction before a 6LBR is given keys; True where there are others
        now. None lets every 6LBR have those in force."""
        self._connection = connection
        # Kept, since it remembers what it has compiled; each of its connections is a new one.
        self._readers = reader_engine(url)
        self._policy: NetworkPolicy | None = None
        self._learned: deque[bytes] = deque()
        with connection.begin():
            self.instance = ledgers.read(connection, self.mac)

    @classmethod
    def open(cls, url: str, kek: Secret, random: RandomBytes = os.urandom) -> "Database":
        """The database at ``url``, whose schema the caller has checked.

        Raises:
            OperatorError: it can't be opened, or ``kek`` is not its key.
            StateError: its instance row does not authenticate.
        """
        path = database_path(url)
        if path is not None:
            check_private(path)
        try:
            connection = writer_engine(url).connect()
            with connection.begin():
                keys = _data_keys(connection)
        except DBAPIError as error:
            raise OperatorError(f"database.url: {error.orig}") from None
        return cls(url, connection, open_keyring(kek, keys, random), random)

    def close(self) -> None:
        """Give the connection back; the WAL is checkpointed if no reader is left."""
        self._connection.close()

    def write(self, work: Callable[[Transaction], T], now_ms: int) -> T:
        """``work``'s result, after its writes are on disk; nothing of it if it raises."""
        learned: list[bytes] = []

        def run(ledger: Ledger) -> tuple[T, bool]:
            transaction = Transaction(
                self._connection, ledger, self.keyring, self.mac, now_ms, self.random, learned
            )
            return work(transaction), True

        result = self._transact(run, now_ms)
        self._learned.extend(learned)
        return result

    def take_learned(self) -> Iterator[bytes]:
        """Kid contexts that came into force since it was asked last; for any thread."""
        while self._learned:
            yield self._learned.popleft()

    def join(
        self,
        work: Callable[[Joins], T],
        now_ms: int,
        before_commit: Callable[[], None] = lambda: None,
        *,
        anew: bool = False,
    ) -> T:
        """As ``write``, for the join path: collected writes, policy at hand; none is no commit.

        Raises:
            ConflictError: a context from memory was out of date; with ``anew`` none is used.
        """

        def run(ledger: Ledger) -> tuple[T, bool]:
            joins = Joins(
                self._connection,
                ledger,
                self.keyring,
                self.mac,
                self._current_policy(ledger.instance.policy_revision),
                self.random,
                now_ms,
                anew=anew,
                look_at_border_router=self._looking(ledger, now_ms),
            )
            return work(joins), joins.flush()

        return self._transact(run, now_ms, before_commit)

    def _looking(self, ledger: Ledger, now_ms: int) -> Callable[[Network, Pledge], bool] | None:
        """Who looks at 6LBRs that join, in a transaction of the operator's use cases (row E7)."""
        look = self.on_border_router
        if look is None:
            return None

        def run(network: Network, device: Pledge) -> bool:
            transaction = Transaction(
                self._connection, ledger, self.keyring, self.mac, now_ms, self.random
            )
            return look(transaction, network, device)

        return run

    def _transact(
        self,
        run: Callable[[Ledger], tuple[T, bool]],
        now_ms: int,
        before_commit: Callable[[], None] = lambda: None,
    ) -> T:
        """What ``run`` gives; it says as well whether there is anything to commit."""
        transaction = self._begin()
        try:
            ledger = Ledger(self._connection, self.mac, now_ms)
            result, changed = run(ledger)
            if not changed:
                transaction.rollback()
                return result
            instance = ledger.close()
        except IntegrityError as error:
            transaction.rollback()
            raise ConflictError(str(error.orig)) from error
        except DBAPIError as error:
            transaction.rollback()
            raise StoreError(str(error.orig)) from error
        except BaseException:
            transaction.rollback()
            raise
        before_commit()
        self._commit(transaction)
        self.instance = instance
        return result

    def _begin(self) -> RootTransaction:
        try:
            return self._connection.begin()
        except DBAPIError as error:
            self._connection.rollback()
            raise StoreError(str(error.orig)) from error

    def _commit(self, transaction: RootTransaction) -> None:
        try:
            transaction.commit()
        except DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", None) not in _NOT_COMMITTED:
                raise CommitError(str(error.orig)) from error
            # SQLAlchemy takes its transaction for ended; the database's own is still open.
            self._connection.connection.rollback()
            transaction.rollback()
            raise StoreError(str(error.orig)) from error

    def _current_policy(self, revision: int) -> NetworkPolicy:
        if self._policy is None or self._policy.revision != revision:
            self._policy = load_policy(self._connection, self.keyring, self.mac, revision)
        return self._policy

    def load_policy(self) -> None:
        """Read networks and keys now, so that a damaged row is met before joins are.

        Raises:
            StateError: one does not authenticate.
        """
        revision = self.read_instance().policy_revision
        with self._connection.begin():
            self._current_policy(revision)

    def read_instance(self) -> Instance:
        """The instance row as it is on disk."""
        with self._connection.begin():
            return ledgers.read(self._connection, self.mac)

    @contextmanager
    def read(self, now_ms: int) -> Iterator[ReadTransaction]:
        """A read transaction on a connection of its own.

        Raises:
            StoreError: the database can't be read.
        """
        try:
            with self._readers.connect() as connection, connection.begin():
                yield ReadTransaction(connection, self.keyring, self.mac, now_ms)
        except DBAPIError as error:
            raise StoreError(str(error.orig)) from error


def examine(
    url: str, kek: Secret, work: Callable[[ReadTransaction], T], now_ms: int
) -> tuple[Instance, T]:
    """A database's instance row and what ``work`` reads, after the checks of ``open``.

    The caller holds the lock; nothing is written.

    Raises:
        OperatorError: it can't be read, its schema is another, or ``kek`` is not its key.
        StateError: the row does not authenticate.
    """
    path = database_path(url)
    if path is not None:
        check_private(path)
    with closing(connected(lookup_engine(url))) as connection:
        check_schema(connection)
        try:
            keyring = open_keyring(kek, _data_keys(connection))
            mac = RowMac(keyring.row_mac_key)
            instance = ledgers.read(connection, mac)
            return instance, work(ReadTransaction(connection, keyring, mac, now_ms))
        except DBAPIError as error:
            raise StoreError(str(error.orig)) from None


def _data_keys(connection: Connection) -> Sequence[WrappedDataKey]:
    rows = connection.execute(
        select(data_key.c.id, data_key.c.purpose, data_key.c.kek_id, data_key.c.wrapped).order_by(
            data_key.c.id
        )
    ).all()
    if not rows:
        raise StateError("the database holds no data keys")
    return [WrappedDataKey(row.id, Purpose(row.purpose), row.kek_id, row.wrapped) for row in rows]
