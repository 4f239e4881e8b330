"""Sealed files over the API: what an import is told of one, and which were opened."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

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
