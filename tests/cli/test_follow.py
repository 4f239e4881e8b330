"""``jrc events --follow``: new entries as they come, also across restarts of the daemon."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PREFIX, Terminal, environment

WITHIN_S = 20


class Follower:
    """A ``jrc events --follow`` as a process, with a thread for each of its outputs."""

    def __init__(self, terminal: Terminal, *words: str) -> None:
        self.process = subprocess.Popen(
            terminal.command("events", "--follow", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self._out, self._err = Queue[str](), Queue[str]()
        for stream, queue in ((self.process.stdout, self._out), (self.process.stderr, self._err)):
            assert stream is not None
            Thread(target=_read, args=(stream, queue), daemon=True).start()

    def line(self) -> str:
        """The next line of standard output."""
        return self._out.get(timeout=WITHIN_S)

    def said(self) -> str:
        """The next line of standard error."""
        return self._err.get(timeout=WITHIN_S)

    def event(self) -> Any:
        """The next line as JSON."""
        return json.loads(self.line())

    def is_silent(self) -> bool:
        """Whether nothing more stands on either output, now that the process has ended."""
        return self._out.empty() and self._err.empty()


def _read(stream: IO[bytes], queue: "Queue[str]") -> None:
    with stream:
        for line in stream:
            queue.put(line.decode().rstrip("\n"))


@contextmanager
def following(terminal: Terminal, *words: str) -> Iterator[Follower]:
    follower = Follower(terminal, *words)
    try:
        yield follower
    finally:
        follower.process.kill()
        follower.process.wait()


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
    with terminal.daemon(), following(terminal, "--json", "--limit", "1") as follower:
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
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.wait(timeout=WITHIN_S) == 0
        assert follower.is_silent()


def test_only_what_was_asked_for_is_shown(terminal: Terminal) -> None:
    """Others pass by; columns where it is no JSON."""
    words = ("network", "add", "hall", "--network-id", "beef", "--prefix", PREFIX)
    assert terminal.jrc(*words).code == 0
    with terminal.daemon(), following(terminal, "--network", "hall") as follower:
        assert follower.line().split("\t")[:3] == ["NUMBER", "TIME", "EVENT"]
        assert "network.added" in follower.line()
        _change(terminal, 100, "lab")
        _change(terminal, 200, "hall")
        assert follower.line().split("\t")[2:5] == ["network.changed", "-", "hall"]


def test_a_restart_of_the_daemon_is_said_once_and_leaves_no_gap(terminal: Terminal) -> None:
    """Also what was changed while there was no daemon comes, once there is one again."""
    with terminal.daemon() as daemon, following(terminal, "--json", "--limit", "1") as follower:
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
            follower.process.send_signal(signal.SIGINT)
            assert follower.process.wait(timeout=WITHIN_S) == 0
        assert follower.is_silent()


def test_a_daemon_that_is_told_to_stop_does_not_wait_for_followers(terminal: Terminal) -> None:
    """Their question is answered at once, so nothing is cancelled and logged."""
    with terminal.daemon() as daemon, following(terminal, "--json", "--limit", "1") as follower:
        follower.event()
        daemon.terminate()
        _, log = daemon.communicate(timeout=2.5)
        assert (daemon.returncode, b"ancel" in log) == (0, False)
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
