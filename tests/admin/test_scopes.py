"""What each scope opens, route by route."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from jrc.admin.api import build_api
from jrc.admin.contract import App
from jrc.policy.scopes import Scope, held_with
from tests.admin import conforming
from tests.admin.conforming import operations
from tests.admin.registrar import Registrar

FORBIDDEN = 403
OPENS = {
    Scope.READ: {Scope.READ},
    Scope.IMPORT: {Scope.IMPORT},
    Scope.OPERATE: {Scope.READ, Scope.IMPORT, Scope.OPERATE},
    Scope.ADMIN: set(Scope),
}


@dataclass(frozen=True)
class Somebody:
    """A caller with one scope."""

    scopes: frozenset[Scope]
    actor: str = "somebody"


def as_caller(app: App, *scopes: Scope) -> App:
    async def called(scope: Connection, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["peer"] = Somebody(held_with(*scopes))
        await app(scope, receive, send)

    return called


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


def ask(
    registrar: Registrar, scope: Scope, method: str, path: str, **more: object
) -> httpx.Response:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(as_caller(build_api(registrar.services), scope))
        hooks = {"response": [conforming.check]}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://jrc", event_hooks=hooks
        ) as client:
            return await client.request(method, path, **more)  # type: ignore[arg-type]

    return asyncio.run(work())


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_opens_its_routes_and_no_others(registrar: Registrar, scope: Scope) -> None:
    """Whoever lacks it is refused before anything is read or written."""
    opened = set()
    before = registrar.services.database.instance.event_number
    for each in operations():
        if each.needs in OPENS[scope] or each.needs is None:
            continue
        path = each.path.format(pledge_id="00", name="lab", network="lab")
        answer = ask(registrar, scope, each.method, path, content=b"{")
        assert answer.status_code == FORBIDDEN, (scope, each.method, path)
        assert f"scope {each.needs}" in answer.json()["error"]
    assert registrar.services.database.instance.event_number == before
    for each in operations():
        if each.needs in OPENS[scope] and each.method == "GET":
            path = each.path.format(pledge_id="00", name="lab", network="lab")
            assert ask(registrar, scope, each.method, path).status_code != FORBIDDEN
            opened.add(each.needs)
    assert opened == OPENS[scope] - {Scope.IMPORT, Scope.OPERATE} - (
        {Scope.ADMIN} if scope is not Scope.ADMIN else set()
    )


@pytest.mark.parametrize(
    "query", ["on_conflict=replace", "on_conflict=REPLACE", "pending_firmware=1"]
)
def test_who_may_import_alone_gives_no_device_another_key(registrar: Registrar, query: str) -> None:
    """A build machine's token that leaks must not open devices in the field."""
    body = b"pledge_id,psk\n00124b0014b5b67e,6d1f9c0a73e84b52a9c7d0e15f3b8264\n"
    refused = ask(registrar, Scope.IMPORT, "POST", f"/v1/imports?{query}", content=body)
    assert (refused.status_code, "give no other keys" in refused.json()["error"]) == (409, True)
    operated = ask(registrar, Scope.OPERATE, "POST", f"/v1/imports?{query}", content=body)
    assert operated.status_code == 200


def test_who_may_import_alone_adds_pledges_and_gets_the_report(registrar: Registrar) -> None:
    """And nothing of what was there before."""
    body = b"pledge_id,psk\n00124b0014b5b67e,6d1f9c0a73e84b52a9c7d0e15f3b8264\n"
    done = ask(registrar, Scope.IMPORT, "POST", "/v1/imports?reason=build", content=body)
    assert done.json()["added"] == 1
    last = registrar.call("GET", "/v1/events", params={"limit": 1}).json()["events"][-1]
    assert (last["actor"], last["reason"]) == ("somebody", "build")


FOR_ADMINS_ALONE = {
    "POST /v1/backups", "POST /v1/backups/failed", "POST /v1/backups/made",
    "POST /v1/events/removal", "POST /v1/quarantine",
    "POST /v1/recovery/revocations", "POST /v1/recovery/step",
    "POST /v1/keys/slots", "DELETE /v1/keys/slots/{name}",
    "POST /v1/keys/rotate", "POST /v1/keys/rotation", "POST /v1/keys/rotation/step",
    "GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/{name}",
}  # fmt: skip
"""What concerns the database itself (docs/api.md), said once more: a slip in the contract would be
in the router and in the document alike."""


def test_what_concerns_the_database_itself_is_for_admins_alone() -> None:
    """Whoever may make tokens may do everything, and so may who has a backup."""
    found = {f"{each.method} {each.path}" for each in operations() if each.needs is Scope.ADMIN}
    assert found == FOR_ADMINS_ALONE


def test_readers_have_nothing_but_questions_and_plans() -> None:
    """And whoever is let in at all, health and the document."""
    for each in operations():
        if each.needs is Scope.READ:
            assert each.method == "GET" or each.path.endswith("/plan"), each.path
        elif each.needs is None:
            assert each.path in ("/v1/health", "/v1/openapi.json")
        elif each.needs is Scope.IMPORT:
            assert each.path in ("/v1/imports", "/v1/identities", "/v1/identities/batch")
