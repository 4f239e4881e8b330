"""``/v1/imports``: a file of pledges as the request's body, read while it arrives."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, aclosing
from dataclasses import asdict, replace
from tempfile import SpooledTemporaryFile
from typing import IO, TypeVar

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from jrc.admin.contract import Listed, Operation, Parts
from jrc.admin.fields import REASON, TEXT, WHOLE, flag, number, text, word
from jrc.admin.handovers import Openings, handover_of
from jrc.admin.import_room import ImportRoom
from jrc.admin.import_spool import Spool
from jrc.admin.pace import Pace
from jrc.admin.params import Params, choice, query_params
from jrc.admin.peers import caller_of
from jrc.admin.preparing import Form, prepared
from jrc.admin.problems import problem
from jrc.admin.services import Services
from jrc.errors import ExitCode, JrcError, OperatorError
from jrc.policy.scopes import Scope, may
from jrc.service.applicants import Purpose
from jrc.service.examine import OnConflict
from jrc.service.handovers import Handover, fingerprint_text
from jrc.service.import_file import Format, format_of
from jrc.service.import_prepared import Entry
from jrc.service.imports import (
    AT_ONCE,
    CHUNK_ROWS,
    CLOSER_ROWS,
    ENTERED_KEYS,
    Import,
    ImportReport,
)
from jrc.service.registry import Registry

T = TypeVar("T")

_log = structlog.get_logger("jrc")

_LINES = "application/x-ndjson"
_HARMLESS = (None, OnConflict.FAIL, OnConflict.SKIP)
_ERROR = {"line": WHOLE, "column": TEXT, "reason": TEXT, "hint": TEXT}
_QUERY = (
    text("source", "What the audit log calls the file; its ending may tell the format."),
    word("format", Format, "How it is written, where that is not to be guessed."),
    word("on_conflict", OnConflict, "What becomes of pledges that differ."),
    flag("partial", "Store the good rows if others are wrong."),
    flag("dry_run", "Check, store nothing."),
    number("rows", "Store nothing if there are more or fewer.", minimum=0),
    text("map", "A JSON object: names in the file and the columns they stand for."),
    flag("outcomes", "Behind the answer, a line of JSON for each row."),
    flag("pending_firmware", "The keys wait beside those in force, for a first join."),
    text("handover", "A JSON object: the sealed file that the rows are from (docs/handover.md)."),
    REASON,
)
_UPLOADS = (
    "text/csv",
    "application/json",
    _LINES,
    "application/cbor",
    "application/cose-key",
    "application/cose-key-set",
    "application/yaml",
)
_MAX_SOURCE_CHARACTERS = 200
_CLIENT_CLOSED = 499
_PIECE_ERRORS = 1000
_LEAST = 10
"""Rows or keys in a transaction, however long they take."""


class ImportRoutes:
    """The handler."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._room = ImportRoom()
        self._openings = Openings()

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        return [
            Operation(
                method="POST",
                path="/v1/imports",
                handler=self.run,
                needs=Scope.IMPORT,
                answer=Parts((ImportReport, {"errors": Listed(_ERROR)})),
                also=_LINES,
                upload=_UPLOADS,
                query=_QUERY,
            )
        ]

    async def run(self, request: Request) -> Response:
        """Stage the rows chunk by chunk, then publish all of them or none.

        Whatever ends it early, a client that goes away included, leaves nothing behind. The answer
        is the report as JSON; where ``outcomes`` were asked for, a line of JSON for each row is
        behind it: ``import_report.RowOutcome`` as an array.
        """
        params = query_params(request)
        _refuse_replacing(request, params)
        folder = self._services.spool_folder
        caller, handover = caller_of(request.scope), handover_of(params.maybe_text("handover"))
        with (
            self._openings.alone(handover, caller.actor),
            SpooledTemporaryFile(max_size=1, dir=str(folder)) as room,
            self._room.held(caller, self._services.disk) as held,
            ExitStack() as until_streamed,
        ):
            job, form = self._job(caller.actor, params, handover, room)
            spool = None
            if params.flag("outcomes"):
                spool = until_streamed.enter_context(Spool(folder))
            try:
                await self._services.run_write(job.begin)
                async with aclosing(held.within(request.stream())) as body:
                    await self._stage(job, form, body, spool)
                report = await self._finish(job)
            except ClientDisconnect:
                return problem("the client went away", "nothing was stored", status=_CLIENT_CLOSED)
            finally:
                await self._paced(job.sweep, Pace(200, _LEAST, 5000))
            until_streamed.pop_all()
        kind = "application/json" if spool is None else "application/x-ndjson"
        return StreamingResponse(_answer(report, spool), media_type=kind)

    async def _stage(
        self, job: Import, form: Form, body: AsyncIterator[bytes], spool: Spool | None
    ) -> None:
        paces = Pace(CHUNK_ROWS, _LEAST, 2000), Pace(CLOSER_ROWS, _LEAST, 2 * CLOSER_ROWS)
        waiting: list[Entry] = []
        async with aclosing(prepared(form, body)) as rows:
            async for entries in rows:
                waiting += entries
                while len(waiting) >= paces[0].size:
                    waiting = await self._staged(job, waiting, spool, *paces)
        while waiting:
            waiting = await self._staged(job, waiting, spool, *paces)
        of_keys = Pace(ENTERED_KEYS // 4, _LEAST, 5 * ENTERED_KEYS)
        await self._paced(job.enter_keys, of_keys)
        longest_ms = max(pace.longest_ms for pace in (*paces, of_keys))
        _log.info("import_staged", source=job.source, longest_transaction_ms=round(longest_ms))

    async def _staged(
        self, job: Import, waiting: list[Entry], spool: Spool | None, pace: Pace, of_closer: Pace
    ) -> list[Entry]:
        """Stage some of the rows that are waiting; those that go on waiting."""
        chunk = waiting[: pace.size]
        staged, *took_ms = await self._measured(lambda tx: job.stage(tx, chunk, of_closer.size))
        pace.took(staged.taken, *took_ms)
        if staged.closer:
            of_closer.took(staged.closer, *took_ms)
        if spool is not None:
            await asyncio.to_thread(spool.add, staged.outcomes)
        return waiting[staged.taken :]

    async def _finish(self, job: Import) -> ImportReport:
        _, *took_ms = await self._measured(job.finish)
        of_changes = Pace(AT_ONCE // 2, 1, 500)
        try:
            await self._paced(job.settle, of_changes)
        except JrcError as error:
            # It is decided; the rest comes into force by and by (``app/import_keeper.py``).
            _log.error("import_not_settled", source=job.source, error=str(error))
        report = job.report
        _log.info(
            "import_finished",
            source=report.source,
            rows=report.rows,
            errors=report.error_count,
            published=report.published,
            last_transaction_ms=round(sum(took_ms)),
            longest_change_ms=round(of_changes.longest_ms),
        )
        if job.opened is not None:
            builder = fingerprint_text(job.opened.builder)
            _log.info("handover_opened", builder=builder, serial=job.opened.serial)
        return report

    async def _paced(self, work: Callable[[Registry, int], bool], pace: Pace) -> None:
        """Run ``work``, which says whether anything is left, in transactions that are short."""
        is_left = True
        while is_left:
            size = pace.size
            is_left, *took_ms = await self._measured(lambda tx, size=size: work(tx, size))  # type: ignore[misc]
            pace.took(size, *took_ms)

    async def _measured(self, work: Callable[[Registry], T]) -> tuple[T, float, float]:
        """What ``work`` gives in a transaction, and the milliseconds of it and of its commit."""
        started_s = worked_s = 0.0

        def timed(tx: Registry) -> T:
            nonlocal started_s, worked_s
            started_s = time.perf_counter()
            result = work(tx)
            worked_s = time.perf_counter()
            return result

        result = await self._services.run_write(timed)
        ended_s = time.perf_counter()
        return result, (worked_s - started_s) * 1000, (ended_s - worked_s) * 1000

    def _job(
        self, actor: str, params: Params, handover: Handover | None, room: IO[bytes]
    ) -> tuple[Import, Form]:
        source = (params.maybe_text("source") or "upload")[-_MAX_SOURCE_CHARACTERS:]
        job = Import(
            source,
            actor=actor,
            reason=params.reason(),
            on_conflict=params.parsed("on_conflict", choice(OnConflict)) or OnConflict.FAIL,
            partial=params.flag("partial"),
            dry_run=params.flag("dry_run"),
            allow_weak=self._services.allows_weak_keys,
            is_listed=params.flag("outcomes"),
            expected_rows=params.maybe_number("rows"),
            purpose=Purpose.NEXT_FIRMWARE if params.flag("pending_firmware") else Purpose.ENROLL,
            handover=handover,
            room=room,
        )
        form = Form(
            format=format_of(source, params.maybe_text("format")),
            mapped=_mapped(params.maybe_text("map")),
            allow_weak=self._services.allows_weak_keys,
        )
        return job, form


def _refuse_replacing(request: Request, params: Params) -> None:
    """Nothing, if the caller may replace the keys of pledges, or the import does not.

    Who makes new devices has no business with the keys of those in the field.

    Raises:
        OperatorError: it would, and they may not.
    """
    adds_alone = params.maybe_text("on_conflict") in _HARMLESS
    caller = caller_of(request.scope)
    if (adds_alone and not params.flag("pending_firmware")) or may(caller.scopes, Scope.OPERATE):
        return
    raise OperatorError(
        f"{caller.actor} may add pledges, and give no other keys to those that are there",
        "on_conflict=replace and pending_firmware need the scope operate: ask an operator",
        exit_code=ExitCode.REFUSED,
    )


def _mapped(text: str | None) -> dict[str, str]:
    """The columns of the file's own names: a JSON object of strings."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise OperatorError(
            "map must be a JSON object of names and columns", exit_code=ExitCode.USAGE
        )
    return given


async def _answer(report: ImportReport, spool: Spool | None) -> AsyncIterator[str | bytes]:
    async for piece in _report_json(report):
        yield piece
    if spool is not None:
        yield "\n"
        async for rows in spool.pieces():
            yield rows


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
