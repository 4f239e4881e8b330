"""The admin API's contract: each route with what it needs, takes and gives.

The router is made of it, callers are checked against it, a request's parameters are known by it,
and ``openapi.py`` writes it down. What is not in it is neither served nor taken.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from jrc.admin.params import query_params
from jrc.admin.peers import caller_of
from jrc.admin.problems import problem
from jrc.errors import ExitCode
from jrc.policy.scopes import Scope, may

FORBIDDEN: Final = 403
JSON: Final = "application/json"

App: TypeAlias = ASGIApp
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Shape: TypeAlias = Any
"""What an answer is: a type, a ``Parts`` of it, a dict of shapes by name, or a JSON schema in a
``Plain``."""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter: its name, its JSON schema, and a sentence for people."""

    name: str
    schema: Mapping[str, object]
    note: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer, or a part of one, as its JSON schema."""

    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Parts:
    """An object with the fields of several types or dicts, those in ``without`` left out."""

    of: tuple[Shape, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of answers."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Maybe:
    """An answer, or null."""

    of: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    ``needs``: the caller's scope; None: anybody who is let in. ``query`` and ``body`` are all the
    parameters there are; a body is a JSON object. ``upload``: the body is a file of one of these
    media types in its place. ``media`` is the answer's type; ``also``: another that it may have.
    """

    method: str
    path: str
    handler: Handler
    needs: Scope | None
    answer: Shape
    query: Sequence[Field] = ()
    body: Sequence[Field] = ()
    upload: Sequence[str] = ()
    media: str = JSON
    also: str | None = None

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return self._lines[0]

    @property
    def description(self) -> str:
        """What follows it, in one line a paragraph."""
        paragraphs = "\n".join(self._lines[1:]).strip().split("\n\n")
        return "\n\n".join(" ".join(each.split()) for each in paragraphs).replace("``", "`")

    @property
    def _lines(self) -> list[str]:
        return (self.handler.__doc__ or "").strip().splitlines() or [""]


def get(
    path: str,
    handler: Handler,
    answer: Shape,
    *,
    query: Sequence[Field] = (),
    needs: Scope | None = Scope.READ,
    same_at: int | None = None,
) -> Operation:
    """A route that changes nothing."""
    return Operation(
        method="GET", path=path, handler=handler, needs=needs, answer=answer, query=query
    )


def post(
    path: str,
    handler: Handler,
    answer: Shape,
    *,
    body: Sequence[Field] = (),
    needs: Scope = Scope.OPERATE,
    method: str = "POST",
) -> Operation:
    """A route that takes a JSON object, and changes something where it needs more than ``read``."""
    return Operation(
        method=method, path=path, handler=handler, needs=needs, answer=answer, body=body
    )


class ApiRoute(Route):
    """All operations of one path. Who may not use one is told so before its handler runs."""

    def __init__(self, path: str, operations: Sequence[Operation]) -> None:
        self.operations = {each.method: each for each in operations}
        super().__init__(path, self._serve, methods=self.operations)
        self.methods = set(self.operations)  # without the HEAD that comes with GET

    async def _serve(self, request: Request) -> Response:
        operation = self.operations[request.method]
        request.scope["operation"] = operation
        caller = caller_of(request.scope)
        if not may(caller.scopes, operation.needs):
            return _forbidden(caller.actor, operation)
        query_params(request)
        return await operation.handler(request)


def _forbidden(actor: str, operation: Operation) -> Response:
    return problem(
        f"{actor} may not do this: it needs the scope {operation.needs}",
        "ask who administers the registrar for a token or a group with that scope (docs/api.md)",
        status=FORBIDDEN,
        exit_code=ExitCode.REFUSED,
    )


def routes_of(operations: Iterable[Operation]) -> list[Route]:
    """The routes, in the order in which their paths come up first."""
    paths: dict[str, list[Operation]] = {}
    for each in operations:
        paths.setdefault(each.path, []).append(each)
    return [ApiRoute(path, found) for path, found in paths.items()]
