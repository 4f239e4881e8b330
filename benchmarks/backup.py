"""Backups of a registrar with very many pledges, and joins that go on beside one."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle

from benchmarks.bad import MB
from benchmarks.client import Client
from benchmarks.command import Cost, Running
from benchmarks.daemon import Bed, Daemon
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.report import Figure
from benchmarks.scale import Scale
from benchmarks.stream import Stream, Waits
from benchmarks.syncs import Syncs
from jrc.store.backup.seal import new_identity

JOINS_PER_S = 300
"""What leaves the registrar time: nobody waits for another one's join."""
JOINING = 1_000
IN_FLIGHT = 64
PIECE = 256
"""Joins of a storm between two looks at how far the backup is."""
RUNS = 3
NAME = "jrc.backup"


class Backups:
    """Commands about the one backup of a bed, sealed for a recipient that only this process has."""

    def __init__(self, bed: Bed, scale: Scale) -> None:
        self._bed = bed
        self._file = bed.folder / NAME
        self._identity = bed.folder / "identity"
        self.of = f"{scale.many_pledges:,} pledges"
        identity, self._recipient = new_identity()
        self._identity.touch(mode=0o600)
        self._identity.write_bytes(identity.reveal())

    def begin(self) -> Running:
        """A new one, in the place of the one before, under way."""
        recipient = ("--recipient", self._recipient)
        return self._bed.begin("backup", "create", str(self._file), "--force", *recipient)

    def verify(self) -> Cost:
        """A look through all of it."""
        opens = ("--identity-file", str(self._identity))
        return self._bed.cost("backup", "verify", str(self._file), *opens)

    def restore(self) -> Cost:
        """The database anew, in the place of the one that there is."""
        opens = ("--identity-file", str(self._identity))
        return self._bed.cost("backup", "restore", str(self._file), *opens, "--replace", "--yes")

    def seal_key(self) -> Cost:
        """A key under a passphrase: what each use of a passphrase costs beside the rest."""
        passphrase, key = self._bed.folder / "passphrase", self._bed.folder / "backup.key"
        passphrase.touch(mode=0o600)
        passphrase.write_text("correct horse battery staple\n")
        key.unlink(missing_ok=True)
        return self._bed.cost("backup", "keygen", str(key), "--passphrase-file", str(passphrase))

    def size_bytes(self) -> int:
        """Of the file."""
        return self._file.stat().st_size


def backup_figures(bed: Bed, scale: Scale) -> Iterator[Figure]:
    """All of them, from an empty bed."""
    fleet = Fleet(scale.many_pledges)
    bed.enroll(fleet)
    backups = Backups(bed, scale)
    yield from _costs("made, no daemon", [backups.begin().wait() for _ in range(RUNS)], backups.of)
    size, database = backups.size_bytes() / MB, bed.database.stat().st_size / MB
    yield Figure(
        "backup: file", "MB", [size], note=f"{backups.of}, a database of {database:.1f} MB"
    )
    yield from _costs("verified", [backups.verify() for _ in range(RUNS)], backups.of)
    passphrase = [backups.seal_key() for _ in range(RUNS)]
    yield from _costs("key under a passphrase", passphrase, "scrypt, in the command")
    pledges = fleet.pledges(JOINING)
    with Daemon.running(bed) as daemon:
        with closing(Client(daemon.port)) as client:
            client.exchange(fleet.requests(pledges), IN_FLIGHT)
        yield from _through_daemon(daemon, backups)
        yield from _beside_a_stream(bed, daemon, backups, fleet, pledges)
        yield from _beside_a_storm(bed, daemon, backups, fleet, pledges)
    yield from _costs("restored", [backups.restore()], backups.of)


def _costs(what: str, costs: list[Cost], note: str) -> Iterator[Figure]:
    cpu_s = statistics.median(cost.cpu_s for cost in costs)
    seconds = [cost.seconds for cost in costs]
    yield Figure(f"backup: {what}", "s", seconds, note=f"{note}, {cpu_s:.1f} s of CPU time")
    peaks = [cost.peak_bytes / MB for cost in costs]
    yield Figure(f"backup: {what}, memory", "MB", peaks, note="of the command, at most")


def _through_daemon(daemon: Daemon, backups: Backups) -> Iterator[Figure]:
    """While nobody joins."""
    runs, cpu_s, growth = [], [], []
    for _ in range(RUNS):
        before_ns = daemon.cpu_ns()
        grown, cost = daemon.peak_growth_bytes(lambda: backups.begin().wait())
        runs.append(cost.seconds)
        cpu_s.append((daemon.cpu_ns() - before_ns) / 1e9)
        growth.append(grown / MB)
    of = f"{backups.of}, nobody joins"
    yield Figure("backup: made through the daemon", "s", runs, note=of)
    yield Figure("backup: CPU time of the daemon", "s", cpu_s, note=of)
    yield Figure("backup: memory of the daemon", "MB", growth, note="more than before, at most")


def _beside_a_stream(
    bed: Bed, daemon: Daemon, backups: Backups, fleet: Fleet, pledges: list[SimulatedPledge]
) -> Iterator[Figure]:
    """Waits of a steady stream of joins while backups are made, and for as long before and after.

    The first run says how long that is.
    """
    with closing(Stream(daemon.port, fleet, pledges, JOINS_PER_S)) as stream:
        meanwhile: list[Waits] = []
        alone: list[Waits] = []
        costs: list[Cost] = []
        notes = []
        for _ in range(RUNS):
            running = backups.begin()
            with Syncs.beside(bed.folder) as syncs:
                meanwhile.append(stream.run(running.has_ended))
            costs.append(running.wait())
            notes.append(syncs.note())
            alone.append(stream.run(_after(costs[-1].seconds)))
    rate = f"{JOINS_PER_S} joins/s"
    seconds = [cost.seconds for cost in costs]
    yield Figure("backup: beside a stream of joins", "s", seconds, note=rate)
    answered = [found.share for found in meanwhile]
    yield Figure("joins beside a backup: answered", "%", answered, note=f"{rate}, each sent once")
    for name, of in (("median", Waits.median_ms), ("99th percentile", Waits.p99_ms)):
        without = [of(found) for found in alone]
        waits = [of(found) for found in meanwhile]
        times = statistics.median(waits) / statistics.median(without)
        note = f"{statistics.median(without):.1f} ms without one, x {times:.2f}"
        yield Figure(f"joins beside a backup: {name}", "ms", waits, note=f"{note}; {notes[-1]}")


def _beside_a_storm(
    bed: Bed, daemon: Daemon, backups: Backups, fleet: Fleet, pledges: list[SimulatedPledge]
) -> Iterator[Figure]:
    """How long a backup takes while as many join as can, and what it takes from them."""
    pieces = cycle([pledges[at : at + PIECE] for at in range(0, len(pledges), PIECE)])
    log = bed.database.with_name(f"{bed.database.name}-wal")
    with closing(Client(daemon.port)) as client:

        def rate(is_over: Callable[[], bool]) -> float:
            joined, taken_s = 0, 0.0
            while not is_over():
                requests = fleet.requests(next(pieces))
                started_s = time.perf_counter()
                client.exchange(requests, IN_FLIGHT)
                taken_s += time.perf_counter() - started_s
                joined += len(requests)
            return joined / taken_s

        alone = rate(_after(2.0))
        running = backups.begin()
        meanwhile = rate(running.has_ended)
        taken, grown = running.wait(), log.stat().st_size / MB
    note = f"{meanwhile:,.0f} joins/s meanwhile, {alone:,.0f} without"
    yield Figure("backup: beside a storm of joins", "s", [taken.seconds], note=note)
    kept = "what nobody may cut off before the backup has read it"
    yield Figure("backup: SQLite's log after that", "MB", [grown], note=kept)


def _after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds are over, from now on."""
    until_s = time.monotonic() + seconds
    return lambda: time.monotonic() >= until_s
