"""Findings of `jrc doctor` about a registrar, without the command around them."""

from dataclasses import dataclass

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.course import CHECKS
from jrc.cli.diagnosis.verdict import Finding, Status, examine
from jrc.cli.options import Common
from tests.cli.terminal import Terminal

SUCCESS, SKIPPED = Status.SUCCESS, Status.SKIPPED
WARNING, FAILURE = Status.WARNING, Status.FAILURE


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands."""

    at_ms: int

    def now_ms(self) -> int:
        return self.at_ms


def case_of(terminal: Terminal) -> Case:
    """Nothing is known yet of the terminal's registrar; no join is wanted."""
    return Case(Common(str(terminal.config)), wants_join=False)


def findings(case: Case, name: str) -> list[Finding]:
    """What one check finds; those before it are carried out as well."""
    return [finding for finding in examine(case, CHECKS) if finding.name == name]


def one(terminal: Terminal, name: str) -> Finding:
    """The one finding of a check."""
    (found,) = findings(case_of(terminal), name)
    return found


def statuses(terminal: Terminal, name: str) -> list[Status]:
    """How its findings ended."""
    return [finding.status for finding in findings(case_of(terminal), name)]


def listen(terminal: Terminal, place: str) -> None:
    """Have it listen there."""
    lines = terminal.config.read_text().splitlines()
    changed = [f'listen = ["{place}"]' if text.startswith("listen") else text for text in lines]
    terminal.config.write_text("\n".join(changed))


def append(terminal: Terminal, text: str) -> None:
    """Add a section to its config file."""
    terminal.config.write_text(terminal.config.read_text() + f"\n{text}\n")
