"""``/v1/pledge-recoveries``: pledges that are taken through RFC 8613 App. B.2."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.params import json_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.revocations import identifiers_of
from jrc.admin.services import Services
from jrc.service import pledge_recovery


class PledgeRecoveryRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        return [
            Route("/v1/pledge-recoveries", self.recover, methods=["POST"]),
            Route("/v1/pledge-recoveries/plan", self.plan, methods=["POST"]),
        ]

    async def plan(self, request: Request) -> Response:
        """What it will do."""
        params = await json_params(request, ("pledge_ids",))
        identifiers = identifiers_of(params)
        plan = await self._services.run_read(
            lambda tx: pledge_recovery.plan_recovery(tx, identifiers)
        )
        return JSONResponse(plan_json(plan))

    async def recover(self, request: Request) -> Response:
        """Have these pledges begin a new context at their next request."""
        params = await json_params(request, ("pledge_ids", "reason", "agreed"))
        identifiers, agreed = identifiers_of(params), params.flag("agreed")
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: pledge_recovery.recover_pledges(
                tx, identifiers, actor=actor, reason=reason, agreed=agreed
            )
        )
        return JSONResponse(asdict(done))
