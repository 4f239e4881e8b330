"""``docs/api-reference.md`` and ``docs/openapi.json``: every route of the admin API."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from docs.made.pages import MADE, cell, joined, table
from jrc.admin.api import operations_of
from jrc.admin.contract import Operation
from jrc.admin.openapi import document, document_text
from jrc.admin.services import Services
from jrc.policy.scopes import MEANINGS

_HEAD: Final = f"""\
# Routes of the admin API

{MADE}
What the command line does, it does over these routes. [api.md](api.md) tells how to reach them; [openapi.json](openapi.json) has the same for
programs, and a running registrar serves it at `/v1/openapi.json`. Parameters in bold have to be there; others than these are
refused. Every refusal is a JSON object with `error`, `hint` and `exit_code` ([commands.md](commands.md#exit-codes)).

## Scopes
"""


def operations() -> list[Operation]:
    """The routes, whose handlers nobody calls."""
    return operations_of(cast("Services", None))


def openapi() -> str:
    """``docs/openapi.json``."""
    return document_text(operations())


def page() -> str:
    """``docs/api-reference.md``."""
    found = document(operations())
    parts = [_HEAD, table(("scope", "for"), [(f"`{s}`", cell(m)) for s, m in MEANINGS.items()])]
    parts += ["## Statuses\n", table(("status", "meaning"), _statuses(found))]
    group = ""
    for path, methods in found["paths"].items():
        for method, each in methods.items():
            if each["tags"][0] != group:
                group = each["tags"][0]
                parts.append(f"## {group}\n")
            parts += _route(method.upper(), path, each)
    return joined(parts)


def _statuses(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "200", "It was done; the answer is what the route says."
    for status, each in found["components"]["responses"].items():
        yield status, cell(each["description"])


def _route(method: str, path: str, each: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method} {path}\n"
    said = "\n\n".join([each["summary"], *each["description"].split("\n\n")])
    yield cell(said) + "\n"
    rows = [*map(_parameter, each.get("parameters", ())), *_body(each)]
    if rows:
        yield table(("parameter", "in", "value", "meaning"), rows)
    yield f"Answer: {', '.join(_answers(each))}.\n"


def _parameter(each: Mapping[str, Any]) -> tuple[str, str, str, str]:
    mark = "**" if each.get("required") else ""
    kind = _kind(each["schema"])
    return f"{mark}`{each['name']}`{mark}", each["in"], kind, cell(each.get("description", ""))


def _body(each: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    content = each.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    for name, found in schema.get("properties", {}).items():
        mark = "**" if name in schema.get("required", ()) else ""
        yield f"{mark}`{name}`{mark}", "body", _kind(found), cell(found.get("description", ""))
    if schema.get("type") == "string":
        yield "", "body", ", ".join(f"`{kind}`" for kind in content), cell(schema["description"])


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds == ["array"]:
        return f"list of {schema['items']['type']}"
    example = f" such as `{schema['examples'][0]}`" if schema.get("examples") else ""
    return " or ".join(kinds) + example


def _answers(each: Mapping[str, Any]) -> Iterator[str]:
    for kind, found in each["responses"]["200"]["content"].items():
        yield f"`{kind}` {_shape(found['schema'])}".rstrip()


def _shape(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"(`{schema['$ref'].rpartition('/')[2]}`)"
    names = ", ".join(f"`{name}`" for name in schema.get("properties", ()))
    return f"with {names}" if names else ""
