"""Alert rules ask for what the daemon exports, and each has its section in docs/alerts.md."""

import re

import pytest

from tests.monitoring.queries import (
    CHECKOUT,
    PROCESS,
    family_of,
    known_labels,
    labels_of,
    legend_labels,
    metrics_of,
    rules,
)

PAGE = CHECKOUT / "docs/alerts.md"
RULES = rules()
by_alert = pytest.mark.parametrize("alert", RULES)


def _expr(alert: str) -> str:
    """The expression of a rule: what stands between ``expr`` and the next key."""
    found = re.search(r"expr: (?:\|\n)?(.+?)\n        [a-z]+: ", RULES[alert], re.DOTALL)
    assert found is not None, alert
    return found[1]


def test_each_alert_has_a_section_and_each_section_an_alert() -> None:
    """In one order, so that both are read beside each other."""
    sections = re.findall(r"^### (Jrc\w+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(RULES) == sorted(sections)
    assert len(set(RULES)) == len(RULES) > 40


@by_alert
def test_a_rule_says_how_bad_it_is_what_happened_and_where_to_read(alert: str) -> None:
    """Severity, summary, description, and the section of its runbook."""
    text = RULES[alert]
    assert re.search(r"^        labels: \{severity: (critical|warning|info)\}$", text, re.MULTILINE)
    assert re.search(r'^          summary: ".+[^.]"$', text, re.MULTILINE)
    assert re.search(r'^          description: ".+\."$', text, re.MULTILINE)
    assert f"          runbook: docs/alerts.md#{alert.lower()}\n" in text


@by_alert
def test_a_rule_asks_for_metrics_and_labels_of_the_daemon(alert: str) -> None:
    """By the same list that the daemon exports from (``test_exported.py``)."""
    expr = _expr(alert)
    metrics = metrics_of(expr)
    assert metrics
    for metric in metrics:
        assert family_of(metric) or metric in PROCESS | {"up"}, metric
    possible = set().union(*map(known_labels, metrics))
    for metric, labels in labels_of(expr):
        known = known_labels(metric) if metric else possible
        assert labels <= known, (metric, labels - known)
    assert legend_labels(RULES[alert]) <= possible


@pytest.mark.parametrize("family", ["jrc_joins_total", "jrc_trouble", "jrc_rollover_phase"])
def test_what_is_looked_for_is_found(family: str) -> None:
    """The tests above read expressions with patterns of their own: here they find something."""
    assert any(family in metrics_of(_expr(alert)) for alert in RULES)
