"""What a metric is called and what it says: `/metrics` and docs/metrics.md come from these."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from jrc.admin.histogram import Histogram

SAMPLES_A_PIECE: Final = 250
"""Of one metric: so many take about a millisecond."""
_HEAD_LINES: Final = 2
"""``# HELP`` and ``# TYPE``, once a metric."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Kind(StrEnum):
    """How Prometheus reads it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric with all its labels.

    ``name`` is what a query names; the samples of a histogram have an ending more. ``help`` says
    what it is, ``look`` what to do about it, ``absent`` when there is none. ``unit`` is in words.
    """

    kind: Kind
    name: str
    help: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    look: str = ""
    absent: str = ""

    def value(self, value: float) -> Metric:
        """Its one sample; for a metric without labels."""
        return self.samples([((), value)])

    def samples(self, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
        """All its samples: values of the labels, in their order, and the value."""
        made: CounterMetricFamily | GaugeMetricFamily
        if self.kind is Kind.COUNTER:
            made = CounterMetricFamily(self.name, self.help, labels=self.labels)
        else:
            made = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            made.add_metric(labels, value)
        return made

    def histogram(self, counted: Histogram) -> Metric:
        """Its samples, each bucket with all that is at or under its bound."""
        bounds = (*map(str, counted.bounds), "+Inf")
        made = HistogramMetricFamily(self.name, self.help)
        buckets = list(zip(bounds, accumulate(counted.counts), strict=True))
        made.add_metric([], buckets, sum_value=counted.total)
        return made


def counter(
    name: str, text: str, *labels: str, unit: str = "", look: str = "", absent: str = ""
) -> Family:
    """One that only grows, from the start of the process."""
    return _family(Kind.COUNTER, name, text, labels, unit, look, absent)


def gauge(
    name: str, text: str, *labels: str, unit: str = "", look: str = "", absent: str = ""
) -> Family:
    """One that goes up and down."""
    return _family(Kind.GAUGE, name, text, labels, unit, look, absent)


def histogram(name: str, text: str, *, unit: str = "", look: str = "") -> Family:
    """One of counts by size."""
    return _family(Kind.HISTOGRAM, name, text, (), unit, look, "")


def _family(
    kind: Kind, name: str, text: str, labels: tuple[str, ...], unit: str, look: str, absent: str
) -> Family:
    return Family(
        kind=kind, name=name, help=text, labels=labels, unit=unit, look=look, absent=absent
    )


class FamilyCollector(Collector):
    """A collector that is not asked when it is registered."""

    def describe(self) -> list[Metric]:
        """Nothing, so that registering looks nothing up."""
        return []


@dataclass(frozen=True, slots=True)
class _One:
    metric: Metric

    def collect(self) -> list[Metric]:
        return [self.metric]


def pieces_of(registry: Collector) -> Iterator[bytes]:
    """All metrics in Prometheus' text format (``CONTENT_TYPE``), in pieces that take a moment."""
    for metric in registry.collect():
        samples = metric.samples
        for at in range(0, len(samples) or 1, SAMPLES_A_PIECE):
            metric.samples = samples[at : at + SAMPLES_A_PIECE]
            text = generate_latest(_One(metric))
            yield text.split(b"\n", _HEAD_LINES)[_HEAD_LINES] if at else text
