"""The API on TCP: TLS 1.3 or nothing, and no more of anything than there is room for."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, request_response
from structlog.testing import capture_logs

from jrc.admin import server, tls_server
from jrc.admin.api_metrics import ApiCounts
from jrc.admin.certificate import Certificate
from jrc.admin.server import HttpServer
from jrc.admin.tls_server import Turns
from jrc.errors import OperatorError
from tests.certificates import Files, self_signed

WITHIN_S = 30
SOON_S = 0.02


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _read(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(routes=[Route("/", _hello), Route("/", _read, methods=["POST"])])


class Place:
    """A server on loopback, and who connects to it."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.counts = ApiCounts()
        self.certificate = Certificate(*files)
        self.server: HttpServer

    def run(self, work: Callable[["Place"], Awaitable[None]]) -> None:
        """``work`` while the server is there."""

        async def session() -> None:
            listener = server.bind_tcp("api", "127.0.0.1", 0)
            self.server = tls_server.tls_server(APP, listener, self.certificate, self.counts)
            await self.server.start()
            try:
                async with asyncio.timeout(WITHIN_S):
                    await work(self)
            finally:
                await self.server.stop()

        asyncio.run(session())

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.files.certificate)

    async def ask(self, context: ssl.SSLContext | None = None) -> str:
        async with httpx.AsyncClient(verify=context or self.context(), trust_env=False) as client:
            return (await client.get(f"https://127.0.0.1:{self.server.port}/")).text

    async def connect(
        self, from_: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port, local_addr=(from_, 0))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(self_signed(tmp_path))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes do not have to take turns here."""
    monkeypatch.setattr(tls_server, "HANDSHAKES_PER_S", 10_000)


async def hung_up(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_tls_1_3_is_served_and_nothing_older(place: Place) -> None:
    """With the certificate of the files."""

    async def work(place: Place) -> None:
        assert await place.ask() == "hello"
        old = place.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            await place.ask(old)
        assert await place.ask() == "hello"

    place.run(work)
    assert place.counts.hung_up == 1


def test_plain_http_gets_no_answer(place: Place) -> None:
    """Not even one that says why: a token would have been sent in the clear."""

    async def work(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer jrc_x\r\n\r\n")
        said = await reader.read()
        assert b"HTTP" not in said
        writer.close()
        assert await place.ask() == "hello"

    place.run(work)


def test_a_fault_with_one_connection_makes_nobody_deaf(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, and the next connection is taken."""
    faults = iter([KeyError("one"), KeyError("two")])

    def source_of(address: str) -> str:
        for fault in faults:
            raise fault
        return address

    monkeypatch.setattr(tls_server, "source_of", source_of)
    monkeypatch.setattr(tls_server, "_RETRY_S", SOON_S)

    async def work(place: Place) -> None:
        for _ in range(2):
            reader, writer = await place.connect()
            assert await hung_up(reader)
            writer.close()
        assert await place.ask() == "hello"

    with capture_logs() as logs:
        place.run(work)
    (said,) = [entry for entry in logs if entry["event"] == "api_connection_lost"]
    assert ("error", "KeyError", "'one'") == (said["log_level"], said["kind"], said["error"])
    assert place.counts.hung_up == 2


def test_who_stands_still_in_the_handshake_is_hung_up_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are served again at once."""
    monkeypatch.setattr(tls_server, "HANDSHAKE_WITHIN_S", 0.2)

    async def work(place: Place) -> None:
        with ExitStack() as stack:
            readers = []
            for _ in range(3):
                reader, writer = await place.connect()
                stack.callback(writer.close)
                readers.append(reader)
            for reader in readers:
                assert await hung_up(reader)
        assert await place.ask() == "hello"

    place.run(work)
    assert place.counts.hung_up == 3


def test_so_many_handshakes_are_under_way_and_one_address_has_half_of_the_places(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands still in all of his keeps nobody else out; none ends by itself here."""
    monkeypatch.setattr(tls_server, "HANDSHAKE_WITHIN_S", 2 * WITHIN_S)
    monkeypatch.setattr(tls_server, "MAX_HANDSHAKES", 7)

    async def work(place: Place) -> None:
        with ExitStack() as stack:

            async def stand(host: int) -> asyncio.StreamReader:
                reader, writer = await place.connect(f"127.0.0.{host}")
                stack.callback(writer.close)
                return reader

            # Of 7 places the first has 3, the next 2 of 4, then each one: there are no more.
            for hung_up_on, host in enumerate((2, 2, 2, 3, 3, 4, 5)):
                await stand(host)
                if hung_up_on == 2:
                    assert await hung_up(await stand(2))
                    assert await place.ask() == "hello"
                if hung_up_on == 4:
                    assert await hung_up(await stand(3))
            assert place.counts.hung_up == 2
            assert await hung_up(await stand(6))
            assert await hung_up(await stand(2))

    place.run(work)


def test_one_address_has_so_many_connections(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gets new ones as soon as one of these is closed, a failed handshake's among them."""
    monkeypatch.setattr(tls_server, "MAX_FROM_ONE", 2)
    monkeypatch.setattr(tls_server, "HANDSHAKE_WITHIN_S", 2 * WITHIN_S)

    async def work(place: Place) -> None:
        context = place.context()
        held = [
            await asyncio.open_connection("127.0.0.1", place.server.port, ssl=context)
            for _ in range(2)
        ]
        reader, writer = await place.connect()
        assert await hung_up(reader)
        writer.close()
        for _, open_ in held:
            open_.close()
            await open_.wait_closed()
        for _ in range(3):
            reader, writer = await place.connect()
            writer.write(b"no TLS at all, whatever it may be")
            await hung_up(reader)
            writer.close()
        while True:
            try:
                assert await place.ask() == "hello"
                return
            except httpx.TransportError:
                await asyncio.sleep(0)

    place.run(work)


def test_who_asks_nothing_is_hung_up_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that never ends, behind a good handshake."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)

    async def work(place: Place) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", place.server.port, ssl=place.context()
        )
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: ")
        assert await hung_up(reader)
        writer.close()

    place.run(work)


def test_a_body_that_does_not_go_on_is_not_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does is, however slowly it comes."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\n"

    async def begun(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", place.server.port, ssl=place.context()
        )
        writer.write(head)
        return reader, writer

    async def work(place: Place) -> None:
        reader, slow = await begun(place)
        for _ in range(40):
            slow.write(b"x")
            await asyncio.sleep(SOON_S)
        assert (await reader.readline()).endswith(b" 200 OK\r\n")
        reader, silent = await begun(place)
        assert await hung_up(reader)
        slow.close()
        silent.close()

    place.run(work)


def test_a_body_that_the_registrar_does_not_take_is_not_held_against_who_sends_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import waits for its turn with a body that is longer than what is taken meanwhile."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)
    patient, looks, size = asyncio.Event(), 0, 1 << 20
    look = tls_server._TlsProtocol._look

    def looking(self: tls_server._TlsProtocol) -> None:
        nonlocal looks
        looks += 1
        look(self)
        if looks == 2 * tls_server.MAX_SILENT_LOOKS:
            patient.set()

    async def late(request: Request) -> Response:
        await patient.wait()
        return await _read(request)

    monkeypatch.setattr(tls_server._TlsProtocol, "_look", looking)
    monkeypatch.setattr(APP.routes[1], "app", request_response(late))

    async def work(place: Place) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", place.server.port, ssl=place.context()
        )
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        writer.write(bytes(size))
        assert str(size).encode() in await reader.readuntil(str(size).encode())
        writer.close()

    place.run(work)


def test_handshakes_beyond_a_seconds_measure_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put between two of them grows once the measure is spent."""
    monkeypatch.setattr(tls_server, "HANDSHAKES_PER_S", 20)
    now_s = 1000.0
    turns = Turns(lambda: now_s)
    waits = [round(turns.wait_s(), 2) for _ in range(15)]
    assert waits == [0] * 10 + [0.05, 0.1, 0.15, 0.2, 0.25]
    now_s += 100
    assert [turns.wait_s() for _ in range(10)] == [0] * 10
    assert turns.wait_s() > 0


def test_a_new_certificate_is_taken_without_a_restart(place: Place, tmp_path: Path) -> None:
    """Connections that are open go on; the next handshake has it."""

    async def work(place: Place) -> None:
        old = place.context()
        async with httpx.AsyncClient(verify=old, trust_env=False) as client:
            url = f"https://127.0.0.1:{place.server.port}/"
            assert (await client.get(url)).text == "hello"
            self_signed(tmp_path, days=30)
            assert place.certificate.look()
            assert not place.certificate.look()
            assert (await client.get(url)).text == "hello"
        assert await place.ask() == "hello"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await place.ask(old)

    place.run(work)


def test_files_that_do_not_fit_change_nothing(place: Place, tmp_path: Path) -> None:
    """A certificate is renewed in two files, one after the other."""
    (tmp_path / "other").mkdir()
    other = self_signed(tmp_path / "other")

    async def work(place: Place) -> None:
        before = place.files.certificate.read_bytes()
        place.files.private_key.write_bytes(other.private_key.read_bytes())
        with pytest.raises(OperatorError, match="do not make a pair"):
            place.certificate.look()
        assert await place.ask() == "hello"
        place.files.certificate.write_bytes(other.certificate.read_bytes())
        assert place.certificate.look()
        assert await place.ask() == "hello"
        assert place.files.certificate.read_bytes() != before

    place.run(work)


def test_a_small_answer_is_sent_at_once(place: Place) -> None:
    """Not 40 ms late, when the far side has acknowledged its head (TCP_NODELAY)."""
    seen: list[int] = []
    made = tls_server._TlsProtocol.connection_made

    def looking(self: tls_server._TlsProtocol, transport: asyncio.Transport) -> None:
        end = transport.get_extra_info("socket")
        seen.append(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    async def work(place: Place) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tls_server._TlsProtocol, "connection_made", looking)
            await place.ask()

    place.run(work)
    assert seen == [1]


def test_an_address_that_is_taken_is_one_sentence() -> None:
    """The key's name and the address."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OperatorError, match=r"api\.listen: 127\.0\.0\.1 port \d+ can't"):
            server.bind_tcp("api", "127.0.0.1", other.getsockname()[1])


def test_joins_are_answered_between_two_that_are_hung_up_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has all the connections he may have goes on to connect, as fast as he can."""
    monkeypatch.setattr(tls_server, "MAX_FROM_ONE", 0)
    many = 20

    async def work(place: Place) -> None:
        with ExitStack() as stack:
            for _ in range(many):
                made = stack.enter_context(socket.socket())
                made.setblocking(False)
                made.connect_ex(("127.0.0.1", place.server.port))
            before = turns = 0
            while before < many:
                await asyncio.sleep(0)
                assert place.counts.hung_up - before <= 2
                before, turns = place.counts.hung_up, turns + 1
            assert turns >= many // 2

    place.run(work)


def test_the_next_handshake_waits_for_its_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile nobody's certificate is computed with."""
    monkeypatch.setattr(Turns, "wait_s", lambda _self: 2.0 * WITHIN_S)

    async def work(place: Place) -> None:
        assert await place.ask() == "hello"
        reader, writer = await place.connect()
        writer.write(b"no TLS at all, whatever it may be")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await hung_up(reader)
        writer.close()

    place.run(work)
