"""A real Prometheus asks a real registrar: rules load, and dashboards get what they ask for."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon.site import PATIENCE_S, Daemon
from tests.monitoring.queries import CHECKOUT, DASHBOARDS, filled, queries, rules
from tests.monitoring.watched import refuse, watched

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Prometheus is not there (Debian: prometheus)"
    ),
]
SHIPPED = CHECKOUT / "deploy/prometheus"
MAY_BE_EMPTY = {
    "jrc-overview: Alerts",
    "jrc-joins: Dropped by the Join Proxy",
    "jrc-rollovers: Datagrams an update",
    "jrc-joins: Share of requests that are refused",
}
"""Where all is well, or nothing has been divided by yet."""
SETTLED_S = 15
"""One of both was asked a moment before the other."""
TWIN = "twin"
"""The same registrar under another name: as two that share a database, both tell what is in it."""


class Prometheus:
    """A running one on loopback, with the shipped files and a shorter breath."""

    def __init__(self, folder: Path, metrics_port: int) -> None:
        self._configure(folder, metrics_port)
        port = _free_port()
        self._log = (folder / "log").open("w+")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    @staticmethod
    def _configure(folder: Path, metrics_port: int) -> None:
        (folder / "targets").mkdir(parents=True)
        shutil.copy(SHIPPED / "alerts.yml", folder)
        targets = (SHIPPED / "targets/jrc.yml").read_text()
        assert "localhost:9631" in targets
        targets = targets.replace("localhost:9631", f"127.0.0.1:{metrics_port}")
        (folder / "targets/jrc.yml").write_text(targets)
        twin = [{"targets": [f"127.0.0.1:{metrics_port}"], "labels": {"instance": TWIN}}]
        (folder / "targets/twin.yml").write_text(json.dumps(twin))
        config = (SHIPPED / "prometheus.yml").read_text()
        assert config.count("interval: 15s") == 2
        config = config.replace("interval: 15s", "interval: 1s")
        (folder / "prometheus.yml").write_text(config)

    def close(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._log.close()

    def get(self, path: str, **params: str) -> Any:
        """The data of an answer, which must be good; a query that does not parse has none."""
        answer = self._client.get(f"/api/v1/{path}", params=params)
        if answer.is_server_error:  # it has opened its port, and not yet its database
            answer.raise_for_status()
        assert 200 == answer.status_code, (params, answer.text)
        content = answer.json()
        assert "success" == content["status"], (params, content)
        return content["data"]

    def query(self, expr: str) -> list[Any]:
        """The series that an expression gives now."""
        found: list[Any] = self.get("query", query=expr)["result"]
        return found

    def values(self, expr: str) -> dict[str, float]:
        """Their values now, by their labels."""
        return {
            str(sorted(each["metric"].items())): float(each["value"][1])
            for each in self.query(filled(expr))
        }

    def says_the_same(self, one: str, other: str) -> bool:
        """Whether two expressions give the same now, but for what a moment adds to it."""
        return self.values(one) == pytest.approx(self.values(other), rel=0.4)

    def until(self, look: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Return once ``look`` gives something; its process has to live."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._said()
            try:
                if look():
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        raise AssertionError("it never was: " + self._said())

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with watched(tmp_path_factory.mktemp("watched") / "site") as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has asked the registrar several times, before and after the latter had more to say."""
    made = Prometheus(tmp_path_factory.mktemp("prometheus") / "etc", daemon.site.metrics_port)
    try:
        made.until(lambda: made.query("count_over_time(jrc_ready[1m]) > 2"))
        refuse(daemon)
        for expr in (
            'increase(jrc_joins_total{result="role_not_granted"}[1m]) > 0',
            'jrc_rollover_nodes{network="lab",state!="reached"} > 0',
            'jrc_event_last_timestamp_seconds{kind="backup.made"}',
        ):
            made.until(lambda expr=expr: daemon.api("GET", "/v1/status") and made.query(expr))  # type: ignore[misc]
        yield made
    finally:
        made.close()


def test_it_reaches_the_registrar_by_the_shipped_config(prometheus: Prometheus) -> None:
    """As the job that alerts and dashboards name."""
    both = prometheus.get("targets")["activeTargets"]
    for target in both:
        assert ("up", "", "jrc") == (target["health"], target["lastError"], target["labels"]["job"])
    assert [True, False] == sorted(
        (target["labels"]["instance"] == TWIN for target in both), reverse=True
    )


def test_every_rule_is_loaded_and_can_be_evaluated(prometheus: Prometheus) -> None:
    """Without an error; a registrar that works fires none that is critical."""

    def evaluated() -> bool:
        groups = prometheus.get("rules")["groups"]
        return all(rule["health"] != "unknown" for group in groups for rule in group["rules"])

    prometheus.until(evaluated)
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert set(rules()) == {rule["name"] for rule in found}
    assert [] == [(rule["name"], rule["lastError"]) for rule in found if rule["health"] != "ok"]
    firing = prometheus.query('ALERTS{severity="critical",alertstate="firing"}')
    # The Join Proxy's interface is loopback, which has no link-local address.
    assert {"JrcProxyDeaf"} >= {each["metric"]["alertname"] for each in firing}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_each_query_of_a_dashboard_is_answered_with_something(
    prometheus: Prometheus, path: Path
) -> None:
    """Each query is answered without an error, and nearly each with a series."""
    empty = set()
    for query in queries(path):
        found = prometheus.query(filled(query.expr))
        if not found:
            empty.add(query.where)
    assert empty <= MAY_BE_EMPTY


_OWN = re.compile(r"\b(?:rate|increase|time)\(|process_|jrc_(?:updates_in_flight|page_listeners)")
"""What each process counts for itself, or what goes on while it is asked."""


def _named(legend: str, labels: dict[str, str]) -> str:
    """As Grafana calls a line."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_second_registrar_of_a_database_doubles_nothing(
    prometheus: Prometheus, path: Path
) -> None:
    """Each line of a panel is told from the others, and a figure that both tell stands once."""
    for query in queries(path):
        labels = [each["metric"] for each in prometheus.query(filled(query.expr))]
        if "{{" in query.legend:
            names = [_named(query.legend, each) for each in labels]
            assert len(names) == len(set(names)), (query.where, names)
        if "instance" in "".join(map(str, labels)) or _OWN.search(query.expr):
            continue
        both, one = query.expr, query.expr.replace("$instance", TWIN)
        prometheus.until(partial(prometheus.says_the_same, both, one), SETTLED_S)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_each_choice_of_a_dashboard_offers_something(prometheus: Prometheus, path: Path) -> None:
    """The values of a label of a metric, for the registrars that were picked."""
    content = json.loads(path.read_text())
    for variable in content["templating"]["list"]:
        if variable["type"] != "query":
            continue
        selector, label = variable["definition"].removeprefix("label_values(").split(", ")
        found = prometheus.get(f"label/{label.rstrip(')')}/values", **{"match[]": filled(selector)})
        assert found, variable["name"]
    for mark in content["annotations"]["list"]:
        prometheus.query(filled(mark["expr"]))
