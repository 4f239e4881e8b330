"""Nodes over the API: parameters, answers, refusals."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jrc.errors import ExitCode
from tests.admin.registrar import Registrar

NODES = "/v1/nodes"
PLEDGE = "00124b0014b5b67e"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network, and a pledge that has not joined."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        body = {"pledge_id": PLEDGE, "psk": "6d1f9c0a73e84b52a9c7d0e15f3b8264"}
        made.call("POST", "/v1/pledges", json=body).raise_for_status()
        yield made


def refused(answer: httpx.Response) -> tuple[int, ExitCode]:
    body = answer.json()
    assert set(body) == {"error", "hint", "exit_code"}
    return answer.status_code, ExitCode(body["exit_code"])


def test_a_network_without_nodes_has_an_empty_page(registrar: Registrar) -> None:
    """There is no next one."""
    for params in ({}, {"network": "lab", "behind": "1"}):
        found = registrar.call("GET", NODES, params=params).json()
        assert found == {"nodes": [], "next": None}


@pytest.mark.parametrize(
    ("method", "path", "content", "said"),
    [
        ("GET", NODES, {"params": {"network": "lap"}}, "did you mean lab?"),
        ("GET", NODES, {"params": {"behind": "yes"}}, "behind must be true or false"),
        ("GET", f"{NODES}/zz", {}, "not a pledge identifier"),
        ("GET", f"{NODES}/{PLEDGE}", {}, "is no node: it is provisioned"),
        ("POST", f"{NODES}/push", {"json": {}}, "pledge_ids or network must be given"),
        (
            "POST",
            f"{NODES}/push",
            {"json": {"pledge_ids": [PLEDGE], "network": "lab"}},
            "and not both",
        ),
        ("POST", f"{NODES}/push", {"json": {"pledge_ids": [PLEDGE]}}, "is no node"),
        ("PATCH", f"{NODES}/{PLEDGE}", {"json": {}}, "sleeps is missing"),
        ("PATCH", f"{NODES}/{PLEDGE}", {"json": {"sleeps": "2 weeks"}}, "is no duration"),
        ("PATCH", f"{NODES}/{PLEDGE}", {"json": {"sleeps": "31d"}}, "1 s to 30 days"),
        ("POST", f"{NODES}/throttle", {"json": {"network": "lab"}}, "or lift must be given"),
        (
            "POST",
            f"{NODES}/throttle",
            {"json": {"network": "lab", "lift": True, "join_rate_bytes_per_s": 1}},
            "and not both",
        ),
        (
            "POST",
            f"{NODES}/throttle",
            {"json": {"network": "lab", "join_rate_bytes_per_s": -1}},
            "does not lie in 0 to",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    registrar: Registrar, method: str, path: str, content: dict[str, object], said: str
) -> None:
    """Nothing is changed."""
    answer = registrar.call(method, path, **content)
    refused(answer)
    assert said in f"{answer.json()['error']} {answer.json()['hint']}"


def test_g02_a_network_is_throttled_and_that_is_lifted(registrar: Registrar) -> None:
    """Its own join rate stays beside it."""
    for body, throttle in (({"join_rate_bytes_per_s": 0}, 0), ({"lift": True}, None)):
        done = registrar.call("POST", f"{NODES}/throttle", json={"network": "lab", **body}).json()
        assert done == {
            "throttle_bytes_per_s": throttle,
            "join_rates_bytes_per_s": {"lab": throttle},
            "changed": True,
        }
        shown = registrar.call("GET", "/v1/networks/lab").json()
        assert (shown["join_rate_bytes_per_s"], shown["throttle_bytes_per_s"]) == (None, throttle)


def test_a_network_is_made_quiet_outside_windows(registrar: Registrar) -> None:
    """True or false, and nothing else."""
    lab = "/v1/networks/lab"
    body = {"admission": "window", "quiet_outside_windows": True}
    shown = registrar.call("PATCH", lab, json={**body, "agreed": True}).json()
    assert shown["quiet_outside_windows"] is True
    refused(registrar.call("PATCH", lab, json={"quiet_outside_windows": "maybe"}))
    shown = registrar.call("PATCH", lab, json={"quiet_outside_windows": False}).json()
    assert shown["quiet_outside_windows"] is False
