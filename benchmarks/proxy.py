"""What `jrc proxy` costs: CPU time of a request with its answer, memory left by a flood.

``python -m benchmarks.proxy REPEATS DATAGRAMS`` measures it in a network namespace of its own, for
it listens on link-local addresses, port 5683; its figures are printed as JSON, one a line.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from socket import socket
from typing import Any

from benchmarks.bad import GROWTH_TARGET_MB, MB, SOCKETS
from benchmarks.client import ANSWER_TIMEOUT_S, Client, MeasurementError
from benchmarks.fleet import Fleet
from benchmarks.forwarder import COAP_PORT, Forwarder, make_link
from benchmarks.joins import echoes, per_request_us
from benchmarks.report import Figure
from benchmarks.scale import QUICK, Scale
from benchmarks.unshared import unshared_figures
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


def proxy_figures(scale: Scale) -> Iterator[Figure]:
    """CPU time with 64 requests in flight, then the memory that a flood leaves.

    Raises:
        MeasurementError: no namespace can be made here, or what was measured is something else.
    """
    numbers = (str(scale.repeats), str(scale.memory_datagrams))
    yield from unshared_figures("benchmarks.proxy", *numbers)


def _figures(scale: Scale) -> Iterator[Figure]:
    address = make_link()
    requests = _requests(_REQUESTS)
    floor = echoes(requests, scale)[IN_FLIGHT]
    yield Figure(f"udp echo beside the proxy, {IN_FLIGHT} in flight", "us", [floor])
    with Forwarder.running(address) as forwarder:
        _exchange(forwarder, requests)
        with _checked(forwarder, len(requests) * scale.repeats, returned=True):
            runs = [
                per_request_us(forwarder, lambda: _exchange(forwarder, requests), len(requests))
                for _ in range(scale.repeats)
            ]
    yield Figure(f"proxy: request and answer, {IN_FLIGHT} in flight", "us", runs, TARGET_US, floor)
    with Forwarder.running(address) as forwarder:
        yield _growth(forwarder, requests, scale)


@contextmanager
def _checked(forwarder: Forwarder, count: int, *, returned: bool) -> Iterator[None]:
    """Compares the proxy's own counts before and after with what was sent."""
    before = forwarder.counts()
    yield
    rise = {name: n - before[name] for name, n in forwarder.counts().items()}
    meant = count if returned else 0
    if rise["forwarded"] + rise["dropped"] != count or rise["returned"] != meant:
        raise MeasurementError(f"of {count} datagrams the proxy has counted {rise}")


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
    with forwarder.connect() as pledge:
        pledge.setblocking(False)
        for at in range(0, len(requests), IN_FLIGHT):
            asked = requests[at : at + IN_FLIGHT]
            for request in asked:
                pledge.send(request)
            for forwarded, way in _gathered(forwarder.jrc, len(asked)):
                forwarder.jrc.sendto(_answer(forwarded, payload), way)
            heard = {answer[_OWN] for answer, _ in _gathered(pledge, len(asked))}
            if heard != {request[_OWN] for request in asked}:
                raise MeasurementError("an answer did not have its request's message id and token")


def _gathered(sock: socket, count: int) -> list[tuple[bytes, Any]]:
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


def _growth(forwarder: Forwarder, requests: Sequence[bytes], scale: Scale) -> Figure:
    """A flood, half of it random bytes; what passes goes to a registrar that says nothing."""
    draw = random.Random(9031)
    garbage = [draw.randbytes(draw.randint(1, 200)) for _ in range(_PIECE // 2)]
    pairs = zip(garbage, requests, strict=False)
    flood = [datagram for pair in pairs for datagram in pair]
    pieces = range(0, scale.memory_datagrams, len(flood))
    with closing(Client(COAP_PORT, SOCKETS, forwarder.connect)) as client:
        client.flood(flood)
        with _checked(forwarder, len(flood) * len(pieces), returned=False):
            before = forwarder.resident_bytes()
            for _ in pieces:
                client.flood(flood)
            after = forwarder.resident_bytes()
    return Figure(
        "proxy: memory left by pledges' datagrams",
        "MB",
        [(after - before) / MB],
        GROWTH_TARGET_MB,
        note=f"{scale.memory_datagrams:,} of them, {before / MB:.1f} MB before",
    )


def main(repeats: int, datagrams: int) -> int:
    """Exit code 0 if it could measure."""
    try:
        for figure in _figures(replace(QUICK, repeats=repeats, memory_datagrams=datagrams)):
            print(json.dumps(asdict(figure)), flush=True)
    except (MeasurementError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
