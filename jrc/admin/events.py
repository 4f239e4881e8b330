"""``/v1/events``: the audit log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Operation, get
from jrc.admin.event_params import AFTER, BEFORE, OF_FIELDS, WHICH_FIELDS, wanted_of
from jrc.admin.fields import WHOLE, limit, number
from jrc.admin.params import Params, page_limit, query_params
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.service.events import EventReport, check_known, events_of
from jrc.service.registry import Registry

MAX_PAGE = 1000
MAX_FOLLOWERS = 16
"""Requests that wait for events at a time; the admin socket takes four times as many."""
FOLLOWED_PAGE = 200
LOOK_EVERY_S = 0.25
"""A follower costs one look at a number in so long, and one such page at most."""
MAX_WAIT_S = 60


class EventRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._followers = 0

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        return [
            get(
                "/v1/events",
                self.list,
                {"events": Listed(EventReport)},
                query=(AFTER, BEFORE, limit(MAX_PAGE), *WHICH_FIELDS),
            ),
            get(
                "/v1/events/following",
                self.follow,
                {"events": Listed(EventReport), "next": WHOLE},
                query=(
                    AFTER,
                    limit(MAX_PAGE),
                    number("wait", "Seconds until an empty answer.", minimum=0, maximum=MAX_WAIT_S),
                    *OF_FIELDS,
                ),
            ),
        ]

    async def list(self, request: Request) -> Response:
        """One page after a number, else the newest ones, which may end before one; ascending."""
        params = query_params(request)
        after, most = params.maybe_number("after"), page_limit(params, MAX_PAGE)
        found = await self._services.run_read(lambda tx: _page(tx, params, after=after, limit=most))
        return JSONResponse({"events": [asdict(report) for report in found]})

    async def follow(self, request: Request) -> Response:
        """What comes after a number, as soon as something does or ``wait`` seconds are over.

        ``next`` is the number to go on from; it is lower than ``after`` where the log has fewer.
        Without ``after`` it is the newest ones, at once.
        """
        params = query_params(request)
        after = params.maybe_number("after")
        wanted_of(params, 0)
        most = page_limit(params, MAX_PAGE if after is None else FOLLOWED_PAGE)
        if after is not None:
            with self._one_more():
                await self._wait(request, after, _seconds(params))
        newest = self._services.newest_event
        found = await self._services.run_read(lambda tx: _page(tx, params, after=after, limit=most))
        last = found[-1].number if found else 0
        is_full = after is not None and len(found) == most
        return JSONResponse(
            {
                "events": [asdict(report) for report in found],
                "next": last if is_full else max(newest, last),
            }
        )

    async def _wait(self, request: Request, after: int, wait_s: int) -> None:
        """Return at the first look that finds events, or has no reason to wait for any."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while loop.time() < until_s:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._services.newest_event != after:
                return
            if not self._services.health().alive or await request.is_disconnected():
                return

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if self._followers >= MAX_FOLLOWERS:
            raise OperatorError(
                f"{MAX_FOLLOWERS} commands follow the audit log already",
                "end one of them, or read it with `jrc events`",
                exit_code=ExitCode.REFUSED,
            )
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1


def _page(tx: Registry, params: Params, *, after: int | None, limit: int) -> list[EventReport]:
    """One page after a number, or the newest ones, which refuses what there can't be."""
    wanted = wanted_of(params, tx.now_ms)
    if after is None:
        check_known(tx, kind=wanted.kind, network=wanted.network)
    return events_of(tx, wanted, after=after or 0, limit=limit, newest=after is None)


def _seconds(params: Params) -> int:
    wait_s = params.maybe_number("wait") or 0
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise OperatorError(f"wait must be 0 to {MAX_WAIT_S} s", exit_code=ExitCode.USAGE)
    return wait_s
