"""Scheduled backups in the metrics."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, gauge

_NONE: Final = "without `backup.directory` in the config"

LAST: Final = gauge(
    "jrc_backup_last_success_timestamp_seconds",
    "When the newest scheduled backup was made; its age is `time()` less this.",
    unit="seconds since 1970",
    absent=f"{_NONE}, and before the first one",
    look="`jrc status` has the last error ([backup.md](backup.md#backups-by-the-daemon)).",
)
SIZE: Final = gauge(
    "jrc_backup_size_bytes",
    "Size of the newest scheduled backup.",
    unit="bytes",
    absent=f"{_NONE}, and before the first one",
)
FAILURES: Final = counter(
    "jrc_backup_failures_total",
    "Scheduled backups that failed.",
    unit="backups",
    absent=_NONE,
    look="`backup_failed` in the log has why.",
)
FAMILIES: Final = (LAST, SIZE, FAILURES)


class BackupFigures(NamedTuple):
    """The newest good backup, None where there is none, and failures since the start."""

    newest_ms: int | None
    size_bytes: int | None
    failures: int


class BackupCollector(FamilyCollector):
    """What ``figures`` gives."""

    def __init__(self, figures: Callable[[], BackupFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        if found.newest_ms is not None:
            yield LAST.value(found.newest_ms / 1000)
        if found.size_bytes is not None:
            yield SIZE.value(found.size_bytes)
        yield FAILURES.value(found.failures)
