"""``/v1/status``, ``/v1/health``, ``/v1/openapi.json``: what this registrar is, and takes."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, Plain, get
from jrc.admin.fields import ANY_OBJECT, TRUTH
from jrc.admin.health import health_answer
from jrc.admin.services import Services


class StatusRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._document: bytes | None = None

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        why = Plain({"type": "array", "items": {"type": "string"}})
        return [
            get("/v1/status", self.status, ANY_OBJECT),
            get(
                "/v1/health",
                self.health,
                {"alive": TRUTH, "ready": TRUTH, "why": why},
                needs=None,
            ),
            get("/v1/openapi.json", self.openapi, ANY_OBJECT, needs=None),
        ]

    async def status(self, _request: Request) -> Response:
        """What the registrar does.

        ``ready`` says whether joins are answered, and ``why`` why not. More fields may come.
        """
        return JSONResponse(dict(await self._services.status()))

    async def health(self, _request: Request) -> Response:
        """Whether the program works and joins are answered, without a look at the database."""
        return health_answer(self._services)

    async def openapi(self, _request: Request) -> Response:
        """This document."""
        if self._document is None:
            self._document = await asyncio.to_thread(_written, self._services)
        return Response(self._document, media_type="application/json")


def _written(services: Services) -> bytes:
    from jrc.admin.api import operations_of
    from jrc.admin.openapi import document_text

    return document_text(operations_of(services)).encode()
