"""Dashboards as Grafana reads them, from panels in a few words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
HERE: Final = 'job=~"$job",instance=~"$instance"'
"""What every selector has: the registrars that were picked."""
IN_NETWORK: Final = f'{HERE},network=~"$network"'

GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"
_SCHEMA_VERSION: Final = 41
_WIDTH: Final = 24
_TAG: Final = "jrc"


class Query(NamedTuple):
    """A PromQL expression and what its lines are called; ``at_once`` asks for one moment alone."""

    expr: str
    legend: str = ""
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture; ``steps`` are values from which on it has a colour.

    ``words`` are texts and colours in place of values; ``columns`` of a table are the fields that
    it shows, each with its heading and unit.
    """

    title: str
    text: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    steps: Sequence[tuple[float | None, str]] = ()
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    stacked: bool = False
    least: float | None = 0
    most: float | None = None
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Row(NamedTuple):
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(NamedTuple):
    """A page; ``by_network`` has a choice of networks."""

    uid: str
    title: str
    text: str
    rows: Sequence[Row]
    by_network: bool = True
    begin: str = "now-6h"


def text_of(dashboard: Dashboard) -> str:
    """The file of a dashboard."""
    return json.dumps(_model(dashboard), indent=2, ensure_ascii=False) + "\n"


def _model(made: Dashboard) -> dict[str, Any]:
    return {
        "uid": made.uid,
        "title": made.title,
        "description": made.text,
        "tags": [_TAG],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "refresh": "30s",
        "time": {"from": made.begin, "to": "now"},
        "timezone": "browser",
        "links": [_other_dashboards()],
        "templating": {"list": list(_variables(made.by_network))},
        "annotations": {"list": [_starts()]},
        "panels": list(_placed(made.rows)),
    }


def _other_dashboards() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "JRC",
        "tags": [_TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _starts() -> dict[str, Any]:
    """A mark where a process began."""
    return {
        "name": "Starts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": BLUE,
        "expr": f"changes(process_start_time_seconds{{{HERE}}}[2m]) > 0",
        "titleFormat": "start of {{instance}}",
        "step": "60s",
    }


def _variables(by_network: bool) -> Iterator[dict[str, Any]]:
    yield {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }
    yield _choice("job", "Job", "label_values(jrc_build_info, job)")
    yield _choice("instance", "Registrar", 'label_values(jrc_build_info{job=~"$job"}, instance)')
    if by_network:
        yield _choice(
            "network", "Network", f"label_values(jrc_short_identifiers_range{{{HERE}}}, network)"
        )


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Every panel with its number and its place, from left to right and down."""
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
            "panels": [],
        }
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > _WIDTH:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield {"id": number, **_panel(panel), "gridPos": place}
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def _panel(panel: Panel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "targets": [
            _target(panel.kind, query, chr(ord("A") + at)) for at, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_units(panel))},
        "options": _OPTIONS[panel.kind],
    }
    if panel.kind == "table":
        made["transformations"] = _transformations(panel)
    return made


def _target(kind: str, query: Query, ref: str) -> dict[str, Any]:
    at_once = query.at_once or kind in ("stat", "table", "bargauge")
    return {
        "refId": ref,
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": at_once,
        "range": not at_once,
        "format": {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series"),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = panel.steps or ((None, GREEN if panel.kind != "stat" else GREY),)
    made: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in steps],
        },
        "mappings": _mappings(panel.words),
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
    }
    if panel.least is not None:
        made["min"] = panel.least
    if panel.most is not None:
        made["max"] = panel.most
    if panel.kind == "timeseries":
        made["custom"] = {
            "fillOpacity": 40 if panel.stacked else 10,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
        }
    if panel.kind == "state-timeline":
        made["custom"] = {"fillOpacity": 70, "lineWidth": 0}
    return made


def _mappings(words: Mapping[float, tuple[str, str]]) -> list[dict[str, Any]]:
    if not words:
        return []
    options = {
        f"{value:g}": {"text": text, "color": colour, "index": at}
        for at, (value, (text, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


def _units(panel: Panel) -> Iterator[dict[str, Any]]:
    for heading, unit in panel.columns.values():
        yield {
            "matcher": {"id": "byName", "options": heading},
            "properties": [{"id": "unit", "value": unit}],
        }


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    """One line for all that the queries say under the same labels; ``columns`` are those shown."""
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True, "Value": True},
                "indexByName": {name: at for at, name in enumerate(panel.columns)},
                "renameByName": {name: heading for name, (heading, _) in panel.columns.items()},
            },
        },
    ]


_REDUCED: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_LEGEND: Final = {
    "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"],
    "showLegend": True,
}  # fmt: skip
_OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "stat": {
        "reduceOptions": _REDUCED,
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "auto",
        "orientation": "auto",
    },
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "bargauge": {
        "reduceOptions": _REDUCED,
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
    },
    "state-timeline": {
        "showValue": "auto",
        "mergeValues": True,
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single"},
    },
    "heatmap": {
        "calculate": False,
        "yAxis": {"unit": "s"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "cellGap": 1,
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
    },
    "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}},
}
