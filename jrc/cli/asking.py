"""Plans of what destroys, re-keys or revokes: shown first, carried out after a yes."""

import sys
from collections.abc import Sequence

import typer

from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError

MAX_SHOWN = 20


def confirm(plan: Sequence[str], *, yes: bool) -> None:
    """Shows the plan and returns if it may be carried out.

    Raises:
        OperatorError: nobody can be asked, or the answer was no.
    """
    for sentence in plan:
        say(sentence)
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError(
            "this needs a yes, and there is no terminal to ask on; nothing was changed",
            "say --yes to carry the plan out",
            exit_code=ExitCode.REFUSED,
        )
    if not typer.confirm("Go on?", err=True):
        raise OperatorError("nothing was changed", exit_code=ExitCode.REFUSED)


def some_of(items: Sequence[str], count: int | None = None) -> list[str]:
    """The first items, indented, and how many more there are."""
    total = len(items) if count is None else count
    shown = [f"  {item}" for item in items[:MAX_SHOWN]]
    return [*shown, f"  and {total - len(shown)} more"] if total > len(shown) else shown
