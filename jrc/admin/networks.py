"""``/v1/networks``: networks and what their nodes are told."""

from contextlib import suppress
from dataclasses import asdict
from ipaddress import IPv6Network
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Field, Listed, Operation, get, post
from jrc.admin.fields import (
    AGREED,
    NULL,
    PLAN,
    REASON,
    TEXT,
    address,
    flag,
    hexed,
    number,
    numbers,
    obliged,
    or_null,
    text,
    texts,
    word,
)
from jrc.admin.params import Params, choice, hex_bytes, ipv6_address, json_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import Admission, Profile, ShortIdRange
from jrc.policy.interface import Seen
from jrc.policy.scopes import Scope
from jrc.service import network_reports, networks
from jrc.service.border_routers import radio_restarted
from jrc.service.installers import InstallationReport, none_configured
from jrc.service.network_reports import NetworkReport
from jrc.service.networks import KEEP, AddNetwork, NetworkChanges, Unset
from jrc.service.takeover import TakeOver, parse_take_over

T = TypeVar("T")
_PREFIX_BITS: Final = 64
_ADDRESS = "write it as 2001:db8:0:1::7"
_TAKE_OVER: Final = {"type": "object", "description": "docs/take-over.md has the format."}
SETTINGS: Final = (
    texts("identifiers", "What it answers to, in hex.", hexed("identifier").schema),
    text("prefix", "An IPv6 prefix.", examples=["2001:db8:0:1::/64"]),
    numbers("key_usages", "Key usages of its link-layer keys (RFC 9031 §8.4.3.1)."),
    text("short_ids", "The range of short identifiers.", examples=["0001-7fff"]),
    or_null(number("lease_hours", "How long one is leased; null: for good.")),
    or_null(address("jrc_address", "Where its nodes reach the registrar.")),
    word("profile", Profile),
    or_null(number("join_rate_bytes_per_s", "The join rate of its Join Proxies.")),
    word("admission", Admission, "Who is let in."),
    or_null(text("prefix_from", "An interface whose prefix it takes.")),
    or_null(text("jrc_address_from", "An interface whose address it takes.")),
    flag("quiet_outside_windows", "Tell Join Proxies to be silent while no window is open."),
)
"""What a network can be told to be."""


class NetworkRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/networks/{name}"
        added = (
            obliged(text("name", "The network's name.")),
            *SETTINGS,
            text("key_domain", "Networks of one key domain share their link-layer keys."),
            Field("keys_file", _TAKE_OVER, "Keys and addresses of a network that runs already."),
        )
        restarted = flag("restarted", "The radio has lost its frame counters: change the keys.")
        return [
            get("/v1/networks", self.list, {"networks": Listed(NetworkReport), "next": NULL}),
            post("/v1/networks", self.add, NetworkReport, body=(*added, REASON)),
            get(one, self.show, NetworkReport),
            post(one, self.set, NetworkReport, body=(*SETTINGS, REASON, AGREED), method="PATCH"),
            post(one, self.remove, {"name": TEXT, **PLAN}, body=(REASON, AGREED), method="DELETE"),
            post(f"{one}/plan", self.plan_change, PLAN, body=SETTINGS, needs=Scope.READ),
            get(f"{one}/removal", self.plan_removal, PLAN),
            post(
                f"{one}/install",
                self.install,
                {"network": TEXT, "installers": Listed(InstallationReport)},
                body=(REASON, restarted),
            ),
        ]

    async def list(self, _request: Request) -> Response:
        """Every network."""
        found = await self._services.run_read(network_reports.list_networks)
        return JSONResponse({"networks": [asdict(report) for report in found], "next": None})

    async def show(self, request: Request) -> Response:
        """One network."""
        name = _name(request)
        found = await self._services.run_read(lambda tx: network_reports.show_network(tx, name))
        return JSONResponse(asdict(found))

    async def add(self, request: Request) -> Response:
        """Make a network with fresh keys."""
        params = await json_params(request)
        command = _to_add(params)
        actor, reason = actor_of(request.scope), params.reason()
        seen = await self._seen(params)
        made = await self._services.run_write(
            lambda tx: networks.add_network(tx, command, actor=actor, reason=reason, seen=seen)
        )
        return JSONResponse(asdict(made))

    async def plan_change(self, request: Request) -> Response:
        """What a change means for those who have joined."""
        params = await json_params(request)
        changes, name, seen = _to_change(params), _name(request), await self._seen(params)
        plan = await self._services.run_read(
            lambda tx: networks.plan_network_change(tx, name, changes, seen)
        )
        return JSONResponse(plan_json(plan))

    async def set(self, request: Request) -> Response:
        """Change a network."""
        params = await json_params(request)
        changes, agreed, reason = _to_change(params), params.flag("agreed"), params.reason()
        name, actor = _name(request), actor_of(request.scope)
        seen = await self._seen(params)
        changed = await self._services.run_write(
            lambda tx: networks.set_network(
                tx, name, changes, actor=actor, reason=reason, agreed=agreed, seen=seen
            )
        )
        return JSONResponse(asdict(changed))

    async def _seen(self, params: Params) -> Seen:
        """The interfaces that the parameters name."""
        named = (params.maybe_text("prefix_from"), params.maybe_text("jrc_address_from"))
        if named[1] is not None and params.maybe_text("jrc_address") is not None:
            raise OperatorError(
                "jrc_address and jrc_address_from exclude each other", exit_code=ExitCode.USAGE
            )
        return {name: await self._services.interface(name) for name in named if name is not None}

    async def plan_removal(self, request: Request) -> Response:
        """Whom removing the network concerns."""
        name = _name(request)
        plan = await self._services.run_read(lambda tx: networks.plan_network_removal(tx, name))
        return JSONResponse(plan_json(plan))

    async def remove(self, request: Request) -> Response:
        """Remove a network."""
        params = await json_params(request)
        agreed, reason = params.flag("agreed"), params.reason()
        name, actor = _name(request), actor_of(request.scope)
        plan = await self._services.run_write(
            lambda tx: networks.remove_network(tx, name, actor=actor, reason=reason, agreed=agreed)
        )
        return JSONResponse({"name": name, **plan_json(plan)})

    async def install(self, request: Request) -> Response:
        """Put the network's keys into the radios of its 6LBRs now."""
        params = await json_params(request)
        reason, restarted = params.reason(), params.flag("restarted")
        name, actor = _name(request), actor_of(request.scope)
        await self._services.run_read(lambda tx: network_reports.find_network(tx, name))
        if restarted:
            if name not in {each.network for each in self._services.installers}:
                raise none_configured(name)
            settings = self._services.rollover_settings
            await self._services.run_write(
                lambda tx: radio_restarted(tx, name, settings, actor=actor, reason=reason)
            )
        found = await self._services.install(name, actor=actor, reason=reason)
        return JSONResponse({"network": name, "installers": [asdict(each) for each in found]})


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _to_add(params: Params) -> AddNetwork:
    return AddNetwork(
        name=params.text("name"),
        identifiers=_identifiers(params),
        prefix=_parse_prefix(params.text("prefix")) if "prefix" in params else None,
        prefix_from=params.maybe_text("prefix_from"),
        key_usages=params.maybe_numbers("key_usages") or (),
        short_ids=params.parsed("short_ids", ShortIdRange.parse) or ShortIdRange(),
        lease_hours=params.maybe_number("lease_hours"),
        join_rate_bytes_per_s=params.maybe_number("join_rate_bytes_per_s"),
        quiet_outside_windows=params.flag("quiet_outside_windows"),
        jrc_address=params.parsed("jrc_address", ipv6_address, _ADDRESS),
        jrc_address_from=params.maybe_text("jrc_address_from"),
        profile=params.parsed("profile", choice(Profile)) or Profile.RFC9031,
        admission=params.parsed("admission", choice(Admission)) or Admission.KNOWN,
        key_domain=params.maybe_text("key_domain"),
        taken_over=_taken_over(params),
    )


def _taken_over(params: Params) -> TakeOver | None:
    given = params.maybe_object("keys_file")
    return None if given is None else parse_take_over(given)


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
        quiet_outside_windows=(
            params.flag("quiet_outside_windows") if "quiet_outside_windows" in params else KEEP
        ),
        jrc_address=params.parsed("jrc_address", ipv6_address, _ADDRESS)
        if "jrc_address" in params
        else KEEP,
        prefix_from=params.maybe_text("prefix_from") if "prefix_from" in params else KEEP,
        jrc_address_from=(
            params.maybe_text("jrc_address_from") if "jrc_address_from" in params else KEEP
        ),
        profile=_kept(params.parsed("profile", choice(Profile))),
        admission=_kept(params.parsed("admission", choice(Admission))),
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
    except ValueError:
        what, example = "is no IPv6 prefix", "2001:db8:0:1::/64"
    with suppress(ValueError):
        IPv6Network(text, strict=False)
        example = str(IPv6Network((text.partition("/")[0], _PREFIX_BITS), strict=False))
        what = "is no prefix, as bits behind its length are set"
    raise OperatorError(
        f"--prefix: {text[:64]!r} {what}",
        f"write it as --prefix {example}",
        exit_code=ExitCode.USAGE,
    )
