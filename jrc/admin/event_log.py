"""``/v1/events/...``: verifying, exporting and shortening the audit log."""

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, get, post
from jrc.admin.event_params import AFTER, LINE, WHICH_FIELDS, moment, wanted_of
from jrc.admin.fields import AGREED, PLAN, REASON, WHOLE, hexed, limit, number, obliged, text
from jrc.admin.params import Params, hex_bytes, json_params, page_limit, query_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services, Transactions
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import Scope
from jrc.service.event_chain import Place
from jrc.service.event_check import ChainReport, verify_stretch
from jrc.service.event_lines import line_of
from jrc.service.event_removal import (
    Removal,
    begin_removal,
    go_on_removing,
    plan_removal,
    removal_due,
)
from jrc.service.events import check_known
from jrc.service.registry import Registry

MAX_STRETCH = 50_000
"""Events that one request verifies at most, where it says how many."""
MAX_LINES = 5000
REST_S = 0.02
"""Between two chunks that are deleted: joins that have waited for one go first."""
_HASH_BYTES = 32


class EventLogRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        keep = number("keep_at_least", "The newest ones stay, however old.", minimum=0)
        going = (obliged(text("before", "A time, or how long ago.", examples=["365d"])), keep)
        return [
            get(
                "/v1/events/verify",
                self.verify,
                ChainReport,
                query=(
                    number("after", "The event that was reached.", minimum=0),
                    hexed("hash", "And its hash.", _HASH_BYTES),
                    limit(MAX_STRETCH),
                ),
            ),
            get(
                "/v1/events/export",
                self.export,
                {"events": Listed(LINE), "next": Maybe(WHOLE)},
                query=(AFTER, number("up_to", "The last one."), limit(MAX_LINES), *WHICH_FIELDS),
            ),
            post(
                "/v1/events/removal/plan",
                self.plan_removal,
                {**PLAN, "removed": Maybe(Removal)},
                body=going,
                needs=Scope.READ,
            ),
            post(
                "/v1/events/removal",
                self.remove,
                {"removed": WHOLE, "first": Maybe(WHOLE), "last": Maybe(WHOLE)},
                body=(*going, number("last", "As the plan said."), REASON, AGREED),
                needs=Scope.ADMIN,
            ),
        ]

    async def verify(self, request: Request) -> Response:
        """Whether the chain of hashes holds; with ``limit`` a stretch of it.

        ``after`` and ``hash`` are number and hash that the stretch before has reached.
        """
        params = query_params(request)
        place = _place(params)
        most = page_limit(params, MAX_STRETCH) if "limit" in params else None
        known = self._services.newest_event
        found = await self._services.run_read(
            lambda tx: verify_stretch(tx, place, most, known=known)
        )
        return JSONResponse(asdict(found))

    async def export(self, request: Request) -> Response:
        """A page of events after a number and not after ``up_to``, with hashes.

        ``next`` is null after the last one.
        """
        params = query_params(request)
        up_to = params.maybe_number("up_to")
        after, most = params.maybe_number("after") or 0, page_limit(params, MAX_LINES)

        def read(tx: Registry) -> list[dict[str, object]]:
            wanted = wanted_of(params, tx.now_ms)
            if not after:
                check_known(tx, kind=wanted.kind, network=wanted.network)
            page = tx.events.links(wanted, after=after, limit=most)
            return [line_of(each) for each in page if up_to is None or each.number <= up_to]

        found = await self._services.run_read(read)
        last = found[-1]["number"] if len(found) == most else None
        return JSONResponse({"events": found, "next": last})

    async def plan_removal(self, request: Request) -> Response:
        """What removing events from before a time does."""
        params = await json_params(request)
        removal = await self._due(params)
        shown = None if removal is None else asdict(removal)
        return JSONResponse({**plan_json(plan_removal(removal)), "removal": shown})

    async def remove(self, request: Request) -> Response:
        """Remove events from before a time; ``last`` as the plan said, or nothing is done."""
        params = await json_params(request)
        agreed, reason = params.flag("agreed"), params.reason()
        removal = await self._due(params)
        if removal is None:
            return JSONResponse({"removed": 0, "first": None, "last": None})
        if params.maybe_number("last") not in (None, removal.last):
            raise OperatorError(
                "other events are that old by now than were shown", "try again",
                exit_code=ExitCode.REFUSED,
            )  # fmt: skip
        actor = actor_of(request.scope)
        await remove_in_turns(
            self._services, removal, actor=actor, reason=reason, agreed=agreed, rest_s=REST_S
        )
        return JSONResponse(
            {"removed": removal.count, "first": removal.first, "last": removal.last}
        )

    async def _due(self, params: Params) -> Removal | None:
        before, keep = params.text("before"), params.maybe_number("keep_at_least") or 0
        if keep < 0:
            raise OperatorError("keep_at_least is at least 0", exit_code=ExitCode.USAGE)

        def read(tx: Registry) -> Removal | None:
            return removal_due(tx, moment("before", before, tx.now_ms), keep)

        return await self._services.run_read(read)


async def remove_in_turns(
    transactions: Transactions,
    removal: Removal,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = True,
    rest_s: float = REST_S,
) -> None:
    """Remove events in transactions that are small enough for joins in between.

    Raises:
        OperatorError: it was not agreed to, or others remove some as well.
    """
    more = await transactions.run_write(
        lambda tx: begin_removal(tx, removal, actor=actor, reason=reason, agreed=agreed)
    )
    while more:
        await asyncio.sleep(rest_s)
        more = await transactions.run_write(lambda tx: go_on_removing(tx, removal))


def _place(params: Params) -> Place | None:
    number, reached = params.maybe_number("after"), params.parsed("hash", hex_bytes)
    if number is None and reached is None:
        return None
    if number is None or number < 0 or reached is None or len(reached) != _HASH_BYTES:
        raise OperatorError(
            "after and hash go together: a number and 32 bytes in hex", exit_code=ExitCode.USAGE
        )
    return Place(number, reached)
