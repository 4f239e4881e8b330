"""Alert rules under ``promtool``: their syntax, and when each fires and when it does not."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.firing import CASES, FURTHER, Case
from tests.monitoring.queries import CHECKOUT, RULES, rules

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="promtool is not there (Debian: prometheus)"
    ),
]
DAY_MINUTES = 1440
TWIN = 'instance="c"'
OF_ALL = {"JrcNobodyConducts"}
"""Said once, however many registrars there are."""
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_config_and_its_rules_are_good() -> None:
    """As Prometheus itself reads them, with what it can tell without running them."""
    done = promtool("check", "config", CHECKOUT / "deploy/prometheus/prometheus.yml")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"SUCCESS: {len(rules())} rules found" in done.stdout


def test_each_alert_has_a_case() -> None:
    """One that fires it; a rule that nothing fires is as good as none."""
    assert set(rules()) == CASES.keys()


def _expected(minute: int, alerts: set[str], registrars: int = 1) -> dict[str, Any]:
    samples = [
        {"labels": f'{{alertname="{alert}"}}', "value": 1 if alert in OF_ALL else registrars}
        for alert in sorted(alerts)
    ]
    return {"expr": FIRING, "eval_time": f"{minute}m", "exp_samples": samples}


def _test_of(
    name: str, case: Case, alerts: set[str], interval: str, registrars: int
) -> dict[str, Any]:
    """A test of promtool: its file format is YAML, of which JSON is a part.

    A second registrar tells the same of the database that it shares with the first.
    """
    series = dict(case.series)
    if registrars == 2:
        series |= {name.replace('instance="a"', TWIN): each for name, each in case.series.items()}
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": s, "values": v} for s, v in series.items()],
        "promql_expr_test": [
            _expected(case.quiet, set()),
            _expected(case.fires, alerts, registrars),
        ],
    }


@pytest.mark.parametrize("interval", ["1m", "30m"])
@pytest.mark.parametrize("registrars", [1, 2])
def test_each_alert_fires_when_it_should_and_not_before(
    tmp_path: Path, interval: str, registrars: int
) -> None:
    """And no other one with it; what takes a day is looked at twice an hour.

    Of two that share a database each has its own, neither sooner than one alone.
    """
    cases = {
        **{alert: (case, {alert, *case.also}) for alert, case in CASES.items()},
        **{name: (case, set(case.also)) for name, case in FURTHER.items()},
    }
    is_long = interval != "1m"
    tests = [
        _test_of(name, case, alerts, interval, registrars)
        for name, (case, alerts) in cases.items()
        if (case.fires > DAY_MINUTES) == is_long
    ]
    content = {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests}
    file = tmp_path / "alerts_test.yml"
    file.write_text(json.dumps(content, indent=1))
    done = promtool("test", "rules", file)
    assert tests
    assert 0 == done.returncode, done.stdout + done.stderr
