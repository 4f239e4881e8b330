"""``/v1/pledge-recoveries``: pledges that are taken through RFC 8613 App. B.2."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, post
from jrc.admin.fields import AGREED, PLAN, PLEDGE_IDS, REASON
from jrc.admin.params import json_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.revocations import identifiers_of
from jrc.admin.services import Services
from jrc.policy.scopes import Scope
from jrc.service import pledge_recovery


class PledgeRecoveryRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        return [
            post(
                "/v1/pledge-recoveries",
                self.recover,
                pledge_recovery.PledgeRecoveries,
                body=(PLEDGE_IDS, REASON, AGREED),
            ),
            post(
                "/v1/pledge-recoveries/plan",
                self.plan,
                PLAN,
                body=(PLEDGE_IDS,),
                needs=Scope.READ,
            ),
        ]

    async def plan(self, request: Request) -> Response:
        """What it will do."""
        params = await json_params(request)
        identifiers = identifiers_of(params)
        plan = await self._services.run_read(
            lambda tx: pledge_recovery.plan_recovery(tx, identifiers)
        )
        return JSONResponse(plan_json(plan))

    async def recover(self, request: Request) -> Response:
        """Have these pledges begin a new context at their next request."""
        params = await json_params(request)
        identifiers, agreed = identifiers_of(params), params.flag("agreed")
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: pledge_recovery.recover_pledges(
                tx, identifiers, actor=actor, reason=reason, agreed=agreed
            )
        )
        return JSONResponse(asdict(done))
