"""The document of the API: all routes are in it, and nothing else; answers are what it says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from jrc.admin.api import build_api
from jrc.admin.contract import ApiRoute
from jrc.admin.openapi import document_text
from jrc.policy.scopes import Scope
from tests.admin import conforming
from tests.admin.conforming import operations
from tests.admin.registrar import Registrar

CHECKOUT = Path(__file__).parents[2]
OF_EVERYBODY = {"/v1/health", "/v1/openapi.json"}
CHANGED_BY_ADMINS = {"backups", "events", "keys", "quarantine", "recovery", "tokens"}


def described() -> dict[tuple[str, str], Any]:
    """What the shipped document says, by method and path."""
    shipped = json.loads((CHECKOUT / "docs/openapi.json").read_text(encoding="utf-8"))
    return {
        (method.upper(), path): each
        for path, methods in shipped["paths"].items()
        for method, each in methods.items()
    }


def test_the_shipped_document_is_what_the_code_makes() -> None:
    """If not: `make reference`."""
    shipped = (CHECKOUT / "docs/openapi.json").read_text(encoding="utf-8")
    assert document_text(operations()) == shipped


def test_every_route_is_in_the_document_and_every_documented_route_exists(tmp_path: Path) -> None:
    """As the router has them, not as they were declared; HEAD and others are not served."""
    with Registrar(tmp_path) as registrar:
        routes = build_api(registrar.services).routes
    assert all(isinstance(route, ApiRoute) for route in routes)
    served = {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert served == set(described())


def test_a_registrar_serves_its_own_document(tmp_path: Path) -> None:
    """To everybody who is let in."""
    with Registrar(tmp_path) as registrar:
        answer = registrar.call("GET", "/v1/openapi.json")
    assert answer.json() == json.loads(document_text(operations()))


def test_every_operation_has_a_name_of_its_own_and_a_summary() -> None:
    """For whoever makes a client of it."""
    names = [each["operationId"] for each in described().values()]
    assert sorted(set(names)) == sorted(names)
    assert all(each["summary"].endswith((".", ";")) for each in described().values())


OF_BUILDERS = ("/v1/imports", "/v1/identities", "/v1/identities/batch")


def test_what_changes_anything_needs_more_than_read() -> None:
    """GET and plans alone are for readers; what concerns the database itself is for admins."""
    for (method, path), each in described().items():
        last, group = path.rpartition("/")[2], path.split("/")[2]
        if path in OF_EVERYBODY:
            assert each["x-scope"] is None
        elif group == "tokens":
            assert each["x-scope"] == Scope.ADMIN
        elif method == "GET" or (last == "plan" and "replace" not in path):
            assert each["x-scope"] == Scope.READ, path
        elif path in OF_BUILDERS and method == "POST":
            assert each["x-scope"] == Scope.IMPORT
        elif group in CHANGED_BY_ADMINS:
            assert each["x-scope"] == Scope.ADMIN, path
        else:
            assert each["x-scope"] == Scope.OPERATE, path


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"alive": True, "ready": True}),
        httpx.Response(200, json={"alive": True, "ready": 1, "why": []}),
        httpx.Response(200, json={"alive": True, "ready": True, "why": [], "more": 1}),
        httpx.Response(418, json={"error": "", "hint": "", "exit_code": 1}),
        httpx.Response(409, json={"error": "", "hint": ""}),
        httpx.Response(200, text="well"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_told(answer: httpx.Response) -> None:
    """A field that is missing, of another kind, or one more; a status; a media type."""
    answer.request = httpx.Request("GET", "http://jrc/v1/health")
    with pytest.raises(AssertionError):
        asyncio.run(conforming.check(answer))
