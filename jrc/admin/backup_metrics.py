"""Backups in the metrics."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, gauge

_NONE: Final = "without `backup.directory` in the config"

LAST: Final = gauge(
    "jrc_backup_last_success_timestamp_seconds",
    "When the newest backup was made, by the daemon, a timer or by hand; its age is `time()` less"
    " this.",
    unit="seconds since 1970",
    absent="before the first one",
    look="`jrc events --kind backup.made` has each and who made it"
    " ([backup.md](backup.md#how-old-the-newest-is)).",
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
    """The newest good backup, and of scheduled ones its size and failures since the start.

    None where there is no backup, or none is scheduled.
    """

    newest_ms: int | None
    size_bytes: int | None = None
    failures: int | None = None


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
        if found.failures is not None:
            yield FAILURES.value(found.failures)
