"""No key of a run is found in anything the run leaves or shows (RFC 9031 §9)."""

import base64
import json
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from jrc.model import Secret
from jrc.store.backup.container import read_header
from jrc.store.backup.seal import decrypt, new_identity
from jrc.store.engine import connected, lookup_engine
from jrc.store.keyring import Purpose, open_data_keys
from jrc.store.keyslots import open_slots
from jrc.store.sealing import read_data_keys, read_slots
from tests.daemon.site import BEEF, Daemon, Site
from tests.daemon.wire import Wire

GZIP = 31
"""zlib's name for gzip."""
KEY_FILES = ("kek", "paper", "kek.new")
"""Files that are keys: of this host's slot, of the recovery slot, and of the next one."""


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
    """RFC 9031 §9: logs, command output, API, metrics, process, database, write-ahead log, backup.

    With them go the keys that seal the database: of slots, of recovery, and what they hold.
    """
    places: dict[str, bytes] = {}
    with site.start(is_executed=True) as daemon:
        found = _use(daemon, places)
        found |= _seal(site, places)
        found |= _hand_over(site, places)
        found |= _let_in(daemon)
        places |= _backup(site)
        places |= dict(_shown(daemon))
        places |= dict(_files(site))
        daemon.stop()
        places["log"] = "".join(daemon.log).encode()
    places |= {f"{name} after the end": content for name, content in _files(site)}
    found |= _sealing_keys(site)
    assert {32} == {len(found[name]) for name in ("slot key", "recovery identity", "new slot key")}
    assert {"jrc.db", "jrc.db-wal", "log", "/metrics", "cmdline", "keys"} <= places.keys()
    assert b"key_slot" in places["opened backup"]
    assert "stolen.backup" in places
    assert b"pledge.joined" in places["jrc.db after the end"]
    assert b"keys.rotated" in places["jrc.db after the end"]
    assert b"page_session_opened" in places["log"]
    assert {32} == {len(found[name]) for name in ("token", "link", "session")}
    assert len(Purpose) + 1 <= sum(name.startswith(("data key", "key enc")) for name in found)
    assert [] == leaks(found, places)


def _seal(site: Site, places: dict[str, bytes]) -> dict[str, bytes]:
    """The keys that seal the database, changed in each way while a daemon runs."""
    kek, paper, new = (site.folder / name for name in KEY_FILES)
    before = _sealing_keys(site)
    found = {f"{name}, before": key for name, key in before.items()}
    for words in (
        ("add", "recovery", "paper", "--out", str(paper)),
        ("slots",),
        ("rotate", "--kek", "--data", "--file", str(new), "--yes"),
        ("remove", "none", "--yes"),
        ("slots", "--json"),
    ):
        places[f"keys {words[0]}"] = _said(site, "keys", *words)
    found["slot key"] = _key_in(kek)
    found["recovery identity"] = _key_in(paper)
    found["new slot key"] = _key_in(new)
    # As the operator is told; the file that is of no use goes.
    kek.unlink()
    new.rename(kek)
    assert b"in force" in places["keys rotate"]
    return found


def _hand_over(site: Site, places: dict[str, bytes]) -> dict[str, bytes]:
    """A device in a sealed file: its key, and what is private at both ends."""
    bench = site.folder.parent / "bench"
    bench.mkdir(exist_ok=True)
    (device,) = site.new_devices(1)
    rows = f"pledge_id,psk\n{device.identifier.hex()},{device.psk.reveal().hex()}\n"
    builder, registrar, sealed = (str(bench / name) for name in ("b.key", "r.key", "f.sealed"))
    own = ("--key", registrar, "--from", f"{builder}.pub")
    for words, given in (
        (("keygen", "--for", "builder", "--out", builder), ""),
        (("keygen", "--for", "registrar", "--out", registrar), ""),
        (("seal", "-", "--to", f"{registrar}.pub", "--key", builder, "--out", sealed), rows),
        (("show", sealed), ""),
        (("open", sealed, *own), ""),
        (("open", sealed, *own, "--json"), ""),
        (("list", "--json"), ""),
    ):
        places[f"handover {words}"] = _said(site, "handover", *words, given=given)
    assert device.identifier.hex() in site.run("pledge", "list", "--json").stdout
    for path in bench.iterdir():
        if path.stat().st_mode & 0o077 or path.suffix == ".sealed":
            places[path.name] = path.read_bytes()
    assert {"b.key.pub", "r.key.pub", "f.sealed"} <= places.keys()
    private = {
        name: base64.b64decode(b"".join(_lines_of(bench / name)[1:-1]))
        for name in ("b.key", "r.key")
    }
    return {**private, "psk that was handed over": device.psk.reveal()}


def _let_in(daemon: Daemon) -> dict[str, bytes]:
    """What lets somebody in: a token, a link to the page, and the session that it opens."""
    transport = httpx.HTTPTransport(uds=str(daemon.site.folder / "admin.sock"))
    with httpx.Client(transport=transport, base_url="http://localhost") as browser:
        url = json.loads(daemon.site.run("page", "--json").stdout)["url"]
        link = url.partition("#key=")[2]
        session = browser.post("/page/session", json={"key": link}).json()["session"]
        bearer = {"Authorization": f"Bearer {session}"}
        assert 200 == browser.get("/page/v1/networks", headers=bearer).status_code
    token = daemon.site.run("token", "add", "ci", "--scope", "read").stdout.strip()
    told = {"token": token.removeprefix("jrc_"), "link": link, "session": session}
    return {name: base64.urlsafe_b64decode(f"{text}=") for name, text in told.items()}


def _lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _backup(site: Site) -> dict[str, bytes]:
    """A backup, and what whoever has its key finds in it: the rows, as they are in the database."""
    identity, recipient = new_identity()
    path, plain = site.folder / "stolen.backup", bytearray()
    site.run("backup", "create", str(path), "--recipient", recipient)
    with path.open("rb") as file:
        read_header(file, path.name)
        decrypt(file, plain.extend, [identity], path.name)
    return {"opened backup": zlib.decompress(bytes(plain), wbits=GZIP)}


def _key_in(path: Path) -> bytes:
    return bytes.fromhex(path.read_text().strip().replace("-", ""))


def _sealing_keys(site: Site) -> dict[str, bytes]:
    """The key encryption key and the data keys, opened with the slot key as a daemon does."""
    url = f"sqlite:///{site.database}"
    with closing(connected(lookup_engine(url))) as connection:
        kek = open_slots(Secret(_key_in(site.folder / "kek")), read_slots(connection))
        keys = open_data_keys(kek, read_data_keys(connection))
    named = {f"data key {number}": key.reveal() for number, (_, key) in keys.items()}
    return {"key encryption key": kek.reveal(), **named}


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
    for path in ("status", "events", "networks", "networks/lab", "pledges", "keys"):
        yield path, json.dumps(daemon.api("GET", f"/v1/{path}")).encode()
    for pledge in daemon.api("GET", "/v1/pledges")["pledges"]:  # type: ignore[attr-defined]
        path = f"pledges/{pledge['pledge_id']}"
        yield path, json.dumps(daemon.api("GET", f"/v1/{path}")).encode()
        yield f"show {path}", _said(daemon.site, "pledge", "show", pledge["pledge_id"])
    yield "cmdline", Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    with suppress(PermissionError):  # root alone may see the environment of what is not dumpable
        yield "environ", Path(f"/proc/{daemon.pid}/environ").read_bytes()


def _files(site: Site) -> Iterator[tuple[str, bytes]]:
    """Everything in the folder but the files that are keys."""
    for path in site.folder.iterdir():
        if path.is_file() and path.name not in KEY_FILES:
            yield path.name, path.read_bytes()
