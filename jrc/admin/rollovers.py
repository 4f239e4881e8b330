"""``/v1/rollovers``: new link-layer keys for whole networks."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Field, Listed, Maybe, Operation, Parts, get, post
from jrc.admin.fields import (
    AGREED,
    NULL,
    PLAN,
    REASON,
    TEXT,
    WHOLE,
    duration,
    flag,
    number,
    text,
)
from jrc.admin.params import MAX_PAGE, Params, choice, json_params, query_params
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.policy.rollover import NodeState, Phase
from jrc.service import rollover, rollover_consent
from jrc.service.registry import Registry
from jrc.service.rollover_consent import RolloverPlan, Shown
from jrc.service.rollover_records import RolloverSettings
from jrc.service.rollover_reports import NodeReport, RolloverStatus, status
from jrc.service.rollover_sizes import DomainSize, sizes_of
from jrc.service.windows import parse_duration
from jrc.service.wording import parse_share

_QUORUM = text("quorum", "The share that must have the new keys.", examples=["0.95", "95%"])
_DEADLINE = duration("deadline", "When a person is asked about the rest.")
_AT = text("at", "When it begins, with a time zone.", examples=["2026-11-22T02:00Z"])
_RULES = (_QUORUM, _DEADLINE, _AT)
_ANYWAY = flag(
    "anyway",
    "Go on without 6LNs that are missing, in the switch without 6LBRs and radios.",
)
_SHOWN = Field(
    "shown",
    {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "phase": {"type": "string", "enum": [each.value for each in Phase]},
            "affected": {"type": "integer"},
        },
        "required": ["id", "phase", "affected"],
        "additionalProperties": False,
    },
    "As the plan had it: the yes is for that alone.",
)
_PAGE = (
    number("after", "`next` of the page before.", minimum=0),
    number("limit", "Nodes of a page; 0: none.", minimum=0, maximum=MAX_PAGE, default=MAX_PAGE),
    text("states", "Those in these states alone, with commas between them."),
    number("id", "Not the one that runs or ran last.", minimum=0),
)
_DURATION = "write it as 90s, 10m, 2h or 1d"
_SHARE = "write it as 0.95 or 95%"
_MOMENT = "write it as 2026-11-22T02:00Z"


class RolloverRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/rollovers/{network}"
        brief = Parts((RolloverStatus, {"hindered": Maybe(TEXT)}), without=("nodes", "next_page"))
        pages = {"nodes": Listed(NodeReport), "next": Maybe(WHOLE)}
        shown = {**PLAN, "shown": Maybe(Shown)}
        yes = (REASON, AGREED)
        return [
            get("/v1/rollovers", self.list, {"rollovers": Listed(brief), "next": NULL}),
            get(one, self.show, Parts((brief, pages)), query=_PAGE),
            post(one, self.start, brief, body=(*_RULES, *yes)),
            get(f"{one}/plan", self.plan_start, PLAN, query=_RULES),
            get(
                f"{one}/size",
                self.size,
                Parts((DomainSize, {"quorum_permille": WHOLE, "deadline_s": WHOLE})),
                query=(_QUORUM, _DEADLINE),
            ),
            post(f"{one}/pause", self.pause, brief, body=(REASON,)),
            get(f"{one}/resume", self.plan_resume, shown, query=(_ANYWAY,)),
            post(f"{one}/resume", self.resume, brief, body=(_ANYWAY, *yes, _SHOWN)),
            get(f"{one}/abort", self.plan_abort, shown),
            post(f"{one}/abort", self.abort, brief, body=(*yes, _SHOWN)),
        ]

    async def list(self, _request: Request) -> Response:
        """The running or last rollover of every network, without its nodes."""
        status_of = self._status_of()

        def work(tx: Registry) -> list[RolloverStatus]:
            names = sorted(network.name for network in tx.networks.all().values())
            return [status_of(tx, name, limit=0) for name in names]

        found = await self._services.run_read(work)
        return JSONResponse({"rollovers": [self._brief(each) for each in found], "next": None})

    async def show(self, request: Request) -> Response:
        """One with a page of its nodes; ``limit`` 0 is without them.

        ``id`` names one of the last; else it is the one that runs, or ran last.
        """
        params = query_params(request)
        after, limit = params.maybe_number("after"), _limit(params)
        states, number = _states(params), params.maybe_number("id")
        name, status_of = _network(request), self._status_of()
        found = await self._services.run_read(
            lambda tx: status_of(
                tx, name, after=after or 0, limit=limit, states=states, rollover_id=number
            )
        )
        page = {"nodes": [asdict(node) for node in found.nodes], "next": found.next_page}
        return JSONResponse({**self._brief(found), **page})

    async def plan_start(self, request: Request) -> Response:
        """What new keys mean for whom."""
        params = query_params(request)
        _settings(params, self._services.rollover_settings)
        name, not_before_ms = _network(request), _not_before_ms(params)
        installers = self._services.installers
        plan = await self._services.run_read(
            lambda tx: rollover_consent.plan_start(tx, name, not_before_ms, installers)
        )
        return JSONResponse(plan_json(plan))

    async def size(self, request: Request) -> Response:
        """How many there are to be told in each network, and the rules, for a rehearsal."""
        params = query_params(request)
        rules = _settings(params, self._services.rollover_settings)
        name = _network(request)
        found = await self._services.run_read(lambda tx: sizes_of(tx, name))
        shown = {"quorum_permille": rules.quorum_permille, "deadline_s": rules.deadline_s}
        return JSONResponse({**asdict(found), **shown})

    async def start(self, request: Request) -> Response:
        """Start one."""
        params = await json_params(request)
        settings = _settings(params, self._services.rollover_settings)
        not_before_ms, agreed = _not_before_ms(params), params.flag("agreed")
        name, actor, reason = _network(request), actor_of(request.scope), params.reason()
        installers = self._services.installers

        def work(tx: Registry) -> RolloverStatus:
            plan = rollover_consent.plan_start(tx, name, not_before_ms, installers)
            plan.require(agreed)
            return rollover.start_rollover(
                tx,
                name,
                actor=actor,
                reason=reason,
                settings=settings,
                not_before_ms=not_before_ms,
            )

        return JSONResponse(self._brief(await self._services.run_write(work)))

    async def pause(self, request: Request) -> Response:
        """Hold the one that runs."""
        reason = (await json_params(request)).reason()
        name, actor = _network(request), actor_of(request.scope)
        done = await self._services.run_write(
            lambda tx: rollover.pause_rollover(tx, name, actor=actor, reason=reason)
        )
        # Who has paused it stands in the audit log, where it is once that transaction has ended.
        status_of = self._status_of()
        found = await self._services.run_read(
            lambda tx: status_of(tx, name, limit=0, rollover_id=done.id)
        )
        return JSONResponse(self._brief(found))

    async def plan_resume(self, request: Request) -> Response:
        """Who is left behind."""
        anyway, name = query_params(request).flag("anyway"), _network(request)
        installers = self._services.installers
        plan = await self._services.run_read(
            lambda tx: rollover_consent.plan_resume(tx, name, anyway=anyway, installers=installers)
        )
        return JSONResponse(_with_what_is_shown(plan))

    async def resume(self, request: Request) -> Response:
        """Let a paused one go on."""
        params = await json_params(request)
        anyway, agreed, reason = params.flag("anyway"), params.flag("agreed"), params.reason()
        name, actor, shown = _network(request), actor_of(request.scope), _shown(params)
        installers = self._services.installers

        def work(tx: Registry) -> RolloverStatus:
            plan = rollover_consent.plan_resume(
                tx, name, anyway=anyway, agreed_to=shown, installers=installers
            )
            plan.require(agreed)
            return rollover.resume_rollover(
                tx, name, anyway=anyway, actor=actor, reason=reason, installers=installers
            )

        return await self._moved(work)

    async def plan_abort(self, request: Request) -> Response:
        """What becomes of those that have the new keys."""
        name = _network(request)
        plan = await self._services.run_read(lambda tx: rollover_consent.plan_abort(tx, name))
        return JSONResponse(_with_what_is_shown(plan))

    async def abort(self, request: Request) -> Response:
        """Call off one that has not switched."""
        params = await json_params(request)
        agreed, reason = params.flag("agreed"), params.reason()
        name, actor, shown = _network(request), actor_of(request.scope), _shown(params)

        def work(tx: Registry) -> RolloverStatus:
            rollover_consent.plan_abort(tx, name, shown).require(agreed)
            return rollover.abort_rollover(tx, name, actor=actor, reason=reason)

        return await self._moved(work)

    def _status_of(self) -> Callable[..., RolloverStatus]:
        """``status`` with what is known just now of the installers."""
        services = self._services
        return partial(status, installers=services.installers, waits_s=services.installer_waits_s)

    async def _moved(self, work: Callable[[Registry], RolloverStatus]) -> Response:
        return JSONResponse(self._brief(await self._services.run_write(work)))

    def _brief(self, found: RolloverStatus) -> dict[str, object]:
        """All but the nodes, which may be thousands; ``hindered`` is why none is told anything."""
        brief = asdict(replace(found, nodes=()))
        shown = {name: brief[name] for name in brief if name not in ("nodes", "next_page")}
        is_running = found.phase is not None and found.ended is None
        return {**shown, "hindered": self._services.updates_hindered if is_running else None}


def _network(request: Request) -> str:
    name: str = request.path_params["network"]
    return name


def _with_what_is_shown(plan: RolloverPlan) -> dict[str, object]:
    """The plan, and in ``shown`` what comes back with the yes: it is for that rollover alone."""
    shown = None if plan.shown is None else asdict(plan.shown)
    return {**plan_json(plan), "shown": shown}


def _shown(params: Params) -> Shown | None:
    given = params.maybe_object("shown")
    if given is None:
        return None
    fields = Params(given, ("id", "phase", "affected"))
    try:
        phase = choice(Phase)(fields.text("phase"))
    except ValueError as error:
        raise OperatorError(f"phase: {error}", exit_code=ExitCode.USAGE) from None
    return Shown(id=fields.number("id"), phase=phase, affected=fields.number("affected"))


def _settings(params: Params, usual: RolloverSettings) -> RolloverSettings:
    """As the config file says, but for what the command says; out of bounds is refused."""
    quorum = params.parsed("quorum", parse_share, _SHARE)
    deadline_s = params.parsed("deadline", parse_duration, _DURATION)
    settings = replace(
        usual,
        quorum_permille=usual.quorum_permille if quorum is None else quorum,
        deadline_s=usual.deadline_s if deadline_s is None else deadline_s,
    )
    rollover.check_settings(settings)
    return settings


def _not_before_ms(params: Params) -> int | None:
    return params.parsed("at", _moment_ms, _MOMENT)


def _moment_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:64]!r} is no time") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text[:64]!r} names no time zone")
    # What is before 1970 is over in any case; year 1 may be year 0 in UTC, which there is not.
    return max(0, int(moment.timestamp() * 1000))


def _states(params: Params) -> tuple[NodeState, ...]:
    """The states in a comma-separated list; all where none is named."""
    text = params.maybe_text("states")
    parse = choice(NodeState)
    try:
        return tuple(parse(word) for word in text.split(",")) if text else ()
    except ValueError as error:
        raise OperatorError(f"states: {error}", exit_code=ExitCode.USAGE) from None


def _limit(params: Params) -> int:
    limit = params.maybe_number("limit")
    if limit is not None and not 0 <= limit <= MAX_PAGE:
        raise OperatorError(f"limit must be 0 to {MAX_PAGE}", exit_code=ExitCode.USAGE)
    return MAX_PAGE if limit is None else limit
