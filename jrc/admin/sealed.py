"""What a sealed registrar answers on its socket: that it is sealed, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.problems import HANDLERS
from jrc.admin.services import Health
from jrc.errors import ExitCode, OperatorError

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class SealedServices:
    """As ``admin.services.Observed``, and what ``jrc status`` shows; ``why`` it is sealed."""

    why: str
    hint: str
    identity: Mapping[str, object]

    def status(self) -> Mapping[str, object]:
        """As ``Services.status``, without what is in the database."""
        return {**self.identity, "sealed": True, "ready": False, "why": f"sealed: {self.why}"}

    def metrics_text(self) -> bytes:
        """As ``Observed.metrics_text``."""
        return b"# TYPE jrc_ready gauge\njrc_ready 0.0\n"

    def health(self) -> Health:
        """As ``Observed.health``: alive, and not ready."""
        return Health(alive=True, ready=False, why=(f"sealed: {self.why}",))


def build_sealed_api(services: SealedServices) -> Starlette:
    """The API of a registrar that has no key."""

    async def status(_request: Request) -> Response:
        return JSONResponse(dict(services.status()))

    async def refused(_request: Request) -> Response:
        raise OperatorError(
            f"the daemon is sealed: {services.why}", services.hint, exit_code=ExitCode.UNFINISHED
        )

    routes = [
        Route("/v1/status", status),
        Route("/{path:path}", refused, methods=_METHODS),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
