"""``/metrics``, ``/healthz`` and ``/readyz``, and the same question on the admin socket."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.metric_families import CONTENT_TYPE
from jrc.admin.problems import HANDLERS
from jrc.admin.services import Observed

_UNAVAILABLE = 503


def health_answer(services: Observed) -> Response:
    """Whether it works, answers joins, and why not, as JSON; it takes no look at the database."""
    found = services.health()
    return JSONResponse({"alive": found.alive, "ready": found.ready, "why": list(found.why)})


def build_metrics(services: Observed) -> Starlette:
    """The application for the metrics port."""

    async def metrics(_request: Request) -> Response:
        pieces = []
        for piece in services.metrics():
            pieces.append(piece)
            await asyncio.sleep(0)  # whoever asks to join does not wait for the whole text
        return Response(b"".join(pieces), media_type=CONTENT_TYPE)

    async def healthz(_request: Request) -> Response:
        return _answer(services.health().alive)

    async def readyz(_request: Request) -> Response:
        return _answer(services.health().ready)

    def _answer(good: bool) -> Response:
        body = {"ok": good, "why": list(services.health().why)}
        return JSONResponse(body, status_code=200 if good else _UNAVAILABLE)

    routes = [
        Route("/metrics", metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
