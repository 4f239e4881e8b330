"""What stands before the page and before the admin API: headers that a browser obeys, and doubts.

A browser on this host may be led to any address of loopback by any page that it shows. The page has
no cookie that would come along, and refuses a ``Host`` that is no name of loopback (DNS rebinding);
the admin API, whose socket somebody may have forwarded to a port, refuses every browser: by the
headers that it sends with what could change something, and else by a ``Host`` with a dot or colon
in it, for a name of one word is no one's to buy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jrc.admin.called_as import LOOPBACK_NAMES, MISDIRECTED, guarded, host_in
from jrc.admin.problems import problem
from jrc.errors import ExitCode
from jrc.policy.scopes import Scope as Right

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Nothing but this server's own files is loaded, nothing inline runs, nobody frames it."""

_OF_BROWSERS: Final = ("origin", "sec-fetch-site")
"""Headers that every browser sends with a request that could change something."""
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_PAGE_REFUSED: Final = partial(
    problem,
    "the page answers to localhost, 127.0.0.1 and [::1]",
    "open it by one of these names, over `ssh -L` from another machine (docs/page.md)",
    status=MISDIRECTED,
    exit_code=ExitCode.REFUSED,
)
_BROWSER_REFUSED: Final = partial(
    problem,
    "the admin API is not for browsers",
    "the page is: `jrc page` says where; programs call the host localhost, or jrc",
    status=_FORBIDDEN,
    exit_code=ExitCode.REFUSED,
)


def behind_headers(app: ASGIApp) -> ASGIApp:
    """``app``, each of whose answers carries ``HEADERS``, and is kept by no cache."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await app(scope, receive, with_headers)

    return called


def on_loopback(app: ASGIApp) -> ASGIApp:
    """``app`` for requests that were meant for this host, by the name they call it."""
    return guarded(app, lambda headers: host_in(headers) in LOOPBACK_NAMES, _PAGE_REFUSED)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever has a session: as ``admin.peers.Caller``."""

    actor: str = "page"
    scopes: frozenset[Right] = frozenset({Right.READ})


def with_session(app: ASGIApp, holds: Callable[[str], bool]) -> ASGIApp:
    """``app`` for requests that bring a session which ``holds`` knows: they may read."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, session = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and holds(session.strip()):
            scope["state"] = {**scope.get("state", {}), "peer": Viewer()}
            await app(scope, receive, send)
            return
        refused = problem(
            "there is no such session, or it has ended",
            "`jrc page` prints a new link",
            status=_UNAUTHORIZED,
            exit_code=ExitCode.REFUSED,
        )
        refused.headers["WWW-Authenticate"] = "Bearer"
        await refused(scope, receive, send)

    return called


def no_browsers(app: ASGIApp) -> ASGIApp:
    """``app`` for programs: no page that a browser shows gets through to it."""
    return guarded(app, _is_of_program, _BROWSER_REFUSED)


def _is_of_program(headers: Headers) -> bool:
    """Metrics are read by address as well; here an address is what a browser was led to."""
    if any(name in headers for name in _OF_BROWSERS):
        return False
    host = host_in(headers)
    return host in LOOPBACK_NAMES or not any(each in host for each in ".:")
