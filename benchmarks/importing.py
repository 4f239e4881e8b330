"""Imports by the real command: very many rows while pledges join, and what takes longer."""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.bad import MB
from benchmarks.client import HOST, LARGEST_ANSWER_BYTES, MeasurementError
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import NETWORK, Fleet, SimulatedPledge
from benchmarks.process import cpu_ns, forget_peak, own_bytes, peak_bytes, resident_bytes
from benchmarks.report import Figure
from benchmarks.scale import Scale

ROWS_TARGET = 20_000
RESIDENT_TARGET_MB = 150.0
TRANSACTION_TARGET_MS = 50.0
_OTHERS = 20_000
"""Rows of the imports that are compared."""
_CHANGED = 2_000
"""Rows of those that change pledges, which takes some milliseconds each."""
_JOINERS = 2_000
_ALONE_JOINS = 1_000
_BETWEEN_JOINS_S = 0.005
_ANSWER_TIMEOUT_S = 5.0
_LOOK_S = 0.05
_PERCENT = 100
_OUI = "02005e"
"""Identifiers as a factory gives them: one number after the other, from the first on."""
_LONGEST = re.compile(r"longest_transaction_ms[\"=: ]+(\d+)")
_LAST = re.compile(r"last_transaction_ms[\"=: ]+(\d+)")
_CHANGE = re.compile(r"longest_change_ms[\"=: ]+(\d+)")


def importing_figures(folder: Path, scale: Scale) -> Iterator[Figure]:
    """All of them, from an empty database and ``_JOINERS`` pledges that join meanwhile."""
    fleet = Fleet(_JOINERS)
    with bed_in(folder) as bed:
        bed.enroll(fleet)
        rows = bed.folder / "many.csv"
        write_rows(rows, scale.import_rows)
        with Daemon.running(bed) as daemon:
            yield from _measured(bed, daemon, fleet, rows, scale.import_rows)
            yield from _in_other_ways(bed, daemon, scale.import_rows)


def write_rows(path: Path, count: int, first: int = 0) -> None:
    """A file of ``count`` pledges with keys from the system's random source."""
    path.touch(mode=0o600)
    with path.open("w") as file:
        file.write("pledge_id,psk,network\n")
        for number in range(first, first + count):
            file.write(f"{_OUI}{number:010x},{os.urandom(16).hex()},{NETWORK}\n")


def _measured(bed: Bed, daemon: Daemon, fleet: Fleet, rows: Path, count: int) -> Iterator[Figure]:
    joining = _Joining(daemon, fleet)
    alone = joining.run(_ALONE_JOINS)
    before = resident_bytes(daemon.pid) / MB
    forget_peak(daemon.pid)
    before_ns = daemon.cpu_ns()
    run = _Run(bed, daemon, rows)
    with_it = joining.run_until(run.has_ended)
    done = run.report()
    if done["added"] != count:
        raise MeasurementError(f"{done['added']} of {count} rows were added")
    of = f"{count:,} rows"
    yield Figure("import", "rows/s", [count / run.taken_s], note=f"{of}, target {ROWS_TARGET:,}")
    yield Figure(
        "import, cpu of the registrar", "us", [(daemon.cpu_ns() - before_ns) / count / 1000],
        note="a row, joins beside it included",
    )  # fmt: skip
    yield Figure("import, cpu beside it", "us", [run.child_cpu_ns / count / 1000], note="a row")
    resident = (peak_bytes(daemon.pid) + run.child_peak_bytes) / MB
    child = run.child_peak_bytes / MB
    note = f"{child:.0f} MB of it the process beside it; the registrar before: {before:.0f} MB"
    yield Figure("import, resident", "MB", [resident], RESIDENT_TARGET_MB, note=note)
    log = (bed.folder / "daemon.log").read_text()
    longest = float(_LONGEST.findall(log)[-1])
    yield Figure("import, longest transaction", "ms", [longest], TRANSACTION_TARGET_MS, note=of)
    yield Figure("import, publishing", "ms", [float(_LAST.findall(log)[-1])], note=of)
    for name, taken in (("alone", alone), ("beside an import", with_it)):
        yield Figure(f"join, p50 {name}", "ms", [_percentile(taken, 50)], note=f"{len(taken):,}")
        yield Figure(f"join, p99 {name}", "ms", [_percentile(taken, 99)], note=f"{len(taken):,}")


def _in_other_ways(bed: Bed, daemon: Daemon, known: int) -> Iterator[Figure]:
    """Imports into the database that has ``known`` pledges from before."""
    report = ("--report", str(bed.folder / "report.csv"))
    ways: Sequence[tuple[str, int, int, Sequence[str]]] = (
        ("added", _OTHERS, known, ()),
        ("added, --report", _OTHERS, known + _OTHERS, report),
        ("unchanged", _OTHERS, known, ()),
        ("replaced", _CHANGED, 0, ("--on-conflict", "replace")),
        ("pending", _CHANGED, 0, ("--pending-firmware",)),
    )
    for name, count, first, words in ways:
        outcome = name.partition(",")[0]
        rows = bed.folder / f"{first}.csv"
        if outcome != "unchanged":
            write_rows(rows, count, first)
        before_ns = daemon.cpu_ns()
        run = _Run(bed, daemon, rows, *words)
        done = run.report()
        if done[outcome] != count:
            raise MeasurementError(f"{done[outcome]} of {count} rows were {outcome}")
        cpu_us = (daemon.cpu_ns() - before_ns) / count / 1000
        log = (bed.folder / "daemon.log").read_text()
        longest = float(_LONGEST.findall(log)[-1])
        change = float(_CHANGE.findall(log)[-1])
        of = f"{count:,} rows"
        yield Figure(f"import, {name}", "rows/s", [count / run.taken_s], note=of)
        yield Figure(f"import, {name}: cpu of the registrar", "us", [cpu_us], note="a row")
        yield Figure(
            f"import, {name}: longest transaction", "ms", [max(longest, change)],
            TRANSACTION_TARGET_MS, note=f"staging {longest:.0f}, changes {change:.0f}",
        )  # fmt: skip


def _percentile(taken_ms: Sequence[float], percent: int) -> float:
    return statistics.quantiles(taken_ms, n=_PERCENT)[percent - 1]


class _Joining:
    """One rejoin after the other, a pause between them; how long each answer took."""

    def __init__(self, daemon: Daemon, fleet: Fleet) -> None:
        self._fleet = fleet
        self._pledges = fleet.pledges()
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.connect((HOST, daemon.port))
        self._socket.settimeout(_ANSWER_TIMEOUT_S)

    def run(self, count: int) -> list[float]:
        """The milliseconds of ``count`` joins."""
        return [self._join(pledge) for pledge in self._endless(count)]

    def run_until(self, ended: threading.Event) -> list[float]:
        """The milliseconds of the joins until something has ended."""
        taken = []
        while not ended.is_set():
            for pledge in self._pledges:
                if ended.is_set():
                    break
                taken.append(self._join(pledge))
        return taken

    def _endless(self, count: int) -> Iterator[SimulatedPledge]:
        for number in range(count):
            yield self._pledges[number % len(self._pledges)]

    def _join(self, pledge: SimulatedPledge) -> float:
        (request,) = self._fleet.requests([pledge])
        started_s = time.perf_counter()
        self._socket.send(request)
        try:
            self._socket.recv(LARGEST_ANSWER_BYTES)
        except TimeoutError:
            raise MeasurementError("a join was not answered") from None
        taken_ms = (time.perf_counter() - started_s) * 1000
        time.sleep(_BETWEEN_JOINS_S)
        return taken_ms


class _Run:
    """``jrc pledge import`` of a file, and what the registrar's processes take meanwhile."""

    def __init__(self, bed: Bed, daemon: Daemon, rows: Path, *words: str) -> None:
        self.has_ended = threading.Event()
        self.taken_s = 0.0
        self.child_cpu_ns = 0
        self.child_peak_bytes = 0
        self._daemon = daemon
        self._output = b""
        self._command = [
            *(sys.executable, "-m", "jrc.cli.main", "--config", str(bed.config)),
            *("pledge", "import", str(rows), "--json", *words),
        ]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        started_s = time.perf_counter()
        with subprocess.Popen(self._command, stdout=subprocess.PIPE) as process:
            while process.poll() is None:
                self._look()
                time.sleep(_LOOK_S)
            self.taken_s = time.perf_counter() - started_s
            assert process.stdout is not None
            self._output = process.stdout.read()
        self.has_ended.set()

    def _look(self) -> None:
        for child in _children(self._daemon.pid):
            with suppress(OSError):
                if b"prepare_rows" not in Path(f"/proc/{child}/cmdline").read_bytes():
                    continue  # not yet: as long as it is the daemon's copy, its memory is too
                self.child_cpu_ns = max(self.child_cpu_ns, cpu_ns(child))
                self.child_peak_bytes = max(self.child_peak_bytes, own_bytes(child))

    def report(self) -> dict[str, int]:
        """What the command said."""
        self._thread.join()
        try:
            found: dict[str, int] = json.loads(self._output)
        except ValueError:
            raise MeasurementError("the import failed") from None
        return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]
