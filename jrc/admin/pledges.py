"""``/v1/pledges``: adding, listing and changing single pledges."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, Parts, get, post
from jrc.admin.fields import (
    AGREED,
    NETWORK,
    PLAN,
    REASON,
    TEXT,
    address,
    flag,
    hexed,
    identifier,
    limit,
    obliged,
    or_null,
    text,
    texts,
    word,
)
from jrc.admin.params import (
    MAX_PAGE,
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
from jrc.service.applicants import Applicant, DerivedKeys, Purpose
from jrc.service.examine import OnConflict
from jrc.service.node_addresses import Readdressed, set_address
from jrc.service.pledges import PledgeDetails, PledgeReport, list_pledges, show_pledge
from jrc.service.records import KeyOrigin
from jrc.service.registry import Registry
from jrc.service.reports import Cleared, clear_reports
from jrc.service.wording import parse_role

DERIVED = ("pledge_sender_key", "pledge_recipient_key", "common_iv")
KEYS: Final = (
    hexed("psk", "Its key; else the three that follow."),
    *(hexed(name, "Derived (RFC 9031 App. B).") for name in DERIVED),
    text("aead", "OSCORE's AEAD algorithm.", examples=["AES-CCM-16-64-128"]),
    text("hkdf", "OSCORE's HKDF algorithm.", examples=["HKDF SHA-256"]),
)
DETAILS: Final = (
    *KEYS,
    texts("networks", "Those it may join; left out: the only one there is."),
    text("role", "What it may be.", examples=["6ln", "6lbr"]),
    text("label", "A name for people."),
    word("profile", Profile),
    word("provenance", KeyOrigin, "Where the key comes from."),
)
"""Parameters of a pledge that is enrolled."""
_ADD: Final = (
    obliged(identifier("pledge_id", "Its identifier in hex.")),
    *DETAILS,
    word("on_conflict", OnConflict, "What becomes of one that is there with another key."),
    flag("pending_firmware", "The key waits beside the one in force, for a first join."),
    flag("used_before", "Its counters are not known: it begins with RFC 8613 App. B.2."),
    REASON,
)
_ADDRESS = "write it as 2001:db8:0:1::7"
MAX_SEARCH_CHARACTERS = 100
_Change = Callable[[Registry, PledgeId, str, str, bool], enroll.Changed | Cleared]


class PledgeRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/pledges/{pledge_id}"
        return [
            get(
                "/v1/pledges",
                self.list,
                {"pledges": Listed(PledgeReport), "next": Maybe(TEXT)},
                query=(
                    NETWORK,
                    word("state", PledgeState),
                    flag("recovering", "Those alone that lost their security context."),
                    text(
                        "search",
                        "A part of the label, or digits of the identifier.",
                        minLength=1,
                        maxLength=MAX_SEARCH_CHARACTERS,
                    ),
                    identifier("after", "`next` of the page before."),
                    limit(MAX_PAGE),
                ),
            ),
            post("/v1/pledges", self.add, enroll.Enrolled, body=_ADD),
            get(one, self.show, Parts((PledgeReport, PledgeDetails), without=("pledge",))),
            post(one, self.remove, enroll.Changed, body=(REASON, AGREED), method="DELETE"),
            get(f"{one}/removal", self.plan_removal, PLAN),
            post(f"{one}/clear-reports", self.clear_reports, Cleared, body=(REASON, AGREED)),
            post(
                f"{one}/address",
                self.set_address,
                Readdressed,
                body=(or_null(address("address", "Where it is reached; null: as joined.")), REASON),
            ),
        ]

    async def list(self, request: Request) -> Response:
        """One page, and after which identifier the next one begins."""
        params = query_params(request)
        network, most = params.maybe_text("network"), page_limit(params)
        state = params.parsed("state", choice(PledgeState))
        after = params.parsed("after", PledgeId.from_hex)
        recovering = params.flag("recovering") if "recovering" in params else False
        search = params.parsed("search", _searched)
        found = await self._services.run_read(
            lambda tx: list_pledges(
                tx,
                network=network,
                state=state,
                recovering=recovering,
                search=search,
                after=after,
                limit=most,
            )
        )
        if any(report.damaged for report in found):
            self._services.distrust()
        last = found[-1].pledge_id if len(found) == most else None
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
        params = await json_params(request)
        applicant = applicant_of(params, allow_weak=self._services.allows_weak_keys)
        on_conflict = params.parsed("on_conflict", choice(OnConflict)) or OnConflict.FAIL
        is_next = params.flag("pending_firmware")
        purpose = Purpose.NEXT_FIRMWARE if is_next else Purpose.ENROLL
        actor, reason = actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: enroll.add_pledge(
                tx,
                applicant,
                actor=actor,
                reason=reason,
                on_conflict=on_conflict,
                purpose=purpose,
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
        params = await json_params(request)
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
        params = await json_params(request)
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


def _searched(given: str) -> str:
    if not 1 <= len(given) <= MAX_SEARCH_CHARACTERS:
        raise ValueError(f"must have 1 to {MAX_SEARCH_CHARACTERS} characters")
    return given


def _identifier(request: Request) -> PledgeId:
    return pledge_id(request.path_params["pledge_id"])


def applicant_of(
    params: Params, *, allow_weak: bool, identifier: PledgeId | None = None
) -> Applicant:
    """The pledge that a request enrolls, by the parameter ``pledge_id`` if not by another one.

    Raises:
        OperatorError: a parameter is missing, or can't be read.
    """
    aead, hkdf = params.parsed("aead", aead_by_name), params.parsed("hkdf", hkdf_by_name)
    return Applicant(
        identifier=identifier or pledge_id(params.text("pledge_id")),
        keys=_keys(params),
        networks=params.maybe_texts("networks") or (),
        role=params.parsed("role", parse_role),
        label=params.maybe_text("label"),
        profile=params.parsed("profile", choice(Profile)),
        provenance=(params.parsed("provenance", choice(KeyOrigin)) or KeyOrigin.OPERATOR).value,
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
