"""``jrc node`` where no daemon runs: listings, plans, refusals."""

from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.rolled import node_id, registrar
from tests.cli.terminal import Terminal

FIELDS = {
    "pledge_id", "network", "role", "short_id", "address", "sleeps_s", "takes_updates",
    "throttle_bytes_per_s", "behind", "lacks", "must_join", "attempts", "last_error", "tried",
    "next", "acknowledged",
}  # fmt: skip
CONFIGURATION = {
    "settings", "join_rate_bytes_per_s", "jrc_address", "blocklist", "generation", "lease_hours",
    "lease_until",
}  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar with a network of two 6LNs and a 6LBR."""
    return registrar(tmp_path, 3, routers=1)


def test_nodes_that_lack_something_are_listed(terminal: Terminal) -> None:
    """As JSON with all fields, for people in columns."""
    found = terminal.jrc("node", "list", "--json").json
    assert [set(node) for node in found] == [FIELDS] * 3
    assert terminal.jrc("node", "list", "lab", "--behind", "--json").json == []
    done = terminal.jrc("network", "set", "lab", "--join-rate", "20")
    assert "3 nodes of network lab are told the join rate by update" in done.err
    shown = terminal.jrc("node", "list", "lab", "--behind")
    assert shown.out.count("\tsettings\t") == 3


def test_a_node_shows_what_it_is_to_have_beside_what_it_has(terminal: Terminal) -> None:
    """As a document and for people."""
    terminal.jrc("network", "set", "lab", "--join-rate", "20")
    found = terminal.jrc("node", "show", node_id(1), "--json").json
    assert set(found) == {*FIELDS, "wanted", "has", "refused", "lease_sent"}
    assert (set(found["wanted"]), set(found["has"])) == (CONFIGURATION, CONFIGURATION)
    shown = terminal.jrc("node", "show", node_id(1)).out
    assert "join rate (bytes/s)\t20\t-" in shown
    assert "lacks" in shown


def test_a_push_says_what_comes_of_it(terminal: Terminal) -> None:
    """Without a daemon, who tells them."""
    done = terminal.jrc("node", "push", "--network", "lab")
    said = "nobody is to be told anything: all 3 nodes have all they are to have\n"
    assert (done.code, done.err) == (0, said)
    said = "nobody is to be told anything: the node has all it is to have\n"
    assert terminal.jrc("node", "push", node_id(1)).err == said
    terminal.jrc("network", "set", "lab", "--join-rate", "20")
    done = terminal.jrc("node", "push", node_id(1), node_id(2))
    assert done.err.startswith("2 told now, 0 have all they are to have\n")
    assert "told when `jrc run` does" in done.err
    document = terminal.jrc("node", "push", node_id(1), "--json").json
    assert document == {"told": 1, "up_to_date": 0, "must_join": [], "must_join_count": 0}


def test_a_push_in_a_network_that_nobody_has_joined_says_so(terminal: Terminal) -> None:
    """One sentence, and no error."""
    words = ("--network-id", "beef", "--prefix", "2001:db8:9::/64")
    assert terminal.jrc("network", "add", "hall", *words).code == 0
    done = terminal.jrc("node", "push", "--network", "hall")
    said = "nobody has joined network hall, so there is nobody to tell\n"
    assert (done.code, done.out, done.err) == (0, "", said)


def test_how_a_node_sleeps_is_said(terminal: Terminal) -> None:
    """And shown."""
    done = terminal.jrc("node", "set", node_id(1), "--sleeps", "2h")
    assert done.err == f"{node_id(1)}: sleeps 7200 s at a time\n"
    assert terminal.jrc("node", "show", node_id(1), "--json").json["sleeps_s"] == 7200
    assert terminal.jrc("node", "set", node_id(1), "--awake").err == f"{node_id(1)}: is awake\n"


def test_g02_joining_is_throttled_by_one_command(terminal: Terminal) -> None:
    """At a node or in a network."""
    done = terminal.jrc("node", "throttle", "--network", "lab", "--join-rate", "0")
    assert done.err.startswith("lab: join rate 0 bytes/s\n")
    assert "throttled to (bytes/s)" in terminal.jrc("network", "show", "lab").out
    done = terminal.jrc("node", "throttle", "--network", "lab", "--lift")
    assert done.err.startswith("lab: join rate no limit\n")
    done = terminal.jrc("node", "throttle", node_id(2), "--join-rate", "20")
    assert done.err.startswith(f"{node_id(2)}: join rate 20 bytes/s\n")
    done = terminal.jrc("node", "throttle", node_id(2), "--join-rate", "20")
    assert done.err == f"{node_id(2)}: join rate 20 bytes/s, as before\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("push",), "error: it is not said which nodes are meant\n"),
        (("push",), "or say --network NAME for all of a network"),
        (("push", "00", "--network", "lab"), "error: nodes and --network NAME are both given"),
        (("push", "--network", "lab", "--timeout", "1h"), "--timeout goes with --wait"),
        (("set", "00"), "either --sleeps TIME or --awake"),
        (("set", "00", "--sleeps", "1h", "--awake"), "either --sleeps TIME or --awake"),
        (("throttle", "--network", "lab"), "either --join-rate N or --lift"),
        (("throttle", "--network", "lab", "--join-rate", "1", "--lift"), "either --join-rate"),
        (("throttle", "--join-rate", "1"), "--network NAME"),
        (("show", "xy"), "not a pledge identifier"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_refused(
    terminal: Terminal, words: tuple[str, ...], said: str
) -> None:
    """In a sentence, with the exit code for usage."""
    done = terminal.jrc("node", *words)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert said in done.err


def test_a_network_that_falls_quiet_needs_a_yes(terminal: Terminal) -> None:
    """Nobody could join again until a window opens."""
    words = ("network", "set", "lab", "--admission", "window", "--quiet-outside-windows")
    done = terminal.jrc(*words)
    assert done.code == ExitCode.REFUSED
    assert "waits for the next window" in done.err
    assert terminal.jrc(*words, "--yes").code == 0
    assert terminal.jrc("network", "set", "lab", "--no-quiet-outside-windows").code == 0
