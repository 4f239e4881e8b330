"""A real daemon exports what docs/metrics.md says, and `jrc status` says the same."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jrc.admin.metric_list import FAMILIES
from tests.daemon.site import PATIENCE_S, Daemon
from tests.monitoring.watched import watched

LATER = {"jrc_proxy_joined", "jrc_api_certificate_expires_timestamp_seconds"}
"""Of a Join Proxy with a key of its own, and of the API on TCP; their tests look at them."""

EMPTY = {"jrc_proxy_dropped_total", "jrc_rollover_ended_timestamp_seconds"}
"""Without a sample until something is dropped, or a rollover has ended."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with watched(tmp_path_factory.mktemp("watched") / "site") as running:
        yield running


def _until_all_are_there(daemon: Daemon) -> dict[str, Any]:
    """The metrics by name, once what is looked at in the background has been looked at."""
    daemon.api("GET", "/v1/status")  # which counts at once
    deadline = time.monotonic() + PATIENCE_S
    while True:
        text = daemon.get("/metrics").text
        found = {
            family.name + ("_total" if family.type == "counter" else ""): family
            for family in text_string_to_metric_families(text)
        }
        sampled = {name for name, family in found.items() if family.samples}
        if sampled >= FAMILIES.keys() - LATER - EMPTY or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_every_metric_of_the_page_is_exported_with_its_labels(daemon: Daemon) -> None:
    """And nothing else: names, types and labels are those of the list."""
    found = _until_all_are_there(daemon)
    ours = {name: family for name, family in found.items() if name.startswith("jrc_")}
    assert FAMILIES.keys() - LATER == ours.keys()
    for name, family in ours.items():
        wanted = FAMILIES[name]
        assert (wanted.kind.value, wanted.help) == (family.type, family.documentation)
        assert family.samples or name in EMPTY, f"{name} has no sample"
        for sample in family.samples:
            assert set(wanted.labels) == sample.labels.keys() - {"le"}, name


def test_nobody_who_reads_metrics_learns_of_devices(daemon: Daemon) -> None:
    """No identifier, no address and no key is in a label; a name is no pattern of either."""
    values = re.findall(r'="([^"]*)"', daemon.get("/metrics").text)
    assert "joined" in values
    assert not [value for value in values if re.search(r"[0-9a-f]{12,}|::|fd00:|fe80:", value)]


def test_status_and_metrics_say_the_same(daemon: Daemon) -> None:
    """What both have comes from one place, also what is counted in the database."""
    daemon.enroll()
    status: Any = daemon.api("GET", "/v1/status")
    metrics = daemon.metrics()
    assert status["joins_total"] == metrics['jrc_joins_total{network="lab",result="joined"}']
    assert status["answers_resent"] == metrics["jrc_answers_resent_total"] == 1
    assert status["datagrams_received"] == metrics["jrc_datagrams_received_total"]
    assert status["datagrams_dropped"] == daemon.dropped()
    assert status["ready"] == bool(metrics["jrc_ready"])
    assert status["registrars"]["is_conductor"] == bool(metrics["jrc_conductor"])
    assert status["event_chain"]["intact"] == bool(metrics["jrc_event_chain_intact"])
    assert len(status["key_warnings"]) == metrics["jrc_key_warnings"]
    counted = {state: metrics[f'jrc_pledges{{state="{state}"}}'] for state in status["pledges"]}
    assert status["pledges"] == counted
    assert 3 == sum(status["pledges"].values())
    phase = status["keys"]["hall"]["rollover"]
    assert 1 == metrics[f'jrc_rollover_phase{{network="hall",phase="{phase}"}}']
