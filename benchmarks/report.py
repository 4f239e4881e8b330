"""What was measured, as a table and as JSON."""

import json
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.syncs import sync_s

_SYNCS = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the median of ``runs``, its limit if it has one, its ratio to the echo."""

    name: str
    unit: str
    runs: Sequence[float]
    target: float | None = None
    floor: float | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.runs)

    @property
    def best(self) -> float:
        """The run that did best: of a rate the highest, of a time or a size the lowest."""
        return max(self.runs) if self.unit.endswith("/s") else min(self.runs)

    @property
    def verdict(self) -> str:
        """``ok`` or ``over``; empty where there is no target."""
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "over"

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return None if not self.floor else self.value / self.floor

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self),
            "value": self.value,
            "best": self.best,
            "verdict": self.verdict,
            "ratio": self.ratio,
        }


@dataclass(slots=True)
class Report:
    """All figures of one call, in their order."""

    machine: dict[str, object]
    parameters: dict[str, object]
    figures: list[Figure] = field(default_factory=list)

    def add(self, figures: Iterable[Figure]) -> None:
        """Append figures."""
        self.figures += figures

    def write(self, path: Path) -> None:
        """As one JSON document."""
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "machine": self.machine,
            "parameters": self.parameters,
            "figures": [figure.document() for figure in self.figures],
        }
        path.write_text(json.dumps(document, indent=2) + "\n")

    def table(self) -> str:
        """For a person; a Markdown table, so that it can go into ``docs/performance.md``."""
        head = ("figure", "median", "best", "unit", "target", "", "x echo", "")
        rows = [head, *(_cells(figure) for figure in self.figures)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
        lines = [_line(row, widths) for row in rows]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join((lines[0], rule, *lines[1:]))


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        _number(figure.value),
        _number(figure.best),
        figure.unit,
        "" if figure.target is None else f"<= {figure.target:g}",
        figure.verdict,
        "" if figure.ratio is None else f"{figure.ratio:.1f}",
        figure.note,
    )


def _number(value: float) -> str:
    return (
        f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"


def machine(folder: Path) -> dict[str, object]:
    """What the figures depend on; ``folder`` is where the database will be."""
    return {
        "measured_at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "file_system": file_system(folder),
        "sync_ms": round(_sync_ms(folder), 3),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def file_system(folder: Path) -> str:
    """Its type, such as ext4, found by its device in proc_pid_mountinfo(5), or ``unknown``."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return "unknown"


def _sync_ms(folder: Path) -> float:
    """How long the disk takes to say that 4 KiB are on it, the median."""
    path = folder / "sync-probe"
    try:
        with path.open("wb", buffering=0) as file:
            return 1000 * statistics.median(sync_s(file.fileno()) for _ in range(_SYNCS))
    finally:
        path.unlink(missing_ok=True)
