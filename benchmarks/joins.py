"""CPU time of joins, and of an echo between the same two sockets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Daemon, Echo
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.report import Figure
from benchmarks.scale import Scale

IN_FLIGHT = (64, 8, 1)
ECHOES = 2_000
REJOIN_TARGET_US = 60.0
FIRST_JOIN_TARGET_US = 150.0


class _Measured(Protocol):
    def cpu_ns(self) -> int: ...


def per_request_us(measured: _Measured, work: Callable[[], object], count: int) -> float:
    """CPU time of ``measured`` for one of the ``count`` requests of ``work``, in microseconds."""
    before_ns = measured.cpu_ns()
    work()
    return (measured.cpu_ns() - before_ns) / count / 1000


def echoes(requests: Sequence[bytes], scale: Scale) -> dict[int, float]:
    """The floor by requests in flight: the best of the repetitions, in microseconds."""
    with Echo.running() as echo:
        client = Client(echo.port)
        few = requests[:ECHOES]
        client.exchange(few, IN_FLIGHT[0])
        floors = {
            in_flight: min(
                per_request_us(echo, lambda: client.exchange(few, in_flight), len(few))  # noqa: B023
                for _ in range(scale.repeats)
            )
            for in_flight in IN_FLIGHT
        }
        client.close()
    return floors


def echo_us(requests: Sequence[bytes]) -> float:
    """What an echo takes now, with as many in flight as joins have, in microseconds."""
    with Echo.running() as echo, closing(Client(echo.port)) as client:
        few = requests[:ECHOES]
        client.exchange(few, IN_FLIGHT[0])
        return per_request_us(echo, lambda: client.exchange(few, IN_FLIGHT[0]), len(few))


def echo_figures(floors: dict[int, float]) -> Iterator[Figure]:
    """The floor itself."""
    for in_flight, floor in floors.items():
        yield Figure(f"udp echo, {in_flight} in flight", "us", [floor])


class Joining:
    """Joins against a running daemon; each is checked to be one."""

    def __init__(self, daemon: Daemon, fleet: Fleet, scale: Scale) -> None:
        self._daemon = daemon
        self._fleet = fleet
        self._scale = scale
        self._client = Client(daemon.port)
        self.pledges = fleet.pledges(scale.pledges)

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def first(self, floors: dict[int, float]) -> Iterator[Figure]:
        """First joins: a lookup, a lease and an audit event each."""
        fresh = iter(self.pledges)
        for in_flight in IN_FLIGHT:
            count = self._scale.first_joins[in_flight]
            groups = [[next(fresh) for _ in range(count)] for _ in range(self._scale.repeats)]
            yield self._figure("first join", groups, in_flight, floors, FIRST_JOIN_TARGET_US)

    def settle(self) -> list[bytes]:
        """Let all pledges join twice, unmeasured; the former requests, which are replays now."""
        former = self._fleet.requests(self.pledges)
        self._client.exchange(former, IN_FLIGHT[0])
        self._client.exchange(self._fleet.requests(self.pledges), IN_FLIGHT[0])
        return former

    def again(self, floors: dict[int, float]) -> Iterator[Figure]:
        """Rejoins of pledges whose context is in memory."""
        for in_flight in IN_FLIGHT:
            groups = [self.pledges[: self._scale.rejoins[in_flight]]] * self._scale.repeats
            yield self._figure("rejoin", groups, in_flight, floors, REJOIN_TARGET_US)

    def _figure(
        self,
        name: str,
        groups: Sequence[Sequence[SimulatedPledge]],
        in_flight: int,
        floors: dict[int, float],
        target: float,
    ) -> Figure:
        runs = [self._join(group, in_flight) for group in groups]
        return Figure(
            f"{name}, {in_flight} in flight",
            "us",
            runs,
            target if in_flight == IN_FLIGHT[0] else None,
            floors[in_flight],
        )

    def _join(self, pledges: Sequence[SimulatedPledge], in_flight: int) -> float:
        """The microseconds of a join.

        Raises:
            MeasurementError: an answer was no Configuration.
        """
        requests = self._fleet.requests(pledges)
        joins = self._daemon.joins()
        taken_us = per_request_us(
            self._daemon, lambda: self._client.exchange(requests, in_flight), len(requests)
        )
        joined = self._daemon.joins() - joins
        if joined != len(pledges):
            raise MeasurementError(f"{joined} of {len(pledges)} answers were joins")
        return taken_us
