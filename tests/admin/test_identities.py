"""``/v1/identities``: what devices print, over the API."""

from collections.abc import Iterator
from pathlib import Path

import cbor2
import httpx
import pytest

from jrc.admin.identities import MAX_SIGHTINGS
from jrc.admin.problems import MAX_BODY_BYTES
from tests.admin.registrar import Registrar
from tests.identities import claims, cose_key

DEVICE, OTHER = "00124b0014b5b67e", "00124b0014b5b67f"
SECRET = b"\x5a" * 31 + b"\x01"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


def _see(registrar: Registrar, device: str, key: int, **more: object) -> httpx.Response:
    body = {"pledge_id": device, "credential": claims(key).hex(), **more}
    return registrar.call("POST", "/v1/identities", json=body)


def test_a_credential_is_recorded_listed_shown_and_ended(registrar: Registrar) -> None:
    """The whole of it; where nothing is said, a program has brought it."""
    first = _see(registrar, DEVICE, 1, provenance="serial", where="ttyACM0", reason="bench")
    assert (first.status_code, first.json()["outcome"]) == (200, "new")
    assert _see(registrar, DEVICE, 1).json()["outcome"] == "same"
    assert _see(registrar, DEVICE, 2).json()["outcome"] == "superseded"
    (listed,) = registrar.call("GET", "/v1/identities").json()["identities"]
    assert (listed["pledge_id"], listed["credential"]) == (DEVICE, claims(2).hex())
    assert (listed["provenance"], listed["state"]) == ("api", None)
    shown = registrar.call("GET", f"/v1/identities/{DEVICE}").json()
    assert [each["where"] for each in shown["history"]] == ["ttyACM0", ""]
    refused = registrar.call("DELETE", f"/v1/identities/{DEVICE}", json={})
    assert refused.status_code == 409
    plan = registrar.call("GET", f"/v1/identities/{DEVICE}/removal").json()
    assert plan["needs_yes"]
    registrar.call("DELETE", f"/v1/identities/{DEVICE}", json={"agreed": True}).raise_for_status()
    assert registrar.call("GET", "/v1/identities").json()["identities"] == []


def test_many_are_written_together_and_each_has_its_outcome(registrar: Registrar) -> None:
    """One transaction; as many as a request takes fit into a body with room to spare."""
    before = registrar.services.writes
    body = {
        "identities": [
            {"pledge_id": DEVICE, "credential": claims(1).hex(), "provenance": "serial"},
            {"pledge_id": OTHER, "credential": claims(1).hex(), "where": "ttyACM1"},
        ]
    }
    done = registrar.call("POST", "/v1/identities/batch", json=body).json()["identities"]
    assert [each["outcome"] for each in done] == ["new", "refused"]
    assert DEVICE in done[1]["error"]
    assert registrar.services.writes == before + 1
    assert MAX_SIGHTINGS * (2 * 512 + 128 + 2 * 8 + 100) < MAX_BODY_BYTES


WRONG: list[tuple[dict[str, object], str]] = [
    ({"credential": "a0"}, "pledge_id is missing"),
    ({"pledge_id": DEVICE}, "credential is missing"),
    ({"pledge_id": DEVICE, "credential": "xyz"}, "credential: must be bytes in hex"),
    ({"pledge_id": DEVICE, "credential": "a0"}, "credential: it has no key"),
    ({"pledge_id": "zz", "credential": claims(1).hex()}, "not a pledge identifier"),
    ({"pledge_id": DEVICE, "credential": claims(1).hex(), "provenance": "import"}, "none of"),
    ({"pledge_id": DEVICE, "credential": claims(1).hex(), "where": "a\nb"}, "where: must be"),
    ({"pledge_id": DEVICE, "credential": claims(1).hex(), "place": "x"}, "not a known parameter"),
]


@pytest.mark.parametrize(("body", "why"), WRONG)
def test_what_can_not_be_read_is_refused_by_name(
    registrar: Registrar, body: dict[str, object], why: str
) -> None:
    """Of many, the number of the first is said, and none is written."""
    answer = registrar.call("POST", "/v1/identities", json=body)
    assert (answer.status_code, why in answer.json()["error"]) == (400, True)
    good = {"pledge_id": OTHER, "credential": claims(2).hex()}
    many = registrar.call("POST", "/v1/identities/batch", json={"identities": [good, body]})
    assert (many.status_code, many.json()["error"][:25]) == (400, "element 2 of identities: ")
    assert registrar.call("GET", "/v1/identities").json()["identities"] == []


@pytest.mark.parametrize(
    "given", [{}, {"identities": []}, {"identities": ["x"]}, {"identities": 5}]
)
def test_a_batch_has_some_and_not_too_many(registrar: Registrar, given: dict[str, object]) -> None:
    """And objects alone."""
    assert registrar.call("POST", "/v1/identities/batch", json=given).status_code == 400
    each = {"pledge_id": DEVICE, "credential": claims(1).hex()}
    many = {"identities": [each] * (MAX_SIGHTINGS + 1)}
    assert registrar.call("POST", "/v1/identities/batch", json=many).status_code == 400


def test_a_private_key_is_neither_stored_nor_repeated(registrar: Registrar) -> None:
    """Whoever sends one by mistake has it in no answer, no event and no row."""
    for key in ({**cose_key(1), -4: SECRET}, {1: 4, -1: SECRET}):
        body = {"pledge_id": DEVICE, "credential": cbor2.dumps({8: {1: key}}).hex()}
        answer = registrar.call("POST", "/v1/identities", json=body)
        assert answer.status_code == 400
        assert SECRET.hex() not in answer.text
    assert registrar.call("GET", "/v1/identities").json()["identities"] == []
    assert SECRET.hex() not in registrar.call("GET", "/v1/events").text
