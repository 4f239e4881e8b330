"""The page's own requests, and which of the admin API's it may make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jrc.admin.api import operations_of
from jrc.admin.contract import get, post, routes_of
from jrc.admin.fields import ANY_OBJECT
from jrc.admin.page.feed import Feed
from jrc.admin.page.files import INDEX, page_files
from jrc.admin.page.guards import behind_headers, no_browsers, on_loopback, with_session
from jrc.admin.page.kept import KeptAnswers
from jrc.admin.page.minutes import JoinMinutes
from jrc.admin.page.reading import Pace, reading
from jrc.admin.page.sessions import LINK_S, SESSION_S, Sessions
from jrc.admin.params import json_params
from jrc.admin.peers import actor_of
from jrc.admin.problems import HANDLERS
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import Scope as Right
from jrc.service.wording import utc_text

LINKS: Final = "/page/links"
STATUS: Final = "/v1/status"
READABLE: Final = frozenset(
    {
        *(STATUS, "/v1/networks", "/v1/networks/{name}", "/v1/windows"),
        *("/v1/rollovers", "/v1/rollovers/{network}"),
        *("/v1/pledges", "/v1/pledges/{pledge_id}", "/v1/pledges/{pledge_id}/attempts"),
        *("/v1/attempts", "/v1/events"),
    }
)
"""What the page may GET of the admin API, under ``/page``; nothing else of it is there."""

Application: TypeAlias = ASGIApp
"""What a server serves."""

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the page is made of; ``origin`` is where the loopback port is, None without one."""

    services: Services
    sessions: Sessions
    feed: Feed
    minutes: JoinMinutes
    pace: Pace
    origin: Callable[[], str | None]


def build_page(parts: PageParts) -> Application:
    """The page for the loopback port."""
    return behind_headers(on_loopback(_application(parts)))


def build_socket(parts: PageParts, api: Application) -> Application:
    """The page and the admin API on one socket, which somebody may have forwarded to a port."""
    page, links = build_page(parts), no_browsers(_links(parts))
    for_programs = no_browsers(api)

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == LINKS:
            await links(scope, receive, send)
        elif path == "/" or path.startswith("/page/"):
            await page(scope, receive, send)
        else:
            await for_programs(scope, receive, send)

    return called


def _application(parts: PageParts) -> Starlette:
    known = page_files()

    async def index(request: Request) -> Response:
        return known[INDEX].answer(request)

    async def static(request: Request) -> Response:
        file = known.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404, "there is no such file")
        return file.answer(request)

    async def session(request: Request) -> Response:
        key = (await json_params(request, ("key",))).text("key")
        opened = parts.sessions.open(key)
        if opened is None:
            raise OperatorError(
                "this link was used before, or is too old",
                "`jrc page` prints a new one",
                exit_code=ExitCode.REFUSED,
            )
        _log.info("page_session_opened", sessions=len(parts.sessions))
        return JSONResponse({"session": opened, "for_s": SESSION_S})

    routes = [
        Route("/", index, methods=["GET"]),
        Route("/page/static/{name}", static, methods=["GET"]),
        Route("/page/session", session, methods=["POST"]),
        Mount("/page", with_session(_data(parts), parts.sessions.holds)),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


def _data(parts: PageParts) -> Starlette:
    """All that tells something of the registrar."""

    async def minutes(_request: Request) -> Response:
        """The joins of the last hour."""
        return JSONResponse({"minutes": parts.minutes.report()})

    services = reading(parts.services, parts.pace)
    read = [
        each
        for each in operations_of(services)
        if each.method == "GET" and each.path in READABLE and each.needs is Right.READ
    ]
    resting = [each for each in read if each.path != STATUS]
    at_once = [
        get("/minutes", minutes, ANY_OBJECT),
        *(each for each in read if each.path == STATUS),
    ]
    paced = Starlette(routes=routes_of(resting), exception_handlers=HANDLERS)
    routes = [
        Route("/feed", parts.feed, methods=["GET"]),
        *routes_of(at_once),
        Mount("/", KeptAnswers(paced, parts.pace.rest_s)),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


def _links(parts: PageParts) -> Starlette:
    """For `jrc page`, on the admin socket alone: whoever may read there may look here."""

    async def make(request: Request) -> Response:
        """A link that opens one session."""
        await json_params(request)
        link = parts.sessions.new_link()
        _log.info("page_link_made", actor=actor_of(request.scope), good_for_s=LINK_S)
        told = {"key": link.key, "until": utc_text(link.until_ms), "origin": parts.origin()}
        return JSONResponse({**told, "session_s": SESSION_S})

    async def end(request: Request) -> Response:
        """End all sessions."""
        await json_params(request)
        ended = parts.sessions.end_all()
        parts.feed.dismiss()
        _log.info("page_sessions_ended", actor=actor_of(request.scope), sessions=ended)
        return JSONResponse({"ended": ended})

    operations = [
        post(LINKS, make, ANY_OBJECT, needs=Right.READ),
        post(LINKS, end, ANY_OBJECT, needs=Right.OPERATE, method="DELETE"),
    ]
    return Starlette(routes=routes_of(operations), exception_handlers=HANDLERS)
