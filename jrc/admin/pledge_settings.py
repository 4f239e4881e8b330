"""``PATCH /v1/pledges/{id}``: profile and label of one pledge."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, post
from jrc.admin.fields import AGREED, PLAN, REASON, or_null, text, word
from jrc.admin.params import Params, choice, json_params, pledge_id
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.model import Profile
from jrc.policy.scopes import Scope
from jrc.service.enroll import Changed
from jrc.service.networks import KEEP
from jrc.service.pledge_settings import PledgeChanges, plan_pledge_change, set_pledge

_SETTINGS = (
    or_null(word("profile", Profile, "null: that of its network.")),
    text("label", "A name for people."),
)


class PledgeSettingRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        return [
            post(one, self.set, Changed, body=(*_SETTINGS, REASON, AGREED), method="PATCH"),
            post(f"{one}/plan", self.plan, PLAN, body=_SETTINGS, needs=Scope.READ),
        ]

    async def plan(self, request: Request) -> Response:
        """What a change means for the pledge."""
        changes = _to_change(await json_params(request))
        identifier = pledge_id(request.path_params["pledge_id"])
        plan = await self._services.run_read(lambda tx: plan_pledge_change(tx, identifier, changes))
        return JSONResponse(plan_json(plan))

    async def set(self, request: Request) -> Response:
        """Change the pledge."""
        params = await json_params(request)
        changes, agreed, reason = _to_change(params), params.flag("agreed"), params.reason()
        identifier = pledge_id(request.path_params["pledge_id"])
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: set_pledge(
                tx, identifier, changes, actor=actor, reason=reason, agreed=agreed
            )
        )
        return JSONResponse(asdict(done))


def _to_change(params: Params) -> PledgeChanges:
    """What was named; null for the profile is that of the network."""
    return PledgeChanges(
        profile=params.parsed("profile", choice(Profile)) if "profile" in params else KEEP,
        label=params.text("label") if "label" in params else KEEP,
    )
