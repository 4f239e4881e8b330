"""Requests to the admin API in this process, where no daemon runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

App = Callable[..., Awaitable[None]]
"""An ASGI application."""

_PIECES = 8
"""Pieces of an answer that wait to be read."""


class InProcess(httpx.AsyncBaseTransport):
    """As ``httpx.ASGITransport``, but a long answer is never in memory as a whole."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, once it has begun."""
        return await _Exchange(self._app, request).begin()


class _Exchange(httpx.AsyncByteStream):
    """One request and the body of its answer; what the application raises is raised here."""

    def __init__(self, app: App, request: httpx.Request) -> None:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self._app = app
        self._request = request
        self._sent = aiter(request.stream)
        self._is_sent = False
        self._head: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_PIECES)
        self._ended = asyncio.Event()

    async def begin(self) -> httpx.Response:
        self._work = asyncio.ensure_future(self._app(self._scope(), self._receive, self._send))
        self._work.add_done_callback(self._end)
        began = asyncio.create_task(self._head.get())
        await asyncio.wait((self._work, began), return_when=asyncio.FIRST_COMPLETED)
        if not began.done():
            began.cancel()
            await self._work
        head = began.result()
        return httpx.Response(head["status"], headers=head["headers"], stream=self)

    def _end(self, _work: object) -> None:
        self._ended.set()
        self._pieces.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            self._room.release()
            yield piece
        await self._work

    async def aclose(self) -> None:
        if not self._work.done():
            self._work.cancel()
        await asyncio.wait((self._work,))

    def _scope(self) -> dict[str, object]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": None,
            "root_path": "",
        }

    async def _receive(self) -> dict[str, object]:
        if self._is_sent:
            await self._ended.wait()
            return {"type": "http.disconnect"}
        piece = await anext(self._sent, None)
        self._is_sent = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": not self._is_sent}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head.put_nowait(message)
            return
        if message.get("body"):
            await self._room.acquire()
            self._pieces.put_nowait(message["body"])
        if not message.get("more_body"):
            self._ended.set()
