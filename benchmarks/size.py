"""Memory and start of a registrar with very many pledges, and how fast they are imported."""

import tempfile
from collections.abc import Iterator

from benchmarks.bad import MB
from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Bed, Daemon
from benchmarks.fleet import Fleet
from benchmarks.report import Figure
from benchmarks.scale import Scale

RESIDENT_TARGET_MB = 90.0
READY_TARGET_S = 1.5
_IN_FLIGHT = 64


def size_figures(bed: Bed, scale: Scale) -> Iterator[Figure]:
    """All of them, from an empty bed."""
    fleet = Fleet(scale.many_pledges)
    taken_s = bed.enroll(fleet)
    of = f"{scale.many_pledges:,} pledges"
    yield Figure("import", "rows/s", [scale.many_pledges / taken_s], note=f"{of}, wall clock")
    yield from _starts(bed, scale, of)
    yield from _resident(bed, fleet, scale, of)


def _starts(bed: Bed, scale: Scale, of: str) -> Iterator[Figure]:
    bed.evict()
    first = _ready_s(bed)
    yield Figure("ready, first start", "s", [first], READY_TARGET_S, note=f"{of}, cold database")
    warm = [_ready_s(bed) for _ in range(scale.starts)]
    yield Figure("ready, warm", "s", warm, READY_TARGET_S, note=of)
    with tempfile.TemporaryDirectory() as empty:
        compiling = _ready_s(bed, {"PYTHONPYCACHEPREFIX": empty})
    yield Figure("ready, no bytecode", "s", [compiling], note="once after an installation")


def _ready_s(bed: Bed, environment: dict[str, str] | None = None) -> float:
    with Daemon.running(bed, environment) as daemon:
        return daemon.ready_s


def _resident(bed: Bed, fleet: Fleet, scale: Scale, of: str) -> Iterator[Figure]:
    pledges = fleet.pledges(scale.many_joins)
    with Daemon.running(bed) as daemon:
        started = daemon.resident_bytes() / MB
        yield Figure("resident, started", "MB", [started], RESIDENT_TARGET_MB, note=of)
        client = Client(daemon.port)
        client.exchange(fleet.requests(pledges), _IN_FLIGHT)
        client.close()
        joined = daemon.resident_bytes() / MB
        if daemon.joins() != len(pledges):
            raise MeasurementError(f"{daemon.joins()} of {len(pledges)} answers were joins")
        after = f"{of}, after {len(pledges):,} joins"
        yield Figure("resident, joined", "MB", [joined], RESIDENT_TARGET_MB, note=after)
