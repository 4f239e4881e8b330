"""``/v1/pledges/{pledge_id}/transfer-out``, ``transfer-in``, ``withdraw``: the ends of a key."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, get, post
from jrc.admin.fields import AGREED, PLAN, REASON, text
from jrc.admin.params import json_params, pledge_id
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.pledges import DETAILS, applicant_of
from jrc.admin.services import Services
from jrc.model import PledgeId
from jrc.service.enroll import Changed, Enrolled
from jrc.service.registry import Registry
from jrc.service.transferring import Transferred, plan_transfer, transfer_in, transfer_out
from jrc.service.withdrawing import plan_withdrawal, withdraw_key
from jrc.service.wording import Plan


class _Command(Protocol):
    def __call__(
        self, tx: Registry, identifier: PledgeId, /, *, actor: str, reason: str, agreed: bool
    ) -> Changed | Transferred: ...


class TransferRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        yes = (REASON, AGREED)
        former = text("former_key_check", "The key check value of its former owner's key.")
        return [
            get(f"{one}/transfer-out", self.plan_out, PLAN),
            post(f"{one}/transfer-out", self.out, Transferred, body=yes),
            post(f"{one}/transfer-in", self.take_in, Enrolled, body=(*DETAILS, former, REASON)),
            get(f"{one}/withdraw", self.plan_withdrawal, PLAN),
            post(f"{one}/withdraw", self.withdraw, Changed, body=yes),
        ]

    async def plan_out(self, request: Request) -> Response:
        """What handing the device on will do."""
        return await self._planned(request, plan_transfer)

    async def out(self, request: Request) -> Response:
        """Retire the pledge's keys; with the answer goes its dossier."""
        return await self._carried_out(request, transfer_out)

    async def take_in(self, request: Request) -> Response:
        """Enroll the device with a new key; ``former_key_check`` is of its former owner's."""
        params = await json_params(request)
        identifier = pledge_id(request.path_params["pledge_id"])
        allow_weak = self._services.allows_weak_keys
        applicant = applicant_of(params, allow_weak=allow_weak, identifier=identifier)
        former, reason = params.maybe_text("former_key_check"), params.reason()
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: transfer_in(tx, applicant, former, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))

    async def plan_withdrawal(self, request: Request) -> Response:
        """What withdrawing the key that waits will do."""
        return await self._planned(request, plan_withdrawal)

    async def withdraw(self, request: Request) -> Response:
        """Wipe the key that waits for the next firmware."""
        return await self._carried_out(request, withdraw_key)

    async def _planned(
        self, request: Request, plan: Callable[[Registry, PledgeId], Plan]
    ) -> Response:
        identifier = pledge_id(request.path_params["pledge_id"])
        planned = await self._services.run_read(lambda tx: plan(tx, identifier))
        return JSONResponse(plan_json(planned))

    async def _carried_out(self, request: Request, command: _Command) -> Response:
        params = await json_params(request)
        identifier = pledge_id(request.path_params["pledge_id"])
        actor, reason, agreed = actor_of(request.scope), params.reason(), params.flag("agreed")
        done = await self._services.run_write(
            lambda tx: command(tx, identifier, actor=actor, reason=reason, agreed=agreed)
        )
        return JSONResponse(asdict(done))
