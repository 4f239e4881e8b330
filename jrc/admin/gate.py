"""Who comes in over TCP: only with a token, which is looked up anew for each request.

So one that is revoked counts no more from the next request on, at whatever registrar of the
database it was revoked. Whoever has none that counts is told the same, whatever is wrong with it.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jrc.admin.api_metrics import ApiCounts
from jrc.admin.hanging_up import hang_up
from jrc.admin.problems import on_operator_error, on_state_error, problem
from jrc.admin.refusals import WINDOW_S, Refusals, source_of
from jrc.admin.services import Transactions
from jrc.errors import ExitCode, OperatorError, StateError
from jrc.policy.scopes import Scope as Held
from jrc.policy.scopes import held_with
from jrc.service.registry import Registry
from jrc.service.token_store import TokenRecord
from jrc.service.tokens import (
    MAX_TOKENS,
    Doubt,
    check_token,
    is_token,
    needs_note,
    note_use,
    token_hash,
)

MAX_REQUESTS: Final = 32
"""At a time, of all callers over TCP."""
MAX_KNOWN: Final = 2 * MAX_TOKENS
"""Tokens that count or have counted, which bad ones from the same address do not hinder."""
TAKEN_WITHIN_S: Final = 10.0
"""Whoever does not take a refusal for so long is hung up on."""
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_BEARER: Final = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_SAY_AGAIN_S: Final = 60.0

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who has shown a token; a ``peers.Caller``."""

    actor: str
    scopes: frozenset[Held]


class Gate:
    """``app`` for who has a token; ``now_s`` is a monotonic clock."""

    def __init__(
        self,
        app: ASGIApp,
        transactions: Transactions,
        counts: ApiCounts,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._transactions = transactions
        self._counts = counts
        self._now_s = now_s
        self._refusals = Refusals(now_s)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._said_s = -_SAY_AGAIN_S
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._requests >= MAX_REQUESTS:
            await _sent(_busy(), scope, receive, send)
            return
        self._requests += 1
        try:
            await self._serve(scope, receive, _uncached(send))
        finally:
            self._requests -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await self._bearer(scope)
        except OperatorError as error:
            found = await on_operator_error(Request(scope), error)
        except StateError as error:
            found = await on_state_error(Request(scope), error)
        if isinstance(found, Response):
            await _sent(found, scope, receive, send)
            return
        scope.setdefault("state", {})["peer"] = found
        await self._app(scope, receive, send)

    async def _bearer(self, scope: Scope) -> Bearer | Response:
        source = source_of((scope.get("client") or ("",))[0])
        text = _token_in(scope["headers"])
        mark = token_hash(text)
        if mark not in self._known and self._refusals.are_many(source):
            return self._refused(Doubt.LIMITED, source)
        if not is_token(text):
            return self._refused(Doubt.MALFORMED if text else Doubt.MISSING, source)
        found = await self._transactions.run_read(lambda tx: _looked_up(tx, text))
        if isinstance(found, Doubt):
            self._known.pop(mark, None)
            return self._refused(found, source)
        record, is_to_note = found
        self.know([mark])
        if is_to_note:
            # A token that nobody could note the use of is good all the same.
            with suppress(OperatorError):
                await self._transactions.run_write(lambda tx: note_use(tx, record.name))
        return Bearer(f"token={record.name}", held_with(record.scope))

    def know(self, hashes: Iterable[bytes]) -> None:
        """These are hashes of tokens: they are looked up, whoever else tries some."""
        for each in hashes:
            self._known[each] = None
            self._known.move_to_end(each)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _refused(self, doubt: Doubt, source: str) -> Response:
        self._counts.refused[doubt] += 1
        if doubt is Doubt.LIMITED:
            return _limited()
        if self._refusals.note(source) and self._now_s() - self._said_s >= _SAY_AGAIN_S:
            self._said_s = self._now_s()
            _log.warning("api_tokens_refused", source=source, hint="see docs/api.md")
        return _unknown()


def _looked_up(tx: Registry, text: str) -> tuple[TokenRecord, bool] | Doubt:
    found = check_token(tx, text)
    return found if isinstance(found, Doubt) else (found, needs_note(tx, found))


def _token_in(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The token in the one header that may hold it; empty where there is none, or more than one."""
    found = [value for name, value in headers if name == b"authorization"]
    match = _BEARER.fullmatch(found[0].decode("latin-1").strip()) if len(found) == 1 else None
    return match[1] if match else ""


async def _sent(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """A refusal; who asks on and on, and reads none, would keep a place among the requests."""
    try:
        async with asyncio.timeout(TAKEN_WITHIN_S):
            await refusal(scope, receive, send)
    except TimeoutError:
        await hang_up(scope, receive)


def _unknown() -> Response:
    answer = problem(
        "this needs a token, and there is none that counts",
        "send `Authorization: Bearer jrc_...`; on the registrar's host `jrc token list` tells which"
        " count, and `jrc token add` makes one",
        status=_UNAUTHORIZED,
        exit_code=ExitCode.REFUSED,
    )
    answer.headers["www-authenticate"] = 'Bearer realm="jrc"'
    return answer


def _limited() -> Response:
    answer = problem(
        "too many tokens from this address did not count",
        f"wait for {WINDOW_S:.0f} s",
        status=_TOO_MANY,
        exit_code=ExitCode.REFUSED,
    )
    answer.headers["retry-after"] = f"{WINDOW_S:.0f}"
    return answer


def _busy() -> Response:
    answer = problem(
        f"{MAX_REQUESTS} requests are under way",
        "try again in a while",
        status=_UNAVAILABLE,
        exit_code=ExitCode.UNFINISHED,
    )
    answer.headers["retry-after"] = "1"
    return answer


def _uncached(send: Send) -> Send:
    """``send`` with answers that nobody on the way may keep."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"cache-control", b"no-store")]
        await send(message)

    return sent
