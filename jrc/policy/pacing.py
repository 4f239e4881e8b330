"""How fast the registrar sends to the nodes of a network (RFC 9031 §6.1, RFC 8085 §3.1).

Each network has its bytes a second and its number of exchanges that may be open at once. What does
not fit waits in order; nothing is dropped. No clock: times are seconds that never go back.
"""

from collections import deque
from typing import Final, Generic, NamedTuple, TypeVar

from jrc.cojp.exchange import Timers
from jrc.policy.rate import ByteRate

BURST_MS: Final = 1000
"""What a network has saved up when it was quiet: the bytes of a second, and one datagram of debt;
a mesh has few cells for what comes at once."""

T = TypeVar("T")


class Pace(NamedTuple):
    """Bytes of CoAP a second, retransmissions included, and exchanges open at once; both >= 1."""

    bytes_per_s: int
    in_flight: int


class _Lane(Generic[T]):
    """One network: what was begun goes before what was not."""

    __slots__ = ("again", "fresh", "in_flight", "is_queued", "rate")

    def __init__(self, rate: ByteRate) -> None:
        self.rate = rate
        self.again: deque[T] = deque()
        self.fresh: deque[T] = deque()
        self.in_flight = 0
        self.is_queued = False


class Pacing(Generic[T]):
    """Who may send next: networks take turns, and within one the order is kept.

    ``take`` until it gives nothing, ``charge`` for each datagram that left. Each step costs
    O(log n) with n networks.

    Raises:
        ValueError: a pace that lets nothing pass.
    """

    def __init__(self, pace: Pace) -> None:
        _refuse_standstill(pace)
        self._pace = pace
        self._lanes: dict[int, _Lane[T]] = {}
        self._turns: deque[int] = deque()
        self._late: Timers[int] = Timers()

    def start(self, network: int, item: T, now: float) -> None:
        """Something wants to leave for the first time; it has its exchange until ``done``."""
        lane = self._lane(network, now)
        lane.fresh.append(item)
        self._queue(network, lane)

    def again(self, network: int, item: T, now: float) -> None:
        """Something that has its exchange already wants to leave once more."""
        lane = self._lane(network, now)
        lane.again.append(item)
        self._queue(network, lane)

    def done(self, network: int) -> None:
        """One of the network's exchanges is over."""
        lane = self._lanes[network]
        lane.in_flight -= 1
        if lane.fresh:
            self._queue(network, lane)

    def charge(self, network: int, size: int) -> None:
        """A datagram of ``size`` bytes left."""
        self._lanes[network].rate.charge(size)

    def use(self, pace: Pace, now: float) -> None:
        """Another pace from now on; what is open stays so.

        Raises:
            ValueError: as for the class.
        """
        _refuse_standstill(pace)
        self._pace = pace
        for network, lane in self._lanes.items():
            lane.rate.set(pace.bytes_per_s, _ms(now))
            self._queue(network, lane)

    def take(self, now: float) -> T | None:
        """The next that may leave; what is given out for the first time has its exchange now."""
        if self._late:
            for network in self._late.pop_due(now):
                self._queue(network, self._lanes[network])
        while self._turns:
            network = self._turns.popleft()
            lane = self._lanes[network]
            lane.is_queued = False
            may_start = bool(lane.fresh) and lane.in_flight < self._pace.in_flight
            if not (lane.again or may_start):
                continue
            if not lane.rate.allows(_ms(now)):
                self._wait(network, lane, now)
                continue
            item = self._next(lane)
            self._queue(network, lane)
            return item
        return None

    def next_due(self) -> float | None:
        """When ``take`` will have something again, unless something changes before."""
        return self._late.next_due()

    def _lane(self, network: int, now: float) -> _Lane[T]:
        lane = self._lanes.get(network)
        if lane is None:
            rate = ByteRate(self._pace.bytes_per_s, _ms(now), window_ms=BURST_MS)
            lane = self._lanes[network] = _Lane(rate)
        return lane

    def _queue(self, network: int, lane: _Lane[T]) -> None:
        """Have a network take its turn, unless it will anyway."""
        if not lane.is_queued and network not in self._late:
            lane.is_queued = True
            self._turns.append(network)

    def _next(self, lane: _Lane[T]) -> T:
        if lane.again:
            return lane.again.popleft()
        lane.in_flight += 1
        return lane.fresh.popleft()

    def _wait(self, network: int, lane: _Lane[T], now: float) -> None:
        wait_ms = lane.rate.wait_ms()
        assert wait_ms is not None, "a pace is at least a byte a second"
        self._late.set(network, (_ms(now) + wait_ms) / 1000)


def _refuse_standstill(pace: Pace) -> None:
    if min(pace) < 1:
        raise ValueError("a pace of less than a byte a second or an exchange ends nothing")


def _ms(now: float) -> int:
    """Milliseconds, rounded, so that a time that was made of them gives them back."""
    return round(now * 1000)
