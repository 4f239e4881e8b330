"""Answers of the admin API against its document, with nothing in them that it does not name."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import httpx
from jsonschema import Draft202012Validator
from starlette.routing import Route

from jrc.admin.api import operations_of
from jrc.admin.contract import JSON, ApiRoute, Operation, routes_of
from jrc.admin.openapi import document
from jrc.admin.services import Services

OK = 200


@cache
def operations() -> list[Operation]:
    """Every route there is."""
    return operations_of(cast("Services", None))


@cache
def the_document() -> Mapping[str, Any]:
    """The document, where an object has the fields that are named and no others."""
    found: Mapping[str, Any] = _strict(document(operations()))
    return found


async def check(answer: httpx.Response) -> None:
    """An event hook of httpx: the answer is what the document says of its route.

    Raises:
        AssertionError: it is not; names where.
    """
    operation = operation_at(answer.request.method, answer.request.url.path)
    if operation is None:
        return
    described = the_document()["paths"][operation.path][operation.method.lower()]["responses"]
    status = str(answer.status_code)
    assert status in described, f"{operation.method} {operation.path} documents no {status}"
    kind = answer.headers["content-type"]
    content = _resolved(described[status])["content"]
    assert kind in content, f"{operation.method} {operation.path} documents no {kind}"
    if kind == JSON:
        await answer.aread()
        schema = {**content[kind]["schema"], "components": the_document()["components"]}
        errors = [
            f"{'/'.join(map(str, each.path))}: {each.message}"
            for each in Draft202012Validator(schema).iter_errors(answer.json())
        ]
        assert errors == [], f"{operation.method} {operation.path} {status}: {errors[:3]}"


@cache
def _routes() -> list[Route]:
    return routes_of(operations())


def operation_at(method: str, path: str) -> Operation | None:
    """The operation that a request comes to, None where there is none."""
    for route in _routes():
        assert isinstance(route, ApiRoute)
        if method in route.operations and route.path_regex.match(path):
            return route.operations[method]
    return None


def _resolved(response: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in response:
        return response
    found: Mapping[str, Any] = the_document()["components"]["responses"][
        response["$ref"].rpartition("/")[2]
    ]
    return found


def _strict(value: Any) -> Any:
    if isinstance(value, list):
        return [_strict(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    found = {name: _strict(each) for name, each in value.items()}
    if isinstance(found.get("properties"), Mapping) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found
