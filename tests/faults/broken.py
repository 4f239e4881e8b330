"""Starts the daemon with one fault built in: ``python -m tests.faults.broken NAME ... run``.

The oracles of this folder are worth something only if they see these.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import insert

from jrc.cli.main import main


def synchronous_normal() -> None:
    """SQLite does not sync the log when it commits: a power cut takes answered joins back."""
    from jrc.store import engine

    prepare = engine._prepare_writer

    def prepare_badly(connection: Any) -> None:
        prepare(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    engine._prepare_writer = prepare_badly


def answer_before_commit() -> None:
    """Answers leave while their transaction is still open."""
    from jrc.service.intake import Intake
    from jrc.store.database import Database

    intakes: list[Any] = []
    decided: list[Any] = []
    take, join, commit = Intake.take, Database.join, Database._commit

    def taking(self: Any, datagrams: Any) -> None:
        intakes[:] = [self]
        take(self, datagrams)

    def joining(self: Any, work: Any, *rest: Any) -> Any:
        def deciding(joins: Any) -> Any:
            decided[:] = work(joins)
            return list(decided)

        return join(self, deciding, *rest)

    def committing(self: Any, *given: Any) -> None:
        for outcome in decided:
            ask = outcome.ask
            if outcome.state is not None:
                intakes[0]._send(ask.known, ask.envelope, outcome.state.answer, ask.way)
        decided.clear()
        commit(self, *given)

    Intake.take = taking  # type: ignore[method-assign]
    Database.join = joining  # type: ignore[method-assign]
    Database._commit = committing  # type: ignore[method-assign]


def window_in_memory() -> None:
    """Replay window and answer are known to this process alone."""
    from jrc.store.contexts import Lookup
    from jrc.store.joins import Joins

    memory: dict[int, Any] = {}
    rows, stored_answer = Joins.rows, Lookup.stored_answer

    def overlaid(self: Any, context_ids: Sequence[int]) -> dict[int, Any]:
        found = rows(self, context_ids)
        return {at: row._replace(state=memory.get(at, row.state)) for at, row in found.items()}

    def overlaid_answer(self: Any, context_id: int) -> Any:
        found = stored_answer(self, context_id)
        return found and found._replace(state=memory.get(context_id, found.state))

    Joins.rows = overlaid  # type: ignore[method-assign]
    Joins.save_state = (  # type: ignore[method-assign]
        lambda self, context_id, state: memory.__setitem__(context_id, state)
    )
    Lookup.stored_answer = overlaid_answer  # type: ignore[method-assign]


def copies_encrypted_anew() -> None:
    """A copy of the last request goes through the whole exchange once more."""
    from jrc.cojp.replay import ReplayWindow
    from jrc.service.intake import Intake

    is_fresh = ReplayWindow.is_fresh
    Intake._is_copy = lambda self, known, request: False  # type: ignore[method-assign]
    ReplayWindow.is_fresh = (  # type: ignore[method-assign]
        lambda self, number: number == self.highest or is_fresh(self, number)
    )
    accept = ReplayWindow.accept
    ReplayWindow.accept = (  # type: ignore[method-assign]
        lambda self, number: self if number == self.highest else accept(self, number)
    )


def short_id_unchecked() -> None:
    """Short identifiers are drawn without a look at who has them, and overwrite."""
    from jrc.policy import leases
    from jrc.service import join
    from jrc.store import joins

    def draw(tx: Any, network: Any, _oldest_live: int) -> int | None:
        return next(iter(leases.candidate_values(network.short_ids, tx.random(64))))

    join._draw = draw
    columns = joins._names(joins.short_identifier)
    overwriting = insert(joins.short_identifier).prefix_with("OR REPLACE")
    joins._INSERT_LEASE = joins.Prepared(overwriting, columns)


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
