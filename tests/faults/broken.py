"""Starts the daemon with one fault built in: ``python -m tests.faults.broken NAME ... run``.

The oracles of this folder are worth something only if they see these; README.md has which sees
which.
"""

import sys
from collections.abc import Callable

from jrc.cli.main import main
from tests.faults import broken_joins, broken_store, quick_clock

FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        broken_store.synchronous_normal,
        broken_store.window_in_memory,
        broken_store.short_id_unchecked,
        broken_store.instance_file_unsynced,
        broken_store.instance_file_ahead,
        broken_store.restore_unnoticed,
        broken_store.revoked_resent,
        broken_store.runs_in_memory,
        broken_store.version_not_tested,
        broken_store.event_chain_broken,
        broken_store.commands_lost,
        broken_store.commit_errors_ignored,
        broken_joins.answer_before_commit,
        broken_joins.copies_encrypted_anew,
        broken_joins.copies_by_token,
        broken_joins.old_token_resent,
        broken_joins.window_before_decrypt,
        broken_joins.numbers_unreserved,
        broken_joins.numbers_shared,
        broken_joins.psk_in_log,
    )
}

VARIANTS: dict[str, Callable[[], None]] = {
    variant.__name__: variant
    for variant in (broken_store.checkpoints_often, quick_clock.clock_runs_fast)
}
"""What is no fault, but makes one show sooner."""


def build_in(names: str) -> None:
    """Faults and variants, joined with ``+``; nothing for the empty string."""
    for name in filter(None, names.split("+")):
        (FAULTS | VARIANTS)[name]()


def program(fault: str | None) -> tuple[str, ...]:
    """What the interpreter is given to start the daemon with a fault, or as it is."""
    return ("-m", "jrc.cli.main") if fault is None else ("-m", "tests.faults.broken", fault)


if __name__ == "__main__":
    build_in(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
