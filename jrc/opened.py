"""The database as a process has it open: lock, keys, instance file; the same for each command.

``jrc run`` and a command that works without a daemon open it in the same way and in the same
order, so that none of the refusals can be walked around.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from jrc.clock import HostClock
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Event, Secret
from jrc.service.condition import remedy
from jrc.service.imports import BROKEN_OFF_MS, discard_leftovers
from jrc.service.key_records import FOR_EVERY_DAY, SlotKind
from jrc.service.ports import Clock
from jrc.service.records import DatabaseState
from jrc.service.recover import quarantine, was_set_apart
from jrc.service.registry import Registry
from jrc.store import instancefile, postgresql
from jrc.store.contexts import Lookup
from jrc.store.database import Database
from jrc.store.engine import (
    check_private,
    connected,
    database_path,
    lookup_engine,
    writer_engine,
)
from jrc.store.faults import readable
from jrc.store.keyfile import KeyMissingError, read_key
from jrc.store.lock import LockHeldError, StateLock
from jrc.store.logfile import check_file, set_log_aside
from jrc.store.migrate import check_schema
from jrc.store.on_disk import Reached, reached_by_file
from jrc.store.registry import StoreRegistry
from jrc.store.server import expect_known, let_go
from jrc.store.transaction import Transaction

T = TypeVar("T")

ACTOR = "jrc"
"""Who quarantines an old copy, in the audit log."""

REFUSED = "joins.refused"
"""The event of ``Opened.note_refusals``."""

LOCK_WITHIN_S = 5.0
"""What a command, or a daemon's start until it answers on its socket, takes at most as a rule."""
LOOK_AGAIN_S = 0.05


def slot_key(settings: Settings) -> Secret:
    """The key of the slot that this host opens: a file, or a credential of the service manager.

    Raises:
        OperatorError: it is missing, readable by others, or no such key.
    """
    keys = settings.keys
    if keys.credential is None:
        assert keys.kek_file is not None
        return read_key(keys.kek_file)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise OperatorError(
            f"keys.credential: the service manager has passed no credential {keys.credential}",
            "add LoadCredential= or LoadCredentialEncrypted= to the unit",
        )
    try:
        return read_key(Path(folder) / keys.credential, setting="keys.credential")
    except KeyMissingError as error:  # and does not come later
        raise OperatorError(
            error.message, "see LoadCredential= or LoadCredentialEncrypted= in the unit"
        ) from None


@dataclass(slots=True)
class Opened:
    """An open database and the lock that makes it ours."""

    settings: Settings
    clock: Clock
    database: Database
    lookup: Lookup
    _lock: StateLock
    _undo: ExitStack
    _remembered: int = -1
    _in_file: Reached | None = None
    quarantined: str | None = None
    """Why it was quarantined as it was opened."""
    expected: instancefile.Memory | None = None
    """The database that was expected in place of a quarantined one."""

    @classmethod
    def open(
        cls, settings: Settings, clock: Clock, read_slot_key: Callable[[], Secret] | None = None
    ) -> "Opened":
        """Open what ``settings`` name; ``read_slot_key`` gives a key in place of theirs.

        Raises:
            OperatorError: somebody else has it, or schema or keys don't fit.
        """
        url = settings.database.url
        path = database_path(url)
        if path is not None:
            check_private(path)
        read_key = read_slot_key or partial(slot_key, settings)
        kinds = FOR_EVERY_DAY if read_slot_key is None else tuple(SlotKind)
        key = read_key()
        with ExitStack() as undo:
            lock = undo.enter_context(StateLock.of(path, settings.instance_file))
            aside = None if path is None else set_log_aside(settings.instance_file, path)
            # On a server the writer's connection says best why it may not be used.
            first_engine = lookup_engine(url) if path is not None else writer_engine(url)
            with closing(connected(first_engine)) as first_look:
                check_schema(first_look)
            database = undo.enter_context(
                closing(Database.open(url, key, read_key=read_key, kinds=kinds))
            )
            # Opened last and so closed first: the writer is the one that checkpoints.
            reader = connected(lookup_engine(url))
            lookup = undo.enter_context(closing(Lookup(reader, database.keyring, database.mac)))
            judgement = database.judged(partial(instancefile.judge, settings.instance_file))
            if isinstance(clock, HostClock):
                clock.begin(
                    database.instance.clock_high_water_ms,
                    wait_for_synchronisation=settings.clock.wait_for_synchronisation,
                )
            opened = cls(settings, clock, database, lookup, lock, undo, expected=judgement.expected)
            opened._refuse_newcomer(judgement)
            doubt = _with_log(opened._doubt(judgement), aside)
            opened._look_whether_old(doubt, is_copied=judgement.is_copied and aside is None)
            opened._clean_up()
            database.writer.checkpointed = opened._checkpointed
            opened.remember(anew=True)
            opened._undo = undo.pop_all()
        return opened

    def _look_whether_old(self, why: str | None, *, is_copied: bool) -> None:
        """Quarantine the database if it is not the one this host last used (RFC 9031 §8.3.3).

        The instance file follows after the commit. Should the process die in between, the next
        start finds that they differ, as this one did.
        """
        if why is None or self.condition is Condition.MOVED:
            return

        def set_apart(tx: Transaction) -> None:
            tx.ledger.set_server(self.database.server)
            quarantine(StoreRegistry(tx), why, actor=ACTOR, is_copied=is_copied)

        self.database.write(set_apart, self.clock.now_ms())
        self.remember()
        self.quarantined = why

    def _refuse_newcomer(self, judgement: instancefile.Judgement) -> None:
        """Returns unless this host knows nothing of a database that a registrar works on now.

        That one knows whether it is an old copy. To quarantine it would end the service of all.

        Raises:
            OperatorError: the instance file is missing, or is none, and others are at work.
        """
        if judgement.why is None or judgement.expected is not None:
            return
        if self.condition is not Condition.OPEN or self.database.server is None:
            return
        with self.database.read(self.clock.now_ms()) as transaction:
            is_conducted = postgresql.is_conducted(transaction.connection)
        if is_conducted:
            raise OperatorError(
                f"{judgement.why}; another registrar is at work on it, and it was left as it is",
                f"copy the instance file of that one's host to {self.settings.instance_file}"
                " (docs/postgresql.md)",
                exit_code=ExitCode.REFUSED,
            )

    def _doubt(self, judgement: instancefile.Judgement) -> str | None:
        """Why the database is not what was last used, None where it is.

        Where registrars share it, another one may have quarantined and recovered it meanwhile:
        that was for this one's answers, too.
        """
        instance, server = self.database.instance, self.database.server
        if instance.server != server:
            return (
                f"the database was {instance.server} (PostgreSQL server, timeline, database and"
                f" table), and is now {server}, which may lack its last transactions"
            )
        if judgement.why is None or server is None or judgement.expected is None:
            return judgement.why
        known = judgement.expected.epoch
        return None if self.read(lambda tx: was_set_apart(tx, known)) else judgement.why

    @property
    def condition(self) -> Condition:
        """Whether the database may be used, as of the last transaction."""
        return Condition(self.database.instance.condition)

    @property
    def database_state(self) -> DatabaseState:
        """The same, with why."""
        return self.database.instance.state()

    def _clean_up(self) -> None:
        """Delete what an import left that was broken off."""
        if self.condition is Condition.MOVED:
            return
        # Another registrar may be at work on an import of its own.
        before = None if self.database.server is None else self.clock.now_ms() - BROKEN_OFF_MS
        while self.read(lambda tx: tx.imports.leftover(before)) is not None:
            self.write(lambda tx: discard_leftovers(tx, before))

    def write(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from a transaction of its own, once that is on disk."""
        return self.database.write(lambda tx: work(StoreRegistry(tx)), self.clock.now_ms())

    def read(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from one consistent view; may run in any thread."""
        with self.database.read(self.clock.now_ms()) as transaction:
            return work(StoreRegistry(transaction))

    def connect_lookup_again(self) -> None:
        """Have lookups work again whose connection to a server was lost.

        Raises:
            StoreError: the server can't be reached.
            ReplacedError: another database answers there, or an old copy.
        """
        known = self.database.instance
        with readable():
            connection = lookup_engine(self.settings.database.url).connect()
        try:
            expect_known(connection, known, self.database.mac)
        except BaseException:
            let_go(connection)
            raise
        self.lookup.use(connection)

    def remember(self, *, anew: bool = False) -> None:
        """Write the instance file, if the database has moved on since, or ``anew``.

        Raises:
            StoreError: the database file is no longer in its place.
            OperatorError: the instance file can't be written.
        """
        instance = self.database.instance
        is_written = self.database.writer.look_at_file()
        if is_written or anew:
            self._look_into_file()
        if is_written or anew or instance.commit_number != self._remembered:
            if instance.condition == Condition.OPEN:
                self.expected = None
            self._remembered = -1
            where, expected = self.settings.instance_file, self.expected
            instancefile.write(where, instance, expected, self._in_file)
            self._remembered = instance.commit_number

    def note_refusals(self) -> None:
        """Leave an event where joins have left none since the last one.

        A pledge that is refused is answered, and nothing but an event that follows tells from an
        old copy of before that has as many transactions again.

        Raises:
            StoreError: it can't be written.
        """
        count = self.database.unrecorded
        if count and self.condition is Condition.OPEN:
            event = Event(REFUSED, ACTOR, detail={"transactions": count})
            self.write(lambda tx: tx.record(event))

    def _look_into_file(self) -> None:
        """How far the database file has come without its log, once that is on disk.

        Raises:
            OperatorError: it can't be brought there.
        """
        path = self.settings.database.file
        if path is not None:
            try:
                self._lock.sync()
            except OSError as error:
                raise OperatorError(
                    f"{path} can't be synced ({error.strerror})",
                    "see whether its disk is broken (`dmesg`)",
                ) from None
            self._in_file = reached_by_file(path) or self._in_file

    def _checkpointed(self) -> None:
        """After a commit with which SQLite has emptied its log into the file.

        A copy that was made before is told by that from now on, so nobody is answered earlier.
        Where this fails it is tried again within a second, and then said.
        """
        try:
            self.remember(anew=True)
        except (OperatorError, OSError):
            self._remembered = -1

    def close(self) -> None:
        """Remember how far the database has come, close it, give the lock back."""
        with self._undo:
            self.remember()


def _with_log(why: str | None, aside: Path | None) -> str | None:
    """Why a database is not what was last used, and where the log of that one is."""
    if why is None or aside is None:
        return why
    return f"{why}; the log beside it was not its own, and was set aside as {aside.name}"


def accept_server(
    settings: Settings, now_ms: int, *, actor: str, reason: str
) -> tuple[str | None, str | None]:
    """The PostgreSQL server and timeline that a database was on, and the one it is on now.

    For the operator who knows that nothing was lost between them, as in a planned switchover or an
    upgrade of the server with all registrars stopped. Where they differ, it is written down.

    Raises:
        OperatorError: the database is behind what this host remembers, or it is not open.
    """
    with ExitStack() as undo:
        undo.enter_context(StateLock.of(settings.database.file, settings.instance_file))
        if settings.database.file is not None:
            check_file(settings.instance_file, settings.database.file)
        database = undo.enter_context(
            closing(Database.open(settings.database.url, slot_key(settings)))
        )
        database.judged(partial(instancefile.check, settings.instance_file))
        before, now = database.instance.server, database.server
        if Condition(database.instance.condition) is not Condition.OPEN:
            state = database.instance.state()
            raise OperatorError(f"the database is {state.condition.value}", remedy(state.condition))
        if before != now:
            detail = {"before": before, "after": now}
            event = Event("database.server_accepted", actor, reason=reason, detail=detail)

            def accept(tx: Transaction) -> None:
                tx.ledger.set_server(now)
                tx.record(event)

            database.write(accept, now_ms)
            instancefile.write(settings.instance_file, database.instance)
        return before, now


async def open_in_turn(settings: Settings, clock: Clock, is_served: Callable[[], bool]) -> Opened:
    """What ``settings`` name, once whoever has it has let go.

    ``is_served`` tells whether a daemon answers on the admin socket. A daemon that starts holds
    the lock before it answers, and a command holds it until it ends: neither makes the other fail.

    Raises:
        LockHeldError: a daemon has it, and answers now.
        OperatorError: as ``Opened.open``; somebody has it for longer than ``LOCK_WITHIN_S``.
    """
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + LOCK_WITHIN_S
    while True:
        try:
            return Opened.open(settings, clock)
        except LockHeldError as error:
            if is_served():
                raise
            if loop.time() > ends_s:
                raise error.unanswered(settings.admin.socket) from None
        await asyncio.sleep(LOOK_AGAIN_S)
