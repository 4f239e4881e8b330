"""What the Join Proxy costs: CPU time of a request with its answer, memory left by a flood."""

import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.bad import GROWTH_TARGET_MB, MB, SOCKETS
from benchmarks.client import ANSWER_TIMEOUT_S, HOST, Client, MeasurementError, free_port
from benchmarks.fleet import Fleet
from benchmarks.joins import echoes, per_request_us
from benchmarks.process import cpu_ns, resident_bytes
from benchmarks.report import Figure
from benchmarks.scale import Scale
from jrc.cojp import message
from jrc.cojp.constants import ENDPOINT_MAX_TOKEN_BYTES, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message

TARGET_US = 25.0
IN_FLIGHT = 64
ANSWER_BYTES = 60
"""A Configuration with a key and a short identifier, protected (RFC 9031 App. A)."""
_REQUESTS = 20_000
_PIECE = 20_000
_LARGEST_BYTES = 2048
_LOOK_AGAIN_S = 0.0005
_OWN = slice(2, 7)
"""Message id and token, which an answer has in the same place as its request."""


class Forwarder:
    """The process of ``forwarder.py``, and the registrar that it is connected to."""

    def __init__(self, *more: str) -> None:
        self.port = free_port()
        self.jrc = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.jrc.setblocking(False)
        self.jrc.bind((HOST, 0))
        ports = (str(self.port), str(self.jrc.getsockname()[1]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.forwarder", *ports, *more], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    @classmethod
    @contextmanager
    def running(cls, *more: str) -> Iterator["Forwarder"]:
        """A proxy that is ready, and has ended afterwards."""
        forwarder = cls(*more)
        try:
            yield forwarder
        finally:
            forwarder._process.terminate()
            forwarder._process.communicate()
            forwarder.jrc.close()

    def cpu_ns(self) -> int:
        """CPU time so far."""
        return cpu_ns(self._process.pid)

    def resident_bytes(self) -> int:
        """Memory at the moment."""
        return resident_bytes(self._process.pid)


def proxy_figures(scale: Scale) -> Iterator[Figure]:
    """CPU time with 64 requests in flight, then the memory that a flood leaves."""
    requests = _requests(_REQUESTS)
    floor = echoes(requests, scale)[IN_FLIGHT]
    yield Figure(f"udp echo beside the proxy, {IN_FLIGHT} in flight", "us", [floor])
    with Forwarder.running() as forwarder:
        _exchange(forwarder, requests)
        runs = [
            per_request_us(forwarder, lambda: _exchange(forwarder, requests), len(requests))
            for _ in range(scale.repeats)
        ]
    yield Figure(f"proxy: request and answer, {IN_FLIGHT} in flight", "us", runs, TARGET_US, floor)
    yield _growth(requests, scale)


def _requests(count: int) -> list[bytes]:
    """Join Requests as pledges send them to a proxy: CON, with Proxy-Scheme (RFC 9031 §8.1.1)."""
    fleet = Fleet(1)
    (join,) = fleet.requests(fleet.pledges())
    scheme = (int(OptionNumber.PROXY_SCHEME), b"coap")
    request = message.decode(join)
    request = request._replace(type=MessageType.CON, options=(*request.options, scheme))
    return [
        message.encode(request._replace(message_id=number & 0xFFFF, token=number.to_bytes(3)))
        for number in range(count)
    ]


def _exchange(forwarder: Forwarder, requests: Sequence[bytes]) -> None:
    """All requests there and their answers back, in rounds of ``IN_FLIGHT``.

    Both ends look again after a while instead of sleeping in the kernel: on two hosts, the proxy
    would not have to wake them either.

    Raises:
        MeasurementError: one got no answer, or not its own.
    """
    payload = bytes(ANSWER_BYTES)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as pledge:
        pledge.setblocking(False)
        pledge.connect((HOST, forwarder.port))
        for at in range(0, len(requests), IN_FLIGHT):
            asked = requests[at : at + IN_FLIGHT]
            for request in asked:
                pledge.send(request)
            for forwarded, way in _gathered(forwarder.jrc, len(asked)):
                forwarder.jrc.sendto(_answer(forwarded, payload), way)
            heard = {answer[_OWN] for answer, _ in _gathered(pledge, len(asked))}
            if heard != {request[_OWN] for request in asked}:
                raise MeasurementError("an answer did not have its request's message id and token")


def _gathered(sock: socket.socket, count: int) -> list[tuple[bytes, Any]]:
    """So many datagrams, once they are there.

    Raises:
        MeasurementError: they do not come.
    """
    found: list[tuple[bytes, Any]] = []
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    while len(found) < count:
        try:
            found.append(sock.recvfrom(_LARGEST_BYTES))
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                left = count - len(found)
                raise MeasurementError(f"{left} of {count} datagrams did not come") from None
            time.sleep(_LOOK_AGAIN_S)
    return found


def _answer(forwarded: bytes, payload: bytes) -> bytes:
    request = message.decode(forwarded, ENDPOINT_MAX_TOKEN_BYTES)
    options = ((int(OptionNumber.OSCORE), b""),)
    return message.encode(
        Message(MessageType.NON, CoapCode.CHANGED, 1, request.token, options, payload)
    )


def _growth(requests: Sequence[bytes], scale: Scale) -> Figure:
    """A flood, half of it random bytes; what passes goes to a registrar that says nothing."""
    draw = random.Random(9031)
    garbage = [draw.randbytes(draw.randint(1, 200)) for _ in range(_PIECE // 2)]
    pairs = zip(garbage, requests, strict=False)
    flood = [datagram for pair in pairs for datagram in pair]
    with Forwarder.running() as forwarder, closing(Client(forwarder.port, SOCKETS)) as client:
        client.flood(flood)
        before = forwarder.resident_bytes()
        for _ in range(0, scale.memory_datagrams, len(flood)):
            client.flood(flood)
        after = forwarder.resident_bytes()
    return Figure(
        "proxy: memory left by pledges' datagrams",
        "MB",
        [(after - before) / MB],
        GROWTH_TARGET_MB,
        note=f"{scale.memory_datagrams:,} of them, {before / MB:.1f} MB before",
    )
