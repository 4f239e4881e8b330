"""What a check says, and how checks follow each other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from jrc.errors import JrcError, OperatorError

T = TypeVar("T")


class Status(StrEnum):
    """How a check ended; ``SKIPPED``: it was not carried out, and nothing is known."""

    SUCCESS = "success"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILURE = "failure"


SEVERITY = tuple(Status)
"""From good to bad."""
CLEAR = (Status.SUCCESS, Status.WARNING)
"""What later checks can build on."""


class Verdict(NamedTuple):
    """One clear sentence, and what to do where something is to be done."""

    status: Status
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and the name of the check that gave it; a check may give several."""

    name: str
    status: Status
    what: str
    hint: str

    def json(self) -> dict[str, str]:
        """Its fields as ``jrc doctor --json`` gives them."""
        return {
            "name": self.name,
            "status": self.status.value,
            "what": self.what,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One thing to look at; ``needs`` names the checks whose failure makes it pointless.

    ``hint``: what to do about an error that does not say it.
    """

    name: str
    look: Callable[[T], Iterable[Verdict]]
    needs: Sequence[str] = ()
    hint: str = ""


def success(what: str) -> Verdict:
    """It is in order."""
    return Verdict(Status.SUCCESS, what)


def warning(what: str, hint: str) -> Verdict:
    """It works now, or may; it is not as it should be."""
    return Verdict(Status.WARNING, what, hint)


def failure(what: str, hint: str) -> Verdict:
    """It does not work."""
    return Verdict(Status.FAILURE, what, hint)


def skipped(what: str, hint: str = "") -> Verdict:
    """It was not looked at."""
    return Verdict(Status.SKIPPED, what, hint)


def examine(
    case: T, checks: Iterable[Check[T]], begins: Callable[[str], None] = lambda _name: None
) -> Iterator[Finding]:
    """The findings of all checks, each as soon as it is there; ``begins`` hears of each check."""
    ended: dict[str, Status] = {}
    for check in checks:
        begins(check.name)
        statuses = [Status.SUCCESS]
        for verdict in _verdicts(case, check, ended):
            statuses.append(verdict.status)
            yield Finding(check.name, *verdict)
        ended[check.name] = worst(statuses)


def _verdicts(case: T, check: Check[T], ended: dict[str, Status]) -> Iterator[Verdict]:
    """The check's, or that it is skipped; an error of its is a failure."""
    cause = next((name for name in check.needs if ended[name] not in CLEAR), None)
    if cause is not None:
        yield skipped(f"not looked at, because of: {cause}")
        return
    try:
        yield from check.look(case)
    except OperatorError as error:
        yield failure(error.message, error.hint or check.hint)
    except JrcError as error:
        yield failure(str(error), check.hint)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        yield failure(f"{name}{error.strerror or error}", check.hint)


def worst(statuses: Iterable[Status]) -> Status:
    """The most severe of them; success if there is none."""
    return max(statuses, key=SEVERITY.index, default=Status.SUCCESS)
