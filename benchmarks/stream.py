"""Joins at a steady rate that leaves the registrar time, each asked for once, and their waits."""

import select
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from benchmarks.client import HOST
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.syncs import p99
from jrc.cojp import message

LAST_ANSWER_S = 2.0
_PIECE = 10
"""Requests that are made at one time: making them must not keep an answer waiting."""
_RECEIVE_BUFFER_BYTES = 1 << 20
_LARGEST_ANSWER_BYTES = 2048


@dataclass
class Waits:
    """What became of the requests: ``waits_s`` of those that were answered."""

    sent: int = 0
    waits_s: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many were answered, in percent; none of them was sent twice."""
        return 100 * len(self.waits_s) / self.sent

    def median_ms(self) -> float:
        """Of those that were answered."""
        return 1000 * statistics.median(self.waits_s)

    def p99_ms(self) -> float:
        """Of those that were answered."""
        return 1000 * p99(self.waits_s)

    def longest_ms(self) -> float:
        """Of those that were answered."""
        return 1000 * max(self.waits_s)


class Stream:
    """Sends Join Requests, ``rate`` a second, each once, and notes when its answer comes."""

    def __init__(
        self, port: int, fleet: Fleet, pledges: Sequence[SimulatedPledge], rate: int
    ) -> None:
        self._fleet = fleet
        self._pieces = cycle([pledges[at : at + _PIECE] for at in range(0, len(pledges), _PIECE)])
        self._rate = rate
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._socket.connect((HOST, port))
        self._socket.setblocking(False)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def run(self, is_over: Callable[[], bool]) -> Waits:
        """Until it is over, and a while longer for the last answers."""
        found = Waits()
        open_s: dict[bytes, float] = {}
        requests: list[bytes] = []
        began = time.perf_counter()
        while not is_over():
            if found.sent <= (time.perf_counter() - began) * self._rate:
                requests = requests or self._fleet.requests(next(self._pieces))
                request = requests.pop()
                open_s[message.decode(request).token] = time.perf_counter()
                self._socket.send(request)
                found.sent += 1
            self._hear(found, open_s, 0.2 / self._rate)
        until = time.perf_counter() + LAST_ANSWER_S
        while open_s and time.perf_counter() < until:
            self._hear(found, open_s, 0.01)
        return found

    def _hear(self, found: Waits, open_s: dict[bytes, float], wait_s: float) -> None:
        if not select.select([self._socket], [], [], wait_s)[0]:
            return
        now_s = time.perf_counter()
        token = message.decode(self._socket.recv(_LARGEST_ANSWER_BYTES)).token
        found.waits_s.append(now_s - open_s.pop(token))
