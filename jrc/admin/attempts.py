"""Why pledges don't get in: attempts, approvals, identifiers that nobody has."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, get, post
from jrc.admin.fields import NETWORK, REASON, limit
from jrc.admin.params import json_params, page_limit, pledge_id, query_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import Reason
from jrc.service.approvals import Approved, approve_pledge
from jrc.service.explain import (
    Explanation,
    StrangerReport,
    explain_pledge,
    explain_strangers,
)
from jrc.service.latest_attempts import LatestAttempt, latest_attempts

MAX_LATEST = 200
"""Attempts that one request gives at most."""


class AttemptRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        return [
            get(
                "/v1/attempts",
                self.latest,
                {"attempts": Maybe(Listed(LatestAttempt))},
                query=(limit(MAX_LATEST),),
            ),
            get("/v1/attempts/unknown", self.unknown, {"unknown": Maybe(Listed(StrangerReport))}),
            get(f"{one}/attempts", self.explain, Explanation),
            post(f"{one}/approve", self.approve, Approved, body=(NETWORK, REASON)),
        ]

    async def explain(self, request: Request) -> Response:
        """Why a pledge gets in or not; ``attempts`` is null where no daemon runs."""
        identifier = pledge_id(request.path_params["pledge_id"])
        heard = self._services.attempts
        tried = None if heard is None else heard.of(identifier.value)
        found = await self._services.run_read(lambda tx: explain_pledge(tx, identifier, tried))
        if any(fact.reason == Reason.DAMAGED_STATE for fact in found.facts):
            self._services.distrust()
        return JSONResponse(asdict(found))

    async def latest(self, request: Request) -> Response:
        """What pledges have tried lately, the last first; null without a daemon."""
        most = page_limit(query_params(request), MAX_LATEST)
        heard = self._services.attempts
        if heard is None:
            return JSONResponse({"attempts": None})
        found = await self._services.run_read(lambda tx: latest_attempts(tx, heard.latest(most)))
        return JSONResponse({"attempts": [asdict(report) for report in found]})

    async def unknown(self, _request: Request) -> Response:
        """Identifiers that were asked for lately and that nobody has; null without a daemon."""
        heard = self._services.attempts
        if heard is None:
            return JSONResponse({"unknown": None})
        strangers = heard.unknown()
        found = await self._services.run_read(lambda tx: explain_strangers(tx, strangers))
        return JSONResponse({"unknown": [asdict(report) for report in found]})

    async def approve(self, request: Request) -> Response:
        """Let a pledge in that waits."""
        params = await json_params(request)
        identifier = pledge_id(request.path_params["pledge_id"])
        network, reason = params.maybe_text("network"), params.reason()
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: approve_pledge(tx, identifier, network=network, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))
