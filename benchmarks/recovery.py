"""A quarantined database with very many pledges recovered, and pledges that come back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from benchmarks.bad import MB
from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Bed, Daemon
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.joins import per_request_us
from benchmarks.report import Figure
from benchmarks.scale import Scale

IN_FLIGHT = 64
RUNS = 3


def recovery_figures(bed: Bed, scale: Scale) -> Iterator[Figure]:
    """All of them, from an empty bed: some pledges join, all contexts are lost, they come back."""
    fleet = Fleet(scale.many_pledges)
    bed.enroll(fleet)
    pledges = fleet.pledges(scale.recovering)
    with Daemon.running(bed) as daemon, closing(Client(daemon.port)) as client:
        client.exchange(fleet.requests(pledges), IN_FLIGHT)
    yield from _recovered(bed, f"{scale.many_pledges:,} pledges, {len(pledges):,} had joined")
    with Daemon.running(bed) as daemon, closing(Client(daemon.port)) as client:
        yield from _come_back(daemon, client, fleet, pledges)


def _recovered(bed: Bed, of: str) -> Iterator[Figure]:
    """Once: what was lost already is not lost again."""
    bed.jrc("quarantine", "--yes")
    cost = bed.cost("recover", "--confirm-revocations", "--yes")
    note = f"{of}; {cost.cpu_s:.1f} s of CPU time"
    yield Figure("recovery: the database", "s", [cost.seconds], note=note)
    peak = cost.peak_bytes / MB
    yield Figure("recovery: the database, memory", "MB", [peak], note="of the command, at most")


def _come_back(
    daemon: Daemon, client: Client, fleet: Fleet, pledges: Sequence[SimulatedPledge]
) -> Iterator[Figure]:
    """The exchanges of RFC 8613 App. B.2 and what follows, each request measured by itself."""
    taken: dict[str, list[float]] = {"request #1": [], "request #2": [], "the join after it": []}
    first, second, third = taken.values()
    size = len(pledges) // RUNS
    for at in range(0, size * RUNS, size):
        group = pledges[at : at + size]
        answers: list[bytes] = []

        def ask(requests: Sequence[bytes], into: list[bytes] = answers) -> Callable[[], None]:
            return lambda: into.extend(client.exchange(requests, IN_FLIGHT))

        requests = fleet.requests(group)
        first.append(per_request_us(daemon, ask(requests), size))
        renewed = fleet.renewed(group, requests, answers)
        for runs in (second, third):
            joins, requests = daemon.joins(), fleet.requests(renewed)
            runs.append(per_request_us(daemon, ask(requests), size))
            if daemon.joins() - joins != size:
                raise MeasurementError(f"{daemon.joins() - joins} of {size} pledges came back")
    note = f"CPU time of the registrar, {IN_FLIGHT} in flight"
    for name, runs in taken.items():
        yield Figure(f"recovery: {name}", "us", runs, note=note)
