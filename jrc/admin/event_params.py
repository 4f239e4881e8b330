"""Which events a request asks for."""

from typing import Final

from jrc.admin.params import Params, pledge_id
from jrc.errors import ExitCode, OperatorError
from jrc.service.events import moment_ms
from jrc.service.records import Wanted

WHICH: Final = ("kind", "pledge", "network", "since", "until")


def wanted_of(params: Params, now_ms: int) -> Wanted:
    """What the parameters ``WHICH`` of a request say; durations are counted back from ``now_ms``.

    Raises:
        OperatorError: one can't be read.
    """
    text = params.maybe_text("pledge")
    return Wanted(
        kind=params.maybe_text("kind"),
        pledge=None if text is None else pledge_id(text).value,
        network=params.maybe_text("network"),
        since_ms=_maybe_moment(params, "since", now_ms),
        until_ms=_maybe_moment(params, "until", now_ms),
    )


def moment(name: str, text: str, now_ms: int) -> int:
    """The time in ms since 1970 that a parameter says.

    Raises:
        OperatorError: it says none.
    """
    try:
        return moment_ms(text, now_ms)
    except ValueError as error:
        raise OperatorError(f"{name}: {error}", exit_code=ExitCode.USAGE) from None


def _maybe_moment(params: Params, name: str, now_ms: int) -> int | None:
    text = params.maybe_text(name)
    return None if text is None else moment(name, text, now_ms)
