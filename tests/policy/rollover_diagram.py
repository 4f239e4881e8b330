"""Draws the rollover's table into `docs/rollover.md`: `python -m tests.policy.rollover_diagram`."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from jrc.policy.rollover import FINAL, TABLE, Phase, Resume, Row, When

PAGE: Final = Path(__file__).parents[2] / "docs" / "rollover.md"
FENCE: Final = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)


def draw(table: Iterable[Row] = TABLE) -> str:
    """The table as a Mermaid state diagram; what stays where it is and does nothing is left out."""
    lines = [f"    {line}" for line in _lines(table)]
    return "\n".join(["stateDiagram-v2", *lines, ""])


def _lines(table: Iterable[Row]) -> Iterator[str]:
    yield f"[*] --> {Phase.PLANNED}"
    for row in table:
        if row.to is not row.at or row.do:
            yield f"{_name(row.at, row.paused_from)} --> {_target(row)}: {_label(row)}"
    for phase in sorted(FINAL):
        yield f"{phase} --> [*]"


def _name(phase: Phase, paused_from: Phase | None) -> str:
    return phase if paused_from is None else f"paused_{paused_from}"


def _target(row: Row) -> str:
    return _name(row.to, row.at if row.to is Phase.PAUSED else None)


def _label(row: Row) -> str:
    """The event as an operator knows it, the condition in brackets, the actions after a slash."""
    words = " ".join(re.findall("[A-Z][a-z]*", row.on.__name__)).lower()
    if row.on is Resume and row.when is When.ANYWAY:
        words = "resume --anyway"
    shown = row.when if row.on is not Resume and row.when else ""
    return words + (f" [{shown}]" if shown else "") + (f" / {', '.join(row.do)}" if row.do else "")


def drawn(page: str) -> str:
    """The diagram that a page has."""
    found = FENCE.search(page)
    assert found, "the page has no diagram"
    return found.group()


if __name__ == "__main__":
    PAGE.write_text(FENCE.sub(lambda _: draw(), PAGE.read_text(), count=1))
