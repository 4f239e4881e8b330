"""A registrar on PostgreSQL, and two of them on one database.

The server is one of this machine's own, with its defaults, its data beside the other databases that
are measured, on a Unix socket: its CPU time does not count, its syncs and the round trips do.
"""

import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.client import HOST, Client, MeasurementError
from benchmarks.daemon import Bed, Daemon
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.joins import per_request_us
from benchmarks.report import Figure
from benchmarks.scale import Scale
from tests import postgresql

IN_FLIGHT = (64, 8)
RUNS = 3
PATIENCE_S = 30.0
REVOKED = "pledge.revoked"
_DEFAULTS = ("shared_buffers = 128MB", "max_wal_size = 1GB")
_LOOK_AGAIN_S = 0.01
_ASK_AGAIN_S = 0.002
_QUIET_S = 1.0
"""After a command that revokes: who is still answered would be heard by then."""


class Pair(NamedTuple):
    """Two registrars on one database."""

    first: Daemon
    second: Daemon


def postgresql_figures(folder: Path, scale: Scale) -> Iterator[Figure]:
    """All of them; the caller has looked whether PostgreSQL is here.

    Raises:
        MeasurementError: its server does not start, or something did not go as it should.
    """
    fleet = Fleet(scale.pledges)
    with _server(folder) as server, tempfile.TemporaryDirectory(dir=folder) as at:
        bed = Bed.make(Path(at) / "first", server.new_database())
        bed.enroll(fleet)
        with Daemon.running(bed) as daemon:
            yield from _joins(daemon, fleet, scale)
        other = bed.copy(Path(at) / "second")
        yield from _together(bed, other, fleet, scale)
        yield _revocation(bed, other, fleet)
        yield _takeover(bed, other)


@contextmanager
def _server(parent: Path) -> Iterator[postgresql.Server]:
    """On the same disk as all else that is measured."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=parent.resolve()))
    try:
        server = postgresql.Server(folder)
        try:
            server.configure(*_DEFAULTS)
            server.stop("fast")
            server.start()
            yield server
        finally:
            server.remove()
    except AssertionError as error:  # a program of the server's has failed
        raise MeasurementError(f"no PostgreSQL server in {folder}: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# One registrar


def _joins(daemon: Daemon, fleet: Fleet, scale: Scale) -> Iterator[Figure]:
    """First joins and rejoins by how many are in flight."""
    pledges = fleet.pledges()
    fresh = iter(pledges)
    with closing(Client(daemon.port)) as client:
        for name, counts in (("first join", scale.first_joins), ("rejoin", scale.rejoins)):
            for in_flight in IN_FLIGHT:
                runs, rates = [], []
                for _ in range(scale.repeats):
                    count = counts[in_flight]
                    asking = pledges[:count] if name == "rejoin" else _next(fresh, count)
                    taken_us, rate = _measured(daemon, client, fleet.requests(asking), in_flight)
                    runs.append(taken_us)
                    rates.append(rate)
                note = f"{sorted(rates)[len(rates) // 2]:,.0f} joins/s by the wall clock"
                title = f"postgresql: {name}, {in_flight} in flight"
                yield Figure(title, "us", runs, note=note)
            client.exchange(fleet.requests(pledges), IN_FLIGHT[0])  # each has joined now


def _next(pledges: Iterator[SimulatedPledge], count: int) -> list[SimulatedPledge]:
    return [next(pledges) for _ in range(count)]


def _measured(
    daemon: Daemon, client: Client, requests: Sequence[bytes], in_flight: int
) -> tuple[float, float]:
    """CPU time of the registrar for a join, in microseconds, and joins a second."""
    joins, started_s = daemon.joins(), time.perf_counter()
    taken_us = per_request_us(daemon, lambda: client.exchange(requests, in_flight), len(requests))
    rate = len(requests) / (time.perf_counter() - started_s)
    if daemon.joins() - joins != len(requests):
        raise MeasurementError(f"{daemon.joins() - joins} of {len(requests)} answers were joins")
    return taken_us, rate


# Two of them


@contextmanager
def _pair(bed: Bed, other: Bed) -> Iterator[Pair]:
    """Both running; the first conducts."""
    with ExitStack() as stack:
        first = stack.enter_context(Daemon.running(bed))
        _wait_for_conductor(first)
        yield Pair(first, stack.enter_context(Daemon.running(other)))


def _wait_for_conductor(daemon: Daemon) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not daemon.conducts():
        if time.monotonic() > until_s:
            raise MeasurementError("a registrar does not conduct")
        time.sleep(_LOOK_AGAIN_S)


def _together(bed: Bed, other: Bed, fleet: Fleet, scale: Scale) -> Iterator[Figure]:
    """Rejoins a second of both, each pledge at one of them, and of one alone for comparison."""
    pledges = fleet.pledges()
    half = len(pledges) // 2
    with _pair(bed, other) as pair, ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        clients = [stack.enter_context(closing(Client(each.port))) for each in pair]
        for client in clients:
            client.exchange(fleet.requests(pledges), IN_FLIGHT[0])
        alone, together = [], []
        for _ in range(scale.repeats):
            alone.append(_measured(pair.first, clients[0], fleet.requests(pledges), 64)[1])
            requests = fleet.requests(pledges)
            shares = requests[:half], requests[half:]
            joins, started_s = sum(each.joins() for each in pair), time.perf_counter()
            list(threads.map(lambda client, share: client.exchange(share, 64), clients, shares))
            together.append(len(requests) / (time.perf_counter() - started_s))
            joined = sum(each.joins() for each in pair) - joins
            if joined != len(requests):
                raise MeasurementError(f"{joined} joins for {len(requests)} requests")
    note = "wall clock, rejoins, 64 in flight"
    yield Figure("postgresql: one of two registrars", "joins/s", alone, note=note)
    yield Figure("postgresql: two registrars together", "joins/s", together, note=f"{note} at each")


def _revocation(bed: Bed, other: Bed, fleet: Fleet) -> Figure:
    """From the beginning of a revocation at one registrar to the last answer of the other one.

    Raises:
        MeasurementError: it still answered when the command had returned.
    """
    runs = []
    with _pair(bed, other) as pair:
        for pledge in fleet.pledges(RUNS):
            with ThreadPoolExecutor(1) as thread:
                ended = thread.submit(_revoke, bed, pledge)
                last_s = _last_answer_s(pair.second.port, fleet, pledge, ended.done)
                if last_s > ended.result():
                    raise MeasurementError("a pledge got an answer after it was revoked")
            told = bed.jrc("events", "export", "-", "--kind", REVOKED).splitlines()[-1]
            runs.append(1000 * last_s - json.loads(told)["at_ms"])
    note = f"a request each {1000 * _ASK_AGAIN_S:.0f} ms; none after the command's end"
    return Figure("postgresql: revocation, last answer of the other", "ms", runs, note=note)


def _revoke(bed: Bed, pledge: SimulatedPledge) -> float:
    """When the command has returned."""
    bed.jrc("pledge", "revoke", pledge.identifier.hex(), "--no-rollover", "--yes")
    return time.time()


def _last_answer_s(
    port: int, fleet: Fleet, pledge: SimulatedPledge, is_over: Callable[[], bool]
) -> float:
    """When the last answer came to a pledge that goes on asking for a while after that."""
    last_s, until_s = 0.0, None
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
        asking.connect((HOST, port))
        asking.settimeout(_ASK_AGAIN_S)
        while until_s is None or time.monotonic() < until_s:
            if until_s is None and is_over():
                until_s = time.monotonic() + _QUIET_S
            asking.send(fleet.requests([pledge])[0])
            try:
                asking.recv(2048)
                last_s = time.time()
            except TimeoutError:
                continue
    return last_s


def _takeover(bed: Bed, other: Bed) -> Figure:
    """From the kill of the conductor until the other one conducts."""
    runs = []
    for _ in range(RUNS):
        with _pair(bed, other) as pair:
            pair.first.kill()
            killed_s = time.monotonic()
            _wait_for_conductor(pair.second)
            runs.append(time.monotonic() - killed_s)
    return Figure("postgresql: takeover", "s", runs, note="after kill -9 of the conductor")
