"""``/v1/tokens``: who may use this API over TCP."""

from dataclasses import asdict
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Operation, get, post
from jrc.admin.fields import DURATION, NULL, REASON, flag, obliged, text, word
from jrc.admin.params import choice, json_params, query_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import Scope
from jrc.service.tokens import (
    FOR_EVER,
    LIFE_S,
    TokenAdded,
    TokenReport,
    add_token,
    list_tokens,
    parse_life,
    revoke_token,
)

_LIFE: Final = f"{DURATION}|^{FOR_EVER}$"


class TokenRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        change = partial(post, needs=Scope.ADMIN)
        past = flag("all", "Those that were revoked as well.")
        return [
            get(
                "/v1/tokens",
                self.list,
                {"tokens": Listed(TokenReport), "next": NULL},
                query=(past,),
                needs=Scope.ADMIN,
            ),
            change(
                "/v1/tokens",
                self.add,
                TokenAdded,
                body=(
                    obliged(text("name", "Who has it.")),
                    obliged(word("scope", Scope)),
                    text(
                        "expires_in",
                        "How long it is good, or `never`; left out: 90 days.",
                        pattern=_LIFE,
                        examples=["90d"],
                    ),
                    REASON,
                ),
            ),
            change("/v1/tokens/{name}", self.revoke, TokenReport, body=(REASON,), method="DELETE"),
        ]

    async def list(self, request: Request) -> Response:
        """The tokens, without what would let anybody in."""
        with_past = query_params(request).flag("all")
        found = await self._services.run_read(lambda tx: list_tokens(tx, with_past=with_past))
        return JSONResponse({"tokens": [asdict(each) for each in found], "next": None})

    async def add(self, request: Request) -> Response:
        """Make a token, which this answer alone has."""
        params = await json_params(request)
        scope = params.parsed("scope", choice(Scope))
        if scope is None:
            raise OperatorError("scope is missing", exit_code=ExitCode.USAGE)
        name = params.text("name")
        # In a tuple, as None is what `never` says.
        (life_s,) = params.parsed("expires_in", lambda given: (parse_life(given),)) or (LIFE_S,)
        added = partial(
            add_token, name=name, scope=scope, expires_in_s=life_s,
            actor=actor_of(request.scope), reason=params.reason(),
        )  # fmt: skip
        return JSONResponse(asdict(await self._services.run_write(added)))

    async def revoke(self, request: Request) -> Response:
        """End a token, at once and at every registrar of the database."""
        params = await json_params(request)
        name, actor, reason = request.path_params["name"], actor_of(request.scope), params.reason()
        ended = await self._services.run_write(
            lambda tx: revoke_token(tx, name, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(ended))
