"""Who asks a process that may open no more files is answered all the same."""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jrc.admin.reserve import ReservingSocket
from jrc.admin.server import HttpServer, metrics_server

WITHIN_S = 30
ASK = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
HIGHEST = 4096


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process has all open that it may."""
    number, kept = resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(number, (min(kept[0], HIGHEST), kept[1]))
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, number, kept)
        try:
            while True:
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError:
            yield


async def _answer(client: socket.socket, http: HttpServer) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", http.port))
    await loop.sock_sendall(client, ASK)
    heard = b""
    while piece := await loop.sock_recv(client, 4096):
        heard += piece
    return heard  # and the client keeps its file


def test_o04_a_process_without_files_says_how_it_is_time_and_again() -> None:
    """Each by the file that was kept for it; nothing is logged as an error of the loop."""
    complaints: list[object] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _l, told: complaints.append(told))
        http = metrics_server(Starlette(routes=[Route("/", _hello)]), "127.0.0.1", 0)
        await http.start()
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
        with no_more_files():
            for client in clients:
                async with asyncio.timeout(WITHIN_S):
                    assert (await _answer(client, http)).endswith(b"hello")
        for client in clients:
            client.close()
        await http.stop()

    asyncio.run(work())
    assert [] == complaints


def test_a_socket_in_reserve_is_the_one_it_was_made_of() -> None:
    """Its address and its state; what it was made of is closed without closing it."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        address = made.getsockname()
        with ReservingSocket(made) as listener:
            assert (address, -1) == (listener.getsockname(), made.fileno())
            socket.create_connection(address).close()
            connection, _ = listener.accept()
            connection.close()


def test_what_is_in_reserve_goes_with_the_socket() -> None:
    """No file stays open."""
    before = set(os.listdir("/proc/self/fd"))
    ReservingSocket(socket.socket()).close()
    assert before == set(os.listdir("/proc/self/fd"))
