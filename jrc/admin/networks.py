"""``/v1/networks``: networks and what their nodes are told."""

from dataclasses import asdict
from ipaddress import IPv6Address, IPv6Network
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.params import Params, choice, hex_bytes, json_params, query_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile, ShortIdRange
from jrc.service import networks
from jrc.service.networks import KEEP, AddNetwork, NetworkChanges, Unset

T = TypeVar("T")
_SETTINGS = frozenset(
    {"identifiers", "prefix", "key_usages", "short_ids", "lease_hours", "jrc_address", "profile"}
    | {"join_rate_bytes_per_s"}
)


class NetworkRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        one = "/v1/networks/{name}"
        return [
            Route("/v1/networks", self.list, methods=["GET"]),
            Route("/v1/networks", self.add, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.set, methods=["PATCH"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/plan", self.plan_change, methods=["POST"]),
            Route(f"{one}/removal", self.plan_removal, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """Every network."""
        query_params(request, ())
        found = await self._services.run_read(networks.list_networks)
        return JSONResponse({"networks": [asdict(report) for report in found], "next": None})

    async def show(self, request: Request) -> Response:
        """One network."""
        name = _name(request)
        found = await self._services.run_read(lambda tx: networks.show_network(tx, name))
        return JSONResponse(asdict(found))

    async def add(self, request: Request) -> Response:
        """Make a network with fresh keys."""
        params = await json_params(request, _SETTINGS | {"name", "key_domain", "reason"})
        command = _to_add(params)
        actor, reason = actor_of(request.scope), params.reason()
        made = await self._services.run_write(
            lambda tx: networks.add_network(tx, command, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(made))

    async def plan_change(self, request: Request) -> Response:
        """What a change means for those who have joined."""
        changes = _to_change(await json_params(request, _SETTINGS))
        name = _name(request)
        plan = await self._services.run_read(
            lambda tx: networks.plan_network_change(tx, name, changes)
        )
        return JSONResponse(plan_json(plan))

    async def set(self, request: Request) -> Response:
        """Change a network."""
        params = await json_params(request, _SETTINGS | {"reason", "agreed"})
        changes, agreed, reason = _to_change(params), params.flag("agreed"), params.reason()
        name, actor = _name(request), actor_of(request.scope)
        changed = await self._services.run_write(
            lambda tx: networks.set_network(
                tx, name, changes, actor=actor, reason=reason, agreed=agreed
            )
        )
        return JSONResponse(asdict(changed))

    async def plan_removal(self, request: Request) -> Response:
        """Whom removing the network concerns."""
        name = _name(request)
        plan = await self._services.run_read(lambda tx: networks.plan_network_removal(tx, name))
        return JSONResponse(plan_json(plan))

    async def remove(self, request: Request) -> Response:
        """Remove a network."""
        params = await json_params(request, ("reason", "agreed"))
        agreed, reason = params.flag("agreed"), params.reason()
        name, actor = _name(request), actor_of(request.scope)
        plan = await self._services.run_write(
            lambda tx: networks.remove_network(tx, name, actor=actor, reason=reason, agreed=agreed)
        )
        return JSONResponse({"name": name, **plan_json(plan)})


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _to_add(params: Params) -> AddNetwork:
    return AddNetwork(
        name=params.text("name"),
        identifiers=_identifiers(params),
        prefix=_parse_prefix(params.text("prefix")),
        key_usages=params.maybe_numbers("key_usages") or (),
        short_ids=params.parsed("short_ids", ShortIdRange.parse) or ShortIdRange(),
        lease_hours=params.maybe_number("lease_hours"),
        join_rate_bytes_per_s=params.maybe_number("join_rate_bytes_per_s"),
        jrc_address=params.parsed("jrc_address", IPv6Address),
        profile=params.parsed("profile", choice(Profile)) or Profile.RFC9031,
        key_domain=params.maybe_text("key_domain"),
    )


def _to_change(params: Params) -> NetworkChanges:
    """The settings that were named; null takes a limit or an address away."""
    return NetworkChanges(
        identifiers=_identifiers(params) if "identifiers" in params else KEEP,
        prefix=_parse_prefix(params.text("prefix")) if "prefix" in params else KEEP,
        key_usages=_kept(params.maybe_numbers("key_usages")),
        short_ids=_kept(params.parsed("short_ids", ShortIdRange.parse)),
        lease_hours=params.maybe_number("lease_hours") if "lease_hours" in params else KEEP,
        join_rate_bytes_per_s=(
            params.maybe_number("join_rate_bytes_per_s")
            if "join_rate_bytes_per_s" in params
            else KEEP
        ),
        jrc_address=params.parsed("jrc_address", IPv6Address) if "jrc_address" in params else KEEP,
        profile=_kept(params.parsed("profile", choice(Profile))),
    )


def _kept(value: T | None) -> T | Unset:
    return KEEP if value is None else value


def _identifiers(params: Params) -> tuple[bytes, ...]:
    texts = params.maybe_texts("identifiers") or ()
    try:
        return tuple(map(hex_bytes, texts))
    except ValueError as error:
        raise OperatorError(f"identifiers: {error}", exit_code=ExitCode.USAGE) from None


def _parse_prefix(text: str) -> IPv6Network:
    try:
        return IPv6Network(text)
    except ValueError as error:
        raise OperatorError(
            f"prefix: {error}", "write it as 2001:db8:0:1::/64", exit_code=ExitCode.USAGE
        ) from None
