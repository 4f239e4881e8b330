"""``/metrics``, ``/healthz`` and ``/readyz``: all that is served on TCP."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.metrics import CONTENT_TYPE
from jrc.admin.problems import HANDLERS
from jrc.admin.services import Observed

_UNAVAILABLE = 503


def build_metrics(services: Observed) -> Starlette:
    """The application for the metrics port."""

    async def metrics(_request: Request) -> Response:
        return Response(services.metrics_text(), media_type=CONTENT_TYPE)

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
