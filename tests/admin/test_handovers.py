"""Sealed files over the API: what an import is told of one, and which were opened."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jrc.admin.handovers import Openings
from jrc.errors import ExitCode, OperatorError
from jrc.service.handovers import Handover
from tests.admin.registrar import Registrar

LATER_MS = 253_402_300_799_000
GOOD: dict[str, object] = {
    "builder": "00" * 16,
    "serial": "batch-7",
    "sha256": "ab" * 32,
    "expires_at_ms": LATER_MS,
}


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


def _post(registrar: Registrar, handover: object, **more: str) -> httpx.Response:
    row = f"pledge_id,psk\n{os.urandom(8).hex()},{os.urandom(16).hex()}\n".encode()
    text = handover if isinstance(handover, str) else json.dumps(handover)
    query = {"handover": text, **more}
    return registrar.call("POST", "/v1/imports", params=query, content=row)


def test_a_sealed_file_is_taken_once_over_the_api(registrar: Registrar) -> None:
    """The second answer is 409 and says when."""
    assert _post(registrar, GOOD, dry_run="1").json()["added"] == 1
    assert _post(registrar, GOOD).json()["published"] is True
    again = _post(registrar, GOOD)
    assert again.status_code == 409
    assert "and is opened once" in again.json()["error"]
    other = _post(registrar, {**GOOD, "sha256": "cd" * 32})
    assert "another sealed file" in other.json()["error"]
    assert len(registrar.call("GET", "/v1/pledges").json()["pledges"]) == 1


def test_what_was_opened_is_listed_page_by_page(registrar: Registrar) -> None:
    """Oldest first."""
    for number in range(3):
        _post(registrar, {**GOOD, "serial": f"n{number}"})
    first = registrar.call("GET", "/v1/handovers", params={"limit": "2"}).json()
    rest = registrar.call("GET", "/v1/handovers", params={"after": first["next"]}).json()
    assert [each["serial"] for each in first["handovers"]] == ["n0", "n1"]
    assert [each["serial"] for each in rest["handovers"]] == ["n2"]
    assert rest["next"] is None
    assert first["handovers"][0]["builder"] == "-".join(["0000"] * 8)
    assert registrar.call("GET", "/v1/handovers", params={"limit": "0"}).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        "x",
        "[]",
        "[" * 5000,
        "null",
        {name: value for name, value in GOOD.items() if name != "serial"},
        {**GOOD, "more": 1},
        {**GOOD, "take_over": 1},
        {**GOOD, "builder": "00"},
        {**GOOD, "builder": 5},
        {**GOOD, "sha256": "x" * 64},
        {**GOOD, "serial": "a b"},
        {**GOOD, "serial": ""},
        {**GOOD, "expires_at_ms": "1"},
        {**GOOD, "expires_at_ms": -1},
        {**GOOD, "expires_at_ms": LATER_MS + 1},
        {**GOOD, "expires_at_ms": True},
    ],
)
def test_what_is_told_in_another_form_is_refused(registrar: Registrar, wrong: object) -> None:
    """In one sentence, and nothing is stored."""
    answer = _post(registrar, wrong)
    assert answer.status_code == 400
    assert "handover must be a JSON object" in answer.json()["error"]
    assert registrar.call("GET", "/v1/handovers").json()["handovers"] == []


def test_a_sealed_file_is_opened_by_one_caller_at_a_time() -> None:
    """The other is told who does; another file is nobody's business, and one that ended neither."""
    openings = Openings()
    file = Handover(bytes(16), "batch-7", bytes(32), LATER_MS)
    with openings.alone(file, "uid=1"):
        with pytest.raises(OperatorError, match=r"batch-7 .* opened, or tried, by uid=1") as caught:
            openings.alone(file._replace(digest=b"\1" * 32), "uid=2").__enter__()
        assert ExitCode.REFUSED == caught.value.exit_code
        with openings.alone(file._replace(serial="batch-8"), "uid=2"), openings.alone(None, ""):
            pass
    with pytest.raises(ZeroDivisionError), openings.alone(file, "uid=2"):
        raise ZeroDivisionError
    with openings.alone(file, "uid=3"):
        pass
