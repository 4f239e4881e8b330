"""Joins of the last hour, minute by minute, for the picture on the page."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from jrc.service.wording import utc_text

KEPT_MINUTES = 60
_MINUTE_MS = 60_000
_DROPPED = "dropped_"


@dataclass(slots=True)
class _Minute:
    number: int
    joined: int = 0
    refused: int = 0
    unanswered: int = 0


class JoinMinutes:
    """Adds up what ``Counters.totals`` has grown by between two looks."""

    def __init__(self) -> None:
        self._before: dict[str, int] | None = None
        self._kept: deque[_Minute] = deque(maxlen=KEPT_MINUTES)

    def look(self, totals: Mapping[str, int], now_ms: int) -> None:
        """These are the totals now; what has come since the last look belongs to this minute."""
        found = {
            "joined": totals["joins"],
            "refused": totals["refused"],
            "unanswered": sum(n for name, n in totals.items() if name.startswith(_DROPPED)),
        }
        number = now_ms // _MINUTE_MS
        if not self._kept or self._kept[-1].number < number:
            self._kept.append(_Minute(number))
        minute, before = self._kept[-1], self._before or found
        minute.joined += found["joined"] - before["joined"]
        minute.refused += found["refused"] - before["refused"]
        minute.unanswered += found["unanswered"] - before["unanswered"]
        self._before = found

    def report(self) -> list[dict[str, object]]:
        """The minutes, ascending, with those left out in which nobody looked."""
        return [
            {
                "at": utc_text(each.number * _MINUTE_MS),
                "joined": each.joined,
                "refused": each.refused,
                "unanswered": each.unanswered,
            }
            for each in self._kept
        ]
