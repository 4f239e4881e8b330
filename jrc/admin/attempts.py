"""Why pledges don't get in: attempts, approvals, identifiers that nobody has."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.params import json_params, pledge_id, query_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import Reason
from jrc.service.approvals import approve_pledge
from jrc.service.explain import explain_pledge, explain_strangers


class AttemptRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        return [
            Route("/v1/attempts/unknown", self.unknown, methods=["GET"]),
            Route(f"{one}/attempts", self.explain, methods=["GET"]),
            Route(f"{one}/approve", self.approve, methods=["POST"]),
        ]

    async def explain(self, request: Request) -> Response:
        """Why a pledge gets in or not; ``attempts`` is null where no daemon runs."""
        query_params(request, ())
        identifier = pledge_id(request.path_params["pledge_id"])
        heard = self._services.attempts
        tried = None if heard is None else heard.of(identifier.value)
        found = await self._services.run_read(lambda tx: explain_pledge(tx, identifier, tried))
        if any(fact.reason == Reason.DAMAGED_STATE for fact in found.facts):
            self._services.distrust()
        return JSONResponse(asdict(found))

    async def unknown(self, request: Request) -> Response:
        """Identifiers that were asked for lately and that nobody has; null without a daemon."""
        query_params(request, ())
        heard = self._services.attempts
        if heard is None:
            return JSONResponse({"unknown": None})
        strangers = heard.unknown()
        found = await self._services.run_read(lambda tx: explain_strangers(tx, strangers))
        return JSONResponse({"unknown": [asdict(report) for report in found]})

    async def approve(self, request: Request) -> Response:
        """Let a pledge in that waits."""
        params = await json_params(request, ("network", "reason"))
        identifier = pledge_id(request.path_params["pledge_id"])
        network, reason = params.maybe_text("network"), params.reason()
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: approve_pledge(tx, identifier, network=network, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))
