"""``/v1/nodes``: joined nodes, what they lack, and what is asked of them."""

from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, Parts, get, post
from jrc.admin.fields import (
    NETWORK,
    PLEDGE_IDS,
    REASON,
    TEXT,
    duration,
    flag,
    identifier,
    limit,
    number,
    obliged,
    or_null,
)
from jrc.admin.params import MAX_PAGE, Params, json_params, page_limit, pledge_id, query_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.service import node_orders, nodes
from jrc.service.node_orders import Throttled
from jrc.service.registry import Registry
from jrc.service.windows import parse_duration

_DURATIONS = "write it as 90s, 10m, 2h or 1d"


class NodeRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/nodes/{pledge_id}"
        names = replace(PLEDGE_IDS, required=False)
        rate = number("join_rate_bytes_per_s", "The most; 0 closes joining.", minimum=0)
        return [
            get(
                "/v1/nodes",
                self.list,
                {"nodes": Listed(nodes.NodeReport), "next": Maybe(TEXT)},
                query=(
                    NETWORK,
                    flag("behind", "Those alone that lack something."),
                    identifier("after", "`next` of the page before."),
                    limit(MAX_PAGE),
                ),
            ),
            post("/v1/nodes/push", self.push, node_orders.Pushed, body=(names, NETWORK, REASON)),
            post(
                "/v1/nodes/throttle",
                self.throttle,
                Throttled,
                body=(names, NETWORK, rate, flag("lift", "No limit any more."), REASON),
            ),
            get(one, self.show, Parts((nodes.NodeReport, nodes.NodeDetails), without=("node",))),
            post(
                one,
                self.set,
                nodes.NodeReport,
                body=(obliged(or_null(duration("sleeps", "How long; null: never."))), REASON),
                method="PATCH",
            ),
        ]

    async def list(self, request: Request) -> Response:
        """One page, and after which identifier the next one begins."""
        params = query_params(request)
        network, most = params.maybe_text("network"), page_limit(params)
        behind = params.flag("behind")
        after = params.parsed("after", PledgeId.from_hex)
        found = await self._services.run_read(
            lambda tx: nodes.list_nodes(tx, network=network, behind=behind, after=after, limit=most)
        )
        last = found[-1].pledge_id if len(found) == most else None
        return JSONResponse({"nodes": [asdict(report) for report in found], "next": last})

    async def show(self, request: Request) -> Response:
        """What one node is to have, has, and how it goes."""
        identifier = pledge_id(request.path_params["pledge_id"])
        found = asdict(await self._services.run_read(lambda tx: nodes.show_node(tx, identifier)))
        return JSONResponse({**found.pop("node"), **found})

    async def push(self, request: Request) -> Response:
        """Have nodes told at once what they lack."""
        params = await json_params(request)
        names, network = _whom(params)
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: node_orders.push_nodes(
                tx, names, network=network, actor=actor, reason=reason
            )
        )
        return JSONResponse(asdict(done))

    async def set(self, request: Request) -> Response:
        """Say how long a node sleeps; null is awake."""
        params = await json_params(request)
        if "sleeps" not in params:
            raise OperatorError("sleeps is missing", exit_code=ExitCode.USAGE)
        sleep_s = params.parsed("sleeps", parse_duration, _DURATIONS)
        identifier = pledge_id(request.path_params["pledge_id"])
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: node_orders.set_sleep(tx, identifier, sleep_s, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))

    async def throttle(self, request: Request) -> Response:
        """Limit the join traffic of nodes or of a network, or lift that."""
        params = await json_params(request)
        names, network = _whom(params)
        rate, actor, reason = _rate(params), actor_of(request.scope), params.reason()

        def work(tx: Registry) -> Throttled:
            if network is not None:
                return node_orders.throttle_network(tx, network, rate, actor=actor, reason=reason)
            return node_orders.throttle_nodes(tx, names, rate, actor=actor, reason=reason)

        return JSONResponse(asdict(await self._services.run_write(work)))


def _whom(params: Params) -> tuple[list[PledgeId], str | None]:
    """The nodes that are named, or the network."""
    names = [pledge_id(text) for text in params.maybe_texts("pledge_ids") or ()]
    network = params.maybe_text("network")
    if bool(names) == (network is not None):
        raise OperatorError(
            "pledge_ids or network must be given, and not both",
            "name nodes by their identifiers, or all of a network by --network NAME",
            exit_code=ExitCode.USAGE,
        )
    return names, network


def _rate(params: Params) -> int | None:
    """The join rate, None to lift it."""
    rate, lift = params.maybe_number("join_rate_bytes_per_s"), params.flag("lift")
    if (rate is None) != lift:
        raise OperatorError(
            "join_rate_bytes_per_s or lift must be given, and not both",
            "say --join-rate N in bytes per second (0 closes joining), or --lift",
            exit_code=ExitCode.USAGE,
        )
    return rate
