"""What an operator sees and can do where a pledge's row does not authenticate."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, PSK, Terminal

SENTENCE = f"pledge {PLEDGE} gets no answer: its row does not authenticate"
WAY_ON = f"`jrc pledge remove {PLEDGE}` takes it out"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar with a damaged pledge and a sound one."""
    made = Terminal(tmp_path / "registrar")
    made.init()
    made.add_lab()
    assert made.add_pledge("02", os.urandom(16).hex()).code == 0
    with closing(sqlite3.connect(made.folder / "jrc.db")) as connection, connection:
        connection.execute("UPDATE pledge SET state = 'qrovisioned' WHERE id = 1")
    return made


def test_a_damaged_pledge_is_listed_with_its_state(terminal: Terminal) -> None:
    """As columns and in JSON; the other one is listed as ever."""
    _, *rows = terminal.jrc("pledge", "list").out.splitlines()
    assert [row.split("\t")[:2] for row in rows] == [[PLEDGE, "damaged"], ["02", "provisioned"]]
    (found,) = terminal.jrc("pledge", "list", "--state", "damaged", "--json").json
    assert (found["pledge_id"], found["state"], found["damaged"]) == (PLEDGE, "damaged", True)


def test_a_damaged_pledge_is_shown_with_what_to_do(terminal: Terminal) -> None:
    """One sentence, on standard output and in JSON."""
    done = terminal.jrc("pledge", "show", PLEDGE)
    assert (done.code, done.err) == (0, "")
    (line,) = (line for line in done.out.splitlines() if line.startswith("damage"))
    assert f"{SENTENCE}: {WAY_ON}" in line
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["damage"] in line
    assert terminal.jrc("pledge", "show", "02", "--json").json["damage"] is None


def test_status_and_networks_are_shown_all_the_same(terminal: Terminal) -> None:
    """And the damaged one is counted."""
    assert terminal.jrc("status", "--json").json["pledges"] == {"damaged": 1, "provisioned": 1}
    assert terminal.jrc("network", "list", "--json").json[0]["pledges"] == 2


@pytest.mark.parametrize("words", [("revoke", "--yes"), ("restore",), ("clear-reports",)])
def test_what_can_not_work_on_it_names_what_does(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    """A sentence and a hint, and no word of a log or a daemon that does not run."""
    done = terminal.jrc("pledge", words[0], PLEDGE, *words[1:])
    assert (done.code, done.out) == (ExitCode.FAILED, "")
    assert done.err.startswith(f"error: {SENTENCE}\nhint: {WAY_ON}")


def test_adding_it_again_names_what_comes_first(terminal: Terminal) -> None:
    """Whichever key is given."""
    for psk in (PSK, os.urandom(16).hex()):
        done = terminal.add_pledge(PLEDGE, psk)
        assert done.code == ExitCode.REFUSED
        assert done.err.startswith(f"error: pledge_id: {SENTENCE}\nhint: {WAY_ON}")


def test_it_is_removed_by_command_and_comes_back_with_a_new_key(terminal: Terminal) -> None:
    """The plan says why; the audit log says that it was damaged; the old key is refused."""
    asked = terminal.jrc("pledge", "remove", PLEDGE)
    assert asked.code == ExitCode.REFUSED
    assert asked.err.startswith(f"P{SENTENCE[1:]}.\n")
    done = terminal.jrc("pledge", "remove", PLEDGE, "--yes", "--reason", "bad disk", "--json")
    assert (done.code, done.json["state"]) == (0, "removed")
    event = terminal.jrc("events", "--json").json[-1]
    assert (event["kind"], event["reason"]) == ("pledge.removed", "bad disk")
    assert event["detail"] == {"damaged": ["row"]}
    assert [row["pledge_id"] for row in terminal.jrc("pledge", "list", "--json").json] == ["02"]
    assert "it can't come back" in terminal.add_pledge().err
    again = terminal.add_pledge(PLEDGE, os.urandom(16).hex())
    assert (again.code, "returned" in again.err) == (0, True)
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["state"] == "provisioned"
