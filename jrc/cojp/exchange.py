"""Confirmable exchanges: when to send again, and when to give up (RFC 7252 §4.2, RFC 9031 §7.2).

No sockets and no clock: times are seconds that never go back, random numbers come in. Each step
costs O(log n) with n exchanges open.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

from jrc.cojp.constants import (
    ACK_RANDOM_FACTOR,
    ACK_TIMEOUT_S,
    MAX_LATENCY_S,
    MAX_RETRANSMIT,
)

_TIMER_SLACK_S: Final = 0.5
"""How late a timer may be before a transmission counts as late (RFC 7252 §4.2 asks for no more)."""
_GARBAGE: Final = 64
"""Entries of a heap that may be stale, besides as many as are not."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class RetransmissionTiming:
    """What an operator may set of RFC 9031 §7.2."""

    ack_timeout_s: float = ACK_TIMEOUT_S
    random_factor: float = ACK_RANDOM_FACTOR
    max_retransmit: int = MAX_RETRANSMIT

    def first_wait_s(self, fraction: float) -> float:
        """Until the first retransmission; ``fraction`` of 0 to 1 is the random part."""
        return self.ack_timeout_s * (1 + fraction * (self.random_factor - 1))

    def waits(self, fraction: float) -> Iterator[float]:
        """How long to wait after each transmission."""
        first = self.first_wait_s(fraction)
        return (first * (1 << sent) for sent in range(self.max_retransmit + 1))

    @property
    def max_transmit_span_s(self) -> float:
        """From the first transmission to the last one (RFC 7252 §4.8.2)."""
        return self.ack_timeout_s * ((1 << self.max_retransmit) - 1) * self.random_factor

    @property
    def non_lifetime_s(self) -> float:
        """From the first transmission until the last copy has arrived (RFC 7252 §4.8.2)."""
        return self.max_transmit_span_s + MAX_LATENCY_S


class Timers(Generic[K]):
    """At most one time for each key; what was set before or cancelled stays a while as garbage."""

    __slots__ = ("_current", "_heap", "_turn")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._current: dict[K, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, key: object) -> bool:
        return key in self._current

    def set(self, key: K, at: float) -> None:
        """Have ``key`` fall due then, and not when it was set to before."""
        self._turn += 1
        self._current[key] = self._turn
        heappush(self._heap, (at, self._turn, key))
        self._bound_garbage()

    def cancel(self, key: K) -> None:
        """Have ``key`` not fall due at all."""
        if self._current.pop(key, None) is not None:
            self._bound_garbage()

    def next_due(self) -> float | None:
        """When something falls due; ``None`` for never."""
        heap, current = self._heap, self._current
        while heap:
            at, turn, key = heap[0]
            if current.get(key) == turn:
                return at
            heappop(heap)
        return None

    def pop_due(self, now: float) -> list[K]:
        """The keys that have fallen due, in their order; their times are over with that."""
        due = []
        heap, current = self._heap, self._current
        while heap and heap[0][0] <= now:
            _, turn, key = heappop(heap)
            if current.get(key) == turn:
                del current[key]
                due.append(key)
        return due

    def _bound_garbage(self) -> None:
        if len(self._heap) > 2 * len(self._current) + _GARBAGE:
            current = self._current
            self._heap = [entry for entry in self._heap if current.get(entry[2]) == entry[1]]
            heapify(self._heap)


class _Exchange:
    """One that is open: its times, how often it was sent, and whether it is to be sent again."""

    __slots__ = ("ends", "first_wait_s", "is_due", "sendable_until", "sent")

    def __init__(self, first_wait_s: float, sendable_until: float, ends: float) -> None:
        self.first_wait_s = first_wait_s
        self.sent = 1
        self.is_due = False
        self.sendable_until = sendable_until
        self.ends = ends


class Exchanges(Generic[K]):
    """The confirmable exchanges that are open, each under a key of the caller's.

    A message that has fallen due may leave a while later, where something else makes it wait:
    ``repeat`` says whether it may still, and the next one keeps its distance to that.
    """

    def __init__(self, timing: RetransmissionTiming) -> None:
        self._timing = timing
        self._sendable_s = timing.max_transmit_span_s + _TIMER_SLACK_S
        self._first_waits = (2 << timing.max_retransmit) - 1
        self._open: dict[K, _Exchange] = {}
        self._timers: Timers[K] = Timers()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: object) -> bool:
        return key in self._open

    def begin(self, key: K, now: float, fraction: float) -> None:
        """The message leaves for the first time; ``fraction`` of 0 to 1 is the random part."""
        first_wait_s = self._timing.first_wait_s(fraction)
        self._open[key] = _Exchange(
            first_wait_s, now + self._sendable_s, now + first_wait_s * self._first_waits
        )
        self._timers.set(key, now + first_wait_s)

    def acknowledge(self, key: K) -> None:
        """The message has arrived: it is not sent again, its answer is waited for all the same."""
        exchange = self._open.get(key)
        if exchange is not None:
            exchange.is_due = False
            self._timers.set(key, exchange.ends)

    def end(self, key: K) -> None:
        """It is over: answered, or nobody wants to know any longer."""
        if self._open.pop(key, None) is not None:
            self._timers.cancel(key)

    def due(self, now: float) -> tuple[list[K], list[K]]:
        """What to send again, and what has ended without an answer, by the time ``now``."""
        again, ended = [], []
        for key in self._timers.pop_due(now):
            exchange = self._open[key]
            if now >= exchange.ends:
                del self._open[key]
                ended.append(key)
                continue
            self._timers.set(key, exchange.ends)
            if self._is_sendable(exchange, now):
                exchange.is_due = True
                again.append(key)
        return again, ended

    def repeat(self, key: K, now: float) -> bool:
        """Whether what fell due may leave now; if so, it is taken to do so."""
        exchange = self._open.get(key)
        if exchange is None or not exchange.is_due:
            return False
        exchange.is_due = False
        if not self._is_sendable(exchange, now):
            return False
        wait_s = exchange.first_wait_s * (1 << exchange.sent)
        exchange.sent += 1
        self._timers.set(key, min(now + wait_s, exchange.ends))
        return True

    def next_due(self) -> float | None:
        """When ``due`` has something to say; ``None`` for never."""
        return self._timers.next_due()

    def _is_sendable(self, exchange: _Exchange, now: float) -> bool:
        """All transmissions stay within MAX_TRANSMIT_SPAN (RFC 7252 §4.2)."""
        return exchange.sent <= self._timing.max_retransmit and now <= exchange.sendable_until
