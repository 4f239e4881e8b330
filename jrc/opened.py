"""The database as a process has it open: lock, keys, instance file; the same for each command.

``jrc run`` and a command that works without a daemon open it in the same way and in the same
order, so that none of the refusals can be walked around.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jrc.config import Settings
from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.imports import discard_leftovers
from jrc.service.ports import Clock
from jrc.service.registry import Registry
from jrc.store import instancefile
from jrc.store.contexts import Lookup
from jrc.store.database import Database
from jrc.store.engine import check_private, connected, database_path, lookup_engine
from jrc.store.keyring import read_kek
from jrc.store.lock import LockHeldError, StateLock
from jrc.store.migrate import check_schema
from jrc.store.registry import StoreRegistry

T = TypeVar("T")

LOCK_WITHIN_S = 5.0
"""What a command, or a daemon's start until it answers on its socket, takes at most as a rule."""
LOOK_AGAIN_S = 0.05


def key_encryption_key(settings: Settings) -> Secret:
    """The key encryption key, from its file or from the service manager's credentials.

    Raises:
        OperatorError: it is missing, readable by others, or no such key.
    """
    keys = settings.keys
    if keys.credential is None:
        assert keys.kek_file is not None
        return read_kek(keys.kek_file)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise OperatorError(
            f"keys.credential: the service manager has passed no credential {keys.credential}",
            "add LoadCredential= or LoadCredentialEncrypted= to the unit",
        )
    return read_kek(Path(folder) / keys.credential, setting="keys.credential")


@dataclass(slots=True)
class Opened:
    """An open database and the lock that makes it ours."""

    settings: Settings
    clock: Clock
    database: Database
    lookup: Lookup
    _undo: ExitStack
    _remembered: int = -1

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> "Opened":
        """Open what ``settings`` name.

        Raises:
            OperatorError: somebody else has it, schema or keys don't fit, or it is an old copy.
        """
        url = settings.database.url
        path = database_path(url)
        if path is not None:
            check_private(path)
        kek = key_encryption_key(settings)
        with ExitStack() as undo:
            if path is not None:
                undo.callback(StateLock(path).acquire().release)
            with closing(connected(lookup_engine(url))) as first_look:
                check_schema(first_look)
            database = undo.enter_context(closing(Database.open(url, kek)))
            # Opened last and so closed first: the writer is the one that checkpoints.
            reader = undo.enter_context(closing(connected(lookup_engine(url))))
            lookup = Lookup(reader, database.keyring, database.mac)
            instancefile.check(settings.instance_file, database.instance)
            opened = cls(settings, clock, database, lookup, undo)
            opened._clean_up()
            opened._undo = undo.pop_all()
        return opened

    def _clean_up(self) -> None:
        """Delete what an import left that was broken off."""
        while self.read(lambda tx: tx.imports.leftover()) is not None:
            self.write(discard_leftovers)

    def write(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from a transaction of its own, once that is on disk."""
        return self.database.write(lambda tx: work(StoreRegistry(tx)), self.clock.now_ms())

    def read(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from one consistent view; may run in any thread."""
        with self.database.read(self.clock.now_ms()) as transaction:
            return work(StoreRegistry(transaction))

    def remember(self) -> None:
        """Write the instance file, if the database has moved on since."""
        instance = self.database.instance
        if instance.commit_number != self._remembered:
            instancefile.write(self.settings.instance_file, instance)
            self._remembered = instance.commit_number

    def close(self) -> None:
        """Remember how far the database has come, close it, give the lock back."""
        with self._undo:
            self.remember()


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
