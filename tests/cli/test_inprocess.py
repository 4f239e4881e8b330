"""Requests to an application in this process, with answers of any length."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from jrc.cli.inprocess import InProcess

PIECE = b"x" * 64 * 1024
ended: list[str] = []


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body(), status_code=201)


async def long(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield PIECE

    return StreamingResponse(pieces())


async def broken(_request: Request) -> Response:
    raise KeyError("broken")


async def breaking(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield PIECE
        raise KeyError("breaking")

    return StreamingResponse(pieces())


def client() -> httpx.AsyncClient:
    handlers = (echo, long, broken, breaking)
    routes = [Route(f"/{each.__name__}", each, methods=["GET", "POST"]) for each in handlers]
    app = Starlette(routes=routes)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            ended.append(scope["path"])

    return httpx.AsyncClient(transport=InProcess(watched), base_url="http://jrc")


def test_a_body_that_is_sent_in_pieces_is_answered() -> None:
    """Status and body of the application."""

    async def sent() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    async def ask() -> httpx.Response:
        async with client() as asking:
            return await asking.post("/echo", content=sent())

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.content) == (201, b"012")


def test_a_long_answer_is_never_in_memory_as_a_whole() -> None:
    """The application waits for who reads it."""

    async def ask() -> int:
        total = 0
        async with client() as asking, asking.stream("GET", "/long") as answer:
            async for piece in answer.aiter_raw():
                total += len(piece)
        return total

    tracemalloc.start()
    try:
        total = asyncio.run(ask())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 500 * len(PIECE)
    assert peak < 3_000_000


@pytest.mark.parametrize("path", ["/broken", "/breaking"])
def test_what_the_application_raises_comes_through(path: str) -> None:
    """Before the answer begins, and in the middle of it."""

    async def ask() -> httpx.Response:
        async with client() as asking:
            return await asking.get(path)

    with pytest.raises(KeyError, match=path[1:]):
        asyncio.run(ask())


def test_an_answer_that_nobody_reads_to_its_end_is_broken_off() -> None:
    """The application is not left behind."""

    async def ask() -> list[str]:
        async with client() as asking, asking.stream("GET", "/long") as answer:
            ended.clear()
            await anext(answer.aiter_raw())
        return list(ended)

    assert asyncio.run(ask()) == ["/long"]
