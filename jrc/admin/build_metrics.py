"""Which program runs, as a metric."""

import platform
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, gauge

BUILD: Final = gauge(
    "jrc_build_info",
    "1, with what runs: the version, Python's, the schema of the database, and whether that is"
    " `sqlite` or `postgresql`; the last two are empty for a Join Proxy by itself.",
    "version",
    "python",
    "schema",
    "database",
    unit="1",
)
FAMILIES: Final = (BUILD,)


class BuildCollector(FamilyCollector):
    """It is always the same."""

    def __init__(self, version: str, schema: str = "", database: str = "") -> None:
        self._labels = (version, platform.python_version(), schema, database)

    def collect(self) -> Iterator[Metric]:
        """The one sample."""
        yield BUILD.samples([(self._labels, 1)])
