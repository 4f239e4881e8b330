"""``/v1/backups``: the database as it is now, sealed, as the answer's body.

The far side makes the file: its header, its passphrase and its place are not for the daemon. Where
the dump is broken off, the body ends early, and what is sealed in it tells that its end is missing.
"""

from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from jrc.admin.contract import Operation, Plain, post
from jrc.admin.fields import REASON, TRUTH, flag, hexed, obliged, texts
from jrc.admin.params import hex_bytes, json_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import Scope
from jrc.service.backups import BackupWish, needs_note, note_backup, note_failure, note_made

MAX_RECIPIENTS = 16
_DIGEST_BYTES = 32
_MEDIA = "application/octet-stream"

_log = structlog.get_logger("jrc")


class BackupRoutes:
    """The handler."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        recipients = texts("recipients", "Recipients of the age format that can open it.")
        return [
            Operation(
                method="POST",
                path="/v1/backups",
                handler=self.make,
                needs=Scope.ADMIN,
                answer=Plain({"type": "string", "format": "binary"}),
                media=_MEDIA,
                body=(
                    obliged(recipients),
                    obliged(hexed("header", "SHA-256 of the file's header.", _DIGEST_BYTES)),
                    flag("final", "End this database: it goes on elsewhere."),
                    REASON,
                ),
            ),
            post(
                "/v1/backups/failed",
                self.failed,
                {"noted": TRUTH},
                needs=Scope.ADMIN,
                body=(REASON,),
            ),
            post(
                "/v1/backups/made",
                self.made,
                {"noted": TRUTH},
                needs=Scope.ADMIN,
                body=(REASON,),
            ),
        ]

    async def make(self, request: Request) -> Response:
        """A backup; a final one ends this database before its first byte leaves."""
        params = await json_params(request)
        recipients = params.maybe_texts("recipients") or ()
        header = params.parsed("header", hex_bytes) or b""
        if not 1 <= len(recipients) <= MAX_RECIPIENTS or len(header) != _DIGEST_BYTES:
            raise OperatorError(
                f"a backup has 1 to {MAX_RECIPIENTS} recipients and the digest of its header",
                exit_code=ExitCode.USAGE,
            )
        wish = BackupWish(recipients, header, params.flag("final"))
        actor, reason = actor_of(request.scope), params.reason()
        pieces = await begun_backup(self._services, wish, actor=actor, reason=reason)
        return StreamingResponse(pieces, media_type=_MEDIA)

    async def failed(self, request: Request) -> Response:
        """A backup failed that another process was to make: it is told to whoever watches."""
        actor, reason = actor_of(request.scope), (await json_params(request)).reason()
        await self._services.run_write(lambda tx: note_failure(tx, actor=actor, reason=reason))
        _log.error("backup_failed", error=reason, hint=f"told by {actor}; its own log says why")
        return JSONResponse({"noted": True})

    async def made(self, request: Request) -> Response:
        """A backup is whole: its file was written and read back. A moved database notes nothing."""
        actor, reason = actor_of(request.scope), (await json_params(request)).reason()
        is_noted = await self._services.run_read(needs_note)
        if is_noted:
            await self._services.run_write(lambda tx: note_made(tx, actor=actor, reason=reason))
        return JSONResponse({"noted": is_noted})


async def begun_backup(
    services: Services, wish: BackupWish, *, actor: str, reason: str
) -> AsyncIterator[bytes]:
    """The sealed dump, once the audit log has it and a final one has ended the database.

    Raises:
        OperatorError: a recipient is none, or the database can't be moved; nothing was changed.
    """
    services.check_recipients(wish.recipients)
    if await services.run_read(needs_note):
        await services.run_write(lambda tx: note_backup(tx, wish, actor=actor, reason=reason))
    return services.dump(wish)
