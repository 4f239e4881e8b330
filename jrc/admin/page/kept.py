"""Answers that pages get again while reads rest, so that a page need not wait to show something.

A read among a million pledges takes seconds, and the rest that follows ten times as long. Whoever
asks the same meanwhile is told what was found then, with its age (RFC 9111 §5.1).
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_KEPT: Final = 32
"""Answers; the one that was longest not asked for goes."""
MAX_KEPT_BYTES: Final = 128 * 1024
"""Of one answer: a hundred rows take some 20 kB."""
MAX_AGE_S: Final = 60.0
"""Whoever watches a change must not be shown what was long before it: they wait then."""
SHORT_REST_S: Final = 1.0
"""Who has to wait no longer than this, waits."""

_Key = tuple[str, bytes]
_OK: Final = 200


class _Answer(NamedTuple):
    """``at_s`` is when it was found, on a monotonic clock."""

    start: Message
    body: bytes
    at_s: float


class KeptAnswers:
    """``app``, whose answers to GETs come whole; ``rest_s`` says how long reads rest now."""

    def __init__(
        self,
        app: ASGIApp,
        rest_s: Callable[[], float],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._rest_s = rest_s
        self._now_s = now_s
        self._kept: OrderedDict[_Key, _Answer] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = (scope["path"], scope["query_string"])
        kept = self._kept.get(key)
        if kept is not None and self._rest_s() > SHORT_REST_S:
            age_s = self._now_s() - kept.at_s
            if age_s <= MAX_AGE_S:
                self._kept.move_to_end(key)
                await _repeat(kept, int(age_s), send)
                return
        start: Message = {}
        body = bytearray()

        async def noting(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif len(body) <= MAX_KEPT_BYTES:
                body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, noting)
        if start.get("status") == _OK and len(body) <= MAX_KEPT_BYTES:
            self._keep(key, _Answer(start, bytes(body), self._now_s()))

    def _keep(self, key: _Key, answer: _Answer) -> None:
        self._kept[key] = answer
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


async def _repeat(kept: _Answer, age_s: int, send: Send) -> None:
    headers = [*kept.start["headers"], (b"age", str(age_s).encode())]
    await send({**kept.start, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})
