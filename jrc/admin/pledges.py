"""``/v1/pledges``: adding, listing and changing single pledges."""

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.params import (
    Params,
    choice,
    ipv6_address,
    json_params,
    page_limit,
    pledge_id,
    query_params,
)
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.cojp.algorithms import Aead, Hkdf, aead_by_name, hkdf_by_name
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, PledgeState, Profile, Secret
from jrc.service import enroll
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.examine import OnConflict
from jrc.service.node_addresses import set_address
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.registry import Registry
from jrc.service.reports import Cleared, clear_reports
from jrc.service.wording import parse_role

DERIVED = ("pledge_sender_key", "pledge_recipient_key", "common_iv")
_ADD = frozenset(
    {"pledge_id", "psk", *DERIVED, "networks", "role", "label", "profile", "aead", "hkdf"}
    | {"on_conflict", "reason", "used_before"}
)
_ADDRESS = "write it as 2001:db8:0:1::7"
_Change = Callable[[Registry, PledgeId, str, str, bool], enroll.Changed | Cleared]


class PledgeRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        return [
            Route("/v1/pledges", self.list, methods=["GET"]),
            Route("/v1/pledges", self.add, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/removal", self.plan_removal, methods=["GET"]),
            Route(f"{one}/clear-reports", self.clear_reports, methods=["POST"]),
            Route(f"{one}/address", self.set_address, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """One page, and after which identifier the next one begins."""
        params = query_params(request, ("network", "state", "recovering", "after", "limit"))
        network, limit = params.maybe_text("network"), page_limit(params)
        state = params.parsed("state", choice(PledgeState))
        after = params.parsed("after", PledgeId.from_hex)
        recovering = params.flag("recovering") if "recovering" in params else False
        found = await self._services.run_read(
            lambda tx: list_pledges(
                tx, network=network, state=state, recovering=recovering, after=after, limit=limit
            )
        )
        if any(report.damaged for report in found):
            self._services.distrust()
        last = found[-1].pledge_id if len(found) == limit else None
        return JSONResponse({"pledges": [asdict(report) for report in found], "next": last})

    async def show(self, request: Request) -> Response:
        """Everything about one pledge, its keys left out."""
        identifier = _identifier(request)
        found = asdict(await self._services.run_read(lambda tx: show_pledge(tx, identifier)))
        if found["damage"] is not None:
            self._services.distrust()
        return JSONResponse({**found.pop("pledge"), **found})

    async def add(self, request: Request) -> Response:
        """Enroll one pledge."""
        params = await json_params(request, _ADD)
        applicant = applicant_of(params, allow_weak=self._services.allows_weak_keys)
        on_conflict = params.parsed("on_conflict", choice(OnConflict)) or OnConflict.FAIL
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: enroll.add_pledge(
                tx, applicant, actor=actor, reason=reason, on_conflict=on_conflict
            )
        )
        return JSONResponse(asdict(done))

    async def plan_removal(self, request: Request) -> Response:
        """What removing the pledge will do."""
        identifier = _identifier(request)
        plan = await self._services.run_read(lambda tx: enroll.plan_removal(tx, identifier))
        return JSONResponse(plan_json(plan))

    async def clear_reports(self, request: Request) -> Response:
        """Forget what the pledge says it can't act upon."""
        return await self._change(request, _clear_reports)

    async def set_address(self, request: Request) -> Response:
        """Say where the node is reached; null takes that back."""
        params = await json_params(request, ("address", "reason"))
        address = params.parsed("address", ipv6_address, _ADDRESS)
        identifier, reason = _identifier(request), params.reason()
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: set_address(tx, identifier, address, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))

    async def remove(self, request: Request) -> Response:
        """Wipe the pledge's keys."""
        return await self._change(request, _remove)

    async def _change(self, request: Request, change: _Change) -> Response:
        params = await json_params(request, ("reason", "agreed"))
        identifier, reason, agreed = _identifier(request), params.reason(), params.flag("agreed")
        actor = actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: change(tx, identifier, actor, reason, agreed)
        )
        return JSONResponse(asdict(done))


def _remove(
    tx: Registry, identifier: PledgeId, actor: str, reason: str, agreed: bool
) -> enroll.Changed:
    return enroll.remove_pledge(tx, identifier, actor=actor, reason=reason, agreed=agreed)


def _clear_reports(
    tx: Registry, identifier: PledgeId, actor: str, reason: str, _agreed: bool
) -> Cleared:
    return clear_reports(tx, identifier, actor=actor, reason=reason)


def _identifier(request: Request) -> PledgeId:
    return pledge_id(request.path_params["pledge_id"])


def applicant_of(params: Params, *, allow_weak: bool) -> Applicant:
    """The pledge that a request enrolls.

    Raises:
        OperatorError: a parameter is missing, or can't be read.
    """
    aead, hkdf = params.parsed("aead", aead_by_name), params.parsed("hkdf", hkdf_by_name)
    return Applicant(
        identifier=pledge_id(params.text("pledge_id")),
        keys=_keys(params),
        networks=params.maybe_texts("networks") or (),
        role=params.parsed("role", parse_role),
        label=params.maybe_text("label"),
        profile=params.parsed("profile", choice(Profile)),
        aead=int(Aead.AES_CCM_16_64_128 if aead is None else aead),
        hkdf=int(Hkdf.SHA_256 if hkdf is None else hkdf),
        allow_weak=allow_weak,
        used_before=params.flag("used_before"),
    )


def _keys(params: Params) -> Secret | DerivedKeys:
    psk = params.secret("psk")
    derived = [value for name in DERIVED if (value := params.secret(name)) is not None]
    if psk is not None and not derived:
        return psk
    if psk is None and len(derived) == len(DERIVED):
        return DerivedKeys(*derived)
    raise OperatorError(f"a pledge needs psk, or {', '.join(DERIVED)}", exit_code=ExitCode.USAGE)
