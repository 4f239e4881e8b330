"""Pictures that are drawn from text, so that a change of it can be read.

Graphviz draws the state diagrams (`make pictures`); the text that each was drawn from is in it, so
that a test tells one that is out of date without having Graphviz.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from docs.made.courses import CHARTS
from docs.made.states import DIAGRAMS

FOLDER = Path(__file__).parents[1] / "pictures"
_SOURCE = re.compile(r"<!-- drawn from\n(.*?)-->\n", re.DOTALL)


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each that needs no Graphviz."""
    for name, chart in CHARTS.items():
        yield f"{name}.svg", chart.draw()


def drawn_from(picture: str) -> str:
    """The text that a state diagram was drawn from; empty where it does not say."""
    found = _SOURCE.search(picture)
    return found[1].replace("-\\-", "--") if found else ""


def draw() -> None:
    """Draws the state diagrams anew."""
    for name, text in DIAGRAMS.items():
        done = subprocess.run(
            [_program(), "-Tsvg"], input=text, capture_output=True, text=True, check=True
        )
        svg = done.stdout[done.stdout.index("<svg") :]
        svg = re.sub(r"<!--.*?-->\n", "", svg, flags=re.DOTALL)
        kept = text.replace("--", "-\\-")  # which a comment may not hold
        (FOLDER / f"{name}.svg").write_text(f"<!-- drawn from\n{kept}-->\n{svg}")


def _program() -> str:
    found = shutil.which("dot")
    if found is None:
        raise SystemExit("Graphviz is missing: on Debian and Ubuntu, apt-get install graphviz")
    return found


if __name__ == "__main__":
    draw()
