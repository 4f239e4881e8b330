"""The admin socket and the metrics port: who may connect, what is cleaned up, what is refused."""

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from jrc.admin.peers import actor_of
from jrc.admin.server import AdminServer, bind_unix, metrics_server
from jrc.errors import ExitCode, OperatorError


async def _who(request: Request) -> Response:
    return JSONResponse({"actor": actor_of(request.scope)})


APP = Starlette(routes=[Route("/who", _who)])


def _with_server(path: Path, work: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        server = AdminServer(APP, path)
        await server.start()
        try:
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
                await work(client)
        finally:
            await server.stop()

    asyncio.run(run())


def test_the_actor_is_the_user_that_the_kernel_names(tmp_path: Path) -> None:
    """SO_PEERCRED of the connection gives user id and name."""

    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get("/who", headers={"x-forwarded-for": "10.0.0.1"})
        assert answer.json()["actor"].startswith(f"uid={os.geteuid()}")

    _with_server(tmp_path / "s", work)


def test_the_socket_is_for_owner_and_group_whatever_the_umask(tmp_path: Path) -> None:
    """Mode 0660 from the moment the file exists, and the umask is as it was."""
    before = os.umask(0)
    try:
        listener = bind_unix(tmp_path / "s")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    listener.close()
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    """A crashed daemon leaves its socket file behind; a running one is not robbed of its."""
    path = tmp_path / "s"
    bind_unix(path).close()
    listener = bind_unix(path)
    with pytest.raises(OperatorError, match="another process answers") as caught:
        bind_unix(path)
    assert caught.value.exit_code is ExitCode.REFUSED
    listener.close()


def test_a_live_socket_with_a_full_queue_is_not_stale(tmp_path: Path) -> None:
    """A daemon that is too busy to accept still owns its socket."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as owner:
        owner.bind(str(path))
        owner.listen(0)
        waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(OperatorError, match="another process answers"):
            bind_unix(path)
        for client in waiting:
            client.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """A wrong path in the config must not cost a file."""
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(OperatorError, match="no socket"):
        bind_unix(path)
    assert path.read_text() == "x"


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    """The key's name, the path and what to do."""
    with pytest.raises(OperatorError, match=r"admin\.socket.*No such file") as caught:
        bind_unix(tmp_path / "missing" / "s")
    assert "make the folder" in caught.value.hint


def test_the_file_goes_with_the_server_and_another_ones_stays(tmp_path: Path) -> None:
    """A daemon that stops late does not remove its successor's socket."""
    path = tmp_path / "s"

    async def gone(_client: httpx.AsyncClient) -> None:
        assert path.exists()

    _with_server(path, gone)
    assert not path.exists()

    async def replaced(client: httpx.AsyncClient) -> None:
        await client.get("/who")
        path.unlink()
        path.write_text("successor")

    _with_server(path, replaced)
    assert path.read_text() == "successor"


def test_a_request_that_hangs_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    """What is under way gets a grace, then it is cancelled."""
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return PlainTextResponse("never")

    async def run() -> None:
        app = Starlette(routes=[Route("/hang", hang)])
        server = AdminServer(app, tmp_path / "s", grace_s=0)
        await server.start()
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "s"))
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            request = asyncio.create_task(client.get("/hang"))
            await began.wait()
            await server.stop()
            with pytest.raises(httpx.HTTPError):
                (await request).raise_for_status()

    asyncio.run(run())
    assert cancelled.is_set()


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x00\x00", b"GET\r\n\r\n", b"A" * 70_000])
def test_what_is_no_http_gets_a_400_and_the_server_lives_on(tmp_path: Path, raw: bytes) -> None:
    """Garbage on the socket, among it a header that never ends."""

    async def work(client: httpx.AsyncClient) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(raw)
        answer = await reader.read(1000)
        writer.close()
        assert answer.split()[1] == b"400"
        assert (await client.get("/who")).status_code == 200

    _with_server(tmp_path / "s", work)


def test_a_metrics_address_in_use_is_one_sentence() -> None:
    """The key's name and the address, not a traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OperatorError, match=r"metrics\.listen: 127\.0\.0\.1 port \d+ can't"):
            metrics_server(APP, "127.0.0.1", other.getsockname()[1])
