"""What new keys for 10,000 nodes cost: ``python -m benchmarks.rollover FOLDER NODES ASIDE``.

For a network namespace of its own (``rollover_figures`` makes one), where every address of the
network's prefix is local: ``nodes.py`` is all the nodes. Its figures are printed as JSON, one a
line. A second network with keys of its own joins meanwhile.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bad import MB
from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import NETWORK, PREFIX, Fleet
from benchmarks.report import Figure
from benchmarks.scale import Scale
from benchmarks.unshared import unshared_figures

TARGET_US = 150.0
RESIDENT_TARGET_MB = 120.0
SLOWDOWN_TARGET = 1.25
"""Times the usual time for joins beside a rollover that keeps to a pace."""
ASIDE, ASIDE_ID, ASIDE_PREFIX = "aside", b"\xbe\xef", "fd01::/64"
ASIDE_SEED = 5683
IN_FLIGHT = 64
GUARD_S = 1.0
PATIENCE_S = 120.0
_LOOK_AGAIN_S = 0.1
_UNLIMITED = {"rate_bytes_per_s": 2**31, "in_flight": 256, "guard_time_s": GUARD_S}
_PACED = {"rate_bytes_per_s": 100_000, "in_flight": 64, "guard_time_s": GUARD_S}
"""About a thousand nodes a second, far more than a mesh takes."""


def rollover_figures(folder: Path, scale: Scale) -> Iterator[Figure]:
    """CPU time a node, memory, and joins meanwhile.

    Raises:
        MeasurementError: no namespace can be made here, or something did not go as it should.
    """
    numbers = (str(scale.rollover_nodes), str(scale.rollover_joins))
    yield from unshared_figures("benchmarks.rollover", str(folder), *numbers)


class Crowd:
    """The process of ``nodes.py``."""

    def __init__(self, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.nodes", str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    @classmethod
    @contextmanager
    def running(cls, count: int) -> Iterator["Crowd"]:
        """All nodes, once they hear; they have ended afterwards."""
        crowd = cls(count)
        try:
            yield crowd
        finally:
            crowd._process.communicate()

    def told(self) -> dict[str, int]:
        """How many nodes were told which key ids last."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._hear())
        return found

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeasurementError("the nodes have ended")
        return line


class Rolling:
    """Rollovers of one network whose nodes have all joined."""

    def __init__(self, bed: Bed, daemon: Daemon, crowd: Crowd, nodes: int) -> None:
        self._bed = bed
        self._daemon = daemon
        self._crowd = crowd
        self.nodes = nodes
        self._before: dict[str, int] = {}

    def start(self) -> None:
        """New keys are on their way."""
        self._before = self._crowd.told()
        self._bed.jrc("rollover", "start", NETWORK, "--yes")

    def status(self) -> dict[str, Any]:
        """As ``jrc rollover status`` has it."""
        found: dict[str, Any] = json.loads(self._bed.jrc("rollover", "status", NETWORK, "--json"))
        return found

    def told(self) -> int:
        """How many nodes were told the new keys."""
        return sum(
            count - self._before.get(key_ids, 0)
            for key_ids, count in self._crowd.told().items()
            if key_ids not in self._before
        )

    def wait_until_told(self, count: int) -> None:
        """Return when so many were told; asks the nodes, which costs the registrar nothing."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.told() < count:
            if time.monotonic() > deadline_s:
                raise MeasurementError(f"{self.told()} of {count} nodes told: {self.status()}")
            time.sleep(_LOOK_AGAIN_S)

    def finish(self) -> None:
        """Return when it is done, with every node reached."""
        self.wait_until_told(self.nodes)
        deadline_s = time.monotonic() + PATIENCE_S
        while (status := self.status())["phase"] != "done":
            if time.monotonic() > deadline_s:
                raise MeasurementError(f"the rollover does not end: {status}")
            time.sleep(GUARD_S)

    def cpu_us(self) -> float:
        """CPU time of the registrar for each node of a whole rollover, in microseconds."""
        before_ns = self._daemon.cpu_ns()
        self.start()
        self.finish()
        return (self._daemon.cpu_ns() - before_ns) / self.nodes / 1000


class Beside:
    """Pledges of a second network, which join again and again."""

    def __init__(self, daemon: Daemon, fleet: Fleet) -> None:
        self._daemon = daemon
        self._fleet = fleet
        self._client = Client(daemon.port)
        self._pledges = fleet.pledges()

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def seconds(self) -> float:
        """How long it takes until all have joined, by the wall clock."""
        requests = self._fleet.requests(self._pledges)
        joins = self._daemon.joins()
        started_s = time.perf_counter()
        self._client.exchange(requests, IN_FLIGHT)
        taken_s = time.perf_counter() - started_s
        if self._daemon.joins() - joins != len(requests):
            raise MeasurementError("not every answer was a join")
        return taken_s


def _figures(folder: Path, nodes: int, aside: int) -> Iterator[Figure]:
    _make_local(PREFIX.with_prefixlen)
    fleet = Fleet(nodes)
    others = Fleet(aside, ASIDE_SEED, ASIDE, ASIDE_ID)
    with bed_in(folder) as bed, Crowd.running(nodes) as crowd:
        bed.jrc(
            "network", "add", ASIDE, f"--network-id={ASIDE_ID.hex()}", f"--prefix={ASIDE_PREFIX}"
        )
        bed.enroll(fleet)
        bed.enroll(others)
        for settings, figures in ((_UNLIMITED, _unlimited), (_PACED, _paced)):
            bed.set_section("rollover", settings)
            with (
                Daemon.running(bed) as daemon,
                closing(Beside(daemon, others)) as beside,
            ):
                _join(daemon, fleet)
                beside.seconds()
                yield from figures(Rolling(bed, daemon, crowd, nodes), daemon, beside)


def _make_local(prefix: str) -> None:
    for words in (("link", "set", "lo", "up"), ("route", "add", "local", prefix, "dev", "lo")):
        subprocess.run(("ip", "-6", *words), check=True, capture_output=True)


def _join(daemon: Daemon, fleet: Fleet) -> None:
    with closing(Client(daemon.port)) as client:
        client.exchange(fleet.requests(fleet.pledges()), IN_FLIGHT)


def _unlimited(rolling: Rolling, daemon: Daemon, beside: Beside) -> Iterator[Figure]:
    """No pace in the way: what a node costs, and what joins pay at worst."""
    nodes = f"{rolling.nodes:,} nodes"
    yield Figure("rollover: a node", "us", [rolling.cpu_us()], TARGET_US, note=f"{nodes}, no loss")
    resident = daemon.resident_bytes() / MB
    yield Figure("resident, after a rollover", "MB", [resident], RESIDENT_TARGET_MB, note=nodes)
    yield _slowdown(rolling, beside, "without a pace", None)


def _paced(rolling: Rolling, daemon: Daemon, beside: Beside) -> Iterator[Figure]:
    yield _slowdown(rolling, beside, "at 100 kB/s", SLOWDOWN_TARGET)


def _slowdown(rolling: Rolling, beside: Beside, how: str, target: float | None) -> Figure:
    """How many times as long joins take while nodes are told new keys."""
    usual_s = min(beside.seconds() for _ in range(3))
    rolling.start()
    rolling.wait_until_told(1)
    taken_s = beside.seconds()
    if rolling.told() >= rolling.nodes:
        raise MeasurementError("the rollover had told everybody before the joins were over")
    rolling.finish()
    return Figure(f"joins beside a rollover {how}", "x usual", [taken_s / usual_s], target)


def _main(arguments: Sequence[str]) -> None:
    folder, nodes, aside = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    for figure in _figures(folder, nodes, aside):
        print(json.dumps(asdict(figure)), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
