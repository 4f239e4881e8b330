"""``/v1/handovers``: sealed files that were opened; what an import is told of one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Listed, Maybe, Operation, get
from jrc.admin.fields import TEXT, limit, number
from jrc.admin.params import MAX_PAGE, page_limit, query_params
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.service.handovers import (
    DIGEST_BYTES,
    KEY_ID_BYTES,
    MAX_TIME_MS,
    SERIAL,
    Handover,
    HandoverReport,
    fingerprint_text,
    list_handovers,
)

_TOLD = frozenset(("builder", "serial", "sha256", "expires_at_ms", "take_over"))


class Openings:
    """The sealed files that are being opened in this moment, each by one caller."""

    def __init__(self) -> None:
        self._actors: dict[tuple[bytes, str], str] = {}

    @contextmanager
    def alone(self, handover: Handover | None, actor: str) -> Iterator[None]:
        """No other import of the same file: each would find rows that the other has staged, and
        refuse them.

        Raises:
            OperatorError: there is one.
        """
        if handover is None:
            yield
            return
        file = handover.builder, handover.serial
        if file in self._actors:
            raise _being_opened(handover, self._actors[file])
        self._actors[file] = actor
        try:
            yield
        finally:
            del self._actors[file]


def _being_opened(handover: Handover, actor: str) -> OperatorError:
    return OperatorError(
        f"the sealed file {handover.serial} of the builder {fingerprint_text(handover.builder)} is"
        f" being opened, or tried, by {actor}; nothing of this one was stored",
        "wait for that to end; then `jrc handover list` says whether it was opened",
        exit_code=ExitCode.REFUSED,
    )


class HandoverRoutes:
    """The handler."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        after = number("after", "`next` of the page before.", minimum=0)
        return [
            get(
                "/v1/handovers",
                self.list,
                {"handovers": Listed(HandoverReport), "next": Maybe(TEXT)},
                query=(after, limit(MAX_PAGE)),
            )
        ]

    async def list(self, request: Request) -> Response:
        """The sealed files that were opened, oldest first."""
        params = query_params(request)
        after, most = params.maybe_number("after") or 0, page_limit(params)
        found = await self._services.run_read(
            lambda tx: list_handovers(tx, after=after, limit=most)
        )
        following = str(found[-1].number) if len(found) == most else None
        return JSONResponse({"handovers": [asdict(each) for each in found], "next": following})


def handover_of(text: str | None) -> Handover | None:
    """The sealed file that an import's rows are from, as a JSON object says it.

    It has ``builder`` (the key's identifier), ``serial``, ``sha256`` and ``expires_at_ms``, and may
    have ``take_over``. That its signature was verified, whoever sends it says: they hold the
    registrar's key.

    Raises:
        OperatorError: it is written otherwise.
    """
    if text is None:
        return None
    try:
        return _handover(json.loads(text))
    except (KeyError, RecursionError, TypeError, ValueError):
        raise OperatorError(
            "handover must be a JSON object with builder, serial, sha256 and expires_at_ms, and"
            " may have take_over",
            "`jrc handover open` sends it (docs/handover.md)",
            exit_code=ExitCode.USAGE,
        ) from None


def _handover(given: dict[str, object]) -> Handover:
    builder = bytes.fromhex(_str(given["builder"]))
    digest = bytes.fromhex(_str(given["sha256"]))
    serial, expires_at_ms = _str(given["serial"]), given["expires_at_ms"]
    takes_over = given.get("take_over", False)
    if not given.keys() <= _TOLD or (len(builder), len(digest)) != (KEY_ID_BYTES, DIGEST_BYTES):
        raise ValueError
    if type(takes_over) is not bool:
        raise ValueError
    if SERIAL.fullmatch(serial) is None or type(expires_at_ms) is not int:
        raise ValueError
    if not 0 <= expires_at_ms <= MAX_TIME_MS:
        raise ValueError
    return Handover(builder, serial, digest, expires_at_ms, takes_over)


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
