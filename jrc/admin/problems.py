"""Errors on their way to an HTTP client: ``{"error", "hint", "exit_code"}`` and a status."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from jrc.errors import ExitCode, OperatorError, StateError

MAX_BODY_BYTES = 256 * 1024
"""The largest JSON body; an import is streamed and has no limit."""

_STATUS = {
    ExitCode.USAGE: 400,
    ExitCode.REFUSED: 409,
    ExitCode.UNREACHABLE: 503,
    ExitCode.UNFINISHED: 503,
}
_UNPROCESSABLE = 422
_CLIENT_CLOSED = 499
_log = structlog.get_logger(__name__)


def problem(
    message: str, hint: str, *, status: int, exit_code: ExitCode = ExitCode.FAILED
) -> Response:
    """The answer for a request that was not carried out."""
    body = {"error": message, "hint": hint, "exit_code": int(exit_code)}
    return JSONResponse(body, status_code=status)


async def on_operator_error(_request: Request, error: Exception) -> Response:
    """What a person can mend: 4xx with the sentence and the hint."""
    assert isinstance(error, OperatorError)
    status = _STATUS.get(error.exit_code, _UNPROCESSABLE)
    return problem(error.message, error.hint, status=status, exit_code=error.exit_code)


async def on_state_error(_request: Request, error: Exception) -> Response:
    """A broken invariant: 500 with its sentence."""
    assert isinstance(error, StateError)
    _log.error("state_error", error=str(error))
    hint = "nothing was changed; the database may be damaged: see the log of the daemon"
    return problem(str(error), hint, status=500)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """No such path, or the wrong method for one."""
    assert isinstance(error, HTTPException)
    hint = "the command line and the daemon may be of different versions: see `jrc status`"
    usage = ExitCode.USAGE
    answer = problem(error.detail, hint, status=error.status_code, exit_code=usage)
    answer.headers.update(error.headers or {})
    return answer


async def on_client_gone(_request: Request, _error: Exception) -> Response:
    """For the counts: whoever asked went away before the end of the body, and reads no answer."""
    return problem("the client went away", "nothing was changed", status=_CLIENT_CLOSED)


async def on_fault(_request: Request, error: Exception) -> Response:
    """A fault of the program: the log has it, the client gets its kind and no detail."""
    return problem(
        f"the request met a fault in jrc ({type(error).__name__})",
        "the log of the daemon has the details",
        status=500,
    )


HANDLERS = {
    OperatorError: on_operator_error,
    StateError: on_state_error,
    HTTPException: on_http_error,
    ClientDisconnect: on_client_gone,
    500: on_fault,
}
