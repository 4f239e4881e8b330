"""What has changed, as server-sent events: a few numbers, which tell a page what to ask for anew.

A listener has no queue. Each second it is compared what it was told last with what is the case, so
that one who reads slowly misses the states in between and nothing else, and costs nobody anything.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from starlette.types import Receive, Scope, Send

from jrc.admin.hanging_up import hang_up
from jrc.admin.problems import problem
from jrc.errors import ExitCode

MAX_LISTENERS = 16
LOOK_EVERY_S = 1.0
BEAT_S = 15.0
"""After so long without news a comment is sent, by which a page knows that it is not alone."""
STALL_S = 30.0
"""A listener that takes nothing for so long is hung up on."""
RETRY_MS = 2000

_TOO_MANY = 503
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]
Stamps = Callable[[], Mapping[str, object]]
"""What there is to see, by topic: values that differ when it does. Called once a second a listener,
so it looks at memory alone."""

_log = structlog.get_logger("jrc")


class Feed:
    """As an ASGI application. Numbers begin at ``first``, which differs from start to start."""

    def __init__(
        self,
        stamps: Stamps,
        first: int,
        *,
        look_every_s: float = LOOK_EVERY_S,
        beat_s: float = BEAT_S,
        stall_s: float = STALL_S,
    ) -> None:
        self._stamps = stamps
        self._seen: dict[str, object] = {}
        self._revisions: dict[str, int] = {}
        self._first = first
        self._look_every_s = look_every_s
        self._beat_s = beat_s
        self._stall_s = stall_s
        self._dismissed = asyncio.Event()
        self._is_over = False
        self.listeners = 0

    def end(self) -> None:
        """Let every listener go; who comes then is told to come again."""
        self._is_over = True
        self.dismiss()

    def dismiss(self) -> None:
        """Let every listener go; who comes then listens, if somebody lets them in."""
        self._dismissed.set()
        self._dismissed = asyncio.Event()

    def revisions(self) -> dict[str, int]:
        """A number for each topic, which goes up when something of it has changed."""
        for topic, stamp in self._stamps().items():
            if topic not in self._seen:
                self._revisions[topic] = self._first
            elif stamp != self._seen[topic]:
                self._revisions[topic] += 1
            self._seen[topic] = stamp
        return dict(self._revisions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.listeners >= MAX_LISTENERS or self._is_over:
            refused = problem(
                f"{MAX_LISTENERS} pages listen already",
                "close one of them",
                status=_TOO_MANY,
                exit_code=ExitCode.UNFINISHED,
            )
            await refused(scope, receive, send)
            return
        self.listeners += 1
        try:
            await self._tell(receive, send)
        except TimeoutError:
            _log.info("page_listener_stalled", after_s=self._stall_s)
            await hang_up(scope, receive)
        finally:
            self.listeners -= 1

    async def _tell(self, receive: Receive, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._body(send, f"retry: {RETRY_MS}\n\n")
        loop, told_s, dismissed = asyncio.get_running_loop(), 0.0, self._dismissed
        told: dict[str, int] | None = None
        async with _until_gone(receive, dismissed) as has_gone:
            while not await has_gone(0.0 if told is None else self._look_every_s):
                revisions = self.revisions()
                if revisions != told:
                    told, text = revisions, _event(revisions)
                elif loop.time() - told_s >= self._beat_s:
                    text = ": here\n\n"
                else:
                    continue
                await self._body(send, text)
                told_s = loop.time()
        if dismissed.is_set():
            await self._send(send, {"type": "http.response.body", "body": b""})

    async def _body(self, send: Send, text: str) -> None:
        body = {"type": "http.response.body", "body": text.encode(), "more_body": True}
        await self._send(send, body)

    async def _send(self, send: Send, message: dict[str, object]) -> None:
        async with asyncio.timeout(self._stall_s):
            await send(message)


def _event(revisions: Mapping[str, int]) -> str:
    number = max(revisions.values(), default=0)
    return f"id: {number}\nevent: changed\ndata: {json.dumps(revisions)}\n\n"


@contextlib.asynccontextmanager
async def _until_gone(
    receive: Receive, ended: asyncio.Event
) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
    """Gives a function that waits so many seconds, and says whether it is over."""

    async def disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    ends = [asyncio.create_task(disconnected()), asyncio.create_task(ended.wait())]

    async def has_gone(within_s: float) -> bool:
        done, _ = await asyncio.wait(ends, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    try:
        yield has_gone
    finally:
        for task in ends:
            task.cancel()
