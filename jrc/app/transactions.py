"""The operator's transactions, in their place between the batches of joins."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from jrc.errors import StoreError
from jrc.opened import Opened
from jrc.service.contexts import Contexts
from jrc.service.registry import Registry
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry

T = TypeVar("T")

Work = Callable[[Callable[[Database], Any], Callable[[Any, BaseException | None], None]], None]
"""Runs something on the writer thread and gives what came of it to the loop: ``Writer.work``."""


class DaemonTransactions:
    """As ``admin.services.Transactions``, on the loop that makes it.

    ``changed`` is called when networks, keys or pledges were changed, after every cache has it,
    ``failed`` when the database could not be used.
    """

    def __init__(
        self,
        opened: Opened,
        work: Work,
        contexts: Contexts,
        changed: Callable[[], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._opened = opened
        self._work = work
        self._contexts = contexts
        self._changed = changed
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._policy_revision = opened.database.instance.policy_revision
        self._heard_revision = self._policy_revision

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """As ``Transactions.run_write``."""
        with self._watched():
            result = await self._on_writer(
                lambda database: _write(database, work, self._opened.clock.now_ms())
            )
        self._contexts.learn(self._opened.database.take_learned())
        self.look_again()
        return result

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Transactions.run_read``."""
        with self._watched():
            return await asyncio.to_thread(self._opened.read, work)

    async def attempt(self) -> None:
        """Read the database, and write to it.

        Raises:
            StoreError: it can't be done.
        """
        await self.run_read(_nothing)
        await self.run_write(_nothing)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self._failed(error)
            raise

    def look_again(self) -> None:
        """Let everybody know that networks, keys or pledges were changed, if they were."""
        revision = self._opened.database.instance.policy_revision
        if revision != self._policy_revision:
            self._policy_revision = revision
            self._contexts.forget_all()
            self._changed()

    def heard_of(self, revision: int) -> None:
        """Another registrar has committed this revision of networks, keys and pledges.

        Everybody looks at once: ``catch_up`` may have to wait for the writer's turn.
        """
        if revision > max(self._policy_revision, self._heard_revision):
            self._heard_revision = revision
            self._contexts.forget_all()
            self._changed()

    async def catch_up(self) -> None:
        """Look at what other registrars have committed.

        Raises:
            StoreError: the database can't be read.
        """
        with self._watched():
            await self._on_writer(lambda database: database.refresh())
        self.look_again()

    async def remember(self) -> None:
        """Write the instance file (``store/instancefile.py``), after what it is to remember."""
        try:
            await self._on_writer(lambda _database: self._opened.note_refusals())
        finally:
            await self._on_writer(lambda _database: self._opened.remember())

    async def _on_writer(self, run: Callable[[Database], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._work(run, done)
        return await asyncio.shield(future)


def _write(database: Database, work: Callable[[Registry], T], now_ms: int) -> T:
    return database.write(lambda tx: work(StoreRegistry(tx)), now_ms)


def _nothing(_tx: Registry) -> None:
    """A transaction all the same: the instance row is written anew."""
