"""``/v1/windows``: join windows."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Operation, get, post
from jrc.admin.fields import NULL, REASON, duration, flag, number, obliged
from jrc.admin.params import json_params, query_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.service.windows import (
    OpenWindow,
    WindowReport,
    close_window,
    list_windows,
    open_window,
    parse_duration,
)

_DURATIONS = "write it as 90s, 10m, 2h or 1d"


class WindowRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/windows/{network}"
        past = flag("all", "The last ones that are over as well.")
        return [
            get(
                "/v1/windows",
                self.list,
                {"windows": Listed(WindowReport), "next": NULL},
                query=(past,),
            ),
            post(
                one,
                self.open,
                WindowReport,
                body=(
                    obliged(duration("for", "How long.")),
                    obliged(number("max", "How many new pledges may come in.")),
                    flag("replace", "End the one that is open."),
                    REASON,
                ),
            ),
            post(one, self.close, WindowReport, body=(REASON,), method="DELETE"),
        ]

    async def list(self, request: Request) -> Response:
        """The open windows; with ``all`` the last ones that are over as well."""
        with_past = query_params(request).flag("all")
        found = await self._services.run_read(lambda tx: list_windows(tx, with_past=with_past))
        return JSONResponse({"windows": [asdict(report) for report in found], "next": None})

    async def open(self, request: Request) -> Response:
        """Open a window."""
        params = await json_params(request)
        for_s, most = params.parsed("for", parse_duration, _DURATIONS), params.maybe_number("max")
        if for_s is None or most is None:
            missing = "for" if for_s is None else "max"
            raise OperatorError(f"{missing} is missing", exit_code=ExitCode.USAGE)
        command = OpenWindow(
            network=request.path_params["network"],
            for_s=for_s,
            max_pledges=most,
            replace=params.flag("replace"),
        )
        actor, reason = actor_of(request.scope), params.reason()
        opened = await self._services.run_write(
            lambda tx: open_window(tx, command, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(opened))

    async def close(self, request: Request) -> Response:
        """Close the window of a network."""
        params = await json_params(request)
        name, actor, reason = (
            request.path_params["network"],
            actor_of(request.scope),
            params.reason(),
        )
        closed = await self._services.run_write(
            lambda tx: close_window(tx, name, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(closed))
