"""``/v1/pledges/{pledge_id}/replace``: a device takes the place of another one."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, post
from jrc.admin.fields import AGREED, PLAN, REASON, flag, identifier, obliged
from jrc.admin.params import Params, json_params, pledge_id
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.pledges import KEYS, applicant_of
from jrc.admin.services import Services
from jrc.service.replacing import Replaced, Replacement, plan_replacement, replace_pledge

_ASKED = (
    obliged(identifier("pledge_id", "The new device, in hex.")),
    *KEYS,
    flag("revoke", "The old one is in other hands: revoke it."),
)


class ReplacementRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}/replace"
        return [
            post(f"{one}/plan", self.plan, PLAN, body=_ASKED),
            post(one, self.replace, Replaced, body=(*_ASKED, REASON, AGREED)),
        ]

    async def plan(self, request: Request) -> Response:
        """What replacing the pledge will do; the key comes in the body."""
        asked = self._asked(request, await json_params(request))
        settings = self._services.rollover_settings
        plan = await self._services.run_read(
            lambda tx: plan_replacement(tx, asked, settings=settings)
        )
        return JSONResponse(plan_json(plan))

    async def replace(self, request: Request) -> Response:
        """Give the pledge's place to ``pledge_id`` of the body."""
        params = await json_params(request)
        asked, settings = self._asked(request, params), self._services.rollover_settings
        actor, reason, agreed = actor_of(request.scope), params.reason(), params.flag("agreed")
        done = await self._services.run_write(
            lambda tx: replace_pledge(
                tx, asked, actor=actor, reason=reason, agreed=agreed, settings=settings
            )
        )
        return JSONResponse(asdict(done))

    def _asked(self, request: Request, params: Params) -> Replacement:
        has_key = any(each.name in params for each in KEYS)
        allow_weak = self._services.allows_weak_keys
        return Replacement(
            old=pledge_id(request.path_params["pledge_id"]),
            new=pledge_id(params.text("pledge_id")),
            applicant=applicant_of(params, allow_weak=allow_weak) if has_key else None,
            revoke=params.flag("revoke"),
        )
