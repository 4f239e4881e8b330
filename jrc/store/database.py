"""The open database: one writer connection, keyring, MAC key, and transactions on them.

A ``Database`` belongs to one thread at a time; the daemon's belongs to the writer thread
(``writer.py``). Whoever opens it holds the lock on its state directory.
"""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from jrc.errors import ClosedError, ConflictError, OperatorError
from jrc.model import Condition, Network, Pledge, Secret
from jrc.service.join_ports import NetworkPolicy
from jrc.service.key_records import FOR_EVERY_DAY, SlotKind
from jrc.store import postgresql
from jrc.store.connection import WriterConnection
from jrc.store.engine import (
    check_private,
    database_path,
    reader_engine,
    short_checkpoints,
    truncate_log,
    writer_engine,
)
from jrc.store.faults import store_error
from jrc.store.instancefile import HashOf
from jrc.store.joins import Joins
from jrc.store.keyring import Keyring
from jrc.store.keyslots import RandomBytes
from jrc.store.ledger import Instance, Ledger
from jrc.store.ledger import read as read_row
from jrc.store.policy import load_policy
from jrc.store.sealing import key_reader, open_keys
from jrc.store.server import (
    UnknownOutcomeError,
    event_hash_of,
    nothing_written,
    server_of,
    tell,
    until_known,
)
from jrc.store.transaction import ReadTransaction, Transaction

T = TypeVar("T")

_OPEN = Condition.OPEN.value


class Database:
    """Opened by ``open``; every method blocks, none is for the loop."""

    def __init__(
        self, url: str, connection: Connection, keyring: Keyring, random: RandomBytes
    ) -> None:
        self.url = url
        self.keyring = keyring
        self.mac = keyring.mac
        self.random = random
        self.on_border_router: Callable[[Transaction, Network, Pledge], bool] | None = None
        """Called in a join's transaction before a 6LBR is given keys; True where there are others
        now. None lets every 6LBR have those in force."""
        self.writer = WriterConnection(url, connection, self.mac)
        self.server = server_of(connection)
        """The PostgreSQL server and timeline that it is on now, None with SQLite."""
        # Kept, since it remembers what it has compiled; each of its connections is a new one.
        self._readers = reader_engine(url)
        self.unrecorded = 0
        """Transactions of joins since the last event: refusals and silence leave none."""
        self._policy: NetworkPolicy | None = None
        self._learned: deque[bytes] = deque()

    @classmethod
    def open(
        cls,
        url: str,
        slot_key: Secret,
        random: RandomBytes = os.urandom,
        *,
        read_key: Callable[[], Secret] | None = None,
        kinds: Collection[SlotKind] = FOR_EVERY_DAY,
    ) -> "Database":
        """The database at ``url``, whose schema the caller has checked.

        ``slot_key`` opens a slot of one of ``kinds``; ``read_key`` gives it anew, for the case
        that data keys are changed meanwhile.

        Raises:
            OperatorError: it can't be opened, or ``slot_key`` opens no slot of it.
            StateError: its instance row, or a data key, does not authenticate.
        """
        path = database_path(url)
        if path is not None:
            check_private(path)
        try:
            connection = writer_engine(url).connect()
            with connection.begin():
                keyring = open_keys(connection, slot_key, random, kinds)
        except DBAPIError as error:
            hint = postgresql.UNOPENED if path is None else ""
            raise OperatorError(f"database.url: {postgresql.said_by(error)}", hint) from None
        keyring.read_again = key_reader(url, read_key or (lambda: slot_key), kinds)
        return cls(url, connection, keyring, random)

    @property
    def instance(self) -> Instance:
        """The instance row as the last commit, or the last look, left it."""
        return self.writer.instance

    def close(self) -> None:
        """Give the connection back; the WAL is checkpointed if no reader is left."""
        self.writer.connection.close()

    def write(self, work: Callable[[Transaction], T], now_ms: int) -> T:
        """``work``'s result, after its writes are on disk; nothing of it if it raises."""
        learned: list[bytes] = []

        def run(ledger: Ledger) -> tuple[T, bool]:
            transaction = Transaction(
                self.writer.connection, ledger, self.keyring, self.mac, now_ms, self.random, learned
            )
            return work(transaction), True

        try:
            with short_checkpoints(self.writer.connection):
                result = self._transact(run, now_ms, learned=learned, resolve=True)
        finally:
            if self.keyring.is_outdated:
                self._renew_keys()
        self._learned.extend(learned)
        return result

    def _renew_keys(self) -> None:
        """Take the data keys that are in force, after what held the old ones is overwritten.

        In this order: who still reads an old state of the database needs the old ones.
        """
        truncate_log(self.writer.connection)
        self.keyring.renew()
        self.writer.settled()

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
            ClosedError: the database is quarantined, or was moved (row E8).
        """

        learned: list[bytes] = []

        def run(ledger: Ledger) -> tuple[T, bool]:
            if ledger.instance.condition != _OPEN:
                raise ClosedError(ledger.instance.condition)
            joins = Joins(
                self.writer.connection,
                ledger,
                self.keyring,
                self.mac,
                self._current_policy(ledger.instance.policy_revision),
                self.random,
                now_ms,
                anew=anew,
                look_at_border_router=self._looking(ledger, now_ms),
            )
            result, changed = work(joins), joins.flush()
            learned.extend(joins.learned)
            return result, changed

        return self._transact(run, now_ms, before_commit, learned=learned)

    def _looking(self, ledger: Ledger, now_ms: int) -> Callable[[Network, Pledge], bool] | None:
        """Who looks at 6LBRs that join, in a transaction of the operator's use cases (row E7)."""
        look = self.on_border_router
        if look is None:
            return None

        def run(network: Network, device: Pledge) -> bool:
            transaction = Transaction(
                self.writer.connection, ledger, self.keyring, self.mac, now_ms, self.random
            )
            return look(transaction, network, device)

        return run

    def _transact(
        self,
        run: Callable[[Ledger], tuple[T, bool]],
        now_ms: int,
        before_commit: Callable[[], None] = lambda: None,
        *,
        learned: Sequence[bytes] = (),
        resolve: bool = False,
    ) -> T:
        """What ``run`` gives; it says as well whether there is anything to commit.

        With ``resolve`` a commit of unknown outcome is looked for on disk. Without it, it counts
        as failed: whoever asked hears nothing, and asks again.
        """
        transaction = self.writer.begin()
        try:
            ledger = Ledger(self.writer.connection, self.mac, now_ms)
            # as another registrar may have left it
            before = self.writer.instance = self.writer.not_older(ledger.instance)
            result, changed = run(ledger)
            if not changed:
                transaction.rollback()
                return result
            instance = ledger.close()
            if self.writer.is_server:
                tell(self.writer.connection, before, instance, learned)
        except IntegrityError as error:
            self.writer.undo(transaction)
            raise ConflictError(postgresql.said_by(error)) from error
        except DBAPIError as error:
            self.writer.undo(transaction)
            raise store_error(error) from error
        except BaseException:
            self.writer.undo(transaction)
            raise
        before_commit()
        try:
            self.writer.commit(transaction)
        except UnknownOutcomeError as error:
            self._policy = None
            if not resolve or not until_known(lambda: self.writer.is_on_disk(before, instance)):
                raise error if not resolve else nothing_written() from error
        self.writer.instance = instance
        if instance.event_number > before.event_number:
            self.unrecorded = 0
        elif not resolve:
            self.unrecorded += 1
        self.writer.settled()
        return result

    def _current_policy(self, revision: int) -> NetworkPolicy:
        if self._policy is None or self._policy.revision != revision:
            if self.keyring.has_retired:
                self.keyring.look_again()
            self._policy = load_policy(self.writer.connection, self.keyring, self.mac, revision)
        return self._policy

    def load_policy(self) -> None:
        """Read networks and keys now, so that a damaged row is met before joins are.

        Raises:
            StateError: one does not authenticate.
        """
        revision = self.read_instance().policy_revision
        with self.writer.reading():
            self._current_policy(revision)

    def read_instance(self) -> Instance:
        """The instance row as it is on disk."""
        return self.writer.read_instance()

    def judged(self, judge: Callable[[Instance, HashOf], T]) -> T:
        """What ``judge`` says of the instance row and the audit log, with nobody writing to them.

        Raises:
            StoreError: the database can't be read.
        """
        connection = self.writer.connection
        with self.writer.reading():
            return judge(read_row(connection, self.mac), partial(event_hash_of, connection))

    def refresh(self) -> None:
        """Have in ``instance`` what other registrars have left on disk."""
        self.writer.refresh()

    @contextmanager
    def read(self, now_ms: int) -> Iterator[ReadTransaction]:
        """A read transaction on a connection of its own.

        Raises:
            StoreError: the database can't be read, or its file is not in its place.
        """
        self.writer.check_place()
        try:
            with self._readers.connect() as connection, connection.begin():
                yield ReadTransaction(connection, self.keyring, self.mac, now_ms)
        except DBAPIError as error:
            raise store_error(error) from error
