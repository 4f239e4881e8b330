"""The writer's connection: begun, committed and undone transactions, and the instance row.

With PostgreSQL a connection gets lost; a new one takes its place when the next transaction begins.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError

from jrc.errors import CommitError, StateError
from jrc.store import ledger as ledgers
from jrc.store.engine import database_path
from jrc.store.faults import store_error
from jrc.store.ledger import Instance
from jrc.store.place import FilePlace
from jrc.store.postgresql import is_lost
from jrc.store.rowmac import RowMac
from jrc.store.server import (
    ReplacedError,
    UnknownOutcomeError,
    expect_same_history,
    is_closed,
    is_on_disk,
    is_server,
    let_go,
    writer_again,
)

_NOT_COMMITTED = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
"""Failures of a commit that leave no doubt: the disk was full, or another process held a lock."""


class WriterConnection:
    """The one connection that writes, and ``instance``: the row as its last commit left it."""

    def __init__(self, url: str, connection: Connection, mac: RowMac) -> None:
        self.url = url
        self.connection = connection
        self.is_server = is_server(connection)
        self.checkpointed: Callable[[], None] = lambda: None
        """Called after a commit with which SQLite has written into the database file."""
        path = database_path(url)
        self._place = None if path is None else FilePlace(path)
        self._written_ns = -1
        self._mac = mac
        with connection.begin():
            self.instance = ledgers.read(connection, mac)

    def begin(self) -> RootTransaction:
        """A transaction, on a new connection where the last one was lost.

        Raises:
            StoreError: the database can't be reached, or its file is not in its place.
            ReplacedError: another one answers at its address.
        """
        if self._place is not None:
            self._place.check()
        if self.is_server and is_closed(self.connection):
            self._connect_again()
        try:
            return self.connection.begin()
        except DBAPIError as error:
            self.connection.rollback()
            raise store_error(error) from error

    def _connect_again(self) -> None:
        let_go(self.connection)
        try:
            self.connection = writer_again(
                self.url, self.instance, lambda connection: ledgers.read(connection, self._mac)
            )
        except DBAPIError as error:
            raise store_error(error) from error

    def commit(self, transaction: RootTransaction) -> None:
        """Have a transaction on disk.

        Raises:
            StoreError: it is undone.
            UnknownOutcomeError: the connection was lost meanwhile.
            CommitError: nobody knows, and the database is a file.
        """
        try:
            transaction.commit()
        except DBAPIError as error:
            if self.is_server:
                let_go(self.connection)
                raise UnknownOutcomeError if is_lost(error) else store_error(error) from error
            if getattr(error.orig, "sqlite_errorcode", None) not in _NOT_COMMITTED:
                raise CommitError(str(error.orig)) from error
            # SQLAlchemy takes its transaction for ended; the database's own is still open.
            self.connection.connection.rollback()
            transaction.rollback()
            raise store_error(error) from error

    def settled(self) -> None:
        """After a commit: what it has written is in the file that a next start finds.

        Raises:
            StoreError: it is not.
        """
        if self._place is not None and self._place.check() != self._written_ns:
            self.checkpointed()

    def check_place(self) -> None:
        """Nothing, if the database file is where it was as it was opened; for any thread.

        Raises:
            StoreError: it is not.
        """
        if self._place is not None:
            self._place.check()

    def look_at_file(self) -> bool:
        """Whether SQLite has written into the database file since this was asked last.

        Raises:
            StoreError: the file, or its log, is not where it was as it was opened.
        """
        if self._place is None:
            return False
        before, self._written_ns = self._written_ns, self._place.check()
        self._place.check_log()
        return before != self._written_ns

    def undo(self, transaction: RootTransaction) -> None:
        """Take a transaction back."""
        try:
            transaction.rollback()
        except DBAPIError:
            if not self.is_server:
                raise
            let_go(self.connection)  # whoever has lost the connection has undone all of it

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction of the writer's that changes nothing.

        Raises:
            StoreError: the database can't be read.
        """
        transaction = self.begin()
        try:
            yield
        except DBAPIError as error:
            raise store_error(error) from error
        finally:
            self.undo(transaction)

    def read_instance(self) -> Instance:
        """The instance row as it is on disk."""
        with self.reading():
            return ledgers.read(self.connection, self._mac)

    def refresh(self) -> None:
        """Have in ``instance`` what other registrars have left on disk.

        Raises:
            ReplacedError: the database went back, and others have worked on it since.
        """
        with self.reading():
            found = self.not_older(ledgers.read(self.connection, self._mac))
            if self.is_server:
                expect_same_history(self.connection, self.instance, found)
            self.instance = found

    def not_older(self, found: Instance) -> Instance:
        """``found``, as it stands on disk now.

        Raises:
            ReplacedError: it is older than what was known, and on a server.
            StateError: the same, of a file.
        """
        try:
            return ledgers.not_older(found, self.instance)
        except StateError as error:
            if not self.is_server:
                raise
            # Others may soon have as many transactions, and nothing would tell any more.
            raise ReplacedError(str(error)) from error

    def is_on_disk(self, before: Instance, after: Instance) -> bool:
        """Whether a transaction that leads from ``before`` to ``after`` was committed."""
        now = self.read_instance()
        with self.reading():
            return is_on_disk(self.connection, before, after, now)
