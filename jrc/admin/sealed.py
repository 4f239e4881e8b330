"""What a sealed registrar answers on its socket: that it is sealed, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.build_metrics import BuildCollector
from jrc.admin.health import health_answer
from jrc.admin.metric_families import pieces_of
from jrc.admin.problems import HANDLERS
from jrc.admin.services import Health
from jrc.admin.state_metrics import SealedCollector
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

    def metrics(self) -> Iterator[bytes]:
        """As ``Observed.metrics``."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(SealedCollector())
        registry.register(BuildCollector(str(self.identity["version"])))
        return pieces_of(registry)

    def health(self) -> Health:
        """As ``Observed.health``: alive, and not ready."""
        return Health(alive=True, ready=False, why=(f"sealed: {self.why}",))


def build_sealed_api(services: SealedServices) -> Starlette:
    """The API of a registrar that has no key."""

    async def status(_request: Request) -> Response:
        return JSONResponse(dict(services.status()))

    async def health(_request: Request) -> Response:
        return health_answer(services)

    async def refused(_request: Request) -> Response:
        raise OperatorError(
            f"the daemon is sealed: {services.why}", services.hint, exit_code=ExitCode.UNFINISHED
        )

    routes = [
        Route("/v1/status", status),
        Route("/v1/health", health),
        Route("/{path:path}", refused, methods=_METHODS),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
