"""A daemon that is killed in one transition: ``python -m tests.faults.dying PHASE WHEN ... run``.

``WHEN`` is ``before`` or ``after`` the commit that takes a rollover into the phase.
"""

import os
import signal
import sys
from typing import Any

from jrc.cli.main import main
from jrc.service.rollover_records import RolloverRecord
from jrc.store.connection import WriterConnection
from jrc.store.rollovers import Rollovers


def die_in(phase: str, *, after: bool) -> None:
    """SIGKILL to this process, in the transaction that first says ``phase``."""
    save, commit = Rollovers.save, WriterConnection.commit
    said: list[str] = []

    def saving(self: Rollovers, record: RolloverRecord) -> RolloverRecord:
        said.append(record.phase.value)
        return save(self, record)

    def committing(self: WriterConnection, *given: Any) -> None:
        is_meant = phase in said
        said.clear()
        if is_meant and not after:
            _die()
        commit(self, *given)
        if is_meant:
            _die()

    Rollovers.save = saving  # type: ignore[method-assign]
    WriterConnection.commit = committing  # type: ignore[assignment, method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def program(phase: str, when: str) -> tuple[str, ...]:
    """What the interpreter is given to start it."""
    return ("-m", "tests.faults.dying", phase, when)


if __name__ == "__main__":
    die_in(sys.argv[1], after=sys.argv[2] == "after")
    sys.exit(main(sys.argv[3:]))
