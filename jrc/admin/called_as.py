"""Whether a request was meant for this host, by the name it calls it.

A page that a browser of this host shows can have its own name point to loopback (DNS rebinding),
and then read what is served there. A request like that still calls that name.
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jrc.admin.problems import problem
from jrc.errors import ExitCode

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MISDIRECTED: Final = 421


def host_of(header: str) -> str:
    """A ``Host`` header without its port: a tunnel may have another one."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isascii() and port.isdigit() else header).lower()


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

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        host = host_of(Headers(scope=scope).get("host", ""))
        if host in known or _is_no_site(host):
            await app(scope, receive, send)
            return
        refused = problem(
            "metrics are not served under this name",
            "ask for them by address, or name it: hosts, under [metrics] in the config file",
            status=_MISDIRECTED,
            exit_code=ExitCode.REFUSED,
        )
        await refused(scope, receive, send)

    return called


def _is_no_site(host: str) -> bool:
    """An address, or a name without a dot; a program of HTTP/1.0 calls no name at all."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host
    return True
