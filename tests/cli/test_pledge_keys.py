"""``jrc pledge transfer``, ``withdraw`` and ``add --pending-firmware``, without a daemon."""

import json
import stat
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, PSK, Terminal, one_sentence

NEXT = "51e0a94c7d3826fb90c2146de85fb37a"
THIRD = "8c1d5f0ba7e34296d8317cb05efa6921"


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    """A registrar with a network and a pledge."""
    terminal.add_lab()
    return terminal


def transfer(terminal: Terminal, file: Path | str, *more: str) -> tuple[int, str]:
    done = terminal.jrc("pledge", "transfer", "out", PLEDGE, "--dossier", str(file), *more)
    return done.code, done.out + done.err


def test_a05_a_key_waits_is_shown_and_withdrawn(terminal: Terminal) -> None:
    """Row A5: what is there, in the table and for scripts, with key check values."""
    done = terminal.add_pledge(PLEDGE, NEXT, "--pending-firmware", "--provenance", "generate")
    assert "pending" in done.err
    assert "good until then" in done.err
    shown = terminal.jrc("pledge", "show", PLEDGE, "--json").json
    waits, current = shown["keys"]
    assert ["candidate", "current"] == [waits["state"], current["state"]]
    assert ["generate", "operator"] == [waits["provenance"], current["provenance"]]
    assert {8} == {len(each["key_check"]) for each in (waits, current)}
    table = terminal.jrc("pledge", "show", PLEDGE).out
    assert waits["key_check"] in table
    assert ExitCode.REFUSED == terminal.jrc("pledge", "withdraw", PLEDGE).code
    assert "deleted" in terminal.jrc("pledge", "withdraw", PLEDGE, "--yes").err
    assert "no key waits" in terminal.jrc("pledge", "withdraw", PLEDGE, "--yes").err
    withdrawn, _ = terminal.jrc("pledge", "show", PLEDGE, "--json").json["keys"]
    assert ("withdrawn", None) == (withdrawn["state"], withdrawn["key_check"])
    assert withdrawn["retired_at"] is not None
    for key in (PSK, NEXT):
        assert key not in table + json.dumps(shown)


def test_a05_a_key_that_waits_replaces_nothing(terminal: Terminal) -> None:
    """The two options say opposite things; and there is a key in force, or nothing waits."""
    both = ("--pending-firmware", "--on-conflict", "replace")
    assert ExitCode.USAGE == terminal.add_pledge(PLEDGE, NEXT, *both).code
    done = terminal.add_pledge("01", NEXT, "--pending-firmware")
    one_sentence(done, ExitCode.REFUSED)
    assert "no key in force" in done.err


def test_a05_a_dossier_is_private_and_takes_the_device_to_another_registrar(
    terminal: Terminal, tmp_path: Path
) -> None:
    """Row A5: without the key, and refused with it."""
    file = tmp_path / "lamp.json"
    code, said = transfer(terminal, file)
    assert ExitCode.REFUSED == code
    assert not file.exists()
    code, said = transfer(terminal, file, "--yes", "--reason", "sold")
    assert ExitCode.DONE == code, said
    assert f"jrc pledge transfer in {file}" in said
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert PSK not in file.read_text()
    other = Terminal(tmp_path / "other")
    other.init()
    other.jrc("network", "add", "home", "--network-id", "cafe", "--prefix", "2001:db8:0:3::/64")
    take = ("pledge", "transfer", "in", str(file), "--psk-file", "-")
    refused = other.jrc(*take, stdin=PSK.encode())
    one_sentence(refused, ExitCode.REFUSED)
    assert "former owner" in refused.err
    assert "added, network home" in other.jrc(*take, stdin=NEXT.encode()).err


def test_a05_a_device_comes_back_by_its_dossier_or_its_identifier(
    terminal: Terminal, tmp_path: Path
) -> None:
    """Row A5: with a key that was never seen here."""
    file = tmp_path / "lamp.json"
    take = ("pledge", "transfer", "in", PLEDGE, "--psk-file", "-")
    for key in (NEXT, THIRD):
        assert ExitCode.DONE == transfer(terminal, file, "--yes")[0]
        assert ExitCode.REFUSED == terminal.add_pledge(PLEDGE, key).code
        assert ExitCode.REFUSED == terminal.jrc(*take, stdin=PSK.encode()).code
        assert "returned" in terminal.jrc(*take, stdin=key.encode()).err
        file.unlink()
    (pledge,) = terminal.jrc("pledge", "list", "--json").json
    assert ("provisioned", ["lab"]) == (pledge["state"], pledge["networks"])


def test_a_dossier_overwrites_nothing_and_is_written_once_more(
    terminal: Terminal, tmp_path: Path
) -> None:
    """Before anything is changed; and a file that got lost is no harm."""
    there = tmp_path / "there.json"
    there.write_text("mine")
    for file in (there, tmp_path / "missing" / "lamp.json"):
        assert ExitCode.FAILED == transfer(terminal, file, "--yes")[0]
    (pledge,) = terminal.jrc("pledge", "list", "--json").json
    assert "provisioned" == pledge["state"]
    assert "mine" == there.read_text()
    written = []
    for name in ("a.json", "b.json"):
        assert ExitCode.DONE == transfer(terminal, tmp_path / name, "--yes")[0]
        written.append((tmp_path / name).read_text())
    assert written[0] == written[1]
    code, said = transfer(terminal, "-")
    assert ExitCode.DONE == code
    assert json.loads(written[0]) == json.loads(said[: said.index("}\n", said.rindex("]")) + 1])


@pytest.mark.parametrize("content", ["", "[]", '{"pledge_id": "01"}', '{"jrc_dossier": 1}', "{"])
def test_a_file_that_is_no_dossier_is_refused(made: Terminal, tmp_path: Path, content: str) -> None:
    """By a sentence with a way on."""
    file = tmp_path / "odd.json"
    file.write_text(content)
    done = made.jrc("pledge", "transfer", "in", str(file), "--psk-file", "-", stdin=b"00")
    one_sentence(done, ExitCode.USAGE)
    assert "by its identifier" in done.err
