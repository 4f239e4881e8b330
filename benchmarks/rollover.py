"""What new keys for 10,000 nodes cost: ``python -m benchmarks.rollover FOLDER NODES ASIDE``.

For a network namespace of its own (``rollover_figures`` makes one), where every address of the
network's prefix is local: ``nodes.py`` is all the nodes. Its figures are printed as JSON, one a
line. A second network with keys of its own joins meanwhile.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks.bad import MB
from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import NETWORK, PREFIX, Fleet
from benchmarks.joins import echo_us
from benchmarks.process import peak_bytes
from benchmarks.report import Figure
from benchmarks.scale import Scale
from benchmarks.unshared import unshared_figures

TARGET_US = 150.0
RESIDENT_TARGET_MB = 120.0
SLOWDOWN_TARGET = 1.1
"""Times the usual time for joins beside a rollover at the pace that a mesh takes."""
ASIDE, ASIDE_ID, ASIDE_PREFIX = "aside", b"\xbe\xef", "fd01::/64"
ASIDE_SEED = 5683
IN_FLIGHT = 64
GUARD_S = 1.0
BEGIN_IN_S = 8.0
RUNS = 3
PIECE = 256
"""Joins between two looks at how far the rollover is."""
WARM_UP_S = 1.0
"""After the keys have changed, contexts are read from the database again."""
USUAL_S = 2.0
PAIRS = 5
PATIENCE_S = 120.0
_LOOK_AGAIN_S = 0.1
_RUNNING = "SELECT phase FROM rollover WHERE ended_at_ms IS NULL"
_UNLIMITED: dict[str, object] = {
    "rate_bytes_per_s": 2**31,
    "in_flight": 256,
    "guard_time_s": GUARD_S,
}
_USUAL: dict[str, object] = {}
"""As an operator has it who sets nothing: what a mesh takes."""


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

    def start(self, later_s: float = 0.0) -> None:
        """New keys are on their way, or will be after a while."""
        self._before = self._crowd.told()
        begins = datetime.now(UTC) + timedelta(seconds=later_s)
        when = ("--at", begins.isoformat()) if later_s else ()
        self._bed.jrc("rollover", "start", NETWORK, "--yes", *when)

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
                raise MeasurementError(f"{self.told()} of {count} nodes were told")
            time.sleep(_LOOK_AGAIN_S)

    def finish(self) -> None:
        """Return when it is done, with every node reached."""
        self.wait_until_told(self.nodes)
        self._wait_until("switching")
        # None of the nodes is a 6LBR that could begin: the operator has set its radio.
        self._bed.jrc("rollover", "resume", NETWORK, "--anyway", "--yes")
        self._wait_until(None)

    def _wait_until(self, phase: str | None) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while (found := self._phase()) != phase:
            if time.monotonic() > deadline_s:
                raise MeasurementError(f"the rollover stays {found}")
            time.sleep(_LOOK_AGAIN_S)

    def _phase(self) -> str | None:
        """Of what runs; asks the database's file, which costs the registrar nothing."""
        url = f"file:{self._bed.database}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as connection:
            found = connection.execute(_RUNNING).fetchone()
        return None if found is None else str(found[0])

    def pause(self) -> None:
        """Nobody is told any more."""
        self._bed.jrc("rollover", "pause", NETWORK, "--yes")

    def resume(self) -> None:
        """The others are told."""
        self._bed.jrc("rollover", "resume", NETWORK, "--yes")

    def check(self) -> None:
        """Nothing, if it has ended as it should.

        Raises:
            MeasurementError: it has not.
        """
        status = json.loads(self._bed.jrc("rollover", "status", NETWORK, "--json"))
        if status["phase"] != "done":
            raise MeasurementError(f"the rollover is {status['phase']}: {status['counts']}")

    def cpu_us(self) -> tuple[float, float]:
        """CPU time of the registrar a node, in microseconds: of its start, and from there on.

        The start is the plan, the question, and the transaction that draws the keys.
        """
        before_ns = self._daemon.cpu_ns()
        self.start(BEGIN_IN_S)
        if self.told():
            raise MeasurementError("the start took longer than was thought")
        started_ns = self._daemon.cpu_ns()
        self.finish()
        ended_ns = self._daemon.cpu_ns()
        self.check()
        return (
            (started_ns - before_ns) / self.nodes / 1000,
            (ended_ns - started_ns) / self.nodes / 1000,
        )


class Beside:
    """Pledges of a second network, which join again and again."""

    def __init__(self, daemon: Daemon, fleet: Fleet) -> None:
        self._daemon = daemon
        self._fleet = fleet
        self._client = Client(daemon.port)
        pledges = fleet.pledges()
        self._pieces = [pledges[at : at + PIECE] for at in range(0, len(pledges), PIECE)]

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def rate(self, goes_on: Callable[[], bool]) -> float:
        """Joins a second by the wall clock, for as long as something goes on.

        Raises:
            MeasurementError: an answer was no join, or it was over too soon.
        """
        joined, taken_s, joins = 0, 0.0, self._daemon.joins()
        pledges = cycle(self._pieces)
        while goes_on():
            requests = self._fleet.requests(next(pledges))
            started_s = time.perf_counter()
            self._client.exchange(requests, IN_FLIGHT)
            piece_s = time.perf_counter() - started_s
            if goes_on():
                joined, taken_s = joined + len(requests), taken_s + piece_s
        if self._daemon.joins() < joins + joined:
            raise MeasurementError("not every answer was a join")
        if not joined:
            raise MeasurementError("it was over before there were joins to measure")
        return joined / taken_s


def _figures(folder: Path, nodes: int, aside: int) -> Iterator[Figure]:
    _make_local(PREFIX.with_prefixlen)
    fleet, others = Fleet(nodes), Fleet(aside, ASIDE_SEED, ASIDE, ASIDE_ID)
    with bed_in(folder) as bed, Crowd.running(nodes) as crowd:
        bed.enroll(fleet)
        with _rolling(bed, crowd, fleet, _UNLIMITED) as (rolling, daemon):
            yield from _costs(rolling, daemon, partial(echo_us, fleet.requests(fleet.pledges())))
        bed.jrc(
            "network", "add", ASIDE, f"--network-id={ASIDE_ID.hex()}", f"--prefix={ASIDE_PREFIX}"
        )
        bed.enroll(others)
        with (
            _rolling(bed, crowd, fleet, _UNLIMITED) as (rolling, daemon),
            closing(Beside(daemon, others)) as beside,
        ):
            yield _unpaced(rolling, beside)
        with (
            _rolling(bed, crowd, fleet, _USUAL) as (rolling, daemon),
            closing(Beside(daemon, others)) as beside,
        ):
            yield _paced(rolling, beside)


def _make_local(prefix: str) -> None:
    for words in (("link", "set", "lo", "up"), ("route", "add", "local", prefix, "dev", "lo")):
        subprocess.run(("ip", "-6", *words), check=True, capture_output=True)


@contextmanager
def _rolling(
    bed: Bed, crowd: Crowd, fleet: Fleet, settings: dict[str, object]
) -> Iterator[tuple[Rolling, Daemon]]:
    """A daemon with these settings, once all nodes have joined."""
    bed.set_section("rollover", settings)
    with Daemon.running(bed) as daemon:
        pledges = fleet.pledges()
        with closing(Client(daemon.port)) as client:
            client.exchange(fleet.requests(pledges), IN_FLIGHT)
        yield Rolling(bed, daemon, crowd, len(pledges)), daemon


def _costs(rolling: Rolling, daemon: Daemon, echo_us: Callable[[], float]) -> Iterator[Figure]:
    """CPU time and memory, with no pace in the way; ``echo_us`` measures the floor."""
    nodes = f"{rolling.nodes:,} nodes"
    floors = [echo_us()]
    runs = []
    for _ in range(RUNS):
        runs.append(rolling.cpu_us())
        floors.append(echo_us())
    floor = statistics.median(floors)
    yield Figure("udp echo, between rollovers", "us", floors)
    yield Figure("rollover: start, a node", "us", [start for start, _ in runs], None, floor, nodes)
    told = [telling for _, telling in runs]
    yield Figure("rollover: a node", "us", told, TARGET_US, floor, f"{nodes}, no loss")
    most = peak_bytes(daemon.pid) / MB
    yield Figure("resident, most in rollovers", "MB", [most], RESIDENT_TARGET_MB, note=nodes)


def _is_telling(rolling: Rolling) -> bool:
    return rolling.told() < rolling.nodes


def _unpaced(rolling: Rolling, beside: Beside) -> Figure:
    """How many times as long joins take while nodes are told new keys as before and afterwards."""
    beside.rate(_for(WARM_UP_S))
    usual = [beside.rate(_for(USUAL_S))]
    rolling.start(BEGIN_IN_S)
    rolling.wait_until_told(1)
    beside.rate(_for(WARM_UP_S))
    meanwhile = beside.rate(partial(_is_telling, rolling))
    rolling.finish()
    beside.rate(_for(WARM_UP_S))
    usual.append(beside.rate(_for(USUAL_S)))
    slower = statistics.mean(usual) / meanwhile
    return Figure("joins beside a rollover without a pace", "x time", [slower], note=_else(usual))


def _paced(rolling: Rolling, beside: Beside) -> Figure:
    """The same in pairs of moments: the speed of a virtual machine swings from one to the next."""
    rolling.start()
    rolling.wait_until_told(1)
    usual, slower = [], []
    for _ in range(PAIRS):
        beside.rate(_for(WARM_UP_S))
        meanwhile = beside.rate(_for(USUAL_S))
        rolling.pause()
        beside.rate(_for(WARM_UP_S))
        usual.append(beside.rate(_for(USUAL_S)))
        slower.append(usual[-1] / meanwhile)
        rolling.resume()
    name = "joins beside a rollover at its usual pace"
    return Figure(name, "x time", slower, SLOWDOWN_TARGET, None, _else(usual))


def _else(rates: Sequence[float]) -> str:
    return f"{min(rates):,.0f} to {max(rates):,.0f} joins/s else"


def _for(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds are not over yet, counted from the first time it is asked."""
    began: list[float] = []

    def goes_on() -> bool:
        began.append(time.monotonic())
        return began[-1] - began[0] < seconds

    return goes_on


def _main(arguments: Sequence[str]) -> None:
    folder, nodes, aside = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    for figure in _figures(folder, nodes, aside):
        print(json.dumps(asdict(figure)), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
