"""Updates on an asyncio loop and real sockets, to a whole aiocoap server (RFC 9031 §8.2)."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiocoap  # type: ignore[import-untyped]
import pytest
from aiocoap import resource
from aiocoap.numbers.codes import CHANGED  # type: ignore[import-untyped]

from jrc.coap.endpoint import Datagram, Endpoint, bind
from jrc.coap.update_driver import UpdateDriver
from jrc.coap.updates import UpdateClient
from jrc.cojp.exchange import RetransmissionTiming
from jrc.cojp.replay import NumberBlock
from jrc.lab.pledge import JOIN_PATH
from jrc.service.update_ports import Answered, UpdateError, UpdateHint, UpdateOutcome
from tests.coap.update_bed import FAST, NUMBER, PAYLOAD, Bed, Node

WITHIN_S = 60.0
HOST = "::1"
DONE = Answered(0x44, b"")
SHORT = RetransmissionTiming(0.05, 1.0, 2)


class Configured(resource.Resource):  # type: ignore[misc]
    """All that a node serves, under OSCORE; it takes its time if it is to.

    aiocoap's own wrapper is for servers whose keys come by EDHOC, too.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.taken: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def render_to_pipe(self, pipe: Any) -> None:
        """What raises here leaves as aiocoap has it: the 4.01 with Echo is such an error."""
        inner, identifiers = self.node.context.unprotect(pipe.request)
        assert JOIN_PATH == inner.opt.uri_path
        self.taken.append(inner.payload)
        await self.may_answer.wait()
        answer, _ = self.node.context.protect(aiocoap.Message(code=CHANGED), identifiers)
        pipe.add_response(answer, is_last=True)


@asynccontextmanager
async def served(node: Node) -> AsyncIterator[tuple[Configured, int]]:
    """aiocoap's own server with the node's context, on a port of loopback."""
    configured = Configured(node)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    context = await aiocoap.Context.create_server_context(
        configured,
        bind=(HOST, port),
        transports=["udp6"],
    )
    try:
        yield configured, port
    finally:
        await context.shutdown()


class Registrar:
    """An endpoint with nothing behind it but updates."""

    def __init__(
        self, listener: socket.socket, port: int, timing: RetransmissionTiming | None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.endpoint = Endpoint([listener], self._arrived)
        self.outcomes: list[UpdateOutcome] = []
        self.left: list[Datagram] = []
        numbers = count()
        self.client = UpdateClient(
            self._send,
            Bed(),
            loop.time,
            secrets.token_bytes,
            self.outcomes.extend,
            lambda _reason: None,
            lambda: next(numbers),
            FAST,
            timing,
            port=port,
        )
        self.driver = UpdateDriver(self.client, loop)
        self._port = port
        self.endpoint.start(loop)

    def _arrived(self, datagrams: list[Datagram]) -> None:
        self.left += self.driver.receive(datagrams)

    def _send(self, data: bytes, address: Any) -> bool:
        way = self.endpoint.way_to(address, self._port)
        return way is not None and self.endpoint.ask(data, way)

    async def ended(self, updates: int = 1) -> list[UpdateOutcome]:
        await until(lambda: len(self.outcomes) >= updates)
        return self.outcomes


async def until(is_so: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(WITHIN_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind(HOST, 0) as listener:
        yield listener


@pytest.fixture
def node() -> Node:
    node = Node()
    node.address = type(node.address)(HOST)
    return node


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work, 2 * WITHIN_S)

    asyncio.run(bounded())


def test_e01_an_aiocoap_server_takes_an_update(listener: socket.socket, node: Node) -> None:
    """Piggybacked; neither CoAP nor OSCORE nor the server is ours (RFC 9031 §8.2)."""

    async def scene() -> None:
        async with served(node) as (configured, port):
            registrar = Registrar(listener, port, None)
            registrar.driver.begin(node.update())
            assert [UpdateOutcome("ref", 1, DONE, None, None, 1)] == await registrar.ended()
            assert [PAYLOAD] == configured.taken
            registrar.driver.stop()

    run(scene())


def test_e01_an_aiocoap_server_answers_apart(listener: socket.socket, node: Node) -> None:
    """An empty ACK first, then a CON that is acknowledged (RFC 7252 §5.2.2)."""

    async def scene() -> None:
        async with served(node) as (configured, port):
            configured.may_answer.clear()
            registrar = Registrar(listener, port, None)
            registrar.driver.begin(node.update())
            (run_,) = registrar.client._by_token.values()
            await until(lambda: run_.hint == UpdateHint.ACKNOWLEDGED)
            configured.may_answer.set()
            expected = UpdateOutcome("ref", 1, DONE, None, UpdateHint.ACKNOWLEDGED, 1)
            assert [expected] == await registrar.ended()
            assert 1 == len(registrar.client._acknowledged)

    run(scene())


def test_b07_an_aiocoap_server_that_lost_its_window_is_told_again(
    listener: socket.socket, node: Node
) -> None:
    """4.01 with Echo, then the same under the next number (RFC 8613 App. B.1.2)."""

    async def scene() -> None:
        async with served(node) as (configured, port):
            node.challenge(bytes(8))
            registrar = Registrar(listener, port, None)
            # Both numbers are due.
            registrar.driver.begin(node.update(numbers=NumberBlock(NUMBER - 1, NUMBER + 1)))
            assert [UpdateOutcome("ref", 1, DONE, None, None, 2)] == await registrar.ended()
            assert [PAYLOAD] == configured.taken

    run(scene())


def test_e01_one_timer_sends_again_and_gives_up(listener: socket.socket, node: Node) -> None:
    """Nobody listens; another update that begins later is not held up by the first."""

    async def scene() -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as deaf:
            deaf.bind((HOST, 0))
            registrar = Registrar(listener, deaf.getsockname()[1], SHORT)
            registrar.driver.begin(node.update("a"))
            registrar.driver.begin(node.update("b", node=2))
            assert 2 == registrar.driver.open
            outcomes = await registrar.ended(2)
            assert [("a", 3), ("b", 3)] == [(each.ref, each.transmissions) for each in outcomes]
            assert {UpdateError.NO_ANSWER} == {each.error for each in outcomes}

    run(scene())


def test_e01_a_cancelled_update_is_reported_soon(listener: socket.socket, node: Node) -> None:
    """On the loop's next turn, and not from within the call."""

    async def scene() -> None:
        registrar = Registrar(listener, 9, None)
        registrar.driver.begin(node.update())
        registrar.driver.cancel(1)
        assert [] == registrar.outcomes
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        (outcome,) = await registrar.ended()
        assert UpdateError.CANCELLED == outcome.error
        assert loop.time() - began_s < 5, "long before its retransmission"

    run(scene())


def test_e01_a_driver_that_was_stopped_does_nothing_more(
    listener: socket.socket, node: Node
) -> None:
    """The daemon ends; what is open is told again after the next start."""

    async def scene() -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as deaf:
            deaf.bind((HOST, 0))
            registrar = Registrar(listener, deaf.getsockname()[1], SHORT)
            registrar.driver.begin(node.update())
            registrar.driver.stop()
            registrar.driver.begin(node.update("b", node=2))
            assert registrar.driver._timer is None
            assert [] == registrar.outcomes

    run(scene())
