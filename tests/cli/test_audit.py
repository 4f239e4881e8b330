"""Who, why, and what: every command that changes anything tells the audit log, and no secret."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from jrc import config
from jrc.cli.tree import app
from jrc.clock import SystemClock
from jrc.opened import Opened
from tests.cli.terminal import PLEDGE, PREFIX, PSK, Done, Terminal, pledge_file
from tests.daemon.wire import OddPledge
from tests.desk import Desk
from tests.identities import PRINTED, claims
from tests.joining import hall_at

SECOND, THIRD = "00124b0014b5b690", "00124b0014b5b691"
SECOND_PSK, THIRD_PSK = "91c2a7704d5e4be3b9ad0f6118c3742e", "c04be19d2f7648a1a35d9e70b8621f4d"
FOURTH_PSK, FIFTH_PSK = "3fd10c6ae9524b8799e6d5b02c7f184a", "77a0e4c9136d4f52b81e29fd50c3a6b4"
READS = {
    "init", "run", "proxy", "status", "check-config", "doctor", "completion", "network list",
    "network show", "pledge explain", "pledge generate", "pledge list", "pledge show", "node list",
    "node show",
    "window list", "rollover list", "rollover status", "rollover watch", "events",
    "events verify", "events export", "keys slots", "lab run", "backup verify", "backup keygen",
    "recover status", "healthcheck", "token list", "lab join", "page", "handover keygen",
    "handover seal", "handover show", "handover list", "identity list", "identity show",
    "identity export", "wpan",
}  # fmt: skip
"""Commands that change nothing in a database that is there."""

CHANGES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("network.added", ("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX), ""),
    ("pledge.added", ("pledge", "add", PLEDGE, "--psk-file", "-"), PSK),
    ("network.changed", ("network", "set", "lab", "--lease-hours", "200"), ""),
    ("pledge.changed", ("pledge", "set", PLEDGE, "--label", "lamp"), ""),
    ("pledge.pending", ("pledge", "add", PLEDGE, "--psk-file", "-", "--pending-firmware"),
     FOURTH_PSK),
    ("pledge.withdrawn", ("pledge", "withdraw", PLEDGE, "--yes"), ""),
    ("import.published", ("pledge", "import", "@FILE@"), ""),
    ("identity.recorded", ("identity", "add", PLEDGE, PRINTED), ""),
    ("identity.superseded", ("identity", "add", PLEDGE, claims(1).hex()), ""),
    ("identity.superseded", ("identity", "remove", PLEDGE, "--yes"), ""),
    ("network.changed", ("network", "set", "lab", "--admission", "approval", "--yes"), ""),
    ("pledge.approved", ("pledge", "approve", SECOND, "--network", "lab"), ""),
    ("network.changed", ("network", "set", "lab", "--admission", "window", "--yes"), ""),
    ("window.opened", ("window", "open", "lab", "--for", "10m", "--max", "3"), ""),
    ("window.closed", ("window", "close", "lab"), ""),
    ("network.changed", ("network", "set", "lab", "--admission", "known", "--yes"), ""),
    ("installer.installed", ("network", "install", "lab"), ""),
    ("@JOIN@", (), ""),
    ("pledge.reports_cleared", ("pledge", "clear-reports", PLEDGE), ""),
    ("pledge.address_changed", ("pledge", "address", PLEDGE, "2001:db8:0:1::7"), ""),
    ("node.changed", ("node", "set", PLEDGE, "--sleeps", "10m"), ""),
    ("node.pushed", ("node", "push", PLEDGE), ""),
    ("node.throttled", ("node", "throttle", PLEDGE, "--join-rate", "50"), ""),
    ("rollover.started", ("rollover", "start", "lab", "--yes"), ""),
    ("rollover.paused", ("rollover", "pause", "lab"), ""),
    ("rollover.resumed", ("rollover", "resume", "lab", "--yes"), ""),
    ("rollover.aborted", ("rollover", "abort", "lab", "--yes"), ""),
    ("pledge.revoked", ("pledge", "revoke", PLEDGE, "--yes"), ""),
    ("pledge.restored", ("pledge", "restore", PLEDGE), ""),
    ("pledge.superseded", ("pledge", "replace", PLEDGE, THIRD, "--psk-file", "-", "--yes"),
     THIRD_PSK),
    ("pledge.transferred", ("pledge", "transfer", "out", THIRD, "--dossier", "-", "--yes"), ""),
    ("pledge.returned", ("pledge", "transfer", "in", THIRD, "--psk-file", "-"), FIFTH_PSK),
    ("pledge.removed", ("pledge", "remove", SECOND, "--yes"), ""),
    ("network.removed", ("network", "remove", "lab", "--yes"), ""),
    ("events.removed", ("events", "prune", "--before", "0s", "--yes"), ""),
)  # fmt: skip


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    for name, each in getattr(command, "commands", {}).items():
        yield from _commands(each, (*path, name))
    if not hasattr(command, "commands") or (path and command.invoke_without_command):
        yield " ".join(path), {word for option in command.params for word in option.opts}


def test_every_command_that_changes_anything_takes_a_reason() -> None:
    """A new command has one, or is named here as one that only reads."""
    without = {
        name
        for name, options in _commands(typer.main.get_command(app))
        if "--reason" not in options
    }
    assert without - READS == set()


@pytest.fixture
def site(tmp_path: Path) -> Terminal:
    """A registrar with an installer and a file of pledges."""
    terminal = Terminal(tmp_path)
    terminal.init()
    text = '\n[[installer]]\nnetwork = "lab"\nkind = "exec"\ncommand = ["/bin/true"]\n'
    terminal.config.write_text(terminal.config.read_text() + text)
    pledge_file(tmp_path / "pledges.csv", [f"{SECOND},{SECOND_PSK},two"])
    return terminal


def _joined(terminal: Terminal) -> list[bytes]:
    """The first pledge joins and reports something; the keys that it was given."""
    opened = Opened.open(config.load(terminal.config), SystemClock())
    try:
        desk = Desk.__new__(Desk)
        desk.database, desk.now_ms = opened.database, SystemClock().now_ms()
        desk.on_server = False
        desk.url = opened.settings.database.url
        with hall_at(desk) as hall:
            hall.join(OddPledge(bytes.fromhex(PLEDGE), bytes.fromhex(PSK)))
        desk.sql("INSERT INTO unsupported_parameter VALUES (1, 7, 0, NULL, 1)")
        live = opened.read(lambda tx: tx.keysets.live(1))
        return [key.key_value.reveal() for each in live for key in each.keys]
    finally:
        opened.close()


def _change(terminal: Terminal, words: tuple[str, ...], stdin: str, why: str) -> Done:
    named = [str(terminal.folder / "pledges.csv") if word == "@FILE@" else word for word in words]
    return terminal.jrc(*named, "--reason", why, stdin=stdin.encode())


def test_each_change_is_an_event_with_actor_and_reason_and_no_event_has_a_secret(
    site: Terminal,
) -> None:
    """Threats T10 and O1: nobody can deny it, and who reads the log learns no key."""
    keys = [bytes.fromhex(each) for each in (PSK, SECOND_PSK, THIRD_PSK, FOURTH_PSK, FIFTH_PSK)]
    log = ""
    for number, (kind, words, stdin) in enumerate(CHANGES):
        if not words:
            keys += _joined(site)
            continue
        log += site.jrc("events", "export", "-").out
        done = _change(site, words, stdin, f"why {number}")
        assert done.code == 0, (words, done)
        found = site.jrc("events", "--json", "--limit", "9").json
        own = [event for event in found if event["reason"] == f"why {number}"]
        assert kind in [event["kind"] for event in own], (words, own)
        assert all(event["actor"].startswith("uid=") for event in own)
        assert all(event["detail"] for event in own if event["kind"] == kind), own
    assert "events.removed" in site.jrc("events", "export", "-").out
    assert "2001:db8:0:1::7" in log
    for key in keys:
        for shown in (key.hex(), key.hex().upper(), base64.b64encode(key).decode(), repr(key)):
            assert shown not in log
