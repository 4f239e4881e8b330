"""State diagrams, as Graphviz reads them: those of the code from their tables."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from jrc.policy.rollover import FINAL, TABLE, Phase, Resume, Row, When


class Edge(NamedTuple):
    """One way from a state to another, with what leads there."""

    start: str
    end: str
    text: str


_BEGIN: Final = "begin"
PLEDGE: Final = (
    Edge(_BEGIN, "provisioned", "add, import, transfer in"),
    Edge("provisioned", "waiting", "asks for a network that approves"),
    Edge("waiting", "joined", "approved, and joins"),
    Edge("provisioned", "joined", "joins"),
    Edge("joined", "provisioned", "new key, role or network"),
    Edge("provisioned", "superseded", "replaced"),
    Edge("joined", "superseded", "replaced"),
    Edge("provisioned", "revoked", "revoke"),
    Edge("joined", "revoked", "revoke"),
    Edge("superseded", "revoked", "revoke"),
    Edge("revoked", "provisioned", "restore"),
    Edge("superseded", "provisioned", "restore"),
    Edge("provisioned", "transferred", "transfer out"),
    Edge("joined", "transferred", "transfer out"),
    Edge("superseded", "transferred", "transfer out"),
    Edge("transferred", "provisioned", "transfer in, with a new key"),
)
DATABASE: Final = (
    Edge(_BEGIN, "open", "jrc init"),
    Edge("open", "quarantined", "old copy, another database, no instance file, restored backup"),
    Edge("quarantined", "open", "jrc recover, all steps done"),
    Edge("open", "moved", "backup create --final"),
    Edge("moved", "quarantined", "jrc quarantine"),
)


def rollover(table: Iterable[Row] = TABLE) -> list[Edge]:
    """The phases of a rollover; what stays where it is and does nothing is left out."""
    edges = [Edge(_BEGIN, Phase.PLANNED, "start")]
    for row in table:
        if row.to is not row.at or row.do:
            edges.append(Edge(_name(row.at, row.paused_from), _target(row), _label(row)))
    return edges


def dot(edges: Iterable[Edge], final: Iterable[str] = ()) -> str:
    """The diagram as Graphviz reads it."""
    return "\n".join(["digraph {", *(f"  {line}" for line in _lines(edges, final)), "}", ""])


def _lines(edges: Iterable[Edge], final: Iterable[str]) -> Iterator[str]:
    yield 'bgcolor="white"; nodesep=0.5; ranksep=0.6'
    yield 'node [shape=box, style="rounded,filled", fillcolor="#eef3fb", color="#2456a6"'
    yield '  fontname="sans-serif", fontsize=13]'
    yield 'edge [color="#2456a6", fontname="sans-serif", fontsize=10]'
    yield f'{_BEGIN} [shape=point, width=0.15, color="#222222"]'
    for state in sorted(final):
        yield f'"{state}" [peripheries=2]'
    for edge in edges:
        yield f'"{edge.start}" -> "{edge.end}" [label="{edge.text}"]'


def _name(phase: Phase, paused_from: Phase | None) -> str:
    return phase.value if paused_from is None else f"paused ({paused_from.value})"


def _target(row: Row) -> str:
    return _name(row.to, row.at if row.to is Phase.PAUSED else None)


def _label(row: Row) -> str:
    """The event as an operator knows it, the condition in brackets, the actions below it."""
    words = " ".join(re.findall("[A-Z][a-z]*", row.on.__name__)).lower()
    if row.on is Resume and row.when is When.ANYWAY:
        words = "resume --anyway"
    shown = f"\\n[{row.when}]" if row.on is not Resume and row.when else ""
    return words + shown + (f"\\n{', '.join(row.do)}" if row.do else "")


DIAGRAMS: Final = {
    "rollover-phases": dot(rollover(), FINAL),
    "pledge-states": dot(PLEDGE),
    "database-states": dot(DATABASE),
}
