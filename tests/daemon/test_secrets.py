"""No key of a run is found in anything the run leaves or shows (RFC 9031 §9)."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.daemon.site import BEEF, Daemon, Site
from tests.daemon.wire import Wire


def forms(secret: bytes) -> dict[str, bytes]:
    """How a key might be written down; base64 in each of its three alignments."""
    found = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "colons": secret.hex(":").encode(),
        "dashes": secret.hex("-").upper().encode(),
        "repr": repr(secret)[2:-1].encode(),
        "decimal": ", ".join(map(str, secret)).encode(),
    }
    for offset in range(3):
        padded = bytes(offset) + secret
        inner = slice(4 * (offset > 0), len(padded) // 3 * 4)
        found[f"base64_{offset}"] = base64.b64encode(padded)[inner]
        found[f"base64url_{offset}"] = base64.urlsafe_b64encode(padded)[inner]
    return found


def leaks(secret_by_name: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Where which secret was found."""
    return [
        f"{name} as {form} in {place}"
        for name, secret in secret_by_name.items()
        for form, text in forms(secret).items()
        for place, content in places.items()
        if text in content
    ]


@pytest.mark.parametrize("form", forms(bytes(16)))
@pytest.mark.parametrize("around", [b"", b"x", b"xy", b"xyz"])
def test_the_search_finds_each_form(form: str, around: bytes) -> None:
    """A check that can't fail says nothing."""
    secret = bytes.fromhex("8a5c01ff7e00274bd3915c6de2f04b1a")
    content = around + forms(secret)[form] + around
    assert f"key as {form} in log" in leaks({"key": secret}, {"log": content})
    if around:
        shifted = base64.b64encode(around + secret + around)
        assert leaks({"key": secret}, {"log": shifted})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that logs all it can."""
    site = Site.make(tmp_path_factory.mktemp("secrets") / "site", log_level="debug")
    site.add_lab()
    return site


def test_no_key_is_found_in_what_a_run_leaves_or_shows(site: Site) -> None:
    """RFC 9031 §9: logs, command output, API, metrics, process, database, write-ahead log."""
    places: dict[str, bytes] = {}
    with site.start() as daemon:
        found = _use(daemon, places)
        places |= dict(_shown(daemon))
        places |= dict(_files(site))
        daemon.stop()
        places["log"] = "".join(daemon.log).encode()
    places |= {f"{name} after the end": content for name, content in _files(site)}
    kek = bytes.fromhex((site.folder / "kek").read_text())
    assert 32 == len(kek)
    assert {"jrc.db", "jrc.db-wal", "log", "/metrics", "cmdline"} <= places.keys()
    assert b"pledge.joined" in places["jrc.db after the end"]
    assert [] == leaks({**found, "kek": kek}, places)


def _use(daemon: Daemon, places: dict[str, bytes]) -> dict[str, bytes]:
    """An operator's day with its mishaps; every key that was in use, by name."""
    site = daemon.site
    keys: dict[str, bytes] = {}
    good, added, renewed = site.new_devices(3)
    short, twin = secrets.token_bytes(15), site.new_devices(1)[0]
    site.import_devices([good])
    for name, psk in (("added", added.psk), ("added again", renewed.psk)):
        places[f"pledge add, {name}"] = _said(
            site, "pledge", "add", added.identifier.hex(), "--psk-file", "-", "--network", "lab",
            given=psk.reveal().hex(),
        )  # fmt: skip
    rows = [
        {"pledge_id": twin.identifier.hex(), "psk": good.psk.reveal().hex()},
        {"pledge_id": twin.identifier.hex(), "psk": short.hex()},
        {"pledge_id": good.identifier.hex(), "psk": renewed.psk.reveal().hex()},
        {"pledge_id": twin.psk.reveal().hex() * 40, "psk": "no hex " + short.hex()},
    ]
    text = "\n".join(map(json.dumps, rows))
    places["import"] = _said(site, "pledge", "import", "-", "--format", "jsonl", given=text)
    assert b"nothing was stored" in places["import"]
    with Wire(daemon.address) as wire:
        for device in (good, added):
            pledge = device.pledge()
            configuration = wire.join(pledge)
            wire.refusal(device.pledge(network=BEEF, first=10))
            wire.send(pledge.request()[:-1], pledge.request()[:-9])
            keys |= {
                f"psk of {device.identifier.hex()}": device.psk.reveal(),
                f"sender key of {device.identifier.hex()}": pledge.context.sender_key,
                f"recipient key of {device.identifier.hex()}": pledge.context.recipient_key,
                "link-layer key": configuration.keys[0].value.reveal(),
            }
    places["revoke"] = _said(site, "pledge", "revoke", good.identifier.hex(), "--yes")
    return {**keys, "psk that was refused": renewed.psk.reveal(), "psk that was too short": short}


def _said(site: Site, *command: str, given: str = "") -> bytes:
    done = site.attempt(*command, given=given)
    return (done.stdout + done.stderr).encode()


def _shown(daemon: Daemon) -> Iterator[tuple[str, bytes]]:
    """What the running daemon tells whoever asks, and what the kernel tells of it."""
    for path in ("/metrics", "/healthz", "/readyz"):
        yield path, daemon.get(path).content
    for path in ("status", "events", "networks", "networks/lab", "pledges"):
        yield path, json.dumps(daemon.api("GET", f"/v1/{path}")).encode()
    for pledge in daemon.api("GET", "/v1/pledges")["pledges"]:  # type: ignore[attr-defined]
        path = f"pledges/{pledge['pledge_id']}"
        yield path, json.dumps(daemon.api("GET", f"/v1/{path}")).encode()
        yield f"show {path}", _said(daemon.site, "pledge", "show", pledge["pledge_id"])
    for name in ("cmdline", "environ"):
        yield name, Path(f"/proc/{daemon.pid}/{name}").read_bytes()


def _files(site: Site) -> Iterator[tuple[str, bytes]]:
    """Everything in the folder but the key encryption key's own file."""
    for path in site.folder.iterdir():
        if path.is_file() and path.name != "kek":
            yield path.name, path.read_bytes()
