"""Who sends: a fixed number of requests in flight, or a flood that nobody answers.

It shares the machine and not the process with what is measured, so its own CPU time does not
count.
"""

import socket
import time
from collections.abc import Callable, Sequence
from itertools import cycle

from benchmarks.process import receive_queue

HOST = "::1"
ANSWER_TIMEOUT_S = 10.0
LARGEST_ANSWER_BYTES = 2048
_CHUNK = 128
_FULL_ENOUGH_BYTES = 256 * 1024
"""More in the queue gains nothing; the kernel would begin to drop."""
_LOOK_AGAIN_S = 0.0002
_LAST_BATCH_S = 0.01
"""From an empty queue to the end of the work on what was read from it."""


class MeasurementError(Exception):
    """What was measured is not what its name says."""


class Client:
    """Sockets connected to one port; several, so that datagrams come from several peers.

    ``connect`` makes one; without it they are on loopback.
    """

    def __init__(
        self, port: int, sockets: int = 1, connect: Callable[[], socket.socket] | None = None
    ) -> None:
        self._port = port
        make = connect or (lambda: _connected(port))
        self._sockets = [make() for _ in range(sockets)]

    def close(self) -> None:
        """Give the sockets back."""
        for each in self._sockets:
            each.close()

    def exchange(self, requests: Sequence[bytes], in_flight: int) -> list[bytes]:
        """Send all requests, ``in_flight`` of them unanswered at any time; all the answers.

        Raises:
            MeasurementError: one of them got no answer.
        """
        client = self._sockets[0]
        waiting = iter(requests)
        answers: list[bytes] = []
        for request in requests[:in_flight]:
            client.send(request)
            next(waiting)
        for received in range(len(requests)):
            try:
                answers.append(client.recv(LARGEST_ANSWER_BYTES))
            except TimeoutError:
                left = len(requests) - received
                raise MeasurementError(f"{left} of {len(requests)} requests unanswered") from None
            request = next(waiting, b"")
            if request:
                client.send(request)
        return answers

    def flood(self, datagrams: Sequence[bytes]) -> None:
        """Send datagrams as fast as they are read; when it returns they have been dealt with.

        Raises:
            MeasurementError: the kernel dropped some of them.
        """
        dropped = receive_queue(self._port).dropped
        sockets = cycle(self._sockets)
        for at in range(0, len(datagrams), _CHUNK):
            send = next(sockets).send
            for datagram in datagrams[at : at + _CHUNK]:
                send(datagram)
            self._wait_until_below(_FULL_ENOUGH_BYTES)
        self._wait_until_below(1)
        time.sleep(_LAST_BATCH_S)
        lost = receive_queue(self._port).dropped - dropped
        if lost:
            raise MeasurementError(f"the kernel dropped {lost} of {len(datagrams)} datagrams")

    def _wait_until_below(self, limit_bytes: int) -> None:
        while receive_queue(self._port).waiting_bytes >= limit_bytes:
            time.sleep(_LOOK_AGAIN_S)


def _connected(port: int) -> socket.socket:
    client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    client.settimeout(ANSWER_TIMEOUT_S)
    client.connect((HOST, port))
    return client


def free_port() -> int:
    """A UDP port of the loopback address that is free at the moment."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
