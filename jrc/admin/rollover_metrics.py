"""Metrics of rollovers, of the Parameter Updates that carry them, and of the keys' age."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover_figures import RolloverFigures

OUTCOMES: Final = (
    "acknowledged", "refused", "no_answer", "out_of_numbers", "echo_loop", "cancelled"
)  # fmt: skip
"""How updates end; each is there from the start, so that a rate has a zero to begin at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCounts:
    """Counts of the client of updates since the start of the process.

    ``outcomes``: ended updates by word; ``in_flight``: begun and not ended; ``datagrams``: sent,
    repeated ones as well.
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    datagrams: int = 0


class RolloverCollector(Collector):
    """Reads ``figures`` and ``updates`` when somebody asks; ``now_ms`` is for the keys' age."""

    def __init__(
        self,
        figures: Callable[[], Sequence[RolloverFigures]],
        updates: Callable[[], UpdateCounts],
        now_ms: Callable[[], int],
    ) -> None:
        self._figures = figures
        self._updates = updates
        self._now_ms = now_ms

    def describe(self) -> list[Metric]:
        """Nothing, so that registering looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        figures = self._figures()
        yield _phases(figures)
        yield _nodes(figures)
        yield from _times(figures)
        yield _ages(figures, self._now_ms())
        yield from _counted(self._updates())


def _phases(figures: Sequence[RolloverFigures]) -> Metric:
    phases = GaugeMetricFamily(
        "jrc_rollover_phase",
        "1 for the phase of a network's running or last rollover.",
        labels=["network", "phase"],
    )
    for each in figures:
        for phase in Phase if each.phase else ():
            phases.add_metric([each.network, phase.value], int(phase is each.phase))
    return phases


def _nodes(figures: Sequence[RolloverFigures]) -> Metric:
    nodes = GaugeMetricFamily(
        "jrc_rollover_nodes",
        "Nodes of a network's running or last rollover, of all networks that share its keys.",
        labels=["network", "state"],
    )
    for each in figures:
        for state in NodeState if each.phase else ():
            nodes.add_metric([each.network, state.value], each.nodes.get(state, 0))
    return nodes


def _times(figures: Sequence[RolloverFigures]) -> Iterator[Metric]:
    started = GaugeMetricFamily(
        "jrc_rollover_started_timestamp_seconds",
        "When a network's running or last rollover was started.",
        labels=["network"],
    )
    ended = GaugeMetricFamily(
        "jrc_rollover_ended_timestamp_seconds",
        "When a network's last rollover ended; absent while one runs.",
        labels=["network"],
    )
    for each in figures:
        for family, at_ms in ((started, each.started_at_ms), (ended, each.ended_at_ms)):
            if at_ms is not None:
                family.add_metric([each.network], at_ms / 1000)
    yield from (started, ended)


def _ages(figures: Sequence[RolloverFigures], now_ms: int) -> Metric:
    ages = GaugeMetricFamily(
        "jrc_network_key_age_seconds",
        "For how long the link-layer keys have been in force.",
        labels=["network"],
    )
    for each in figures:
        if each.keys_since_ms is not None:
            ages.add_metric([each.network], max(0, now_ms - each.keys_since_ms) / 1000)
    return ages


def _counted(updates: UpdateCounts) -> Iterator[Metric]:
    outcomes = CounterMetricFamily(
        "jrc_updates", "Parameter Updates that have ended.", labels=["outcome"]
    )
    counted = {**dict.fromkeys(OUTCOMES, 0), **updates.outcomes}
    for outcome, count in sorted(counted.items()):
        outcomes.add_metric([outcome], count)
    yield outcomes
    yield GaugeMetricFamily(
        "jrc_updates_in_flight", "Parameter Updates that wait for an answer.", updates.in_flight
    )
    yield CounterMetricFamily(
        "jrc_update_datagrams", "Datagrams of Parameter Updates that were sent.", updates.datagrams
    )
