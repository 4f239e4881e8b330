"""Metrics of the page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, gauge

LISTENERS: Final = gauge(
    "jrc_page_listeners",
    "Open pages that are told of changes.",
    unit="pages",
    look="At 16 no further one is let in: close some.",
)
SESSIONS: Final = gauge("jrc_page_sessions", "Sessions of the page that are good.", unit="sessions")
READING: Final = counter(
    "jrc_page_reading_seconds_total",
    "Time that reads of the database for pages have taken.",
    unit="seconds",
    look="Its rate stays below 0.1, however many pages are open.",
)
FAMILIES: Final = (LISTENERS, SESSIONS, READING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigures:
    """``reading_s`` is the time that reads for pages have taken since the start."""

    listeners: int
    sessions: int
    reading_s: float


class PageCollector(FamilyCollector):
    """What ``figures`` gives when Prometheus asks."""

    def __init__(self, figures: Callable[[], PageFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield LISTENERS.value(found.listeners)
        yield SESSIONS.value(found.sessions)
        yield READING.value(found.reading_s)
