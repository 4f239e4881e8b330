"""The audit log: events written, proved, exported and removed."""

import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from benchmarks.bad import MB
from benchmarks.client import Client, MeasurementError
from benchmarks.command import Cost
from benchmarks.daemon import Bed, Daemon
from benchmarks.fleet import Fleet
from benchmarks.report import Figure
from benchmarks.scale import Scale
from jrc.service.event_removal import CHUNK

IN_FLIGHT = 64
RUNS = 3
MS = 1_000_000
"""Nanoseconds."""
_COUNT = "SELECT count(*), coalesce(max(number), 0) FROM event"
_USED_BYTES = (
    "SELECT (SELECT * FROM pragma_page_count) - (SELECT * FROM pragma_freelist_count),"
    " (SELECT * FROM pragma_page_size)"
)


def audit_figures(bed: Bed, scale: Scale) -> Iterator[Figure]:
    """All of them, from an empty bed."""
    fleet = Fleet(scale.pledges)
    bed.enroll(fleet)
    yield _written_by_a_command(bed, fleet, scale)
    with Daemon.running(bed) as daemon:
        _join(daemon, fleet, scale.pledges)  # each has its row and its short identifier now
    used_bytes, (_, begin) = _used_bytes(bed), _events(bed)
    with Daemon.running(bed) as daemon:
        rate = _join(daemon, fleet, scale.events)
    count, end = _events(bed)
    if end - begin < scale.events:
        raise MeasurementError(f"{end - begin} events of {scale.events} joins")
    yield Figure("audit: written by joins", "events/s", [rate], note="one a join, 64 in flight")
    each = (_used_bytes(bed) - used_bytes) / (end - begin)
    yield Figure("audit: a join's event", "bytes", [each], note="of the database's file")
    yield from _read(bed, count)
    with Daemon.running(bed) as daemon:
        yield from _read_by_daemon(bed, daemon, count)
        yield from _removed(bed, daemon)


def _written_by_a_command(bed: Bed, fleet: Fleet, scale: Scale) -> Figure:
    """An import that gives each pledge another label: an event of each, with before and after."""
    _, before = _events(bed)
    seconds = bed.enroll(fleet, "hall 2")
    written = _events(bed)[1] - before
    if written < scale.pledges:
        raise MeasurementError(f"{written} events of {scale.pledges} changes")
    note = f"an import that changes {scale.pledges:,} pledges, wall clock"
    return Figure("audit: written by a command", "events/s", [written / seconds], note=note)


def _join(daemon: Daemon, fleet: Fleet, count: int) -> float:
    """So many joins; how many a second, by the wall clock."""
    pledges = fleet.pledges()
    taken_s, joined = 0.0, daemon.joins()
    with closing(Client(daemon.port)) as client:
        for at in range(0, count, len(pledges)):
            requests = fleet.requests(pledges[: count - at])
            started_s = time.perf_counter()
            client.exchange(requests, IN_FLIGHT)
            taken_s += time.perf_counter() - started_s
    if daemon.joins() - joined != count:
        raise MeasurementError(f"{daemon.joins() - joined} of {count} answers were joins")
    return count / taken_s


def _read(bed: Bed, count: int) -> Iterator[Figure]:
    """By commands, where no daemon runs."""
    export = bed.folder / "events.jsonl"
    yield from _rate("verified", [bed.cost("events", "verify") for _ in range(RUNS)], count)
    yield from _rate("exported", [bed.cost("events", "export", str(export))], count)
    verified = [bed.cost("events", "verify", str(export)) for _ in range(RUNS)]
    yield from _rate("an export verified", verified, count)
    size = export.stat().st_size / count
    yield Figure("audit: a line of an export", "bytes", [size], note=f"{count:,} events")


def _rate(what: str, costs: list[Cost], count: int) -> Iterator[Figure]:
    rates = [count / cost.seconds for cost in costs]
    computed = statistics.median(count / cost.cpu_s for cost in costs)
    note = f"{count:,} events, wall clock; {computed:,.0f} a second of CPU time"
    yield Figure(f"audit: {what}", "events/s", rates, note=note)
    peaks = [cost.peak_bytes / MB for cost in costs]
    yield Figure(f"audit: {what}, memory", "MB", peaks, note="of the command, at most")


def _read_by_daemon(bed: Bed, daemon: Daemon, count: int) -> Iterator[Figure]:
    costs, growth = [], []
    for _ in range(RUNS):
        grown, cost = daemon.peak_growth_bytes(lambda: bed.cost("events", "verify"))
        costs.append(cost)
        growth.append(grown / MB)
    rates = [count / cost.seconds for cost in costs]
    yield Figure("audit: verified by the daemon", "events/s", rates, note=f"{count:,} events")
    yield Figure("audit: memory of the daemon", "MB", growth, note="more than before, at most")


def _removed(bed: Bed, daemon: Daemon) -> Iterator[Figure]:
    """All events up to now, as `jrc events prune` has it, with joins in mind and none there."""
    count, _ = _events(bed)
    before_ns = daemon.cpu_ns()
    now = datetime.now(UTC).isoformat()
    cost = bed.cost("events", "prune", "--before", now, "--yes")
    cpu_ns = daemon.cpu_ns() - before_ns
    removed = count - _events(bed)[0]
    note = f"{removed:,} events, wall clock"
    yield Figure("audit: removed by a command", "events/s", [removed / cost.seconds], note=note)
    each = cpu_ns / MS / (removed / CHUNK)
    yield Figure("audit: a transaction that removes", "ms", [each], note=f"{CHUNK} events, CPU")


def _events(bed: Bed) -> tuple[int, int]:
    """How many there are, and the number of the last one, which are as many where none has gone."""
    count, last = _asked(bed, _COUNT)
    return count, last


def _used_bytes(bed: Bed) -> int:
    """Pages of the database's file that hold something; no daemon runs, so its log is empty."""
    pages, size = _asked(bed, _USED_BYTES)
    return pages * size


def _asked(bed: Bed, statement: str) -> tuple[int, int]:
    url = f"file:{bed.database}?mode=ro"
    with closing(sqlite3.connect(url, uri=True)) as connection:
        first, second = connection.execute(statement).fetchone()
    return int(first), int(second)
