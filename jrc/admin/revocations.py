"""``/v1/revocations``: pledges put out of their networks, one or many at once, and taken back."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, Parts, get, post
from jrc.admin.fields import AGREED, PLAN, PLEDGE_IDS, REASON, flag
from jrc.admin.params import Params, json_params, pledge_id, query_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.scopes import Scope
from jrc.service import revoking
from jrc.service.enroll import Changed
from jrc.service.revocation_wording import not_all_error


class RevocationRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        rekey = flag("rekey", "Change the keys that it knows, which is so if left out.")
        return [
            post(
                "/v1/revocations",
                self.revoke_many,
                revoking.Revoked,
                body=(PLEDGE_IDS, REASON, AGREED, rekey),
            ),
            post(
                "/v1/revocations/plan",
                self.plan_many,
                PLAN,
                body=(PLEDGE_IDS, rekey),
                needs=Scope.READ,
            ),
            get(f"{one}/revocation", self.plan_one, PLAN, query=(rekey,)),
            post(
                f"{one}/revoke",
                self.revoke_one,
                Parts((Changed, revoking.Revoked), without=("pledges",)),
                body=(REASON, AGREED, rekey),
            ),
            post(f"{one}/restore", self.restore, revoking.Restored, body=(REASON, AGREED)),
        ]

    async def plan_many(self, request: Request) -> Response:
        """What revoking pledges will do; their identifiers come in the body, since many may."""
        params = await json_params(request)
        return await self._plan(identifiers_of(params), rekey=_rekey(params))

    async def plan_one(self, request: Request) -> Response:
        """What revoking the pledge will do."""
        params = query_params(request)
        return await self._plan([pledge_id(request.path_params["pledge_id"])], rekey=_rekey(params))

    async def _plan(self, identifiers: Sequence[PledgeId], *, rekey: bool) -> Response:
        settings, installers = self._services.rollover_settings, self._services.installers
        plan = await self._services.run_read(
            lambda tx: revoking.plan_revocation(
                tx, identifiers, settings=settings, rekey=rekey, installers=installers
            )
        )
        return JSONResponse(plan_json(plan))

    async def revoke_many(self, request: Request) -> Response:
        """Answer these pledges no more, and change the keys that they have."""
        params = await json_params(request)
        return JSONResponse(await self._revoke(request, params, identifiers_of(params)))

    async def revoke_one(self, request: Request) -> Response:
        """As ``revoke_many``; what became of the pledge stands beside the rest."""
        params = await json_params(request)
        identifier = pledge_id(request.path_params["pledge_id"])
        done = await self._revoke(request, params, [identifier])
        (pledge,) = done.pop("pledges")
        return JSONResponse({**pledge, **done})

    async def _revoke(
        self, request: Request, params: Params, identifiers: Sequence[PledgeId]
    ) -> dict[str, Any]:
        actor, reason, agreed = actor_of(request.scope), params.reason(), params.flag("agreed")
        settings, rekey = self._services.rollover_settings, _rekey(params)
        done = await self._services.run_write(
            lambda tx: revoking.revoke_pledges(
                tx,
                identifiers,
                actor=actor,
                reason=reason,
                agreed=agreed,
                settings=settings,
                rekey=rekey,
            )
        )
        return asdict(done)

    async def restore(self, request: Request) -> Response:
        """Take a revocation back."""
        params = await json_params(request)
        identifier = pledge_id(request.path_params["pledge_id"])
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: revoking.restore_pledge(tx, identifier, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))


def identifiers_of(params: Params) -> list[PledgeId]:
    """The pledges that a request names.

    Raises:
        OperatorError: none, or one that is no identifier.
    """
    names = params.maybe_texts("pledge_ids")
    if not names:
        raise OperatorError("pledge_ids is missing", exit_code=ExitCode.USAGE)
    found, refused = [], []
    for name in names:
        try:
            found.append(pledge_id(name))
        except OperatorError as error:
            refused.append(error)
    if refused:
        raise not_all_error(len(names), refused)
    return found


def _rekey(params: Params) -> bool:
    """Whether networks get new keys because of it, which they do if nothing else is said."""
    return params.flag("rekey") if "rekey" in params else True
