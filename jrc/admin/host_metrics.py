"""Metrics of what the host does to the registrar: faults, full queues, room on the disk."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import Family, FamilyCollector, counter, gauge
from jrc.errors import Cause

_UNTOLD: Final = "where the file system does not say"

TROUBLE: Final = gauge(
    "jrc_trouble",
    "1 while this keeps joins from being answered.",
    "cause",
    unit="0 or 1",
    look="[faults.md](faults.md) has each cause; `jrc status` has the error and what to do.",
)
TROUBLES: Final = counter(
    "jrc_troubles_total", "How often it has begun since the start.", "cause", unit="times"
)
LOST: Final = counter(
    "jrc_datagrams_lost_total",
    "Datagrams that found no room in the kernel's queue, good ones among them.",
    unit="datagrams",
    look="See who sends so much. `sysctl -w net.core.rmem_max=8388608`, or"
    " `deploy/systemd/jrc.socket`, gives the queue the room that it asks for.",
)
QUEUED: Final = gauge(
    "jrc_receive_queue_bytes", "What waits in the kernel's queues, of all sockets.", unit="bytes"
)
QUEUE_SIZE: Final = gauge(
    "jrc_receive_queue_capacity_bytes", "The room that those queues have.", unit="bytes"
)
LOG_LOST: Final = counter(
    "jrc_log_lines_lost_total",
    "Lines that nobody took from the log.",
    unit="lines",
    look="See who reads the log: journald, or the pipe behind it.",
)
FREE: Final = gauge(
    "jrc_disk_free_bytes",
    "Room on the disk of the database.",
    unit="bytes",
    absent=_UNTOLD,
    look="`jrc doctor` warns below 256 MiB. Once it is full nobody is answered.",
)
DISK: Final = gauge(
    "jrc_disk_size_bytes", "Size of the disk of the database.", unit="bytes", absent=_UNTOLD
)
DATABASE: Final = gauge(
    "jrc_database_size_bytes",
    "Size of the database: of its file, or on the PostgreSQL server, as of five minutes ago.",
    unit="bytes",
    absent="where the server does not say: `database_size_unknown` in the log has why",
)
WAL: Final = gauge(
    "jrc_database_wal_size_bytes",
    "Size of the log beside it, which is emptied into the file as it grows.",
    unit="bytes",
    absent="with PostgreSQL: ask the server",
    look="Some MB are usual. More, and growing: somebody reads the database for very long.",
)
FAMILIES: Final = (
    TROUBLE, TROUBLES, LOST, QUEUED, QUEUE_SIZE, LOG_LOST, FREE, DISK, DATABASE, WAL
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """``troubles`` stand now, ``begun`` counts since the start; sizes that can't be told are None.

    ``queued_bytes`` of ``queue_bytes`` wait in the kernel.
    """

    troubles: Collection[Cause]
    begun: Mapping[Cause, int]
    datagrams_lost: int
    queued_bytes: int
    queue_bytes: int
    log_lines_lost: int
    free_bytes: int | None
    disk_bytes: int | None
    database_bytes: int | None
    wal_bytes: int | None


class HostCollector(FamilyCollector):
    """What ``figures`` gives when Prometheus asks."""

    def __init__(self, figures: Callable[[], HostFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield TROUBLE.samples(([cause.value], cause in found.troubles) for cause in Cause)
        yield TROUBLES.samples(([cause.value], found.begun[cause]) for cause in Cause)
        yield LOST.value(found.datagrams_lost)
        yield QUEUED.value(found.queued_bytes)
        yield QUEUE_SIZE.value(found.queue_bytes)
        yield LOG_LOST.value(found.log_lines_lost)
        yield from _sizes(found)


def _sizes(found: HostFigures) -> Iterator[Metric]:
    sizes: tuple[tuple[Family, int | None], ...] = (
        (FREE, found.free_bytes),
        (DISK, found.disk_bytes),
        (DATABASE, found.database_bytes),
        (WAL, found.wal_bytes),
    )
    yield from (family.value(size) for family, size in sizes if size is not None)
