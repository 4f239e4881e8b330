"""Honest joins beside a flood of bad datagrams from many addresses.

``python -m benchmarks.flood FOLDER SECONDS [RATE ...]`` measures it in a network namespace of its
own, where a whole prefix is local; its figures are printed as JSON, one a line.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.bad import MB, repeated
from benchmarks.client import Client
from benchmarks.daemon import Bed, Daemon, bed_in
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.flooder import SOURCES, write
from benchmarks.process import receive_queue, stolen_cpu_s
from benchmarks.report import Figure
from benchmarks.scale import QUICK, Scale
from benchmarks.stream import Stream
from benchmarks.syncs import Syncs
from benchmarks.unshared import unshared_figures

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
SEGMENT = 64


def flood_figures(folder: Path, scale: Scale) -> Iterator[Figure]:
    """Honest joins at each rate of bad datagrams, for each mix of them.

    Raises:
        MeasurementError: no namespace can be made here, or what was measured is something else.
    """
    seconds = "5" if scale is QUICK else "20"
    yield from unshared_figures("benchmarks.flood", str(folder), seconds)


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

    def __init__(self, bed: Bed, daemon: Daemon, joiner: Stream, seconds: float) -> None:
        self._bed = bed
        self._daemon = daemon
        self._joiner = joiner
        self._seconds = seconds

    def measure(self, name: str, datagrams: Sequence[bytes], rate: int) -> Iterator[Figure]:
        """One mix at one rate."""
        path = self._bed.folder / "flood.bin"
        write(datagrams, path)
        command = ("-m", "benchmarks.flooder", str(self._daemon.port), str(rate))
        arguments = (sys.executable, *command, str(self._seconds), str(path))
        yield from self._measured(f"flood, {name}, {rate:,}/s", arguments)

    def measure_without(self, when: str) -> Iterator[Figure]:
        """The same joins with no flood: what this host's disk and scheduler make them wait."""
        yield from self._measured(f"no flood, {when}", ("sleep", str(self._seconds)))

    def _measured(self, title: str, command: Sequence[str]) -> Iterator[Figure]:
        before, lost = self._daemon.resident_bytes(), receive_queue(self._daemon.port).dropped
        received, cpu_ns = self._daemon.received(), self._daemon.cpu_ns()
        stolen_s, began_s = stolen_cpu_s(), time.perf_counter()
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder,
            Syncs.beside(self._bed.folder) as syncs,
        ):
            honest = self._joiner.run(lambda: flooder.poll() is not None)
            assert flooder.stdout is not None
            told = json.loads(flooder.stdout.read() or "null")
        seconds = time.perf_counter() - began_s
        received = self._daemon.received() - received
        lost = receive_queue(self._daemon.port).dropped - lost
        busy = (self._daemon.cpu_ns() - cpu_ns) / 1e9 / seconds
        sent = f"{told['sent'] / told['seconds']:,.0f}/s sent, " if told else ""
        note = (
            f"{sent}{lost:,} found no room,"
            f" {received:,} read, daemon {100 * busy:.0f} % of a core,"
            f" median {honest.median_ms():.1f} ms, longest {honest.longest_ms():.0f} ms,"
            f" {syncs.note()}, load {os.getloadavg()[0]:.1f},"
            f" stolen {stolen_cpu_s() - stolen_s:.1f} s"
        )
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
            joiner = Stream(daemon.port, fleet, pledges, HONEST_PER_S)
            place = Range(bed, daemon, joiner, seconds)
            yield from place.measure_without("first")
            for name, datagrams in mixes(fleet, pledges, others, used):
                for rate in rates:
                    yield from place.measure(name, datagrams, rate)
            yield from place.measure_without("last")
            joiner.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    for figure in _figures(
        Path(sys.argv[1]), float(sys.argv[2]), [int(each) for each in sys.argv[3:]] or RATES
    ):
        print(json.dumps(asdict(figure)), flush=True)
