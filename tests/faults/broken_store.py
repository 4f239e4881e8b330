"""Faults of what is on disk; each is built into a daemon by its name (``broken.py``)."""

import os
import random
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from tests.faults.patching import replace

OFTEN_PAGES = 60
LOST_SHARE = 0.3


def checkpoints_often() -> None:
    """No fault: the log goes back into the database every few transactions."""
    from jrc.store import engine

    replace(engine, "CHECKPOINT_PAGES", OFTEN_PAGES)


def synchronous_normal() -> None:
    """SQLite does not sync the log when it commits: a power cut takes answered joins back."""
    from jrc.store import engine

    prepare = engine._prepare_writer

    def prepare_badly(connection: Any) -> None:
        prepare(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    replace(engine, "_prepare_writer", prepare_badly)


def window_in_memory() -> None:
    """Replay window and answer are known to this process alone; all else is on disk."""
    from jrc.store import contexts
    from jrc.store.joins import Joins

    memory: dict[int, Any] = {}
    known, stored_answer, flush = contexts._known, contexts.Lookup.stored_answer, Joins.flush

    def overlaid(*row: Any) -> Any:
        found = known(*row)
        found.state = memory.get(found.context_id, found.state)
        return found

    def overlaid_answer(self: Any, context_id: int) -> Any:
        found = stored_answer(self, context_id)
        return found and found._replace(state=memory.get(context_id, found.state))

    def flush_the_rest(self: Any) -> bool:
        memory.update(self._states)
        changed = bool(self._states)
        self._states.clear()
        flush(self)
        return changed

    replace(contexts, "_known", overlaid)
    replace(contexts.Lookup, "stored_answer", overlaid_answer)
    replace(Joins, "flush", flush_the_rest)


def short_id_unchecked() -> None:
    """Short identifiers are drawn without a look at who has them, and overwrite."""
    from jrc.store import joins
    from jrc.store.prepared import Prepared
    from jrc.store.schema import short_identifier

    columns = [column.name for column in short_identifier.columns]
    overwriting = insert(short_identifier).prefix_with("OR REPLACE")
    replace(joins.Joins, "taken", lambda *_: set())
    replace(joins.Joins, "all_taken", lambda *_: set())
    replace(joins, "_INSERT_LEASE", Prepared(overwriting, columns))


def version_not_tested() -> None:
    """A row that another registrar has changed meanwhile is taken for written."""
    from jrc.store import joins

    def change(statement: Any, connection: Any, rows: Any) -> None:
        statement.many(connection, rows)

    replace(joins, "change", change)


class _WithoutSync:
    """The module ``os``, but for one function."""

    def __getattr__(self, name: str) -> Any:
        return (lambda _file: None) if name == "fsync" else getattr(os, name)


def instance_file_unsynced() -> None:
    """The instance file is written and renamed, and nothing of it is synced."""
    from jrc.store import instancefile

    replace(instancefile, "sync", lambda _path: None)
    replace(instancefile, "os", _WithoutSync())


def instance_file_ahead() -> None:
    """The instance file says what a transaction will be before that is committed."""
    from jrc.opened import Opened
    from jrc.store import instancefile
    from jrc.store.connection import WriterConnection

    opened: list[Any] = []
    remember, commit = Opened.remember, WriterConnection.commit

    def remembering(self: Any, **how: Any) -> None:
        opened[:] = [self]
        remember(self, **how)

    def committing(self: Any, *given: Any) -> None:
        if opened:
            ahead = self.instance._replace(commit_number=self.instance.commit_number + 1)
            instancefile.write(opened[0].settings.instance_file, ahead)
        commit(self, *given)

    replace(Opened, "remember", remembering)
    replace(WriterConnection, "commit", committing)


def revoked_resent() -> None:
    """The answer to a pledge outlives its revocation, and a copy of its request gets it again.

    Two guards keep that from happening; either of them alone is enough.
    """
    from jrc.store import contexts, toldkeys

    stored_answer = contexts.Lookup.stored_answer

    def always_good(self: Any, context_id: int) -> Any:
        found = stored_answer(self, context_id)
        return found and found._replace(good=True)

    replace(toldkeys, "forget_answers", lambda *_: None)
    replace(contexts.Lookup, "stored_answer", always_good)


def runs_in_memory() -> None:
    """R2 of RFC 8613 App. B.2 is known to this process alone."""
    from jrc.store import join_recoveries, run_lookup

    memory: dict[bytes, Any] = {}

    def begin(_scope: Any, run: Any) -> None:
        memory[run.r2] = run

    def read(_connection: Any, _mac: Any, r2: bytes, **_more: Any) -> Any:
        return memory.get(r2)

    replace(join_recoveries, "begin_run", begin)
    replace(join_recoveries, "read_run", read)
    replace(run_lookup, "read_run", read)


def restore_unnoticed() -> None:
    """Nobody compares the database with the instance file: an old copy is as good as any."""
    from jrc.store import instancefile

    replace(instancefile, "judge", lambda *_: instancefile.Judgement(None, None))


def event_chain_broken() -> None:
    """The hash of an event does not cover the one before it."""
    from jrc.service.event_chain import GENESIS_HASH
    from jrc.store import ledger

    chain = ledger.chain

    def chain_anew(events: Any, number: int, _head: bytes, at_ms: int) -> Any:
        return chain(events, number, GENESIS_HASH, at_ms)

    replace(ledger, "chain", chain_anew)


class _LostError(Exception):
    """Takes a command's transaction back."""


def commands_lost() -> None:
    """Some commands are acknowledged and were rolled back."""
    from jrc.store.database import Database

    write = Database.write

    def writing(self: Any, work: Any, now_ms: int) -> Any:
        results: list[Any] = []

        def doing(tx: Any) -> Any:
            results.append(work(tx))
            if random.random() < LOST_SHARE:
                raise _LostError
            return results[-1]

        try:
            return write(self, doing, now_ms)
        except _LostError:
            return results[-1]

    replace(Database, "write", writing)


def commit_errors_ignored() -> None:
    """A commit that has failed counts as done, and its answers leave."""
    from jrc.store.connection import WriterConnection

    def committing(self: Any, transaction: Any) -> None:
        try:
            transaction.commit()
        except DBAPIError:
            self.connection.connection.rollback()
            transaction.rollback()

    replace(WriterConnection, "commit", committing)
