"""Honest joins beside a flood of bad datagrams from many addresses.

``python -m benchmarks.flood FOLDER SECONDS [RATE ...]`` measures it in a network namespace of its
own, where a whole prefix is local; its figures are printed as JSON, one a line.
"""

import json
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.bad import MB, repeated
from benchmarks.client import HOST, Client
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.flooder import SOURCES, write
from benchmarks.process import receive_queue
from benchmarks.report import Figure
from benchmarks.scale import QUICK, Scale
from benchmarks.unshared import unshared_figures
from jrc.cojp import message

RATES = (10_000, 20_000, 30_000)
HONEST_PER_S = 100
ANSWERED_TARGET = 99.9
P99_TARGET_MS = 250.0
GROWTH_TARGET_MB = 10.0
PLEDGES = 2_000
JOINED = 1_000
"""Those who join; forgeries in the names of the others meet a context that is not in memory."""
KINDS = 4_096
"""Different datagrams of a kind; they are sent again and again."""
LARGE_BYTES = 65_000
LARGE_SHARE = 100
"""One datagram in so many has a token of 64 KiB, where there are any."""
WARM_S = 1.0
LAST_ANSWER_S = 2.0
SEGMENT = 64


def flood_figures(folder: Path, scale: Scale) -> Iterator[Figure]:
    """Honest joins at each rate of bad datagrams, for each mix of them.

    Raises:
        MeasurementError: no namespace can be made here, or what was measured is something else.
    """
    seconds = "5" if scale is QUICK else "20"
    yield from unshared_figures("benchmarks.flood", str(folder), seconds)


@dataclass
class Honest:
    """What became of the honest requests: ``waits_s`` of those that were answered."""

    sent: int = 0
    waits_s: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many were answered, in percent; none of them was sent twice."""
        return 100 * len(self.waits_s) / self.sent

    def p99_ms(self) -> float:
        """Of those that were answered."""
        return 1000 * statistics.quantiles(self.waits_s, n=100)[98]


class Joiner:
    """Sends Join Requests at a steady rate, each once, and notes when its answer comes."""

    def __init__(self, port: int, fleet: Fleet, pledges: Sequence[SimulatedPledge]) -> None:
        self._fleet = fleet
        self._pledges = pledges
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.connect((HOST, port))
        self._socket.setblocking(False)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def run(self, is_over: Callable[[], bool]) -> Honest:
        """Until it is over, and a while longer for the last answers."""
        found = Honest()
        open_s: dict[bytes, float] = {}
        requests: list[bytes] = []
        began = time.perf_counter()
        while not is_over():
            if found.sent <= (time.perf_counter() - began) * HONEST_PER_S:
                requests = requests or self._fleet.requests(self._pledges)
                request = requests.pop()
                open_s[message.decode(request).token] = time.perf_counter()
                self._socket.send(request)
                found.sent += 1
            self._hear(found, open_s, 0.002)
        until = time.perf_counter() + LAST_ANSWER_S
        while open_s and time.perf_counter() < until:
            self._hear(found, open_s, 0.01)
        return found

    def _hear(self, found: Honest, open_s: dict[bytes, float], wait_s: float) -> None:
        if not select.select([self._socket], [], [], wait_s)[0]:
            return
        now_s = time.perf_counter()
        token = message.decode(self._socket.recv(2048)).token
        found.waits_s.append(now_s - open_s.pop(token))


def mixes(
    fleet: Fleet,
    pledges: Sequence[SimulatedPledge],
    others: Sequence[SimulatedPledge],
    used: Sequence[bytes],
) -> Iterator[tuple[str, list[bytes]]]:
    """Names of mixes and their datagrams."""
    kinds = {
        "unknown identifiers": fleet.unknown(pledges[0], KINDS),
        "forged tags": fleet.forged(pledges, KINDS),
        "forged tags, not joined": fleet.forged(others, KINDS),
        "replays": repeated(used, KINDS),
        "garbage": fleet.garbage(KINDS),
    }
    yield from kinds.items()
    mixed = [each for group in zip(*kinds.values(), strict=True) for each in group]
    large = b"\x5e\x02\x00\x00" + (LARGE_BYTES - 269).to_bytes(2) + bytes(LARGE_BYTES)
    mixed[::LARGE_SHARE] = [large] * len(mixed[::LARGE_SHARE])
    yield "all of it", mixed


class Range:
    """A registrar, whoever joins it, and who floods it."""

    def __init__(self, bed: Bed, daemon: Daemon, joiner: Joiner, seconds: float) -> None:
        self._bed = bed
        self._daemon = daemon
        self._joiner = joiner
        self._seconds = seconds

    def measure(self, name: str, datagrams: Sequence[bytes], rate: int) -> Iterator[Figure]:
        """One mix at one rate."""
        path = self._bed.folder / "flood.bin"
        write(datagrams, path)
        before, lost = self._daemon.resident_bytes(), receive_queue(self._daemon.port).dropped
        received, cpu_ns = self._daemon.received(), self._daemon.cpu_ns()
        command = (sys.executable, "-m", "benchmarks.flooder", str(self._daemon.port), str(rate))
        with subprocess.Popen(
            (*command, str(self._seconds), str(path)), stdout=subprocess.PIPE, text=True
        ) as flooder:
            honest = self._joiner.run(lambda: flooder.poll() is not None)
            assert flooder.stdout is not None
            told = json.loads(flooder.stdout.read())
        received = self._daemon.received() - received
        lost = receive_queue(self._daemon.port).dropped - lost
        busy = (self._daemon.cpu_ns() - cpu_ns) / 1e9 / told["seconds"]
        note = (
            f"{told['sent'] / told['seconds']:,.0f}/s sent, {lost:,} found no room,"
            f" {received:,} read, daemon {100 * busy:.0f} % of a core,"
            f" median {1000 * statistics.median(honest.waits_s):.1f} ms,"
            f" load {os.getloadavg()[0]:.1f}"
        )
        title = f"flood, {name}, {rate:,}/s"
        yield Figure(f"{title}: joins answered", "%", [honest.share], None, note=note)
        yield Figure(f"{title}: 99th percentile", "ms", [honest.p99_ms()], P99_TARGET_MS)
        growth = (self._daemon.resident_bytes() - before) / MB
        yield Figure(f"{title}: memory", "MB", [growth], GROWTH_TARGET_MB)


def _figures(folder: Path, seconds: float, rates: Sequence[int]) -> Iterator[Figure]:
    for command in (
        ("link", "set", "lo", "up"),
        ("route", "add", "local", str(SOURCES), "dev", "lo"),
    ):
        subprocess.run(("ip", "-6", *command), check=True)
    fleet = Fleet(PLEDGES)
    with bed_in(folder) as bed:
        bed.enroll(fleet)
        every = fleet.pledges()
        pledges, others = every[:JOINED], every[JOINED:]
        with Daemon.running(bed) as daemon:
            used = fleet.requests(pledges)
            client = Client(daemon.port)
            client.exchange(used, SEGMENT)
            client.exchange(fleet.requests(pledges), SEGMENT)
            client.close()
            joiner = Joiner(daemon.port, fleet, pledges)
            place = Range(bed, daemon, joiner, seconds)
            for name, datagrams in mixes(fleet, pledges, others, used):
                for rate in rates:
                    yield from place.measure(name, datagrams, rate)
            joiner.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    for figure in _figures(
        Path(sys.argv[1]), float(sys.argv[2]), [int(each) for each in sys.argv[3:]] or RATES
    ):
        print(json.dumps(asdict(figure)), flush=True)
