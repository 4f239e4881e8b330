"""`jrc pledge clear-reports`: what it says, and what `pledge show` says of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, Terminal

COMMAND = ("pledge", "clear-reports", PLEDGE)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar with a pledge that has reported two labels."""
    made = Terminal(tmp_path / "registrar")
    made.init()
    made.add_lab()
    with closing(sqlite3.connect(made.folder / "jrc.db")) as connection, connection:
        rows = [(1, 3, 1, None, 5), (1, 7, 0, b"\x09", 5)]
        connection.executemany("INSERT INTO unsupported_parameter VALUES (?, ?, ?, ?, ?)", rows)
    return made


def test_c07_show_names_the_command_where_there_are_reports(terminal: Terminal) -> None:
    """RFC 9031 §8.4.5: apart from the output proper, and no more once they are cleared."""
    shown = terminal.jrc("pledge", "show", PLEDGE)
    assert "UNSUPPORTED LABEL" in shown.out
    assert f"`jrc pledge clear-reports {PLEDGE}`" in shown.err
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").err == ""
    terminal.jrc(*COMMAND)
    shown = terminal.jrc("pledge", "show", PLEDGE)
    assert ("UNSUPPORTED LABEL" in shown.out, shown.err) == (False, "")


def test_it_says_what_it_did_and_what_follows(terminal: Terminal) -> None:
    """The labels, and that the next join gets them again; actor and reason are kept."""
    done = terminal.jrc(*COMMAND, "--reason", "firmware 2.1")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        f"{PLEDGE}: cleared its reports on label 3, 7",
        "its next join gets all parameters again, unless it reports anew",
    ]
    event = terminal.jrc("events", "--json").json[-1]
    assert (event["kind"], event["reason"], event["detail"]) == (
        "pledge.reports_cleared", "firmware 2.1", {"labels": [3, 7]},
    )  # fmt: skip


def test_json_has_the_labels(terminal: Terminal) -> None:
    """One document; a second time there is nothing left to clear, which is no failure."""
    for labels in ([3, 7], []):
        done = terminal.jrc(*COMMAND, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.json == {"pledge_id": PLEDGE, "labels": labels, "changed": bool(labels)}


def test_without_reports_it_says_so_and_ends_well(terminal: Terminal) -> None:
    """Exit code 0, no event."""
    terminal.jrc(*COMMAND)
    before = terminal.jrc("events", "--json").json
    done = terminal.jrc(*COMMAND)
    assert (done.code, "has reported nothing" in done.err) == (0, True)
    assert terminal.jrc("events", "--json").json == before


@pytest.mark.parametrize(("name", "code"), [("ff", ExitCode.FAILED), ("zz", ExitCode.USAGE)])
def test_an_unknown_pledge_is_one_sentence(terminal: Terminal, name: str, code: ExitCode) -> None:
    """As with the commands beside it."""
    done = terminal.jrc("pledge", "clear-reports", name)
    assert (done.code, done.out) == (code, "")
    assert done.err == terminal.jrc("pledge", "restore", name).err
