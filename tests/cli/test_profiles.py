"""Profiles on the command line: one command for a network of OpenWSN motes, and single pledges."""

from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import OTHER_PREFIX, PLEDGE, PREFIX, PSK, Terminal

MEANS = "one link-layer key of usage 0 and nothing else"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar of a test's own, with a network of OpenWSN motes."""
    fresh = Terminal(tmp_path / "registrar")
    fresh.init()
    words = ("--network-id", "cafe", "--prefix", PREFIX, "--profile", "openwsn")
    assert fresh.jrc("network", "add", "lab", *words).code == 0
    assert fresh.jrc("pledge", "add", PLEDGE, "--psk-file", "-", stdin=PSK.encode()).code == 0
    return fresh


def test_one_command_sets_up_a_network_of_openwsn_motes(terminal: Terminal) -> None:
    """RFC 9031 §8.4.1: both byte orders, and what the profile means, in a line."""
    shown = terminal.jrc("network", "show", "lab")
    assert any(
        line.startswith("its devices take") and MEANS in line for line in shown.out.splitlines()
    )
    found = terminal.jrc("network", "show", "lab", "--json").json
    assert (["cafe", "feca"], "openwsn") == (found["identifiers"], found["profile"])


def test_keys_that_a_profile_can_not_take_are_one_sentence(terminal: Terminal) -> None:
    """RFC 9031 §8.4.3: refused by policy, with what to do."""
    usages = ("--key-usage", "6", "--key-usage", "12", "--profile", "openwsn")
    words = ("--network-id", "beef", "--prefix", OTHER_PREFIX, *usages)
    done = terminal.jrc("network", "add", "hall", *words)
    assert ExitCode.REFUSED == done.code
    assert "devices of profile openwsn take a key set of 1 key, and this one has 2" in done.err
    assert "hint: give the network other keys" in done.err


def test_a_pledge_is_set_and_shown(terminal: Terminal) -> None:
    """Its profile is its own or, after ``none``, the network's."""
    shown = terminal.jrc("pledge", "show", PLEDGE, "--json").json
    assert (None, "openwsn") == (shown["profile"], shown["profile_in_force"])
    done = terminal.jrc("pledge", "set", PLEDGE, "--profile", "rfc9031", "--label", "node 7")
    assert f"{PLEDGE}: provisioned\n" == done.err
    shown = terminal.jrc("pledge", "show", PLEDGE, "--json").json
    assert ("rfc9031", "node 7") == (shown["profile"], shown["label"])
    assert "all that RFC 9031 has" in terminal.jrc("pledge", "show", PLEDGE).out
    done = terminal.jrc("pledge", "set", PLEDGE, "--profile", "none", "--json")
    assert {"pledge_id": PLEDGE, "state": "provisioned", "changed": True} == done.json
    assert MEANS in terminal.jrc("pledge", "show", PLEDGE).out
    again = terminal.jrc("pledge", "set", PLEDGE, "--profile", "none")
    assert f"{PLEDGE}: provisioned, as before\n" == again.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((PLEDGE,), ExitCode.USAGE),
        ((PLEDGE, "--profile", "zigbee"), ExitCode.USAGE),
        ((PLEDGE, "--label", "\x1b[2J"), ExitCode.REFUSED),
        (("ff" * 8, "--label", "node 7"), ExitCode.FAILED),
    ],
    ids=["nothing", "no_profile", "no_label", "no_pledge"],
)
def test_what_can_not_be_set_is_said(
    terminal: Terminal, words: tuple[str, ...], code: ExitCode
) -> None:
    """And nothing is changed."""
    before = terminal.jrc("pledge", "show", PLEDGE, "--json").json
    done = terminal.jrc("pledge", "set", *words)
    assert code == done.code
    assert "Traceback" not in done.err
    assert before == terminal.jrc("pledge", "show", PLEDGE, "--json").json


def test_a_join_proxy_is_added_as_a_6lbr_and_a_6ln_does_not_become_one(terminal: Terminal) -> None:
    """One sentence, with what to do (RFC 9031 §8.4.1)."""
    done = terminal.jrc("pledge", "set", PLEDGE, "--profile", "join-proxy")
    assert ExitCode.REFUSED == done.code
    assert "profile join-proxy is for a Join Proxy, which joins as a 6LBR" in done.err
    words = ("--psk-file", "-", "--profile", "join-proxy")
    proxy, key = "00124b0014b5b6ff", b"5f0ba7e34296d8317cb05efa69218c1d"
    refused = terminal.jrc("pledge", "add", proxy, *words, stdin=key)
    assert (ExitCode.REFUSED, True) == (refused.code, "--role 6lbr" in refused.err)
    assert terminal.jrc("pledge", "add", proxy, *words, "--role", "6lbr", stdin=key).code == 0
    shown = terminal.jrc("pledge", "show", proxy, "--json").json
    assert ("join-proxy", "6lbr") == (shown["profile_in_force"], shown["role"])
