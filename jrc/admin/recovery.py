"""``/v1/recovery`` and ``/v1/quarantine``: a database that is an old copy (RFC 9031 §8.3.3)."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, Parts, get, post
from jrc.admin.fields import AGREED, PLAN, PLEDGE_IDS, REASON, TEXT, WHOLE, identifier, limit
from jrc.admin.params import MAX_PAGE, Params, json_params, page_limit, pledge_id, query_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.scopes import Scope
from jrc.service.recover import (
    Progress,
    plan_quarantine,
    quarantine_by_operator,
    recover_step,
    revoke_confirmed,
)
from jrc.service.recovery_reports import (
    RecoveryPlan,
    RecoveryReport,
    WaitingReport,
    plan_recovery,
    recovery_report,
    waiting_pledges,
)


class RecoveryRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        named = replace(PLEDGE_IDS, required=False)
        change = partial(post, needs=Scope.ADMIN)
        plan = partial(post, needs=Scope.READ)
        return [
            get("/v1/recovery", self.status, RecoveryReport),
            get(
                "/v1/recovery/pledges",
                self.waiting,
                {"pledges": Listed(WaitingReport), "next": Maybe(TEXT)},
                query=(identifier("after", "`next` of the page before."), limit(MAX_PAGE)),
            ),
            plan(
                "/v1/recovery/plan",
                self.plan,
                Parts((RecoveryPlan, PLAN), without=("plan",)),
                body=(named,),
            ),
            change(
                "/v1/recovery/revocations",
                self.revoke,
                {"revoked": WHOLE, "unknown": WHOLE},
                body=(named, REASON, AGREED),
            ),
            change("/v1/recovery/step", self.step, Progress, body=(REASON, AGREED)),
            plan("/v1/quarantine/plan", self.plan_quarantine, PLAN),
            change("/v1/quarantine", self.quarantine, PLAN, body=(REASON, AGREED)),
        ]

    async def status(self, _request: Request) -> Response:
        """How far the recovery has come."""
        installers = self._services.installers
        report = await self._services.run_read(lambda tx: recovery_report(tx, installers))
        return JSONResponse(asdict(report))

    async def waiting(self, request: Request) -> Response:
        """Pledges that have not come back."""
        params = query_params(request)
        most = page_limit(params)
        name = params.maybe_text("after")
        after = None if name is None else pledge_id(name)
        found = await self._services.run_read(
            lambda tx: waiting_pledges(tx, after=after, limit=most)
        )
        following = found[-1].pledge_id if len(found) == most else None
        return JSONResponse({"pledges": [asdict(each) for each in found], "next": following})

    async def plan(self, request: Request) -> Response:
        """What recovering means."""
        params = await json_params(request)
        named, installers = _named(params), self._services.installers
        plan = await self._services.run_read(lambda tx: plan_recovery(tx, named, installers))
        shown = {**asdict(plan), **plan_json(plan.plan)}
        del shown["plan"]
        return JSONResponse(shown)

    async def revoke(self, request: Request) -> Response:
        """Revoke some of those that the operator's list names."""
        params = await json_params(request)
        _require_agreed(params)
        named, actor, reason = _named(params), actor_of(request.scope), params.reason()
        settings = self._services.rollover_settings
        revoked, unknown = await self._services.run_write(
            lambda tx: revoke_confirmed(tx, named, settings, actor=actor, reason=reason)
        )
        return JSONResponse({"revoked": revoked, "unknown": unknown})

    async def step(self, request: Request) -> Response:
        """Do the next step."""
        params = await json_params(request)
        _require_agreed(params)
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: recover_step(tx, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))

    async def plan_quarantine(self, request: Request) -> Response:
        """What a quarantine means."""
        await json_params(request)
        return JSONResponse(plan_json(await self._services.run_read(plan_quarantine)))

    async def quarantine(self, request: Request) -> Response:
        """Answer nobody any more."""
        params = await json_params(request)
        actor, reason, agreed = actor_of(request.scope), params.reason(), params.flag("agreed")
        plan = await self._services.run_write(
            lambda tx: quarantine_by_operator(tx, actor=actor, reason=reason, agreed=agreed)
        )
        return JSONResponse(plan_json(plan))


def _named(params: Params) -> Sequence[PledgeId]:
    return [pledge_id(name) for name in params.maybe_texts("pledge_ids") or ()]


def _require_agreed(params: Params) -> None:
    """That the operator has confirmed the revocations.

    Raises:
        OperatorError: nothing says so.
    """
    if not params.flag("agreed"):
        raise OperatorError(
            "the revocations were not confirmed",
            "`jrc recover --confirm-revocations` shows them first",
            exit_code=ExitCode.REFUSED,
        )
