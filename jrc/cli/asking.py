"""Plans of what destroys, re-keys or revokes: shown first, carried out after a yes."""

import sys
from collections.abc import Mapping

import typer

from jrc.cli.answers import number, words
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError

MAX_SHOWN = 20
Plan = Mapping[str, object]


def plan_of(*sentences: str, needs_yes: bool = True) -> Plan:
    """A plan that a command makes itself, of what concerns no pledge in particular."""
    return {"needs_yes": needs_yes, "sentences": list(sentences), "count": 0, "pledges": []}


def confirm(plan: Plan, *, yes: bool) -> None:
    """Shows a plan of the API and returns if it may be carried out.

    One that needs no consent is carried out without a question.

    Raises:
        OperatorError: nobody can be asked, or the answer was no.
    """
    if not plan["needs_yes"]:
        return
    for sentence in words(plan["sentences"]):
        say(sentence)
    for name in _concerned(plan):
        say(f"  {name}")
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


def _concerned(plan: Plan) -> list[str]:
    """The first pledges, and how many more there are; one alone stands in the sentence."""
    count = number(plan["count"])
    if count == 1:
        return []
    shown = words(plan["pledges"])[:MAX_SHOWN]
    return [*shown, f"and {count - len(shown)} more"] if count > len(shown) else shown
