"""``jrc window``, ``jrc pledge approve`` and ``jrc pledge explain`` where no daemon runs."""

from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import OTHER_PREFIX, PLEDGE, Done, Terminal

OPEN = ("window", "open", "lab", "--for", "10m", "--max", "20")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar with a network that admits in windows, and one pledge."""
    made = Terminal(tmp_path)
    made.init()
    made.add_lab()
    assert made.jrc("network", "set", "lab", "--admission", "window").code == 0
    return made


def _refused(done: Done, code: ExitCode, *words: str) -> None:
    """One sentence on standard error with these words, nothing on standard output."""
    assert (done.code, done.out, "Traceback" in done.err) == (code, "", False), done
    for word in words:
        assert word in done.err, done.err


@pytest.mark.parametrize("mode", ["known", "window", "approval"])
def test_how_a_network_admits_is_set_and_shown(terminal: Terminal, mode: str) -> None:
    """When it is added, later, in the listing and as JSON."""
    words = ("network", "add", mode, "--network-id", "beef", "--prefix", "2001:db8:9::/64")
    assert terminal.jrc(*words, "--admission", mode, "--json").json["admission"] == mode
    assert (
        terminal.jrc("network", "set", "lab", "--admission", mode, "--json").json["admission"]
        == mode
    )
    header, *rows = terminal.jrc("network", "list").out.splitlines()
    place = header.split("\t").index("ADMITS")
    assert [row.split("\t")[place] for row in rows] == [mode, mode]
    assert f"admits                        {mode}" in terminal.jrc("network", "show", mode).out


def test_a_network_admits_who_is_known_unless_it_is_told_otherwise(terminal: Terminal) -> None:
    """As it did before there was a choice."""
    words = ("network", "add", "hall", "--network-id", "beef", "--prefix", OTHER_PREFIX, "--json")
    assert terminal.jrc(*words).json["admission"] == "known"


def test_an_unknown_way_to_admit_is_refused(terminal: Terminal) -> None:
    """With all there are."""
    done = terminal.jrc("network", "set", "lab", "--admission", "always")
    _refused(done, ExitCode.USAGE, "known, window, approval")


def test_a_window_is_opened_listed_and_closed(terminal: Terminal) -> None:
    """Reason and limits stand in the audit log."""
    opened = terminal.jrc(*OPEN, "--reason", "new lamps", "--json").json
    assert (opened["network"], opened["state"], opened["max"]) == ("lab", "open", 20)
    assert 590 <= opened["left_s"] <= 600
    (listed,) = terminal.jrc("window", "list", "--json").json
    assert {**opened, "left_s": 0} == {**listed, "left_s": 0}
    closed = terminal.jrc("window", "close", "lab")
    assert (closed.code, closed.err) == (0, "lab: closed, 0 of 20 came in\n")
    assert terminal.jrc("window", "list", "--json").json == []
    (past,) = terminal.jrc("window", "list", "--all", "--json").json
    assert (past["state"], past["admitted"]) == ("closed", 0)
    events = terminal.jrc("events", "--json", "--network", "lab").json[-2:]
    assert [(event["kind"], event["reason"]) for event in events] == [
        ("window.opened", "new lamps"), ("window.closed", "")
    ]  # fmt: skip


def test_a_window_is_opened_twice_only_to_replace_the_first(terminal: Terminal) -> None:
    """The hint names the option."""
    assert terminal.jrc(*OPEN).code == 0
    _refused(terminal.jrc(*OPEN), ExitCode.REFUSED, "has a window open until", "--replace")
    assert terminal.jrc(*OPEN, "--replace").code == 0
    assert len(terminal.jrc("window", "list", "--json").json) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("lab", "--for", "10", "--max", "5"), ExitCode.USAGE, "hint: write it as 90s, 10m, 2h"),
        (("lab", "--for", "0s", "--max", "5"), ExitCode.USAGE, "1 s to 30 days\nhint: "),
        (("lab", "--for", "31d", "--max", "5"), ExitCode.USAGE, "1 s to 30 days\nhint: "),
        (("lab", "--for", "1h", "--max", "0"), ExitCode.USAGE, "1 to 1000000 pledges in\nhint: "),
        (("lab", "--for", "1h", "--max", "-3"), ExitCode.USAGE, "1 to 1000000 pledges in\nhint: "),
        (("lab", "--for", "1h", "--max", "9" * 30), ExitCode.USAGE, "max is out of bounds"),
        (("lab", "--for", "1h", "--max", "some"), ExitCode.USAGE, "--max"),
        (("lab", "--for", "1h"), ExitCode.USAGE, "--max"),
        (("lab", "--max", "3"), ExitCode.USAGE, "--for"),
        (("lob", "--for", "1h", "--max", "3"), ExitCode.FAILED, "did you mean lab"),
        (("", "--for", "1h", "--max", "3"), ExitCode.USAGE, "the name is empty"),
    ],
)
def test_what_can_be_no_window_is_refused(
    terminal: Terminal, words: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """In one sentence, and nothing is opened."""
    _refused(terminal.jrc("window", "open", *words), code, said)
    assert terminal.jrc("window", "list", "--all", "--json").json == []


@pytest.mark.parametrize("mode", ["known", "approval"])
def test_a_network_that_admits_otherwise_has_no_windows(terminal: Terminal, mode: str) -> None:
    """The hint is the command that gives it some."""
    terminal.jrc("network", "set", "lab", "--admission", mode)
    _refused(terminal.jrc(*OPEN), ExitCode.REFUSED, f"admits by {mode}", "--admission window")


def test_a_pledge_is_approved_ahead_and_only_once(terminal: Terminal) -> None:
    """Where it waits for no network, the network has to be named."""
    terminal.jrc("network", "set", "lab", "--admission", "approval")
    words = ("pledge", "approve", PLEDGE)
    _refused(terminal.jrc(*words), ExitCode.REFUSED, "does not wait", "--network NAME")
    done = terminal.jrc(*words, "--network", "lab", "--json").json
    assert done == {"pledge_id": PLEDGE, "network": "lab", "changed": True}
    again = terminal.jrc(*words)
    assert (again.code, again.err) == (0, f"{PLEDGE}: approved for lab, as before\n")
    _refused(terminal.jrc("pledge", "approve", "00ff"), ExitCode.FAILED, "is unknown")


def test_nobody_waits_where_nobody_has_asked(terminal: Terminal) -> None:
    """The listing of those who wait has its own columns."""
    done = terminal.jrc("pledge", "list", "--state", "waiting")
    assert done.out.split("\t")[:2] == ["PLEDGE", "WAITS FOR APPROVAL"]
    assert terminal.jrc("pledge", "show", PLEDGE, "--json").json["waiting"] == []


def test_without_a_daemon_explain_says_so_after_what_the_database_knows(
    terminal: Terminal,
) -> None:
    """Exit code 3; a closed window is in the database, attempts are not."""
    done = terminal.jrc("pledge", "explain", PLEDGE)
    assert done.code == ExitCode.UNREACHABLE
    assert f"{PLEDGE}  provisioned" in done.out
    assert "window_closed: Network lab has no open window" in done.out
    assert "to do: `jrc window open" in done.out
    assert "the daemon is not running" in done.err
    as_json = terminal.jrc("pledge", "explain", PLEDGE, "--json")
    assert (as_json.code, as_json.json["attempts"]) == (ExitCode.UNREACHABLE, None)
    _refused(terminal.jrc("pledge", "explain", "--unknown"), ExitCode.UNREACHABLE, "not running")


@pytest.mark.parametrize("words", [(), (PLEDGE, "--unknown"), ("xyz",), ("",), ("00" * 249,)])
def test_what_can_not_be_explained_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    """One identifier, or the unknown ones."""
    done = terminal.jrc("pledge", "explain", *words)
    assert (done.code, "Traceback" in done.err) == (ExitCode.USAGE, False), done
