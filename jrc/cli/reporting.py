"""How an error reaches the person at the terminal: a sentence, a hint, an exit code."""

import sys

from jrc.errors import CommitError, ExitCode, JrcError, OperatorError, StateError

INTERRUPTED = 130
"""What shells report for a program that SIGINT ended."""


def report(error: JrcError) -> int:
    """Writes the error to standard error and gives the exit code that goes with it."""
    if isinstance(error, OperatorError):
        say(f"error: {error.message}")
        if error.hint:
            say(f"hint: {error.hint}")
        return error.exit_code
    say(f"error: {error}")
    if isinstance(error, StateError):
        say("hint: nothing was changed; the database may be damaged, keep a copy of it")
    return ExitCode.FAILED


def report_doubt(error: CommitError) -> int:
    """As ``report``, where nobody knows whether a change is on disk."""
    say(f"error: the database failed as a change was being written ({error})")
    say(
        "hint: it may be on disk, or may not: `jrc events` shows what was done, before you do it"
        " again; see whether the disk is broken (`dmesg`)"
    )
    return ExitCode.FAILED


def say(text: str) -> None:
    """One line for the person, apart from the output proper."""
    print(clean(text), file=sys.stderr, flush=True)  # noqa: T201


def clean(text: str) -> str:
    """``text`` with nothing in it that drives a terminal: others may have chosen a label."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
