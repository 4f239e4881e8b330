"""A database on a server, beside other registrars: lost connections, commits of unknown outcome.

A commit whose connection was lost is resolved by reading, never by doing it again: the transaction
that may still be under way holds the lock on the instance row, so whoever has that lock sees what
has become of it.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.exc import DBAPIError

from jrc.errors import Cause, CommitError, OperatorError, StoreError
from jrc.store import ledger as ledgers
from jrc.store import postgresql
from jrc.store.engine import writer_engine
from jrc.store.faults import readable
from jrc.store.ledger import Instance
from jrc.store.prepared import Prepared
from jrc.store.rowmac import RowMac
from jrc.store.schema import SCHEMA_REVISION, event

CHANNEL = "jrc"
"""What registrars tell each other (``NOTIFY``): a ``Notice``."""
MAX_NAMED = 64
"""Kid contexts in one notice, whose size PostgreSQL limits to 8000 bytes; beyond, all are read."""
MAX_NAMED_BYTES = 3000
RESOLVE_WITHIN_S = 10.0
"""How long an operator's change waits to learn whether it is on disk."""
LOOK_AGAIN_S = 0.2

_HASH_OF = Prepared(
    select(event.c.hash).where(event.c.number == bindparam("b_number")), ["b_number"]
)
_REVISION = "SELECT version_num FROM alembic_version"


class ReplacedError(CommitError):
    """What answers at the database's address is another one: all is looked at anew at a start."""


class UnknownOutcomeError(StoreError):
    """The connection was lost in a commit; whether it is on disk is not known yet."""

    def __init__(self) -> None:
        super().__init__(
            "the connection was lost while a change was being written: whether it is on disk is"
            " not known",
            Cause.SERVER,
        )
        self.hint = "look before you do it again: `jrc events` shows what was done"


def nothing_written() -> StoreError:
    """What to say of a commit that was looked for, and is not on disk."""
    return StoreError("the connection was lost before anything was written", Cause.SERVER)


class Notice(NamedTuple):
    """What a registrar tells the others of a commit.

    ``kid_contexts`` can be looked up now; None says that there are too many to name.
    """

    policy_revision: int
    kid_contexts: tuple[bytes, ...] | None = ()

    def text(self) -> str:
        """As the payload of a notification."""
        if self.kid_contexts is None:
            return f"{self.policy_revision} *"
        named = ",".join(name.hex() for name in self.kid_contexts)
        return f"{self.policy_revision} {named}"

    @classmethod
    def of(cls, revision: int, learned: Sequence[bytes]) -> "Notice":
        """What is to be told of a commit."""
        is_short = len(learned) <= MAX_NAMED and sum(map(len, learned)) <= MAX_NAMED_BYTES
        return cls(revision, tuple(learned) if is_short else None)

    @classmethod
    def parse(cls, payload: str) -> "Notice":
        """The reverse of ``text``; anything else says that everything is to be looked at."""
        revision, _, named = payload.partition(" ")
        with suppress(ValueError):
            if named == "*":
                return cls(int(revision), None)
            return cls(int(revision), tuple(bytes.fromhex(n) for n in named.split(",") if n))
        return cls(-1, None)


def is_server(connection: Connection) -> bool:
    """Whether other registrars may be at work on the database, and connections get lost."""
    return connection.dialect.name == "postgresql"


def server_of(connection: Connection) -> str | None:
    """Which server, timeline, database and tables a writer's connection is on, None with SQLite."""
    server: str | None = connection.info.get("server")
    return server


def server_with_tables(connection: Connection) -> str | None:
    """As ``server_of``, after the tables were made on this connection."""
    if is_server(connection):
        connection.info["server"] = postgresql.identity(connection.connection.driver_connection)
    return server_of(connection)


def event_hash_of(connection: Connection, number: int) -> bytes | None:
    """What the row of an event says is its hash, None where there is no such row."""
    for (found,) in _HASH_OF.rows(connection, (number,)):
        return bytes(found)
    return None


def tell(
    connection: Connection, before: Instance, after: Instance, learned: Sequence[bytes]
) -> None:
    """Let the others hear, once this transaction is committed, what has changed."""
    if learned or after.policy_revision != before.policy_revision:
        notice = Notice.of(after.policy_revision, learned)
        connection.execute(
            text("SELECT pg_notify(:channel, :payload)"),
            {"channel": CHANNEL, "payload": notice.text()},
        )


def is_closed(connection: Connection) -> bool:
    """Whether the driver has noticed that a connection is gone."""
    if connection.closed or connection.invalidated:
        return True
    return bool(getattr(connection.connection.driver_connection, "closed", False))


def let_go(connection: Connection) -> None:
    """Close a connection, whatever state it is in."""
    if connection.closed:
        return
    with suppress(DBAPIError):
        connection.invalidate()
    with suppress(DBAPIError):
        connection.close()


def writer_again(url: str, known: Instance, read: Callable[[Connection], Instance]) -> Connection:
    """A new connection of the writer, to the same database as before.

    Raises:
        StoreError: the server can't be reached, or is not one to write to.
        ReplacedError: it is another database, an old copy, or on another server or timeline.
    """
    try:
        connection = writer_engine(url).connect()
    except OperatorError as error:
        raise StoreError(error.message, Cause.SERVER) from error
    try:
        with connection.begin():
            revision = connection.exec_driver_sql(_REVISION).scalar()
            if revision != SCHEMA_REVISION:
                raise ReplacedError(f"the database has schema {revision} now")
            found = read(connection)
            _expect_same(known, found, server_of(connection))
            expect_same_history(connection, known, found)
    except BaseException:
        let_go(connection)
        raise
    return connection


def _expect_same(known: Instance, found: Instance, server: str | None) -> None:
    if found.epoch != known.epoch and found.incarnation <= known.incarnation:
        raise ReplacedError("another database answers at its address")
    if found.commit_number < known.commit_number:
        raise ReplacedError(
            f"the database is an old copy: it has {found.commit_number} transactions, and"
            f" {known.commit_number} were committed"
        )
    if found.server != server:
        raise ReplacedError(
            f"the database is {server} (server, timeline, database and table), and was"
            f" {found.server}"
        )


def expect_same_history(connection: Connection, known: Instance, found: Instance) -> None:
    """Nothing, if ``known`` is in the past of ``found``, which was read in this transaction.

    An old copy that others have worked on since may have as many transactions, or more. The hash
    of the last event that is known covers all that were before it.

    Raises:
        ReplacedError: it is not.
    """
    number, hash_ = known.event_number, known.event_hash
    if number < found.event_floor:
        return
    at_floor = number == found.event_floor
    if (found.event_floor_hash if at_floor else event_hash_of(connection, number)) != hash_:
        raise ReplacedError(
            "the database is an old copy that was worked on since: its audit log lacks event"
            f" {number} as it was"
        )


def expect_known(connection: Connection, known: Instance, mac: RowMac) -> None:
    """Nothing, if a reader's new connection is to the database that was ``known`` before it.

    Raises:
        ReplacedError: it is another, or an old copy.
    """
    with readable(), connection.begin():
        found = ledgers.read(connection, mac)
        _expect_same(known, found, found.server)
        expect_same_history(connection, known, found)


def is_on_disk(connection: Connection, before: Instance, after: Instance, now: Instance) -> bool:
    """Whether a transaction was committed that would have led from ``before`` to ``after``.

    ``now`` was read under its lock. The hash of the last event covers all of the transaction's.

    Raises:
        UnknownOutcomeError: it has left no event to tell it by.
    """
    if now.commit_number == before.commit_number:
        return False
    if after.event_number == before.event_number:
        raise UnknownOutcomeError
    return event_hash_of(connection, after.event_number) == after.event_hash


def until_known(attempt: Callable[[], bool]) -> bool:
    """What ``attempt`` gives, tried again while the server is away.

    Raises:
        UnknownOutcomeError: it stays away for longer than ``RESOLVE_WITHIN_S``.
    """
    ends_s = time.monotonic() + RESOLVE_WITHIN_S
    while True:
        try:
            return attempt()
        except UnknownOutcomeError:
            raise
        except StoreError:
            if time.monotonic() > ends_s:
                raise UnknownOutcomeError from None
        time.sleep(LOOK_AGAIN_S)
