"""The admin API over a real database: what it answers, what it refuses, what it never shows."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from jrc.admin.problems import MAX_BODY_BYTES
from jrc.errors import ExitCode, StateError
from jrc.service.installers import InstallationReport
from tests.admin.registrar import Registrar

PLEDGE = "00124b0014b5b67e"
PSK = "6d1f9c0a73e84b52a9c7d0e15f3b8264"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with Registrar(tmp_path) as made:
        yield made


def _add(registrar: Registrar, identifier: str = PLEDGE, psk: str = PSK) -> httpx.Response:
    return registrar.call("POST", "/v1/pledges", json={"pledge_id": identifier, "psk": psk})


def _error(answer: httpx.Response) -> tuple[int, ExitCode]:
    body = answer.json()
    assert set(body) == {"error", "hint", "exit_code"}
    return answer.status_code, ExitCode(body["exit_code"])


def test_a_network_is_added_listed_shown_changed_and_removed(registrar: Registrar) -> None:
    """The fields of a report are the names of the parameters."""
    registrar.add_lab()
    listed = registrar.call("GET", "/v1/networks").json()["networks"]
    assert [network["name"] for network in listed] == ["lab"]
    shown = registrar.call("GET", "/v1/networks/lab").json()
    assert (shown["identifiers"], shown["generation"], shown["lease_hours"]) == (["cafe"], 1, None)
    change = {"lease_hours": 24, "reason": "short leases"}
    assert registrar.call("PATCH", "/v1/networks/lab", json=change).json()["lease_hours"] == 24
    kept = registrar.call("PATCH", "/v1/networks/lab", json={"join_rate_bytes_per_s": 0}).json()
    assert (kept["lease_hours"], kept["join_rate_bytes_per_s"]) == (24, 0)
    freed = registrar.call("PATCH", "/v1/networks/lab", json={"lease_hours": None}).json()
    assert freed["lease_hours"] is None
    assert _error(registrar.call("DELETE", "/v1/networks/lab", json={})) == (409, ExitCode.REFUSED)
    registrar.call("DELETE", "/v1/networks/lab", json={"agreed": True}).raise_for_status()
    assert registrar.call("GET", "/v1/networks").json()["networks"] == []


def test_installers_are_run_for_a_network_that_is_there(registrar: Registrar) -> None:
    """Who asked and why goes along; what came of it comes back."""
    registrar.add_lab()
    services = registrar.services
    services.installed = (
        InstallationReport(
            installer="exec", installed=False, generation=1, installed_at="a", tried_at="b",
            failures=2, error="no radio",
        ),
    )  # fmt: skip
    answer = registrar.call("POST", "/v1/networks/lab/install", json={"reason": "new radio"})
    (report,) = answer.json()["installers"]
    assert (report["installer"], report["installed"], report["error"]) == (
        "exec",
        False,
        "no radio",
    )
    assert [(network, reason) for network, _, reason in services.asked] == [("lab", "new radio")]
    missing = registrar.call("POST", "/v1/networks/lav/install", json={})
    assert _error(missing) == (422, ExitCode.FAILED)
    assert "did you mean lab" in missing.json()["error"]
    assert len(services.asked) == 1


@pytest.mark.parametrize("given", ["keys.json", 1, [], {"version": 1}, {"keys": [PSK]}])
def test_a_keys_file_that_is_none_is_refused_without_its_contents(
    registrar: Registrar, given: object
) -> None:
    """The parameter is the file's JSON object."""
    body = {"name": "old", "identifiers": ["abcd"], "prefix": "2001:db8::/64", "keys_file": given}
    answer = registrar.call("POST", "/v1/networks", json=body)
    assert _error(answer) == (400, ExitCode.USAGE)
    assert PSK not in answer.text
    assert "keys_file must be" in answer.text or "keys-file: " in answer.text
    assert registrar.call("GET", "/v1/networks").json()["networks"] == []


def test_a_pledge_is_added_revoked_restored_and_removed(registrar: Registrar) -> None:
    """Plans first: what needs consent is refused without it."""
    registrar.add_lab()
    assert _add(registrar).json() == {
        "pledge_id": PLEDGE,
        "outcome": "added",
        "networks": ["lab"],
    }
    one = f"/v1/pledges/{PLEDGE}"
    assert registrar.call("GET", f"{one}/revocation").json()["needs_yes"] is True
    assert _error(registrar.call("POST", f"{one}/revoke")) == (409, ExitCode.REFUSED)
    assert registrar.call("GET", one).json()["state"] == "provisioned"
    revoked = registrar.call("POST", f"{one}/revoke", json={"agreed": True, "reason": "lost"})
    assert revoked.json() == {
        "pledge_id": PLEDGE, "state": "revoked", "changed": True, "rollovers": [], "said": [],
    }  # fmt: skip
    assert registrar.call("POST", f"{one}/restore").json()["state"] == "provisioned"
    registrar.call("DELETE", one, json={"agreed": True}).raise_for_status()
    assert registrar.call("GET", one).status_code == 422


def test_m3_a_removed_psk_is_refused_over_the_api(registrar: Registrar) -> None:
    """A tombstone keeps the key's fingerprint."""
    registrar.add_lab()
    _add(registrar).raise_for_status()
    registrar.call("DELETE", f"/v1/pledges/{PLEDGE}", json={"agreed": True}).raise_for_status()
    assert _error(_add(registrar)) == (409, ExitCode.REFUSED)


def test_listings_come_in_pages(registrar: Registrar) -> None:
    """`next` is where the following page begins, null at the end."""
    registrar.add_lab()
    identifiers = [f"00124b00000000{number:02x}" for number in range(5)]
    for identifier in identifiers:
        _add(registrar, identifier, os.urandom(16).hex()).raise_for_status()
    found: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = registrar.call("GET", "/v1/pledges", params=query).json()
        found += [pledge["pledge_id"] for pledge in page["pledges"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert found == identifiers


def test_a_listing_has_the_stable_fields(registrar: Registrar) -> None:
    """Names that scripts rely on."""
    registrar.add_lab()
    _add(registrar).raise_for_status()
    (pledge,) = registrar.call("GET", "/v1/pledges").json()["pledges"]
    stable = {"pledge_id", "state", "networks", "role", "short_id", "last_join", "address"}
    assert stable <= set(pledge)


def test_every_mutation_leaves_actor_and_reason_in_the_audit_log(registrar: Registrar) -> None:
    """Who, why, what."""
    registrar.add_lab()
    _add(registrar).raise_for_status()
    body = {"agreed": True, "reason": "stolen"}
    registrar.call("POST", f"/v1/pledges/{PLEDGE}/revoke", json=body).raise_for_status()
    last = registrar.call("GET", "/v1/events", params={"limit": 1}).json()["events"][-1]
    assert (last["kind"], last["pledge"], last["reason"]) == ("pledge.revoked", PLEDGE, "stolen")
    assert last["actor"].startswith(f"uid={os.geteuid()}")
    chain = registrar.call("GET", "/v1/events/verify").json()
    assert (chain["intact"], chain["broken_at"]) == (True, None)


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/networks", b"{", 400),
        ("POST", "/v1/networks", b"[" * 100_000, 400),
        ("POST", "/v1/networks", b"[]", 400),
        ("POST", "/v1/networks", b"\xff\xfe", 400),
        ("POST", "/v1/networks", b"{}", 400),
        ("POST", "/v1/networks", b'{"name": 7}', 400),
        ("POST", "/v1/networks", b'{"name": "x", "nmae": "y"}', 400),
        ("PATCH", "/v1/networks/lab", b'{"prefix": "10.0.0.0/8"}', 400),
        ("PATCH", "/v1/networks/lab", b'{"prefix": "2001:db8::/48"}', 409),
        ("PATCH", "/v1/networks/lab", b'{"short_ids": "7fff-0001"}', 400),
        ("PATCH", "/v1/networks/lab", b'{"profile": "zigbee"}', 400),
        ("PATCH", "/v1/networks/lab", b'{"reason": "' + b"x" * 1001 + b'"}', 400),
        ("PATCH", "/v1/networks/lba", b'{"lease_hours": 1}', 422),
        ("POST", "/v1/pledges", b'{"pledge_id": "xyz", "psk": "00"}', 400),
        ("POST", "/v1/pledges", b'{"pledge_id": "01", "psk": "00"}', 409),
        ("POST", "/v1/pledges", b'{"pledge_id": "01", "psk": "00", "common_iv": "00"}', 400),
        ("GET", "/v1/pledges?limit=0", b"", 400),
        ("GET", "/v1/pledges?limit=501", b"", 400),
        ("GET", "/v1/pledges?state=asleep", b"", 400),
        ("GET", "/v1/pledges?after=zz", b"", 400),
        ("GET", "/v1/pledges?network=hall", b"", 422),
        ("GET", "/v1/pledges/zz", b"", 400),
        ("GET", "/v1/events?after=-1", b"", 400),
        ("GET", "/v1/events?after=9223372036854775808", b"", 400),
        ("PATCH", "/v1/networks/lab", b'{"lease_hours": 9223372036854775808}', 400),
        ("PATCH", "/v1/networks/lab", b'{"lease_hours": 1, "reason": "a\\ud800b"}', 400),
        ("PATCH", "/v1/networks/lab", b'{"lease_hours": 1, "reason": "a\xed\xa0\x80b"}', 400),
        ("POST", "/v1/pledges", b'{"pledge_id": "01", "psk": "00", "label": "\\udfff"}', 400),
        ("POST", "/v1/pledges", b'{"pledge_id": "01", "psk": "00", "networks": ["\\ud800"]}', 400),
        ("POST", "/v1/networks", b'{"name": "\\ud800", "identifiers": ["01"]}', 400),
        ("POST", "/v1/imports?format=xml", b"", 422),
        ("POST", "/v1/imports?colour=red", b"", 400),
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/v1/networks/", b"", 404),
        ("GET", "/v1/networks?colour=red", b"", 400),
        ("PUT", "/v1/networks/lab", b"", 405),
    ],
)
def test_bad_input_gets_a_clean_answer_and_changes_nothing(
    registrar: Registrar, method: str, path: str, content: bytes, status: int
) -> None:
    """One sentence, a hint, an exit code; never a traceback."""
    registrar.add_lab()
    before = registrar.services.database.instance.event_number
    answer = registrar.call(method, path, content=content)
    assert _error(answer)[0] == status
    assert "Traceback" not in answer.text
    assert registrar.services.database.instance.event_number == before


def test_a_body_without_end_is_not_read_to_its_end(registrar: Registrar) -> None:
    """Memory stays bounded whatever is sent; an import alone is streamed."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY_BYTES:
            sent += 65_536
            yield b" " * 65_536

    answer = registrar.call("POST", "/v1/networks", content=body())
    assert _error(answer) == (400, ExitCode.USAGE)
    assert sent <= 2 * MAX_BODY_BYTES


def test_a_broken_invariant_is_a_500_with_its_sentence(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """StateError is no fault of the client's."""

    async def broken(_work: object) -> object:
        raise StateError("row 7 does not authenticate")

    monkeypatch.setattr(registrar.services, "run_read", broken)
    answer = registrar.call("GET", "/v1/networks")
    assert _error(answer) == (500, ExitCode.FAILED)
    assert answer.json()["error"] == "row 7 does not authenticate"


def _csv(*rows: str) -> bytes:
    return "\n".join(("pledge_id,psk,label", *rows, "")).encode()


def test_an_import_takes_all_rows_or_none(registrar: Registrar) -> None:
    """Each wrong row is named, all of them in one run."""
    registrar.add_lab()
    good = [f"00124b00000000{n:02x},{os.urandom(16).hex()},n{n}" for n in range(3)]
    body = _csv(*good, "zz,00,x", f"00124b0000000099,{'ab' * 16},x")
    report = registrar.call("POST", "/v1/imports", content=body).json()
    assert (report["published"], report["rows"], report["error_count"]) == (False, 5, 2)
    assert [(error["line"], error["column"]) for error in report["errors"]] == [
        (5, "pledge_id"),
        (6, "psk"),
    ]
    assert registrar.call("GET", "/v1/pledges").json()["pledges"] == []
    partial = registrar.call("POST", "/v1/imports?partial=1", content=body).json()
    assert (partial["published"], partial["added"]) == (True, 3)
    assert len(registrar.call("GET", "/v1/pledges").json()["pledges"]) == 3


def test_a_row_with_half_a_surrogate_pair_is_named(registrar: Registrar) -> None:
    """JSON may hold one and no database takes it (RFC 8259 §8.2); the other rows are judged."""
    registrar.add_lab()
    extras: tuple[dict[str, object], ...] = (
        {"label": "a\ud800"},
        {"network": ["\ud800"]},
        {"label": "a"},
    )
    rows = [
        json.dumps({"pledge_id": f"{n:02x}", "psk": os.urandom(16).hex(), **extra})
        for n, extra in enumerate(extras)
    ]
    body = "\n".join(rows).encode()
    report = registrar.call("POST", "/v1/imports?format=jsonl&partial=1", content=body).json()
    assert [(error["line"], error["column"]) for error in report["errors"]] == [
        (1, "label"),
        (2, "network"),
    ]
    assert (report["rows"], report["added"]) == (3, 1)


def test_every_wrong_row_is_listed(registrar: Registrar) -> None:
    """In one run, in order, in one JSON document whatever its length."""
    registrar.add_lab()
    report = registrar.call("POST", "/v1/imports", content=_csv(*["zz,00,x"] * 2500)).json()
    lines = [error["line"] for error in report["errors"]]
    assert (lines, report["error_count"]) == (sorted(lines), len(lines))
    assert set(lines) == set(range(2, 2502))


def test_a_dry_run_stores_nothing_and_reports_the_same(registrar: Registrar) -> None:
    """Not even an event."""
    registrar.add_lab()
    before = registrar.services.database.instance.event_number
    body = _csv(f"{PLEDGE},{PSK},x")
    report = registrar.call("POST", "/v1/imports?dry_run=1", content=body).json()
    assert (report["added"], report["published"]) == (1, False)
    assert registrar.services.database.instance.event_number == before
    assert registrar.call("POST", "/v1/imports", content=body).json()["added"] == 1


def test_rows_are_stored_while_the_body_arrives(registrar: Registrar) -> None:
    """A body without end is never held in memory: transactions begin before it is complete."""
    registrar.add_lab()
    rows = 20_000
    writes: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"pledge_id,psk,label\n"
        for first in range(0, rows, 1000):
            numbers = range(first, first + 1000)
            yield "".join(f"{n:016x},{os.urandom(16).hex()},x\n" for n in numbers).encode()
            writes.append(registrar.services.writes)

    report = registrar.call("POST", "/v1/imports", content=body()).json()
    assert report["added"] == rows
    assert writes[-1] - writes[0] >= 3


def test_a_client_that_goes_away_leaves_nothing_behind(registrar: Registrar) -> None:
    """What was staged is swept, and the pledges can be imported anew."""
    registrar.add_lab()

    async def body() -> AsyncIterator[bytes]:
        yield _csv(*(f"{n:016x},{os.urandom(16).hex()},x" for n in range(600)))
        raise ConnectionError("cable cut")

    with pytest.raises(ConnectionError):
        registrar.call("POST", "/v1/imports", content=body())
    assert registrar.call("GET", "/v1/pledges").json()["pledges"] == []
    rows = _csv(*(f"{n:016x},{os.urandom(16).hex()},x" for n in range(600)))
    assert registrar.call("POST", "/v1/imports", content=rows).json()["added"] == 600


def test_no_answer_holds_a_key(registrar: Registrar) -> None:
    """Neither hex nor bytes of a PSK, in any listing or error."""
    registrar.add_lab()
    answers = [
        _add(registrar),
        _add(registrar, "00124b0014b5b67f"),
        _add(registrar, PLEDGE, "6d1f9c0a73e84b52a9c7d0e15f3b8265"),
        _add(registrar, "01", PSK + "zz"),
        _add(registrar, "01", PSK[:-2]),
        registrar.call("POST", "/v1/imports", content=_csv(f"{PSK},{PLEDGE},x")),
        registrar.call("POST", "/v1/imports", content=f"{PSK},pledge_id,x\n1,2,3".encode()),
    ]
    for path in ("pledges", f"pledges/{PLEDGE}", "networks", "networks/lab", "events", "status"):
        answers.append(registrar.call("GET", f"/v1/{path}"))
    for answer in answers:
        assert PSK[:30] not in json.dumps(answer.json()).lower().replace(PLEDGE, "")


def test_requests_without_credentials_are_not_served(registrar: Registrar) -> None:
    """The API on a socket that tells no peer would leave nobody in the audit log."""
    from jrc.admin.api import build_api

    async def work() -> None:
        transport = httpx.ASGITransport(build_api(registrar.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            await client.post("/v1/pledges", json={"pledge_id": PLEDGE, "psk": PSK})

    with pytest.raises(KeyError):
        asyncio.run(work())


def test_a07_algorithms_are_honoured_or_refused_by_name(registrar: Registrar) -> None:
    """As names or COSE numbers (RFC 9031 §3, §7.3)."""
    registrar.add_lab()
    body = {"pledge_id": "01", "psk": os.urandom(16).hex(), "aead": "AES-CCM-16-128-128"}
    registrar.call("POST", "/v1/pledges", json=body).raise_for_status()
    (credential,) = registrar.call("GET", "/v1/pledges/01").json()["credentials"]
    assert (credential["aead"], credential["hkdf"]) == (30, -10)
    other = {"pledge_id": "02", "psk": os.urandom(16).hex(), "aead": "ROT13"}
    refused = registrar.call("POST", "/v1/pledges", json=other)
    assert (refused.status_code, "aead" in refused.json()["error"]) == (400, True)
