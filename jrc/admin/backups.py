"""``/v1/backups``: the database as it is now, sealed, as the answer's body.

The far side makes the file: its header, its passphrase and its place are not for the daemon. Where
the dump is broken off, the body ends early, and what is sealed in it tells that its end is missing.
"""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from jrc.admin.params import hex_bytes, json_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.service.backups import BackupWish, needs_note, note_backup

MAX_RECIPIENTS = 16
_DIGEST_BYTES = 32


class BackupRoutes:
    """The handler."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """The routes, for ``build_api``."""
        return [Route("/v1/backups", self.make, methods=["POST"])]

    async def make(self, request: Request) -> Response:
        """A backup; a final one ends this database before its first byte leaves."""
        params = await json_params(request, ("recipients", "header", "final", "reason"))
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
        return StreamingResponse(pieces, media_type="application/octet-stream")


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
