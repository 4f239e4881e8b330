"""``jrc events --follow``: new entries as they come, also across restarts of the daemon."""

import signal
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.follower import following
from tests.cli.terminal import OTHER_PREFIX, Terminal

EVENTS = ("events", "--follow")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made.init()
    made.add_lab()
    return made


def _change(terminal: Terminal, hours: int, network: str = "lab") -> None:
    words = ("network", "set", network, "--lease-hours", str(hours))
    assert terminal.jrc(*words).code == 0


def test_events_come_as_json_lines_until_ctrl_c(terminal: Terminal) -> None:
    """What was there first, then each new one with no gap; exit code 0, nothing on the other."""
    with terminal.daemon(), following(terminal, *EVENTS, "--json", "--limit", "1") as follower:
        last = follower.event()
        assert last["kind"] == "pledge.added"
        for hours in (100, 200):
            _change(terminal, hours)
            event = follower.event()
            assert (event["kind"], event["number"]) == ("network.changed", last["number"] + 1)
            last = event
        assert set(last) == {
            "number", "at", "kind", "pledge", "network", "actor", "reason", "detail"
        }  # fmt: skip
        assert follower.end(signal.SIGINT) == 0
        assert follower.is_silent()


def test_only_what_was_asked_for_is_shown(terminal: Terminal) -> None:
    """Others pass by; columns where it is no JSON."""
    words = ("network", "add", "hall", "--network-id", "beef", "--prefix", OTHER_PREFIX)
    assert terminal.jrc(*words).code == 0
    with terminal.daemon(), following(terminal, *EVENTS, "--network", "hall") as follower:
        assert follower.line().split("\t")[:3] == ["NUMBER", "TIME", "EVENT"]
        assert "network.added" in follower.line()
        _change(terminal, 100, "lab")
        _change(terminal, 200, "hall")
        assert follower.line().split("\t")[2:5] == ["network.changed", "-", "hall"]


def test_a_restart_of_the_daemon_is_said_once_and_leaves_no_gap(terminal: Terminal) -> None:
    """Also what was changed while there was no daemon comes, once there is one again."""
    with (
        terminal.daemon() as daemon,
        following(terminal, *EVENTS, "--json", "--limit", "1") as follower,
    ):
        before = follower.event()["number"]
        daemon.kill()
        daemon.wait()
        assert follower.said() == "the daemon has gone; this goes on when it is back"
        _change(terminal, 100)
        with terminal.daemon():
            assert follower.said() == "the daemon is back"
            assert follower.event()["number"] == before + 1
            _change(terminal, 200)
            assert follower.event()["number"] == before + 2
            assert follower.end(signal.SIGINT) == 0
        assert follower.is_silent()


def test_a_daemon_that_is_told_to_stop_does_not_wait_for_followers(terminal: Terminal) -> None:
    """Their question is answered at once, so nothing is cancelled and logged."""
    with (
        terminal.daemon() as daemon,
        following(terminal, *EVENTS, "--json", "--limit", "1") as follower,
    ):
        follower.event()
        daemon.terminate()
        assert daemon.stdout is not None
        log = daemon.stdout.read()
        assert (daemon.wait(timeout=60), "ancel" in log) == (0, False)
        assert follower.said().startswith("the daemon has gone")


def test_without_a_daemon_there_is_nothing_to_follow(terminal: Terminal) -> None:
    """Exit code 3, and how to start one."""
    done = terminal.jrc("events", "--follow")
    assert (done.code, done.out) == (ExitCode.UNREACHABLE, "")
    assert "the daemon is not running\nhint: start it: " in done.err


@pytest.mark.parametrize("words", [("--limit", "0"), ("--limit", "1001"), ("--pledge", "xyz")])
def test_what_can_not_be_followed_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    """As without --follow."""
    with terminal.daemon():
        done = terminal.jrc("events", "--follow", *words)
    assert (done.code, "Traceback" in done.err) == (ExitCode.USAGE, False)
