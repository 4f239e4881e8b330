"""Commands that came with the page: the way to it, and what it shows, in a terminal."""

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, PREFIX, PSK, Terminal


def test_without_a_daemon_there_is_no_page(made: Terminal) -> None:
    """It says how to start one."""
    done = made.jrc("page")
    assert done.code == ExitCode.UNREACHABLE
    assert "the daemon is not running" in done.err


def test_the_page_of_a_registrar_elsewhere_is_opened_there(made: Terminal) -> None:
    """Its link is for a browser that reaches that host over ssh."""
    done = made.jrc("--url", "https://router.example.org", "page", config=False)
    assert done.code == ExitCode.USAGE
    assert "own host" in done.err


@pytest.mark.parametrize("words", [(), (PLEDGE, "--latest"), ("--unknown", "--latest")])
def test_explain_takes_one_question_at_a_time(made: Terminal, words: tuple[str, ...]) -> None:
    """A pledge, the unknown ones, or the latest attempts."""
    done = made.jrc("pledge", "explain", *words)
    assert done.code == ExitCode.USAGE
    assert "--latest" in done.err


def test_the_latest_attempts_are_in_the_memory_of_a_daemon(made: Terminal) -> None:
    """Without one there is nothing to tell."""
    assert made.jrc("pledge", "explain", "--latest").code == ExitCode.UNREACHABLE


def test_pledges_are_found_by_a_part_of_their_label(terminal: Terminal) -> None:
    """And by digits of the identifier; text that can't be is refused."""
    words = ("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX)
    assert terminal.jrc(*words).code == 0
    add = ("pledge", "add", PLEDGE, "--psk-file", "-", "--label", "the kitchen")
    assert terminal.jrc(*add, stdin=PSK.encode()).code == 0
    for text, count in (("Kitchen", 1), (PLEDGE[-4:], 1), ("attic", 0)):
        assert len(terminal.jrc("pledge", "list", "--search", text, "--json").json) == count
    refused = terminal.jrc("pledge", "list", "--search", "x" * 101)
    assert (refused.code, "search" in refused.err) == (ExitCode.USAGE, True)


def test_the_port_of_the_page_is_checked_before_a_start(terminal: Terminal) -> None:
    """By `check-config`, `doctor` and the config file itself."""
    text = terminal.config.read_text()
    terminal.config.write_text(f'{text}\n[page]\nlisten = "127.0.0.1:0"\n')
    assert terminal.jrc("check-config").code == 0
    for address in ("0.0.0.0:9632", "[::]:9632", "192.0.2.1:9632", "127.0.0.2:9632"):
        terminal.config.write_text(f'{text}\n[page]\nlisten = "{address}"\n')
        done = terminal.jrc("check-config")
        assert done.code != 0
        assert "page.listen" in done.err
        assert "ssh -L" in done.err
