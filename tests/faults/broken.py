"""Starts the daemon with one fault built in: ``python -m tests.faults.broken NAME ... run``.

The oracles of this folder are worth something only if they see these.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import insert

from jrc.cli.main import main

COMMIT_LATER_S = 0.02


def _replace(owner: Any, name: str, by: Any) -> None:
    """Put ``by`` where a function of the daemon was; fails if there was none."""
    assert hasattr(owner, name), name
    setattr(owner, name, by)


def synchronous_normal() -> None:
    """SQLite does not sync the log when it commits: a power cut takes answered joins back."""
    from jrc.store import engine

    prepare = engine._prepare_writer

    def prepare_badly(connection: Any) -> None:
        prepare(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    _replace(engine, "_prepare_writer", prepare_badly)


def answer_before_commit() -> None:
    """Answers leave first, and their transaction is committed a moment later."""
    from jrc.service.intake import Intake
    from jrc.store.database import Database

    intakes: list[Any] = []
    decided: list[Any] = []
    take, join, commit = Intake.take, Database.join, Database._commit

    def taking(self: Any, datagrams: Any) -> None:
        intakes[:] = [self]
        take(self, datagrams)

    def joining(self: Any, work: Any, *rest: Any, **more: Any) -> Any:
        def deciding(joins: Any) -> Any:
            decided[:] = work(joins)
            return list(decided)

        return join(self, deciding, *rest, **more)

    def committing(self: Any, *given: Any) -> None:
        for outcome in decided:
            ask = outcome.ask
            if outcome.state is not None:
                intakes[0]._send(ask.known, ask.envelope, outcome.state.answer, ask.way)
        decided.clear()
        time.sleep(COMMIT_LATER_S)
        commit(self, *given)

    _replace(Intake, "take", taking)
    _replace(Database, "join", joining)
    _replace(Database, "_commit", committing)


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

    _replace(contexts, "_known", overlaid)
    _replace(contexts.Lookup, "stored_answer", overlaid_answer)
    _replace(Joins, "flush", flush_the_rest)


def copies_encrypted_anew() -> None:
    """A copy of the last request goes through the whole exchange once more."""
    from jrc.cojp.replay import ReplayWindow
    from jrc.service.intake import Intake

    is_fresh, accept = ReplayWindow.is_fresh, ReplayWindow.accept

    def fresh(self: ReplayWindow, number: int) -> bool:
        return number == self.highest or is_fresh(self, number)

    def accepting(self: ReplayWindow, number: int) -> ReplayWindow:
        return self if number == self.highest else accept(self, number)

    _replace(Intake, "_is_copy", lambda *_: False)
    _replace(ReplayWindow, "is_fresh", fresh)
    _replace(ReplayWindow, "accept", accepting)


def short_id_unchecked() -> None:
    """Short identifiers are drawn without a look at who has them, and overwrite."""
    from jrc.store import joins
    from jrc.store.prepared import Prepared
    from jrc.store.schema import short_identifier

    columns = [column.name for column in short_identifier.columns]
    overwriting = insert(short_identifier).prefix_with("OR REPLACE")
    _replace(joins.Joins, "taken", lambda *_: set())
    _replace(joins.Joins, "all_taken", lambda *_: set())
    _replace(joins, "_INSERT_LEASE", Prepared(overwriting, columns))


FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        synchronous_normal,
        answer_before_commit,
        window_in_memory,
        copies_encrypted_anew,
        short_id_unchecked,
    )
}


def program(fault: str | None) -> tuple[str, ...]:
    """What the interpreter is given to start the daemon with a fault, or as it is."""
    return ("-m", "jrc.cli.main") if fault is None else ("-m", "tests.faults.broken", fault)


if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
