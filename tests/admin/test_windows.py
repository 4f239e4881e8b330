"""Windows, approvals and attempts over the API: parameters, answers, refusals."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jrc.errors import ExitCode, Reason
from jrc.service.attempts import STRANGERS, Attempts
from tests.admin.registrar import Registrar
from tests.service.fakes import Path as Way

PLEDGE = "00124b0014b5b67e"
PSK = "6d1f9c0a73e84b52a9c7d0e15f3b8264"
OPEN = {"for": "10m", "max": 20}


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network that admits in windows, and a pledge."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        made.call("PATCH", "/v1/networks/lab", json={"admission": "window"}).raise_for_status()
        made.call("POST", "/v1/pledges", json={"pledge_id": PLEDGE, "psk": PSK}).raise_for_status()
        yield made


def refused(answer: httpx.Response) -> tuple[int, ExitCode]:
    body = answer.json()
    assert set(body) == {"error", "hint", "exit_code"}
    return answer.status_code, ExitCode(body["exit_code"])


def test_a_window_is_opened_listed_and_closed(registrar: Registrar) -> None:
    """The fields are the same in all three."""
    opened = registrar.call("POST", "/v1/windows/lab", json=OPEN).json()
    assert registrar.call("GET", "/v1/windows").json() == {"windows": [opened], "next": None}
    closed = registrar.call("DELETE", "/v1/windows/lab", json={}).json()
    assert (closed["state"], set(closed)) == ("closed", set(opened))
    assert registrar.call("GET", "/v1/windows").json()["windows"] == []
    assert registrar.call("GET", "/v1/windows", params={"all": "1"}).json()["windows"] == [closed]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"for": None}, "for is missing"),
        ({"max": None}, "max is missing"),
        ({"for": 600}, "for must be a string"),
        ({"max": "many"}, "max must be a whole number"),
        ({"max": 1.5}, "max must be a whole number"),
        ({"replace": "yes"}, "replace must be true or false"),
        ({"until": "noon"}, "'until' is not a known parameter"),
    ],
)
def test_wrong_parameters_are_named(
    registrar: Registrar, change: dict[str, object], said: str
) -> None:
    """In one sentence, as usage."""
    answer = registrar.call("POST", "/v1/windows/lab", json={**OPEN, **change})
    assert (refused(answer), said in answer.json()["error"]) == ((400, ExitCode.USAGE), True)


def test_what_policy_forbids_is_a_conflict(registrar: Registrar) -> None:
    """As for any other command."""
    registrar.call("POST", "/v1/windows/lab", json=OPEN).raise_for_status()
    for method, path, body in (
        ("POST", "/v1/windows/lab", OPEN),
        ("POST", f"/v1/pledges/{PLEDGE}/approve", {"network": "lab"}),
    ):
        assert refused(registrar.call(method, path, json=body)) == (409, ExitCode.REFUSED)


def test_attempts_are_null_where_nobody_has_listened(registrar: Registrar) -> None:
    """And a list, which may be empty, where a daemon has."""
    path = f"/v1/pledges/{PLEDGE}/attempts"
    assert registrar.call("GET", path).json()["attempts"] is None
    assert registrar.call("GET", "/v1/attempts/unknown").json() == {"unknown": None}
    registrar.services.attempts = Attempts()
    assert registrar.call("GET", path).json()["attempts"] == []
    assert registrar.call("GET", "/v1/attempts/unknown").json() == {"unknown": []}


def test_the_answer_about_unknown_identifiers_is_bounded(registrar: Registrar) -> None:
    """However many strangers there were."""
    registrar.services.attempts = attempts = Attempts()
    for number in range(10 * STRANGERS):
        attempts.strangers.note(number.to_bytes(8), Reason.UNKNOWN_CONTEXT, number, Way())
    found = registrar.call("GET", "/v1/attempts/unknown").json()["unknown"]
    assert STRANGERS // 2 <= len(found) <= STRANGERS
    assert found[0]["pledge_id"] == (10 * STRANGERS - 1).to_bytes(8).hex()
