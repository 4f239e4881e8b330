"""Metrics of the Join Proxy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jrc.errors import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFigures:
    """What is known at the moment; ``joined`` is None for a proxy without a credential."""

    forwarded: int
    returned: int
    dropped: Mapping[Reason, int]
    join_rate_bytes_per_s: int | None
    blocked: int
    listening: bool
    connected: bool
    joined: bool | None
    updates: int


class ProxyCollector(Collector):
    """Reads ``figures`` when somebody asks."""

    def __init__(self, figures: Callable[[], ProxyFigures]) -> None:
        self._figures = figures

    def describe(self) -> list[Metric]:
        """Nothing, so that registering looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield from _counters(found)
        yield from _gauges(found)


def _counters(found: ProxyFigures) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "jrc_proxy_forwarded", "Requests of pledges that went to the registrar.", found.forwarded
    )
    yield CounterMetricFamily(
        "jrc_proxy_returned", "Answers that went back to pledges.", found.returned
    )
    dropped = CounterMetricFamily(
        "jrc_proxy_dropped", "Datagrams that ended at the Join Proxy.", labels=["reason"]
    )
    for reason, count in sorted(found.dropped.items()):
        dropped.add_metric([reason.value], count)
    yield dropped
    yield CounterMetricFamily(
        "jrc_proxy_updates", "Parameter Updates that were carried out.", found.updates
    )


def _gauges(found: ProxyFigures) -> Iterator[Metric]:
    if found.join_rate_bytes_per_s is not None:
        yield GaugeMetricFamily(
            "jrc_proxy_join_rate_bytes_per_second",
            "The join rate; absent for one packet in three seconds.",
            found.join_rate_bytes_per_s,
        )
    yield GaugeMetricFamily(
        "jrc_proxy_blocked_identifiers", "Pledges on the blocklist.", found.blocked
    )
    yield GaugeMetricFamily(
        "jrc_proxy_listening", "1 while pledges reach the Join Proxy.", int(found.listening)
    )
    yield GaugeMetricFamily(
        "jrc_proxy_connected", "1 while there is a way to the registrar.", int(found.connected)
    )
    if found.joined is not None:
        yield GaugeMetricFamily(
            "jrc_proxy_joined", "1 once it has joined as a 6LBR.", int(found.joined)
        )


def proxy_registry(figures: Callable[[], ProxyFigures], version: str) -> CollectorRegistry:
    """The registry of a process that is a Join Proxy and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProxyCollector(figures))
    registry.register(_Build(version))
    ProcessCollector(registry=registry)
    return registry


class _Build(Collector):
    def __init__(self, version: str) -> None:
        self._version = version

    def describe(self) -> list[Metric]:
        """Nothing: it is always the same."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The version."""
        build = GaugeMetricFamily("jrc_build_info", "The version that runs.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
