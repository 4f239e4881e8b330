"""The dashboards of ``deploy/grafana``: what is shown, with which query, and what it means."""

from collections.abc import Iterator

from docs.made.dashboards.capacity import CAPACITY
from docs.made.dashboards.joins import JOINS
from docs.made.dashboards.overview import OVERVIEW
from docs.made.dashboards.rollovers import ROLLOVERS
from docs.made.grafana import text_of


def files() -> Iterator[tuple[str, str]]:
    """The name and the text of each file."""
    for dashboard in (OVERVIEW, JOINS, ROLLOVERS, CAPACITY):
        yield f"{dashboard.uid}.json", text_of(dashboard)
