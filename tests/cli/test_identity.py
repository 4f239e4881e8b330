"""``jrc identity``: recorded, listed, shown, exported and ended, as a person does it."""

from pathlib import Path

import cbor2
import pytest

from tests.cli.terminal import PLEDGE, PREFIX, PSK, Terminal
from tests.identities import PRINTED, claims, cose_key

OTHER = "00124b0014b5b67f"
SECRET = b"\x5a" * 31 + b"\x01"


def test_what_a_board_prints_is_recorded_from_its_line(terminal: Terminal) -> None:
    """Pasted with what stands before it, in hex, or from a file in any form."""
    line = f"[INFO ] CoAP server identity: {PRINTED}"
    assert "recorded, key" in terminal.jrc("identity", "add", PLEDGE, line).err
    again = terminal.jrc("identity", "add", PLEDGE, "--file", "-", stdin=line.encode())
    assert "as before" in again.err
    for name, content in (("a", claims(1)), ("b", claims(2).hex().encode())):
        file = terminal.folder / name
        file.write_bytes(content)
        done = terminal.jrc("identity", "add", PLEDGE, "--file", str(file), "--json")
        assert (done.json["outcome"], done.code) == ("superseded", 0)
    shown = terminal.jrc("identity", "show", PLEDGE, "--json").json
    assert [each["provenance"] for each in shown["history"]] == ["operator", "file", "file"]
    assert shown["identity"]["credential"] == claims(2).hex()
    text = terminal.jrc("identity", "show", PLEDGE).out
    assert f"{{8: {{1: {{1: 2, 2: h'', -1: 1, -2: h'{cose_key(2)[-2].hex()}'" in text  # type: ignore[attr-defined]


def test_what_is_no_public_credential_is_refused_before_it_is_sent(terminal: Terminal) -> None:
    """A private key by mistake is never repeated, neither from the command line nor a file."""
    private = cbor2.dumps({8: {1: {**cose_key(1), -4: SECRET}}})
    file = terminal.folder / "key"
    file.write_bytes(private)
    printed = f"{{8:{{1:{{1:2,-1:1,-4:h'{SECRET.hex()}'}}}}}}"
    for words in ([private.hex()], [printed], ["--file", str(file)]):
        done = terminal.jrc("identity", "add", PLEDGE, *words)
        assert (done.code, "private key" in done.err) == (2, True)
        assert SECRET.hex() not in done.out + done.err
    (terminal.folder / "key.der").write_bytes(b"\x30\xff" + SECRET)
    other = terminal.jrc("identity", "add", PLEDGE, "--file", str(terminal.folder / "key.der"))
    assert (other.code, "neither text nor" in other.err, "0x" in other.err) == (2, True, False)
    for words in (["hello"], ["{8:"], ["--file", str(terminal.folder / "none")], list[str]()):
        assert terminal.jrc("identity", "add", PLEDGE, *words).code in (1, 2)


def test_a_pledge_is_shown_with_its_identity_and_listed(terminal: Terminal) -> None:
    """Where both are there; and what is ended is listed no more."""
    terminal.jrc("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX)
    terminal.jrc("pledge", "add", PLEDGE, "--psk-file", "-", stdin=PSK.encode())
    terminal.jrc("identity", "add", PLEDGE, PRINTED)
    assert "b9943adb" in terminal.jrc("pledge", "show", PLEDGE).out
    (listed,) = terminal.jrc("identity", "list", "--network", "lab", "--json").json
    assert (listed["pledge_id"], listed["state"]) == (PLEDGE, "provisioned")
    refused = terminal.jrc("identity", "add", OTHER, PRINTED)
    assert (refused.code, PLEDGE in refused.err, OTHER in refused.err) == (6, True, True)
    assert terminal.jrc("identity", "remove", PLEDGE).code == 6
    ended = terminal.jrc("identity", "remove", PLEDGE, "--yes", "--reason", "scrapped")
    assert "in force no more" in ended.err
    assert "none was in force" in terminal.jrc("identity", "remove", PLEDGE).err
    assert terminal.jrc("identity", "list", "--json").json == []
    kinds = [each["kind"] for each in terminal.jrc("events", "--json").json]
    assert kinds[-2:] == ["identity.recorded", "identity.superseded"]


@pytest.fixture
def three(terminal: Terminal) -> Terminal:
    """A pledge that is good, one that is revoked, and a device that is none."""
    terminal.jrc("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX)
    for number, device in enumerate((PLEDGE, OTHER), start=1):
        psk = f"{number:02x}{PSK[2:]}".encode()
        terminal.jrc("pledge", "add", device, "--psk-file", "-", stdin=psk)
        terminal.jrc("identity", "add", device, claims(number).hex())
    terminal.jrc("identity", "add", "0a", claims(3).hex())
    assert terminal.jrc("pledge", "revoke", OTHER, "--yes").code == 0
    return terminal


def test_an_export_has_whom_one_may_trust(three: Terminal, tmp_path: Path) -> None:
    """Not the revoked one, which is said; a file that is there is not replaced."""
    out = tmp_path / "all.json"
    words = ("identity", "export", "--format", "json", "--out", str(out))
    done = three.jrc(*words)
    assert (done.code, f"{OTHER}: left out, its pledge is revoked" in done.err) == (0, True)
    assert "2 identities in" in done.err
    assert OTHER not in out.read_text()
    out.write_text("mine")
    assert three.jrc(*words).code == 1
    assert three.jrc(*words, "--overwrite").code == 0
    one = three.jrc("identity", "export", "--format", "json", "--id", "0a", "--out", "-").json
    assert [each["pledge_id"] for each in one["identities"]] == ["0a"]


def test_peers_need_a_scope_and_a_client_needs_hosts(three: Terminal) -> None:
    """Nobody is let in everywhere without being told; no entry stands for a host unknown."""
    peers = ("identity", "export", "--format", "peers", "--out", "-")
    assert "--scope" in three.jrc(*peers).err
    made = three.jrc(*peers, "--scope", "allow-all")
    assert (made.code, made.out.count("- kccs: "), made.out.count("allow-all")) == (0, 2, 2)
    client = ("identity", "export", "--format", "aiocoap", "--out", "-")
    lost = three.jrc(*client)
    assert (lost.code, "0a: left out" in lost.err, "--host-pattern" in lost.err) == (1, True, True)
    named = three.jrc(*client, "--host-pattern", "{id}.lab.example")
    assert f'"coap://{PLEDGE}.lab.example/*"' in named.out
    assert "put {id} into it" in three.jrc(*client, "--host-pattern", "lab.example").err


WRONG = [
    ("--format", "json", "--scope", "allow-all"),
    ("--format", "json", "--host-pattern", "x"),
    ("--format", "json", "--id", "zz"),
    ("--format", "peers", "--scope", "allow-all", "--scope", "/a=GET"),
    ("--format", "peers", "--scope", "/a=READ"),
    ("--format", "peers", "--scope", "a=GET"),
]


@pytest.mark.parametrize("words", WRONG)
def test_options_that_do_not_fit_are_refused(made: Terminal, words: tuple[str, ...]) -> None:
    """With the option's name."""
    done = made.jrc("identity", "export", "--out", "-", *words)
    assert (done.code, words[-2] in done.err) == (2, True)


def test_a_device_that_is_not_there_is_said(made: Terminal) -> None:
    """By its identifier."""
    for words in (("show", "0b"), ("export", "--format", "json", "--id", "0b", "--out", "-")):
        done = made.jrc("identity", *words)
        assert (done.code, "0b" in done.err) == (1, True)
