"""The OpenAPI 3.1 document of the admin API, made of the contract (``contract.py``)."""

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from jrc import __version__
from jrc.admin.contract import JSON, Field, Listed, Maybe, Operation, Parts, Plain, Shape
from jrc.admin.fields import IDENTIFIER_SCHEMA
from jrc.errors import ExitCode
from jrc.policy.scopes import MEANINGS

Schema: TypeAlias = dict[str, Any]

_COMPONENTS: Final = "#/components/schemas/"
_SERIALIZED: Final[JsonSchemaMode] = "serialization"
_PATH_PARAMETER: Final = re.compile(r"{(\w+)}")
_PATH_FIELDS: Final[Mapping[str, Field]] = {
    "pledge_id": Field("pledge_id", IDENTIFIER_SCHEMA, "A pledge identifier in hex."),
    "network": Field("network", {"type": "string", "minLength": 1}, "The name of a network."),
    "name": Field("name", {"type": "string", "minLength": 1}, "The name of what is meant."),
}
_REFUSALS: Final[Mapping[int, str]] = {
    400: "A parameter is missing, unknown, or can't be read.",
    401: "Over TCP: there is no token, or it is none that counts.",
    403: "The caller has not the scope.",
    404: "There is no such path.",
    409: "It is refused as things are, or needs a yes.",
    422: "It can't be done: what is named is not there, or does not fit.",
    429: "Over TCP: too many tokens from this address were none.",
    500: "A fault of the registrar; its log has more.",
    503: "The registrar can't do it just now.",
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Why a request was not carried out, and what to do about it.",
    "properties": {
        "error": {"type": "string", "description": "One sentence."},
        "hint": {"type": "string", "description": "What to do; may be empty."},
        "exit_code": {
            "type": "integer",
            "enum": [int(each) for each in ExitCode],
            "description": "With what `jrc` ends: "
            + ", ".join(f"{each.value} {each.name.lower()}" for each in ExitCode),
        },
    },
    "required": ["error", "hint", "exit_code"],
}


def document_text(operations: Sequence[Operation]) -> str:
    """The document as JSON text."""
    return json.dumps(document(operations), indent=1, ensure_ascii=False) + "\n"


def document(operations: Sequence[Operation]) -> Schema:
    """The document as JSON values."""
    types = _Types(operations)
    paths: Schema = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, types)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jrc admin API",
            "version": __version__,
            "summary": "A join registrar (JRC) for IEEE 802.15.4 networks, RFC 9031.",
            "description": _about(),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/", "description": "The admin socket, or [api] of the config file."}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **types.components},
            "responses": {str(status): _refusal(text) for status, text in _REFUSALS.items()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Over TCP: what `jrc token add` gives. On the Unix socket the"
                    " kernel says who calls, and none is needed.",
                }
            },
        },
    }


def _about() -> str:
    scopes = "".join(f"\n* `{scope}`: {text}." for scope, text in MEANINGS.items())
    return (
        "What the command line does, it does over this API. Plans say what a command will do;"
        " where `needs_yes` is true, the command wants `agreed`. Unknown parameters are errors;"
        " answers may get more fields. Each route needs a scope:\n" + scopes
    )


def _operation(each: Operation, types: "_Types") -> Schema:
    needs = None if each.needs is None else each.needs.value
    scope = "none" if needs is None else f"`{needs}`"
    found: Schema = {
        "operationId": _operation_id(each),
        "tags": [each.path.split("/")[2]],
        "summary": each.summary,
        "description": "\n\n".join(filter(None, (each.description, f"Scope: {scope}."))),
        "x-scope": needs,
        "responses": _responses(each, types),
    }
    parameters = [*_path_parameters(each.path), *map(_query_parameter, each.query)]
    if parameters:
        found["parameters"] = parameters
    if each.body or each.upload:
        found["requestBody"] = _upload(each.upload) if each.upload else _body(each.body)
    return found


def _operation_id(each: Operation) -> str:
    words = [word.strip("{}").replace("-", "_") for word in each.path.split("/")[2:]]
    return "_".join([each.method.lower(), *words]).removesuffix(".json")


def _path_parameters(path: str) -> list[Schema]:
    fields = [_PATH_FIELDS[name] for name in _PATH_PARAMETER.findall(path)]
    return [_parameter(each, "path", dict(each.schema)) | {"required": True} for each in fields]


def _query_parameter(field: Field) -> Schema:
    schema: Schema = dict(field.schema)
    if schema["type"] == "boolean":
        schema = {"type": "integer", "enum": [0, 1]}
    elif schema["type"] == "integer":
        schema["minimum"] = max(0, schema["minimum"])
    return _parameter(field, "query", schema)


def _parameter(field: Field, place: str, schema: Schema) -> Schema:
    found: Schema = {"name": field.name, "in": place, "schema": schema}
    if field.note:
        found["description"] = field.note
    if field.required:
        found["required"] = True
    return found


def _body(fields: Sequence[Field]) -> Schema:
    required = [field.name for field in fields if field.required]
    schema: Schema = {
        "type": "object",
        "properties": {field.name: _described(field) for field in fields},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {JSON: {"schema": schema}}}


def _described(field: Field) -> Schema:
    return {**field.schema, **({"description": field.note} if field.note else {})}


def _upload(kinds: Sequence[str]) -> Schema:
    schema = {"type": "string", "format": "binary", "description": "docs/import.md has the forms."}
    return {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}


def _responses(each: Operation, types: "_Types") -> Schema:
    content: Schema = {each.media: {"schema": types.schema(each.answer)}}
    if each.also is not None:
        content[each.also] = {"schema": {"type": "string"}}
    found: Schema = {"200": {"description": each.summary, "content": content}}
    has_parameters = "{" in each.path
    for status in _REFUSALS:
        if status != 404 or has_parameters:
            found[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return found


def _refusal(text: str) -> Schema:
    return {
        "description": text,
        "content": {JSON: {"schema": {"$ref": f"{_COMPONENTS}Problem"}}},
    }


class _Types:
    """The schemas of all types that answers are made of."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        found: dict[type, None] = {}
        for each in operations:
            found.update(dict.fromkeys(_types_in(each.answer)))
        asked: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = [
            (kind, _SERIALIZED, TypeAdapter(kind)) for kind in found
        ]
        template = _COMPONENTS + "{model}"
        schemas, definitions = TypeAdapter.json_schemas(asked, ref_template=template)
        self._schemas = {kind: schemas[kind, _SERIALIZED] for kind in found}
        self.components = {
            _short(name): _tidied(schema) for name, schema in definitions.get("$defs", {}).items()
        }

    def schema(self, shape: Shape) -> Schema:
        """The schema of an answer."""
        if isinstance(shape, Plain):
            return dict(shape.schema)
        if isinstance(shape, Listed):
            return {"type": "array", "items": self.schema(shape.of)}
        if isinstance(shape, Maybe):
            return {"anyOf": [self.schema(shape.of), {"type": "null"}]}
        if isinstance(shape, Parts):
            return self._joined(shape)
        if isinstance(shape, Mapping):
            return _object({name: self.schema(each) for name, each in shape.items()})
        tidied: Schema = _tidied(self._schemas[shape])
        return tidied

    def _joined(self, parts: Parts) -> Schema:
        properties: Schema = {}
        for shape in parts.of:
            properties |= self._properties(shape)
        return _object({n: each for n, each in properties.items() if n not in parts.without})

    def _properties(self, shape: Shape) -> Schema:
        schema = self.schema(shape)
        if "$ref" in schema:
            schema = self.components[schema["$ref"].removeprefix(_COMPONENTS)]
        found: Schema = schema["properties"]
        return found


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _types_in(shape: Shape) -> Iterable[type]:
    if isinstance(shape, Listed | Maybe):
        yield from _types_in(shape.of)
    elif isinstance(shape, Parts):
        for each in shape.of:
            yield from _types_in(each)
    elif isinstance(shape, Mapping):
        for each in shape.values():
            yield from _types_in(each)
    elif not isinstance(shape, Plain):
        yield shape


def _short(name: str) -> str:
    """A name for a type that has one in common with another: its module comes first."""
    module, _, kind = name.rpartition("__")
    words = module.rpartition("__")[2].split("_") if module else []
    return "".join(word.capitalize() for word in words) + kind


def _tidied(schema: Any) -> Any:
    """A schema without titles and defaults, its names short; every field of an answer is there."""
    if isinstance(schema, list):
        return [_tidied(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: _tidied(value) for name, value in schema.items() if name != "default"}
    if isinstance(found.get("title"), str):
        del found["title"]
    if isinstance(found.get("description"), str):
        found["description"] = inspect.cleandoc(found["description"]).replace("``", "`")
    if isinstance(found.get("$ref"), str):
        found["$ref"] = _COMPONENTS + _short(found["$ref"].removeprefix(_COMPONENTS))
    if isinstance(found.get("properties"), Mapping):
        found["required"] = list(found["properties"])
    return found
