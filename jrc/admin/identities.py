"""``/v1/identities``: the public credentials that devices print when they boot."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Field, Listed, Maybe, Operation, Parts, get, post
from jrc.admin.fields import (
    AGREED,
    NETWORK,
    PLAN,
    REASON,
    TEXT,
    hexed,
    identifier,
    limit,
    obliged,
    text,
    word,
)
from jrc.admin.params import (
    MAX_PAGE,
    Params,
    choice,
    hex_bytes,
    json_params,
    page_limit,
    pledge_id,
    query_params,
)
from jrc.admin.peers import actor_of
from jrc.admin.plans import plan_json
from jrc.admin.services import Services
from jrc.cojp.credential import MAX_CREDENTIAL_BYTES, Credential, parse
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.scopes import Scope
from jrc.service import identities
from jrc.service.identities import (
    MAX_PLACE_CHARACTERS,
    Ended,
    Recorded,
    Sighting,
    checked_place,
    plan_end,
    record,
    record_all,
)
from jrc.service.identity_reports import (
    IdentityDetails,
    IdentityReport,
    list_identities,
    show_identity,
)
from jrc.service.identity_shown import CredentialShown
from jrc.service.identity_store import Origin

MAX_SIGHTINGS: Final = 200
"""Of one request; a body of that many fits (``problems.MAX_BODY_BYTES``)."""
_SEEN: Final = (
    obliged(identifier("pledge_id", "The device's identifier in hex.")),
    obliged(
        hexed("credential", f"The CBOR that it printed, up to {MAX_CREDENTIAL_BYTES} bytes in hex.")
    ),
    word("provenance", Origin, "How it came here; `api` where nothing is said."),
    text("where", "Such as the name of a port.", maxLength=MAX_PLACE_CHARACTERS),
)
_MANY: Final = Field(
    "identities",
    {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_SIGHTINGS,
        "items": {
            "type": "object",
            "properties": {each.name: each.schema for each in _SEEN},
            "required": [each.name for each in _SEEN if each.required],
            "additionalProperties": False,
        },
    },
    "What was seen of several devices.",
    required=True,
)
_LISTED: Final = Parts((CredentialShown, IdentityReport), without=("identity",))


class IdentityRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        one = "/v1/identities/{pledge_id}"
        after = identifier("after", "`next` of the page before.")
        return [
            get(
                "/v1/identities",
                self.list,
                {"identities": Listed(_LISTED), "next": Maybe(TEXT)},
                query=(NETWORK, after, limit(MAX_PAGE)),
            ),
            post("/v1/identities", self.add, Recorded, body=(*_SEEN, REASON), needs=Scope.IMPORT),
            post(
                "/v1/identities/batch",
                self.add_many,
                {"identities": Listed(Recorded)},
                body=(_MANY, REASON),
                needs=Scope.IMPORT,
            ),
            get(one, self.show, IdentityDetails),
            post(one, self.end, Ended, body=(REASON, AGREED), method="DELETE"),
            get(f"{one}/removal", self.plan_end, PLAN),
        ]

    async def list(self, request: Request) -> Response:
        """Credentials in force, by device; a page may have fewer than its limit before the last."""
        params = query_params(request)
        network, most = params.maybe_text("network"), page_limit(params)
        after = params.parsed("after", PledgeId.from_hex)
        found = await self._services.run_read(
            lambda tx: list_identities(tx, network=network, after=after, limit=most)
        )
        shown = []
        for each in found.identities:
            flat = asdict(each)
            shown.append({**flat.pop("identity"), **flat})
        return JSONResponse({"identities": shown, "next": found.next})

    async def add(self, request: Request) -> Response:
        """Keep what a device printed; the outcome is new, same or superseded.

        A key that another device shows already is refused, naming both.
        """
        params = await json_params(request)
        seen, actor, reason = _sighting(params), actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: record(tx, seen, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(done))

    async def add_many(self, request: Request) -> Response:
        """Keep what several devices printed; each has its own outcome, refused among them.

        They are written together. Where one can't be read, none is.
        """
        params = await json_params(request)
        seen, actor, reason = _sightings(params), actor_of(request.scope), params.reason()
        done = await self._services.run_write(
            lambda tx: record_all(tx, seen, actor=actor, reason=reason)
        )
        return JSONResponse({"identities": [asdict(each) for each in done]})

    async def show(self, request: Request) -> Response:
        """The credentials that a device has and had, oldest first."""
        device = pledge_id(request.path_params["pledge_id"])
        return JSONResponse(
            asdict(await self._services.run_read(lambda tx: show_identity(tx, device)))
        )

    async def plan_end(self, request: Request) -> Response:
        """What ending the device's credential will do."""
        device = pledge_id(request.path_params["pledge_id"])
        return JSONResponse(
            plan_json(await self._services.run_read(lambda tx: plan_end(tx, device)))
        )

    async def end(self, request: Request) -> Response:
        """Let the device's credential be in force no more; its history stays."""
        params = await json_params(request)
        device, actor = pledge_id(request.path_params["pledge_id"]), actor_of(request.scope)
        reason, agreed = params.reason(), params.flag("agreed")
        done = await self._services.run_write(
            lambda tx: identities.end(tx, device, actor=actor, reason=reason, agreed=agreed)
        )
        return JSONResponse(asdict(done))


def _sightings(params: Params) -> list[Sighting]:
    given = params.maybe_objects("identities") or ()
    if not 1 <= len(given) <= MAX_SIGHTINGS:
        raise OperatorError(
            f"identities must have 1 to {MAX_SIGHTINGS} elements", exit_code=ExitCode.USAGE
        )
    known = [each.name for each in _SEEN]
    return [_numbered(number, each, known) for number, each in enumerate(given, start=1)]


def _numbered(number: int, given: Mapping[str, object], known: list[str]) -> Sighting:
    try:
        return _sighting(Params(given, known))
    except OperatorError as error:
        raise OperatorError(
            f"element {number} of identities: {error.message}",
            error.hint,
            exit_code=error.exit_code,
        ) from None


def _sighting(params: Params) -> Sighting:
    device = pledge_id(params.text("pledge_id"))
    params.text("credential")
    credential = params.parsed("credential", _credential, "give the CBOR that the device printed")
    assert credential is not None, "it is there, or ``text`` has said so"
    return Sighting(
        identifier=device,
        credential=credential,
        provenance=params.parsed("provenance", choice(Origin)) or Origin.API,
        place=params.parsed("where", checked_place) or "",
    )


def _credential(text: str) -> Credential:
    return parse(hex_bytes(text))
