"""Metrics of what the host does to the registrar: faults, full queues, room on the disk."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jrc.errors import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """``troubles`` stand now, ``begun`` counts since the start; ``free_bytes`` of the database's
    disk is None where it can't be told."""

    troubles: Collection[Cause]
    begun: Mapping[Cause, int]
    datagrams_lost: int
    log_lines_lost: int
    free_bytes: int | None


class HostCollector(Collector):
    """What ``figures`` gives when Prometheus asks."""

    def __init__(self, figures: Callable[[], HostFigures]) -> None:
        self._figures = figures

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield from _troubles(found)
        yield CounterMetricFamily(
            "jrc_datagrams_lost",
            "Datagrams that found no room in the kernel's queue.",
            found.datagrams_lost,
        )
        yield CounterMetricFamily(
            "jrc_log_lines_lost", "Lines that nobody took from the log.", found.log_lines_lost
        )
        if found.free_bytes is not None:
            yield GaugeMetricFamily(
                "jrc_disk_free_bytes", "Room on the disk of the database.", found.free_bytes
            )


def _troubles(found: HostFigures) -> Iterator[Metric]:
    standing = GaugeMetricFamily(
        "jrc_trouble", "1 while this keeps joins from being answered.", labels=["cause"]
    )
    begun = CounterMetricFamily(
        "jrc_troubles", "How often it has begun since the start.", labels=["cause"]
    )
    for cause in Cause:
        standing.add_metric([cause.value], int(cause in found.troubles))
        begun.add_metric([cause.value], found.begun[cause])
    yield from (standing, begun)
