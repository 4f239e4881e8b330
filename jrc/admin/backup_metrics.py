"""Scheduled backups in the metrics."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class BackupFigures(NamedTuple):
    """The newest good backup, None where there is none, and failures since the start."""

    newest_ms: int | None
    size_bytes: int | None
    failures: int


class BackupCollector(Collector):
    """What ``figures`` gives."""

    def __init__(self, figures: Callable[[], BackupFigures]) -> None:
        self._figures = figures

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        if found.newest_ms is not None:
            yield GaugeMetricFamily(
                "jrc_backup_last_success_timestamp_seconds",
                "When the newest scheduled backup was made; its age is time() less this.",
                found.newest_ms / 1000,
            )
        if found.size_bytes is not None:
            yield GaugeMetricFamily(
                "jrc_backup_size_bytes", "Bytes of the newest scheduled backup.", found.size_bytes
            )
        yield CounterMetricFamily(
            "jrc_backup_failures", "Scheduled backups that failed.", found.failures
        )
