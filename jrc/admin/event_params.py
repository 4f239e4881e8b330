"""Which events a request asks for."""

from typing import Final

from jrc.admin.contract import Plain
from jrc.admin.fields import NETWORK, identifier, number, text
from jrc.admin.params import Params, pledge_id
from jrc.errors import ExitCode, OperatorError
from jrc.service.events import moment_ms
from jrc.service.records import Wanted

_MOMENT: Final = {"examples": ["2h", "2026-11-30T08:15"]}
AFTER: Final = number("after", "The number of the event before the first one.", minimum=0)
BEFORE: Final = number("before", "The number of the event after the last one.", minimum=0)
OF_FIELDS: Final = (
    text("kind", "The kind of event.", examples=["pledge.revoked"]),
    identifier("pledge", "A pledge identifier in hex."),
    NETWORK,
)
WHICH_FIELDS: Final = (
    *OF_FIELDS,
    text("since", "From a time in UTC on, or how long ago.", **_MOMENT),
    text("until", "Before a time in UTC, or how long ago.", **_MOMENT),
)
"""What ``wanted_of`` takes."""
LINE: Final = Plain(
    {
        "type": "object",
        "description": "An event and its hashes, as `jrc events export` writes them.",
        "additionalProperties": True,
    }
)


def wanted_of(params: Params, now_ms: int) -> Wanted:
    """What ``WHICH_FIELDS`` of a request say; durations are counted back from ``now_ms``.

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
        before=params.maybe_number("before"),
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
