"""By which name this host is asked, and which of them lets a request through.

A page that a browser of this host shows can have its own name point to loopback (DNS rebinding),
and then read what is served there. A request like that still calls that name.
"""

from collections.abc import Callable, Collection
from functools import partial
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from jrc.admin.problems import problem
from jrc.errors import ExitCode

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
MISDIRECTED: Final = 421
_METRICS_REFUSED: Final = partial(
    problem,
    "metrics are not served under this name",
    "ask for them by address, or name it: hosts, under [metrics] in the config file",
    status=MISDIRECTED,
    exit_code=ExitCode.REFUSED,
)


def host_of(header: str) -> str:
    """A ``Host`` header without its port: a tunnel may have another one."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isascii() and port.isdigit() else header).lower()


def host_in(headers: Headers) -> str:
    """What a request calls this host; a program of HTTP/1.0 calls it nothing."""
    return host_of(headers.get("host", ""))


def guarded(
    app: ASGIApp, is_meant: Callable[[Headers], bool], refused: Callable[[], Response]
) -> ASGIApp:
    """``app`` for requests whose headers are those of one that is meant for it."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        answer = app if is_meant(Headers(scope=scope)) else refused()
        await answer(scope, receive, send)

    return called


def called_rightly(app: ASGIApp, listening: str, hosts: Collection[str]) -> ASGIApp:
    """``app`` for requests that call this host by an address, a name of one word, or one of
    ``hosts``.

    None of the first two is anybody's to buy. At an address beyond loopback, ``listening``,
    everybody gets through, since whoever is near needs no browser; but for where ``hosts`` are
    named.
    """
    if not hosts and not ip_address(listening).is_loopback:
        return app
    known = frozenset(each.lower() for each in hosts)

    def is_meant(headers: Headers) -> bool:
        host = host_in(headers)
        return host in known or "." not in host or _is_address(host)

    return guarded(app, is_meant, _METRICS_REFUSED)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
