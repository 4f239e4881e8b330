"""What dashboards and alert rules ask for, as their files have it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jrc.admin.metric_families import Family, Kind
from jrc.admin.metric_list import FAMILIES

CHECKOUT = Path(__file__).parents[2]
DASHBOARDS = sorted((CHECKOUT / "deploy/grafana/dashboards").glob("*.json"))
RULES = CHECKOUT / "deploy/prometheus/alerts.yml"

PROCESS = {
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds",
    "process_resident_memory_bytes", "process_start_time_seconds",
}  # fmt: skip
"""Of Prometheus' client library, as far as they are asked for."""
TARGET_LABELS = {"instance", "job"}
"""What Prometheus adds to each series."""
PICKED = {"$job": ".*", "$instance": ".*", "$network": ".*"}
"""Variables, where everything is picked."""

_NAME = re.compile(r"\b(?:jrc|process|up|ALERTS)(?:_[a-z_]+)?\b(?!\s*\()")
_SELECTOR = re.compile(r"\b([a-zA-Z_]+)\s*\{([^}]*)\}")
_MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\b(?:by|on|without|group_left|group_right)\s*\(([^)]*)\)")
_LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}")


class Query(NamedTuple):
    """An expression, where it stands, and the text that its labels go into."""

    where: str
    expr: str
    legend: str
    at_once: bool


def panels(path: Path) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, headings of rows left out."""
    for panel in json.loads(path.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def queries(path: Path) -> Iterator[Query]:
    """Every query of a dashboard."""
    for panel in panels(path):
        for target in panel["targets"]:
            where = f"{path.stem}: {panel['title']}"
            yield Query(where, target["expr"], target["legendFormat"], target["instant"])


def filled(expr: str, rate: str = "5m", range_: str = "1h") -> str:
    """An expression as Grafana sends it."""
    for variable, value in {**PICKED, "$__rate_interval": rate, "$__range": range_}.items():
        expr = expr.replace(variable, value)
    return expr


def metrics_of(expr: str) -> set[str]:
    """The metrics that an expression names."""
    bare = re.sub(r'"[^"]*"', '""', _GROUPED.sub("", expr))
    bare = re.sub(r"\{[^}]*\}", "", bare)
    return set(_NAME.findall(bare))


def labels_of(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Metrics with the labels that their selectors name; under "" those of the whole expression."""
    for metric, matchers in _SELECTOR.findall(expr):
        yield metric, set(_MATCHER.findall(re.sub(r'"[^"]*"', "", matchers)))
    for group in _GROUPED.findall(expr):
        yield "", {label.strip() for label in group.split(",") if label.strip()}


def legend_labels(text: str) -> set[str]:
    """The labels that a legend, or the text of an alert, wants."""
    return set(_LEGEND.findall(text))


def family_of(metric: str) -> Family | None:
    """The family of a metric, also by a name of a histogram's samples."""
    for ending in ("", "_bucket", "_sum", "_count"):
        name = metric.removesuffix(ending) if ending else metric
        family = FAMILIES.get(name)
        if family is not None and (not ending or family.kind is Kind.HISTOGRAM):
            return family
    return None


def known_labels(metric: str) -> set[str]:
    """The labels that a metric can have, as Prometheus stores it."""
    if metric == "ALERTS":
        return TARGET_LABELS | {"alertname", "alertstate", "severity", "network"}
    family = family_of(metric)
    labels = set() if family is None else set(family.labels)
    return labels | TARGET_LABELS | ({"le"} if metric.endswith("_bucket") else set())


def rules() -> Mapping[str, str]:
    """The text of each alert rule, by the alert's name."""
    parts = re.split(r"^      - alert: (\w+)$", RULES.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
