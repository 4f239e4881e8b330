"""A network of simulated pledges that join through a stateless Join Proxy over real UDP.

The proxy is the real one (``jrc.coap.proxy``); the pledges are sockets on loopback, each with the
retransmission of RFC 9031 §7.2.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jrc.coap.proxy import JoinProxy
from jrc.coap.proxy_endpoint import ProxyEndpoint, open_jrc_socket, open_pledge_socket
from jrc.coap.token import TokenSealer
from jrc.cojp.constants import ACK_RANDOM_FACTOR, ACK_TIMEOUT_S, MAX_RETRANSMIT
from jrc.lab.pledge import JRC_HOST, Joined, Outcome, Recovering, Refused, SimulatedPledge
from jrc.policy.rate import ByteRate

Address = tuple[str, int]

MAX_CONCURRENT = 256
"""Pledges with a socket open at a time, whatever the number of pledges."""
JOIN_RATE_BYTES_PER_S = 10_000_000
"""Of the lab's proxy: more than loopback can send (RFC 9031 §8.4.2)."""
MAX_PENDING_REPLIES = 16
"""Datagrams a pledge keeps that it has not looked at."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a pledge sends again (RFC 9031 §7.2, RFC 7252 §4.2); seconds."""

    ack_timeout_s: float = ACK_TIMEOUT_S
    random_factor: float = ACK_RANDOM_FACTOR
    max_retransmit: int = MAX_RETRANSMIT

    def scaled(self, factor: float) -> "Timing":
        """The same course, ``factor`` times as long."""
        return Timing(self.ack_timeout_s * factor, self.random_factor, self.max_retransmit)

    def waits(self, fraction: float) -> Iterator[float]:
        """How long to wait after each transmission; ``fraction`` of 0 to 1 is the random part."""
        first = self.ack_timeout_s * (1 + fraction * (self.random_factor - 1))
        return (first * 2**sent for sent in range(self.max_retransmit + 1))


@dataclass(frozen=True, slots=True)
class RequestForm:
    """How pledges write the outer message of their Join Request (RFC 9031 §8.1.1)."""

    confirmable: bool = True
    token: bytes = b"\x01"
    proxy_scheme: bool = True
    uri_host: str | None = JRC_HOST


@dataclass(frozen=True, slots=True)
class JoinResult:
    """How one attempt ended; ``outcome`` is None where no answer came that could be trusted."""

    pledge_id: bytes
    outcome: Joined | Refused | None
    elapsed_s: float
    transmissions: int


class _Replies(asyncio.DatagramProtocol):
    """What came for one pledge; more than fits is lost, as on a radio."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_PENDING_REPLIES)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.queue.full():
            self.queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """ICMP tells of a proxy that is not there: a radio would not have said it."""


async def join(
    pledge: SimulatedPledge,
    proxy: Address,
    timing: Timing | None = None,
    form: RequestForm | None = None,
    fraction: Callable[[], float] = lambda: secrets.randbelow(1 << 16) / (1 << 16),
) -> JoinResult:
    """One attempt of a pledge to join through the proxy, or at a registrar itself.

    A CON is sent again as it is; a NON has no such repetition, so the pledge asks anew each time.
    """
    loop = asyncio.get_running_loop()
    form = form or RequestForm()
    transport, replies = await loop.create_datagram_endpoint(
        _Replies, remote_addr=proxy, family=socket.AF_INET6
    )
    began = loop.time()
    outcome: Joined | Refused | None = None
    sent = 0
    try:
        request = b""
        for wait in (timing or Timing()).waits(fraction()):
            if not (request and form.confirmable):
                request = _request(pledge, form)
            transport.sendto(request)
            sent += 1
            answer = await _first_answer(pledge, replies.queue, wait)
            if isinstance(answer, Recovering):
                request = b""
            elif answer is not None:
                outcome = answer
                break
    finally:
        transport.close()
    return JoinResult(pledge.identifier, outcome, loop.time() - began, sent)


def _request(pledge: SimulatedPledge, form: RequestForm) -> bytes:
    return pledge.request(
        confirmable=form.confirmable,
        token=form.token,
        proxy_scheme=form.proxy_scheme,
        uri_host=form.uri_host,
    )


async def _first_answer(
    pledge: SimulatedPledge, replies: asyncio.Queue[bytes], wait_s: float
) -> Outcome | None:
    """The first reply within ``wait_s`` that the pledge trusts."""
    try:
        async with asyncio.timeout(wait_s):
            while True:
                outcome = pledge.receive(await replies.get())
                if outcome is not None:
                    return outcome
    except TimeoutError:
        return None


@asynccontextmanager
async def join_proxy(jrc: Address, listen: Address = ("::1", 0)) -> AsyncIterator[ProxyEndpoint]:
    """A running stateless Join Proxy in front of a registrar.

    Raises:
        OSError: an address can't be bound or reached.
    """
    loop = asyncio.get_running_loop()
    now_ms = _milliseconds(loop)
    sealer = TokenSealer(secrets.token_bytes, now_ms)
    rate = ByteRate(JOIN_RATE_BYTES_PER_S, now_ms)
    proxy = JoinProxy(sealer, secrets.randbelow(1 << 16), rate)
    endpoint = ProxyEndpoint(proxy, lambda: _milliseconds(loop))
    try:
        endpoint.connect(open_jrc_socket((*jrc, 0, 0)))
        endpoint.listen(open_pledge_socket(*listen))
        yield endpoint
    finally:
        endpoint.close()


def _milliseconds(loop: asyncio.AbstractEventLoop) -> int:
    return int(loop.time() * 1000)


async def join_all(
    pledges: Sequence[SimulatedPledge],
    proxy: Address,
    timing: Timing | None = None,
    form: RequestForm | None = None,
    *,
    concurrency: int = MAX_CONCURRENT,
    interval_s: float = 0,
    on_result: Callable[[JoinResult], None] = lambda result: None,
) -> list[JoinResult]:
    """One attempt of each pledge, ``concurrency`` at a time; results in the order of the pledges.

    ``interval_s`` apart they begin, as devices do that hear the network's beacons one after the
    other. ``on_result`` hears of each as it ends.
    """
    places = asyncio.Semaphore(min(concurrency, MAX_CONCURRENT))

    async def one(place: int, pledge: SimulatedPledge) -> JoinResult:
        await asyncio.sleep(place * interval_s)
        async with places:
            result = await join(pledge, proxy, timing, form)
        on_result(result)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(*numbered)) for numbered in enumerate(pledges)]
    return [task.result() for task in tasks]
