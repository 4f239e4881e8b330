"""``python -m benchmarks``: measures, prints a table, writes JSON; never fails for a figure."""

import argparse
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from benchmarks.audit import audit_figures
from benchmarks.backup import backup_figures
from benchmarks.bad import Strangers
from benchmarks.client import MeasurementError
from benchmarks.core import core_figures
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import Fleet
from benchmarks.flood import flood_figures
from benchmarks.importing import importing_figures
from benchmarks.joins import Joining, echo_figures, echoes
from benchmarks.postgresql import postgresql_figures
from benchmarks.proxy import proxy_figures
from benchmarks.recovery import recovery_figures
from benchmarks.report import Figure, Report, file_system, machine
from benchmarks.rollover import rollover_figures
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.size import size_figures
from tests import postgresql

BUILD = Path("build")
TRAFFIC = ("first-join", "rejoin", "bad", "memory")
"""What one daemon with pledges gives."""
_IN_MEMORY = ("tmpfs", "ramfs")

_InBed = Callable[[Bed, Scale], Iterator[Figure]]
_InFolder = Callable[[Path, Scale], Iterator[Figure]]


def main() -> int:
    """Exit code 0 if it could measure, whatever came out; else 1."""
    arguments = _arguments()
    folder: Path = arguments.dir
    folder.mkdir(parents=True, exist_ok=True)
    if file_system(folder) in _IN_MEMORY:
        print(f"{folder} is in memory; name a folder on a disk with --dir", file=sys.stderr)
        return 1
    scale = QUICK if arguments.quick else FULL
    report = Report(machine(folder), {"quick": arguments.quick, **asdict(scale)})
    code = 0
    try:
        for figure in _figures(folder, scale, arguments.only or NAMES):
            _progress(figure)
            report.add([figure])
            report.write(arguments.json)  # each as it comes: a run that is broken off leaves those
    except MeasurementError as error:
        print(f"can't be measured: {error}", file=sys.stderr)
        code = 1
    if report.figures:
        print("\n".join(f"{name}: {value}" for name, value in report.machine.items()))
        print(f"\n{report.table()}\n\nwritten to {arguments.json}")
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and pledges")
    parser.add_argument("--only", action="append", choices=NAMES, help="may be repeated")
    parser.add_argument("--dir", type=Path, default=BUILD, help="a folder on a disk [build]")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", help="where to write")
    return parser.parse_args()


def _progress(figure: Figure) -> None:
    if sys.stderr.isatty():
        print(f"{figure.name}: {figure.value:.4g} {figure.unit}", file=sys.stderr)


def _figures(folder: Path, scale: Scale, wanted: Collection[str]) -> Iterator[Figure]:
    if set(TRAFFIC).intersection(wanted):
        yield from _traffic(folder, scale, wanted)
    for name, measure in _OTHERS.items():
        if name in wanted:
            yield from measure(folder, scale)


def _in_bed(measure: _InBed) -> _InFolder:
    """With an empty registrar of its own."""

    def run(folder: Path, scale: Scale) -> Iterator[Figure]:
        with bed_in(folder) as bed:
            yield from measure(bed, scale)

    return run


def _on_server(folder: Path, scale: Scale) -> Iterator[Figure]:
    """Nothing, and a sentence, where there is no PostgreSQL."""
    missing = postgresql.missing()
    if missing is None:
        yield from postgresql_figures(folder, scale)
    else:
        print(f"postgresql is left out: {missing}", file=sys.stderr)


_OTHERS: dict[str, _InFolder] = {
    "size": _in_bed(size_figures),
    "core": lambda _folder, _scale: core_figures(),
    "proxy": lambda _folder, scale: proxy_figures(scale),
    "flood": flood_figures,
    "rollover": rollover_figures,
    "import-scale": importing_figures,
    "backup": _in_bed(backup_figures),
    "audit": _in_bed(audit_figures),
    "recovery": _in_bed(recovery_figures),
    "postgresql": _on_server,
}
NAMES = (*TRAFFIC, *_OTHERS)


def _traffic(folder: Path, scale: Scale, wanted: Collection[str]) -> Iterator[Figure]:
    """Everything that needs a daemon with pledges: strangers first, while nobody has joined."""
    fleet = Fleet(scale.pledges)
    with bed_in(folder) as bed:
        bed.enroll(fleet)
        floors = echoes(fleet.requests(fleet.pledges()), scale)
        yield from echo_figures(floors)
        with Daemon.running(bed) as daemon:
            yield from _measured(daemon, fleet, floors, scale, wanted)


def _measured(
    daemon: Daemon,
    fleet: Fleet,
    floors: dict[int, float],
    scale: Scale,
    wanted: Collection[str],
) -> Iterator[Figure]:
    with (
        closing(Joining(daemon, fleet, scale)) as joining,
        closing(Strangers(daemon, fleet, joining.pledges, scale)) as strangers,
    ):
        if "bad" in wanted:
            yield strangers.uncached()
        if "first-join" in wanted:
            yield from joining.first(floors)
        used = joining.settle()
        if "rejoin" in wanted:
            yield from joining.again(floors)
        if "bad" in wanted:
            yield from strangers.figures(used)
        if "memory" in wanted:
            yield strangers.growth(used)


if __name__ == "__main__":
    sys.exit(main())
