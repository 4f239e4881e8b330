"""The dashboards that are shipped show what the daemon exports, and say what it means."""

import json
import re
from pathlib import Path

import pytest

from tests.monitoring.queries import (
    CHECKOUT,
    DASHBOARDS,
    PROCESS,
    family_of,
    filled,
    known_labels,
    labels_of,
    legend_labels,
    metrics_of,
    panels,
    queries,
)

by_name = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_there_are_dashboards_for_what_an_operator_looks_at() -> None:
    """Each file is called as its uid, which tells it from all others."""
    found = [json.loads(path.read_text()) for path in DASHBOARDS]
    uids = [each["uid"] for each in found]
    assert ["jrc-capacity", "jrc-joins", "jrc-overview", "jrc-rollovers"] == sorted(uids)
    assert uids == [path.stem for path in DASHBOARDS]
    assert len(set(uids)) == len({each["title"] for each in found}) == len(found)


@by_name
def test_each_panel_has_a_place_a_number_and_words(path: Path) -> None:
    """None covers another; each says what it shows, in which unit, and asks for something."""
    taken: set[tuple[int, int]] = set()
    numbers = set()
    for panel in panels(path):
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        numbers.add(panel["id"])
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
    assert len(list(panels(path))) == len(numbers)


@by_name
def test_each_metric_and_label_is_one_of_the_daemon(path: Path) -> None:
    """By the same list that the daemon exports from (``test_exported.py``)."""
    for query in queries(path):
        expr = filled(query.expr)
        metrics = metrics_of(expr)
        assert metrics, query
        for metric in metrics:
            assert family_of(metric) or metric in PROCESS | {"up", "ALERTS"}, (query.where, metric)
        possible = set().union(*map(known_labels, metrics))
        for metric, labels in labels_of(expr):
            known = known_labels(metric) if metric else possible
            assert labels <= known, (query.where, metric, labels - known)
        assert legend_labels(query.legend) <= possible, query


@by_name
def test_each_query_is_about_the_registrars_that_were_picked(path: Path) -> None:
    """And every variable that is asked for is one of the dashboard."""
    variables = {each["name"] for each in json.loads(path.read_text())["templating"]["list"]}
    for query in queries(path):
        named = set(re.findall(r"\$\{?(\w+)", query.expr))
        assert named <= variables | {"__rate_interval", "__range"}, query
        assert "instance" in named or "ALERTS" in query.expr, query


@by_name
def test_what_is_said_to_be_elsewhere_is_there(path: Path) -> None:
    """Pages of the documents that a panel names."""
    for panel in panels(path):
        for name in re.findall(r"docs/[\w-]+\.md", panel["description"]):
            assert (CHECKOUT / name).exists(), name


def test_grafana_is_told_where_dashboards_and_prometheus_are() -> None:
    """The files of the provisioning name the folder and the kind of source."""
    folder = CHECKOUT / "deploy/grafana/provisioning"
    assert "path: /var/lib/grafana/dashboards" in (folder / "dashboards/jrc.yml").read_text()
    assert "type: prometheus" in (folder / "datasources/prometheus.yml").read_text()


_SUMMED = re.compile(r"\bsum(?:\s+by\s*\(([^)]*)\))?\s*\((\w+)\s*\{")


def test_what_is_told_by_each_registrar_of_a_database_is_not_added_up() -> None:
    """Two that share one tell the same of it; what each counts for itself is a counter's."""
    for path in DASHBOARDS:
        for query in queries(path):
            for labels, metric in _SUMMED.findall(query.expr):
                assert "instance" in labels or metric == "ALERTS", (query.where, metric)
    assert _SUMMED.findall('sum by (network) (jrc_rollover_nodes{state="x"})')
    assert _SUMMED.findall("sum(jrc_pledges{})")
    assert not _SUMMED.findall("sum by (network) (rate(jrc_joins_total{}[5m]))")
