"""Sequence charts as SVG, drawn from what is said between whom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

COLUMN, ROW, TOP, MARGIN = 190, 38, 60, 20
"""Pixels: between two actors, for a step, for the actors' names, at the sides."""
_STYLE = (
    "text{font:13px sans-serif;fill:#222}"
    ".name{font-weight:bold}"
    ".line{stroke:#999;stroke-dasharray:3 4}"
    ".arrow{stroke:#2456a6;stroke-width:1.5;marker-end:url(#head)}"
    ".silent{stroke:#2456a6;stroke-width:1.5;stroke-dasharray:6 4;marker-end:url(#head)}"
    ".box{fill:#eef3fb;stroke:#2456a6}"
    ".note{fill:#fff8e0;stroke:#b58900}"
)
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 10 5 0 10z" fill="#2456a6"/></marker></defs>'
)


@dataclass(frozen=True, slots=True)
class Says:
    """A message; ``is_lost`` where it does not arrive, or may not."""

    sender: str
    receiver: str
    text: str
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Does:
    """What somebody does alone."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Who takes part, from left to right, and the steps from top to bottom."""

    title: str
    actors: Sequence[str]
    steps: Sequence[Says | Does]

    def draw(self) -> str:
        """The picture; it names no font and no file, so that it asks nobody for anything."""
        width = MARGIN * 2 + COLUMN * len(self.actors)
        height = TOP + ROW * len(self.steps) + MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(self.title)}</title><desc>{escape(self.told())}</desc>",
            f"<style>{_STYLE}</style>{_HEAD}",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *self._actors(height),
        ]
        for number, step in enumerate(self.steps):
            parts += self._step(step, TOP + ROW * number + ROW // 2)
        return "\n".join([*parts, "</svg>", ""])

    def told(self) -> str:
        """The same in words."""
        return "; ".join(
            f"{step.sender} to {step.receiver}: {step.text}"
            if isinstance(step, Says)
            else f"{step.who}: {step.text}"
            for step in self.steps
        )

    def _at(self, actor: str) -> int:
        return MARGIN + COLUMN * self.actors.index(actor) + COLUMN // 2

    def _actors(self, height: int) -> Iterator[str]:
        for actor in self.actors:
            x = self._at(actor)
            yield f'<line class="line" x1="{x}" y1="40" x2="{x}" y2="{height - 10}"/>'
            yield f'<rect class="box" x="{x - 70}" y="12" width="140" height="28" rx="4"/>'
            yield _text(x, 31, actor, "name")

    def _step(self, step: Says | Does, y: int) -> Iterator[str]:
        if isinstance(step, Does):
            x, width = self._at(step.who), 7 * len(step.text) + 16
            left = min(max(x - width // 2, 4), MARGIN * 2 + COLUMN * len(self.actors) - width - 4)
            yield f'<rect class="note" x="{left}" y="{y - 13}" width="{width}" height="24" rx="3"/>'
            yield _text(left + width // 2, y + 4, step.text)
            return
        start, end = self._at(step.sender), self._at(step.receiver)
        kind = "silent" if step.is_lost else "arrow"
        yield f'<line class="{kind}" x1="{start}" y1="{y + 8}" x2="{end}" y2="{y + 8}"/>'
        yield _text((start + end) // 2, y + 1, step.text)


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x}" y="{y}" text-anchor="middle">{escape(text)}</text>'
