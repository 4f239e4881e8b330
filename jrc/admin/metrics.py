"""Counters of the join path and how Prometheus reads them.

The hot path adds to plain integers; text is made only when somebody asks.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from jrc.errors import Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Upper bounds of the histogram of requests that share a commit."""

RATE_WINDOW_S = 60
JOINED = "joined"


@dataclass(slots=True)
class Counters:
    """Plain counters, one writing thread each: the loop, but for the commits (the writer).

    It is what ``service/ports.py`` calls ``Metrics``.
    """

    datagrams_received: int = 0
    datagrams_dropped: dict[Reason, int] = field(default_factory=lambda: defaultdict(int))
    joins: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    joins_total: int = 0
    answers_resent: int = 0
    recoveries: int = 0
    send_failures: int = 0
    commits: int = 0
    committed_requests: int = 0
    batches: list[int] = field(default_factory=lambda: [0] * (len(BATCH_BOUNDS) + 1))
    damage: str | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def received(self, count: int) -> None:
        """``count`` datagrams were read from a socket."""
        self.datagrams_received += count

    def dropped(self, reason: Reason) -> None:
        """A datagram ended in silence."""
        self.datagrams_dropped[reason] += 1

    def damaged(self, message: str) -> None:
        """A row did not authenticate: silence, and something for the operator to look at."""
        self.datagrams_dropped[Reason.DAMAGED_STATE] += 1
        self.damage = message

    def answered(self, network: str, reason: Reason | None) -> None:
        """A new protected answer left; ``reason`` is None for a Configuration."""
        if reason is None:
            self.joins_total += 1
            self.joins[network, JOINED] += 1
        else:
            self.joins[network, reason.value] += 1

    def resent(self) -> None:
        """A stored answer left once more."""
        self.answers_resent += 1

    def recovered(self) -> None:
        """An RFC 8613 App. B.2 run was completed."""
        self.recoveries += 1

    def send_failed(self) -> None:
        """An answer could not be handed to the network."""
        self.send_failures += 1

    def committed(self, batch: int) -> None:
        """A transaction with ``batch`` requests is on disk."""
        self.commits += 1
        self.committed_requests += batch
        for index, bound in enumerate(BATCH_BOUNDS):
            if batch <= bound:
                self.batches[index] += 1
                return
        self.batches[-1] += 1

    def sample(self, now_s: float) -> None:
        """Note the joins so far, about once a second; ``now_s`` is a monotonic time."""
        self._samples.append((now_s, self.joins_total))
        while now_s - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()

    def summary(self) -> dict[str, object]:
        """What ``jrc status`` shows of the counters."""
        return {
            "joins_total": self.joins_total,
            "joins_last_minute": self.joins_last_minute(),
            "answers_resent": self.answers_resent,
            "datagrams_received": self.datagrams_received,
            "datagrams_dropped": {r.value: n for r, n in sorted(self.datagrams_dropped.items())},
            "damage": self.damage,
        }

    def totals(self) -> dict[str, int]:
        """What one log line in a while says: datagrams, joins, and drops by reason."""
        totals = {
            "datagrams": self.datagrams_received,
            "joins": self.joins_total,
            "refused": sum(self.joins.values()) - self.joins_total,
            "resent": self.answers_resent,
        }
        dropped = {f"dropped_{r.value}": n for r, n in self.datagrams_dropped.items()}
        return totals | dropped

    def joins_last_minute(self) -> int:
        """Joins between the oldest sample of the last minute and now."""
        return self.joins_total - self._samples[0][1] if self._samples else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What is looked up now and then: ``pledges`` by state, ``short_ids_left`` by network."""

    ready: bool
    quarantined: bool = False
    contexts_cached: int
    pledges: Mapping[str, int]
    short_ids_left: Mapping[str, int]
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallerCount:
    """Runs of one installer since the start; ``installed_at_ms`` is of its last good one ever."""

    network: str
    installer: str
    installed: bool
    successes: int
    failures: int
    installed_at_ms: int | None


class InstallerCollector(Collector):
    """What installers of link-layer keys have done, as ``counts`` gives it."""

    def __init__(self, counts: Callable[[], Sequence[InstallerCount]]) -> None:
        self._counts = counts

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        which = ["network", "installer"]
        installed = GaugeMetricFamily(
            "jrc_installer_installed", "1 while the radio has the keys in force.", labels=which
        )
        good = CounterMetricFamily("jrc_installer_success", "Runs that went well.", labels=which)
        bad = CounterMetricFamily("jrc_installer_failures", "Runs that failed.", labels=which)
        last = GaugeMetricFamily(
            "jrc_installer_last_success_timestamp_seconds",
            "When keys were last put in; its age is time() less this.",
            labels=which,
        )
        for each in self._counts():
            labels = [each.network, each.installer]
            installed.add_metric(labels, int(each.installed))
            good.add_metric(labels, each.successes)
            bad.add_metric(labels, each.failures)
            if each.installed_at_ms is not None:
                last.add_metric(labels, each.installed_at_ms / 1000)
        yield from (installed, good, bad, last)


class _JoinCollector(Collector):
    def __init__(self, counters: Counters, gauges: Callable[[], Gauges], version: str) -> None:
        self._counters = counters
        self._gauges = gauges
        self._version = version

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not look the gauges up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        yield from self._counted()
        yield self._batch_sizes()
        yield from self._looked_up(self._gauges())

    def _counted(self) -> Iterator[Metric]:
        c = self._counters
        yield _counter(
            "datagrams_received", "Datagrams read from the sockets.", c.datagrams_received
        )
        dropped = CounterMetricFamily(
            "jrc_datagrams_dropped", "Datagrams that ended in silence.", labels=["reason"]
        )
        for reason, count in sorted(c.datagrams_dropped.items()):
            dropped.add_metric([reason.value], count)
        yield dropped
        joins = CounterMetricFamily(
            "jrc_joins", "New protected answers to Join Requests.", labels=["network", "result"]
        )
        for labels, count in sorted(c.joins.items()):
            joins.add_metric(labels, count)
        yield joins
        yield _counter("answers_resent", "Stored answers that left once more.", c.answers_resent)
        begun = sum(n for (_, why), n in c.joins.items() if why == Reason.RECOVERING.value)
        yield _counter("recoveries_begun", "RFC 8613 App. B.2 runs begun.", begun)
        yield _counter("recoveries_completed", "Of them, completed.", c.recoveries)
        yield _counter("send_failures", "Answers the network did not take.", c.send_failures)
        yield _counter("commits", "Transactions of joins on disk.", c.commits)

    def _batch_sizes(self) -> Metric:
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip(
            (*map(str, BATCH_BOUNDS), "+Inf"), self._counters.batches, strict=True
        ):
            total += count
            buckets.append((bound, total))
        sizes = HistogramMetricFamily("jrc_commit_batch_size", "Requests that share a commit.")
        sizes.add_metric([], buckets, sum_value=self._counters.committed_requests)
        return sizes

    def _looked_up(self, gauges: Gauges) -> Iterator[Metric]:
        yield GaugeMetricFamily("jrc_ready", "1 while joins are answered.", int(gauges.ready))
        yield GaugeMetricFamily(
            "jrc_quarantined",
            "1 while the database is quarantined: nobody is answered until `jrc recover`.",
            int(gauges.quarantined),
        )
        yield GaugeMetricFamily(
            "jrc_contexts_cached", "OSCORE contexts in memory.", gauges.contexts_cached
        )
        yield GaugeMetricFamily("jrc_events", "Events in the audit log.", gauges.events)
        pledges = GaugeMetricFamily("jrc_pledges", "Pledges by state.", labels=["state"])
        for state, count in sorted(gauges.pledges.items()):
            pledges.add_metric([state], count)
        yield pledges
        left = GaugeMetricFamily(
            "jrc_short_identifiers_left",
            "Short identifiers that can still be given out.",
            labels=["network"],
        )
        for network, count in sorted(gauges.short_ids_left.items()):
            left.add_metric([network], count)
        yield left
        build = GaugeMetricFamily("jrc_build_info", "The version that runs.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"jrc_{name}", text, value)


def registry_of(
    counters: Counters, gauges: Callable[[], Gauges], version: str
) -> CollectorRegistry:
    """A registry of its own with the program's metrics and those of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_JoinCollector(counters, gauges, version))
    ProcessCollector(registry=registry)
    return registry


def text_of(registry: CollectorRegistry) -> bytes:
    """All metrics in Prometheus' text format (``CONTENT_TYPE``)."""
    return generate_latest(registry)
