"""Rollovers over the API: parameters, answers, refusals; without consent nothing is begun."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jrc.errors import ExitCode
from jrc.service.installers import InstallerId
from tests.admin.registrar import Registrar

LAB = "/v1/rollovers/lab"
AGREED = {"agreed": True}


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network whose radio is an installer's, so that a switch waits for it."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        made.services.installers = (InstallerId("lab", "exec"),)
        yield made


def refused(answer: httpx.Response) -> tuple[int, ExitCode]:
    body = answer.json()
    assert set(body) == {"error", "hint", "exit_code"}
    return answer.status_code, ExitCode(body["exit_code"])


def test_nothing_is_begun_without_consent(registrar: Registrar) -> None:
    """The refusal has the plan's sentences; each command that asks asks here as well."""
    answer = registrar.call("POST", LAB, json={})
    assert refused(answer) == (409, ExitCode.REFUSED)
    assert "gets new link-layer keys" in answer.json()["error"]
    assert registrar.call("GET", LAB).json()["phase"] is None
    planned = {**AGREED, "at": "2126-01-01T00:00Z"}
    registrar.call("POST", LAB, json=planned).raise_for_status()
    assert refused(registrar.call("POST", f"{LAB}/abort", json={})) == (409, ExitCode.REFUSED)
    assert registrar.call("GET", LAB).json()["phase"] == "planned"


def test_plans_change_nothing(registrar: Registrar) -> None:
    """They say whether they need a yes."""
    assert registrar.call("GET", f"{LAB}/plan").json()["needs_yes"] is True
    registrar.call("POST", LAB, json={**AGREED, "at": "2126-01-01T00:00Z"}).raise_for_status()
    writes = registrar.services.writes
    assert registrar.call("GET", f"{LAB}/abort").json()["needs_yes"] is True
    registrar.call("POST", f"{LAB}/pause", json={}).raise_for_status()
    assert registrar.call("GET", f"{LAB}/resume").json()["needs_yes"] is False
    assert registrar.services.writes == writes + 1


def test_a_yes_to_an_abort_is_for_the_rollover_that_was_shown(registrar: Registrar) -> None:
    """With what its plan has in ``shown``; who was shown nothing says it without."""
    planned = {**AGREED, "at": "2126-01-01T00:00Z"}
    registrar.call("POST", LAB, json=planned).raise_for_status()
    shown = registrar.call("GET", f"{LAB}/abort").json()["shown"]
    assert shown == {"id": 1, "phase": "planned", "affected": 0}
    said = {**AGREED, "shown": shown}
    registrar.call("POST", f"{LAB}/abort", json=said).raise_for_status()
    registrar.call("POST", LAB, json=planned).raise_for_status()
    answer = registrar.call("POST", f"{LAB}/abort", json=said)
    assert refused(answer) == (409, ExitCode.REFUSED)
    assert "another rollover has taken its place" in answer.json()["error"]
    assert "`jrc rollover status lab`" in answer.json()["hint"]
    assert registrar.call("GET", LAB).json()["phase"] == "planned"
    registrar.call("POST", f"{LAB}/abort", json=AGREED).raise_for_status()


def test_the_rules_of_the_config_file_hold_unless_others_are_given(registrar: Registrar) -> None:
    """For the rollover and for its rehearsal."""
    size = registrar.call("GET", f"{LAB}/size", params={"quorum": "92%"}).json()
    assert (size["quorum_permille"], size["deadline_s"]) == (920, 3600)
    assert size["networks"] == [{"network": "lab", "nodes": 0, "border_routers": 0, "must_join": 0}]
    begun = registrar.call("POST", LAB, json={**AGREED, "deadline": "2h"}).json()
    assert (begun["quorum_permille"], begun["deadline_s"]) == (1000, 7200)


def test_a_page_says_whether_another_one_follows(registrar: Registrar) -> None:
    """None does where there are no nodes; 0 asks for none."""
    registrar.call("POST", LAB, json=AGREED).raise_for_status()
    for params in ({}, {"limit": "0"}, {"states": "pending,sent"}):
        found = registrar.call("GET", LAB, params=params).json()
        assert (found["nodes"], found["next"]) == ([], None)
        assert "next_page" not in found


def test_one_of_the_last_is_found_by_its_number(registrar: Registrar) -> None:
    """Another network's, or one that never was, is refused."""
    registrar.services.installers = ()
    planned = {**AGREED, "at": "2126-01-01T00:00Z"}
    first = registrar.call("POST", LAB, json=planned).json()["id"]
    registrar.call("POST", f"{LAB}/abort", json=AGREED).raise_for_status()
    second = registrar.call("POST", LAB, json=planned).json()["id"]
    assert registrar.call("GET", LAB, params={"id": first}).json()["phase"] == "aborted"
    assert registrar.call("GET", LAB, params={"id": second}).json()["phase"] == "planned"
    assert registrar.call("GET", LAB).json()["id"] == second
    assert refused(registrar.call("GET", LAB, params={"id": 99})) == (422, ExitCode.FAILED)


@pytest.mark.parametrize(
    ("method", "path", "content", "said"),
    [
        ("POST", LAB, {"quorum": 0.95}, "quorum must be a string"),
        ("POST", LAB, {"quorum": "1e99999999"}, "quorum: "),
        ("POST", LAB, {"quorum": "-0.1"}, "quorum: '-0.1' is no share"),
        ("POST", LAB, {"deadline": 60}, "deadline must be a string"),
        ("POST", LAB, {"at": "2026-11-22T02:00"}, "names no time zone"),
        ("POST", LAB, {"at": "tomorrow"}, "at: 'tomorrow' is no time"),
        ("POST", LAB, {"at": "0001-01-01T00:00+14:00"}, "at: 1970-01-01T00:00:00.000Z is over"),
        ("GET", f"{LAB}/plan", {"at": "2020-01-01T00:00Z"}, "00:00:00.000Z is over; it is 2027-"),
        ("POST", LAB, {"agreed": "yes"}, "agreed must be true or false"),
        ("POST", LAB, {"anyway": True}, "'anyway' is not a known parameter"),
        ("POST", f"{LAB}/resume", {"anyway": 2}, "anyway must be true or false"),
        ("POST", f"{LAB}/pause", {"reason": "x" * 1001}, "reason is longer than"),
        ("POST", f"{LAB}/abort", {"shown": 1}, "shown must be a JSON object"),
        ("POST", f"{LAB}/abort", {"shown": {"phase": "planned"}}, "id is missing"),
        ("POST", f"{LAB}/resume", {"shown": {"id": 1, "phase": "off"}}, "'off' is none of"),
        ("GET", LAB, {"limit": "501"}, "limit must be 0 to 500"),
        ("GET", LAB, {"states": "asleep"}, "states: 'asleep' is none of pending, sent"),
        ("GET", LAB, {"id": "last"}, "id must be a whole number"),
        ("GET", LAB, {"after": "x"}, "after must be a whole number"),
        ("GET", f"{LAB}/plan", {"quorum": "0.5"}, "0.9 to 1 of its nodes"),
        ("GET", "/v1/rollovers", {"limit": "1"}, "'limit' is not a known parameter"),
    ],
)
def test_wrong_parameters_are_named(
    registrar: Registrar, method: str, path: str, content: dict[str, object], said: str
) -> None:
    """In one sentence, as usage, and nothing is begun."""
    given = {"params" if method == "GET" else "json": content}
    answer = registrar.call(method, path, **given)
    assert (refused(answer), said in answer.json()["error"]) == ((400, ExitCode.USAGE), True), (
        answer.json()
    )
    assert registrar.call("GET", LAB).json()["phase"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("POST", ""), ("GET", "/plan"), ("GET", "/size"), ("POST", "/pause"),
        ("GET", "/resume"), ("POST", "/resume"), ("GET", "/abort"), ("POST", "/abort"),
    ],
)  # fmt: skip
def test_an_unknown_network_is_named(registrar: Registrar, method: str, path: str) -> None:
    """With a near one."""
    content: dict[str, object] = {"json": {}} if method == "POST" else {}
    answer = registrar.call(method, f"/v1/rollovers/lob{path}", **content)
    assert refused(answer) == (422, ExitCode.FAILED)
    assert "did you mean lab" in answer.json()["error"]
