"""``/v1/events``: the audit log."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.params import page_limit, pledge_id, query_params
from jrc.admin.services import Services
from jrc.service.events import list_events, verify_chain

MAX_PAGE = 1000


class EventRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        return [
            Route("/v1/events", self.list, methods=["GET"]),
            Route("/v1/events/verify", self.verify, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """One page after a number, else the newest ones; ascending."""
        params = query_params(request, ("after", "limit", "kind", "pledge", "network"))
        after, limit = params.maybe_number("after"), page_limit(params, MAX_PAGE)
        kind, network = params.maybe_text("kind"), params.maybe_text("network")
        text = params.maybe_text("pledge")
        pledge = None if text is None else pledge_id(text)
        found = await self._services.run_read(
            lambda tx: list_events(
                tx,
                after=after or 0,
                limit=limit,
                newest=after is None,
                kind=kind,
                pledge=pledge,
                network=network,
            )
        )
        return JSONResponse({"events": [asdict(report) for report in found]})

    async def verify(self, request: Request) -> Response:
        """Whether the chain of hashes holds."""
        query_params(request, ())
        return JSONResponse(asdict(await self._services.run_read(verify_chain)))
