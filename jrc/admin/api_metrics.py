"""Counters of the admin API: requests by route and status, tokens that did not count."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jrc.admin.metric_families import FamilyCollector, counter, gauge
from jrc.service.tokens import Doubt

NO_ROUTE: Final = "none"
"""The label of requests that came to no route: their paths and methods are a stranger's choice."""


@dataclass(slots=True)
class ApiCounts:
    """Counts since the start; labels are words of the program alone.

    ``requests`` are by ``socket`` (``unix`` or ``tcp``), method, route and status;
    ``expires_at_ms`` is of the certificate, None without TCP.
    """

    requests: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    refused: Counter[Doubt] = field(default_factory=Counter)
    hung_up: int = 0
    expires_at_ms: int | None = None


REQUESTS: Final = counter(
    "jrc_api_requests_total",
    "Requests to the admin API.",
    *("socket", "method", "route", "status"),
    unit="requests",
)
REFUSED: Final = counter(
    "jrc_api_tokens_refused_total",
    "Requests over TCP without a token that counts.",
    "reason",
    unit="requests",
    look="`jrc token list` tells which count; one that nobody uses any more is better revoked.",
)
HUNG_UP: Final = counter(
    "jrc_api_connections_refused_total",
    "TCP connections that were hung up on: too many, or no TLS 1.3.",
    unit="connections",
)
EXPIRES: Final = gauge(
    "jrc_api_certificate_expires_timestamp_seconds",
    "When the certificate of the API on TCP ends.",
    unit="seconds since 1970",
    absent="without `[api]`",
    look="Put a new one in its place: it is taken within seconds.",
)
FAMILIES: Final = (REQUESTS, REFUSED, HUNG_UP, EXPIRES)


class ApiCollector(FamilyCollector):
    """What ``counts`` has when Prometheus asks."""

    def __init__(self, counts: ApiCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        yield REQUESTS.samples(sorted(self._counts.requests.items()))
        refused = self._counts.refused
        yield REFUSED.samples([((doubt.value,), refused[doubt]) for doubt in Doubt])
        yield HUNG_UP.value(self._counts.hung_up)
        if self._counts.expires_at_ms is not None:
            yield EXPIRES.value(self._counts.expires_at_ms / 1000)


class Counted:
    """An application whose answers are counted."""

    def __init__(self, app: ASGIApp, counts: ApiCounts, socket: str) -> None:
        self._app = app
        self._counts = counts
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"])
            await send(message)

        await self._app(scope, receive, counting)

    def _count(self, scope: Scope, status: int) -> None:
        operation = scope.get("operation")
        place = (NO_ROUTE, NO_ROUTE) if operation is None else (operation.method, operation.path)
        self._counts.requests[self._socket, *place, str(status)] += 1
