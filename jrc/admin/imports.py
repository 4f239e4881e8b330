"""``/v1/imports``: a file of pledges as the request's body, read while it arrives."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from jrc.admin.params import choice, query_params
from jrc.admin.peers import actor_of
from jrc.admin.problems import problem
from jrc.admin.services import Services
from jrc.service.examine import OnConflict
from jrc.service.import_file import FileReader, format_of
from jrc.service.import_rows import Row, RowError
from jrc.service.imports import CHUNK_ROWS, Import, ImportReport

_PARAMS = ("source", "format", "on_conflict", "partial", "dry_run", "reason")
_MAX_SOURCE_CHARACTERS = 200
_CLIENT_CLOSED = 499
_PIECE_ERRORS = 1000


class ImportRoutes:
    """The handler."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        return [Route("/v1/imports", self.run, methods=["POST"])]

    async def run(self, request: Request) -> Response:
        """Stage the rows chunk by chunk, then publish all of them or none.

        Whatever ends it early, a client that goes away included, leaves nothing behind.
        """
        job, reader = _job(request, allow_weak=self._services.allows_weak_keys)
        try:
            await self._stage(job, reader, request.stream())
            report = await self._services.run_write(job.finish)
        except ClientDisconnect:
            return problem("the client went away", "nothing was stored", status=_CLIENT_CLOSED)
        finally:
            while await self._services.run_write(job.sweep):
                pass
        return StreamingResponse(_report_json(report), media_type="application/json")

    async def _stage(self, job: Import, reader: FileReader, body: AsyncIterator[bytes]) -> None:
        await self._services.run_write(job.begin)
        waiting: list[Row | RowError] = []
        async for piece in body:
            waiting += await asyncio.to_thread(list, reader.feed(piece))
            while len(waiting) >= CHUNK_ROWS:
                chunk, waiting = waiting[:CHUNK_ROWS], waiting[CHUNK_ROWS:]
                await self._write(job, chunk)
        waiting += reader.finish()
        if waiting:
            await self._write(job, waiting)

    async def _write(self, job: Import, rows: list[Row | RowError]) -> None:
        await self._services.run_write(lambda tx: job.stage(tx, rows))


def _job(request: Request, *, allow_weak: bool) -> tuple[Import, FileReader]:
    params = query_params(request, _PARAMS)
    source = (params.maybe_text("source") or "upload")[-_MAX_SOURCE_CHARACTERS:]
    job = Import(
        source,
        actor=actor_of(request.scope),
        reason=params.reason(),
        on_conflict=params.parsed("on_conflict", choice(OnConflict)) or OnConflict.FAIL,
        partial=params.flag("partial"),
        dry_run=params.flag("dry_run"),
        allow_weak=allow_weak,
    )
    return job, FileReader(format_of(source, params.maybe_text("format")))


async def _report_json(report: ImportReport) -> AsyncIterator[str]:
    """The report as JSON, in pieces: joins are answered while a long list of errors goes out."""
    counts = json.dumps(asdict(replace(report, errors=())) | {"errors": []})
    yield counts.removesuffix("]}")
    separator = ""
    for start in range(0, len(report.errors), _PIECE_ERRORS):
        piece = report.errors[start : start + _PIECE_ERRORS]
        yield separator + json.dumps([error._asdict() for error in piece])[1:-1]
        separator = ", "
        await asyncio.sleep(0)
    yield "]}"
