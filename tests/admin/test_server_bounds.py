"""What connections can cost: so many at a time, and none that waits without asking."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jrc.admin import server
from jrc.admin.server import MAX_CONNECTIONS, AdminServer, HttpServer, metrics_server, page_server

SOON_S = 0.02
WITHIN_S = 30
ASK = b"GET / HTTP/1.1\r\nhost: jrc\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


def _app(handler: Callable[[Request], Awaitable[Response]] = _hello) -> Starlette:
    return Starlette(routes=[Route("/", handler)])


def _with_metrics(work: Callable[[HttpServer], Awaitable[None]]) -> None:
    async def run() -> None:
        http = metrics_server(_app(), "127.0.0.1", 0)
        await http.start()
        try:
            async with asyncio.timeout(WITHIN_S):
                await work(http)
        finally:
            await http.stop()

    asyncio.run(run())


async def _connect(http: HttpServer) -> Connection:
    return await asyncio.open_connection("127.0.0.1", http.port)


async def _is_hung_up(connection: Connection) -> bool:
    reader, writer = connection
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


async def _answers(http: HttpServer) -> bool:
    reader, writer = await _connect(http)
    try:
        writer.write(ASK)
        return (await reader.read(12)).endswith(b" 200")
    except ConnectionResetError:
        return False
    finally:
        writer.close()


def test_who_connects_beyond_the_bound_is_hung_up_on() -> None:
    """Idle connections take no more files than these, and the next that leaves makes room."""

    async def work(http: HttpServer) -> None:
        with ExitStack() as stack:
            held = [await _connect(http) for _ in range(MAX_CONNECTIONS)]
            for _, writer in held:
                stack.callback(writer.close)
            assert await _is_hung_up(await _connect(http))
            held[0][1].close()
            while not await _answers(http):
                pass

    _with_metrics(work)


@pytest.mark.parametrize(
    "said", [b"", ASK[:-2], ASK + b"G", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"]
)
def test_who_does_not_ask_is_hung_up_on(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, a head or a body without an end, half of a second request."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)

    async def work(http: HttpServer) -> None:
        reader, writer = await _connect(http)
        writer.write(said)
        await reader.read()
        assert reader.at_eof()
        writer.close()
        assert await _answers(http)

    _with_metrics(work)


def test_an_answer_of_the_admin_socket_may_take_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Followers of the audit log, imports and installers wait for longer than a look."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)
    looks = asyncio.Queue[None]()
    look = server.BoundedProtocol._look

    def looking(self: server.BoundedProtocol) -> None:
        look(self)
        looks.put_nowait(None)

    monkeypatch.setattr(server.BoundedProtocol, "_look", looking)

    async def late(_request: Request) -> Response:
        for _ in range(3):
            await looks.get()
        return PlainTextResponse("at last")

    async def run() -> None:
        admin = AdminServer(_app(late), tmp_path / "s")
        await admin.start()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(ASK)
        assert (await reader.readline()).endswith(b" 200 OK\r\n")
        writer.close()
        await admin.stop()

    asyncio.run(run())


async def _whole(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def test_a_page_is_not_kept_waiting_for_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no session may send one; bytes that trickle in are no better than none."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", SOON_S)
    routes = [Route("/", _whole, methods=["POST"])]

    async def run() -> None:
        http = page_server(Starlette(routes=routes), "127.0.0.1", 0)
        await http.start()
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await _connect(http)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b"x")
                await asyncio.sleep(SOON_S)
            writer.close()
        await http.stop()

    asyncio.run(run())


def test_what_strangers_send_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """No HTTP at all, and an upgrade to what is not there."""
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"

    async def work(http: HttpServer) -> None:
        for said in (b"no HTTP\r\n\r\n", upgrade):
            reader, writer = await _connect(http)
            writer.write(said)
            assert await reader.readline()
            writer.close()

    with caplog.at_level(logging.INFO):
        _with_metrics(work)
    assert [each for each in caplog.records if each.name.startswith("uvicorn")] == []


def test_the_port_is_known_when_the_socket_is_closed() -> None:
    """An answer under way at the stop may ask for it, to check its Host or to log it."""

    async def run() -> None:
        http = metrics_server(_app(), "127.0.0.1", 0)
        port = http.port
        await http.start()
        await http.stop()
        assert http.port == port > 0

    asyncio.run(run())
