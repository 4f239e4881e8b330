"""``jrc rollover start --rehearse``: what is assumed, and what can't be."""

from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.rolled import add_network, add_nodes, registrar
from tests.cli.terminal import Terminal

REHEARSE = ("rollover", "start", "lab", "--rehearse")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A registrar with a network of nine 6LNs and a 6LBR; no test changes anything."""
    return registrar(tmp_path_factory.mktemp("idle"), 10, routers=1)


def test_a_rehearsal_changes_nothing_and_says_what_it_assumes(terminal: Terminal) -> None:
    """The same numbers as JSON."""
    words = (*REHEARSE, "--assume", "loss=25%", "--assume", "dead=0")
    done = terminal.jrc(*words)
    assert (done.code, done.err) == (0, "")
    assert "assumed: 25 % of the datagrams are lost" in done.out
    found = terminal.jrc(*words, "--json").json
    assert (found["nodes"], found["border_routers"]) == (9, 1)
    assert found["done_s"]["median"] > 12
    assert terminal.jrc("rollover", "status", "lab", "--json").json["phase"] is None


def test_a_rehearsal_knows_which_nodes_sleep(tmp_path: Path) -> None:
    """What the operator has said of them, unless something else is assumed."""
    terminal = Terminal(tmp_path)
    terminal.init()
    add_network(terminal)
    add_nodes(terminal, 4, sleep_s=1200)
    assert "100 % of the 6LNs sleep for 20 min" in terminal.jrc(*REHEARSE).out
    assert "100 % of the 6LNs sleep for 5 min" in (
        terminal.jrc(*REHEARSE, "--assume", "sleep=5m").out
    )
    assert "no 6LN sleeps" in terminal.jrc(*REHEARSE, "--assume", "sleepy=0").out


SHARE = "takes a share of 0 to"


@pytest.mark.parametrize(
    ("assumed", "said"),
    [
        ("loss", f"--assume loss {SHARE} 0.9, such as 0.2 or 20%, and not ''"),
        ("loss=2", f"--assume loss {SHARE} 0.9, such as 0.2 or 20%, and not '2'"),
        ("loss=95%", f"--assume loss {SHARE} 0.9, such as 0.2 or 20%, and not '95%'"),
        ("loss=most", f"--assume loss {SHARE} 0.9, such as 0.2 or 20%, and not 'most'"),
        ("loss=-5%", f"--assume loss {SHARE} 0.9, such as 0.2 or 20%, and not '-5%'"),
        ("dead=60%,sleepy=60%", f"--assume dead {SHARE} 1, such as 0.02 or 2%, and not '60%,"),
        ("sleep=long", "--assume sleep takes a time, such as 15m, and not 'long'"),
        ("awake=0s", "--assume awake takes a time of 1s at least, such as 30s, and not '0s'"),
        ("round-trip=9", "--assume round-trip takes a time, such as 5s, and not '9'"),
        ("wind=5", "--assume: 'wind' is not known"),
        ("sleep=15m", "--assume sleep is of nodes that sleep, and there are none"),
        ("awake=15s", "--assume awake is of nodes that sleep, and there are none"),
    ],
)
def test_what_can_not_be_assumed_is_refused(terminal: Terminal, assumed: str, said: str) -> None:
    """In one sentence that names the flag and what it takes; the hint has the way to write it."""
    done = terminal.jrc(*REHEARSE, "--assume", assumed)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err.startswith(f"error: {said}")
    assert "hint: " in done.err
    assert "sleepy=10%" in done.err


def test_shares_that_are_too_large_together_are_refused(terminal: Terminal) -> None:
    """Each for itself would do."""
    done = terminal.jrc(*REHEARSE, "--assume", "dead=60%", "--assume", "sleepy=60%")
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: --assume sleepy and dead: the shares of")


def test_how_long_nodes_sleep_can_be_assumed_where_some_are_assumed_to(terminal: Terminal) -> None:
    """In either order."""
    more = ("--assume", "sleep=15m", "--assume", "sleepy=50%")
    assert "50 % of the 6LNs sleep for 15 min" in terminal.jrc(*REHEARSE, *more).out
