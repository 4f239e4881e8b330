"""Join windows: for a while, and for so many, a network lets in who has not joined it yet.

RFC 9031 leaves to the operator whom a JRC admits (§8.4.1); a window is for the hour in which new
devices are put up.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from jrc.errors import StateError

# Ours.
MAX_WINDOW_S = 30 * 86_400
"""A window that nobody closes is no longer one after a month."""
MAX_PLEDGES = 1_000_000


class Ended(StrEnum):
    """Why a window lets nobody in any more."""

    CLOSED = "closed"
    TIME = "time"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinWindow:
    """One window of a network, open or not. Times are milliseconds since 1970.

    ``admitted`` of ``max_pledges`` have come in. ``seen_before_ms`` is the latest time that the
    database had seen when it was opened: what it has seen since can't be taken back.
    """

    id: int
    network_id: int
    opened_at_ms: int
    until_ms: int
    max_pledges: int
    admitted: int = 0
    seen_before_ms: int = 0
    closed_at_ms: int | None = None
    version: int = 1


def clock_of(window: JoinWindow, now_ms: int, seen_ms: int) -> int:
    """The time that counts for a window: one that was seen since it was opened never comes back.

    ``seen_ms`` is the latest time the database has seen. Where it lay ahead of the clock already
    when the window was opened, that clock had been wrong, and the one of now counts.
    """
    return max(now_ms, seen_ms) if seen_ms > window.seen_before_ms else now_ms


def ended(window: JoinWindow, now_ms: int, seen_ms: int) -> Ended | None:
    """Why a window is over, None while it is open."""
    if window.admitted >= window.max_pledges:
        return Ended.COUNT
    if window.closed_at_ms is not None:
        return Ended.TIME if window.closed_at_ms >= window.until_ms else Ended.CLOSED
    return Ended.TIME if clock_of(window, now_ms, seen_ms) >= window.until_ms else None


def closed(window: JoinWindow, at_ms: int) -> JoinWindow:
    """A window that is over for good; one that has run out ended when it was to."""
    return replace(window, closed_at_ms=min(at_ms, window.until_ms), version=window.version + 1)


def let_in(window: JoinWindow, now_ms: int) -> JoinWindow:
    """An open window after one more pledge; the last one closes it.

    Raises:
        StateError: it is over, which whoever counts has looked at before.
    """
    if window.closed_at_ms is not None or window.admitted >= window.max_pledges:
        raise StateError(f"join window {window.id} is over and was to let a pledge in")
    after = replace(window, admitted=window.admitted + 1)
    if after.admitted == after.max_pledges:
        return closed(after, now_ms)
    return replace(after, version=after.version + 1)
