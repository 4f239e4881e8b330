"""``jrc rollover`` beside a running daemon: waiting, watching, restarts, metrics."""

import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.cli.reporting import INTERRUPTED
from jrc.errors import ExitCode
from tests.cli.follower import following
from tests.cli.rolled import node_id, registrar
from tests.cli.terminal import Terminal

START = ("rollover", "start", "lab", "--yes", "--wait")
FAST = """
[rollover]
guard_time_s = 0.2
ack_timeout_s = 0.2
max_retransmit = 0

[metrics]
listen = "127.0.0.1:{}"
"""


def _free_port() -> int:
    """A TCP port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _registrar(folder: Path, nodes: int) -> Terminal:
    return registrar(folder, nodes, config=FAST.format(_free_port()))


def test_a_yes_to_an_abort_leaves_a_revocation_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody revokes a stolen device while another one is asked about the rollover before."""
    made = _registrar(tmp_path, 2)

    def revoke_meanwhile(_plan: object, *, yes: bool) -> None:
        assert not yes
        assert made.jrc("pledge", "revoke", node_id(1), "--yes", "--reason", "stolen").code == 0

    with made.daemon():
        assert made.jrc(*START[:-1], "--at", "2126-11-22T02:00Z").code == 0
        with monkeypatch.context() as patch:
            patch.setattr("jrc.cli.rollover.confirm", revoke_meanwhile)
            done = made.jrc("rollover", "abort", "lab")
        found = made.jrc("rollover", "status", "lab", "--json").json
    assert (found["id"], found["cause"], found["ended"]) == (2, "revocation", None)
    assert done.code == ExitCode.REFUSED
    assert "another rollover has taken its place" in done.err
    assert "(cause: revocation)" in done.err


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Terminal]:
    """A daemon with a network that nobody has joined: its rollovers are over in no time."""
    terminal = _registrar(tmp_path, 0)
    with terminal.daemon():
        yield terminal


@pytest.fixture
def empty_with_radio(tmp_path: Path) -> Terminal:
    """A registrar with an installer that fails until a file ``radio`` is there."""
    terminal, program = _registrar(tmp_path, 0), tmp_path / "installer"
    check = f"test -e {tmp_path / 'radio'} || {{ echo no radio here >&2; exit 1; }}"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\n{check}\n")
    program.chmod(0o700)
    section = f'\n[[installer]]\nnetwork = "lab"\nkind = "exec"\ncommand = ["{program}"]\n'
    terminal.config.write_text(f"{terminal.config.read_text()}{section}retry_s = 60\n")
    return terminal


@pytest.fixture
def deaf(tmp_path: Path) -> Terminal:
    """A registrar whose two nodes never answer; its daemon is the test's."""
    return _registrar(tmp_path, 2)


def test_a_script_can_wait_for_the_end(empty: Terminal) -> None:
    """Exit code 0; the document on one output, what happens meanwhile on the other."""
    done = empty.process(*START, "--json")
    assert (done.code, done.json["phase"], "nodes" in done.json) == (0, "done", False)
    last = done.err.splitlines()[-1]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ lab: done, key id 2", last)
    again = empty.process("rollover", "watch", "lab")
    assert (again.code, "lab: done, key id 2" in again.out, again.err) == (0, True, "")


def test_on_a_terminal_it_is_a_table_with_a_bar(empty: Terminal) -> None:
    """The last picture stays."""
    code, shown = empty.typed(*START)
    assert (code, "━" in shown, "lab: done, key id 2" in shown) == (0, True, True)
    code, shown = empty.typed("rollover", "watch")
    assert (code, "━" in shown, "lab: done, key id 2" in shown) == (0, True, True)


def test_what_does_not_end_in_time_is_exit_code_5(deaf: Terminal) -> None:
    """It goes on, and can be watched until somebody calls it off, which is exit code 1."""
    with deaf.daemon():
        done = deaf.process(*START, "--timeout", "2s")
        assert (done.code, done.out) == (ExitCode.UNFINISHED, "")
        assert "lab: not finished in the time that was given; the rollover goes on" in done.err
        with following(deaf, "rollover", "watch", "lab") as watching:
            watching.until("lab: distributing, key id 2 in place of key id 1; 0 of 2 6LNs reached")
            assert deaf.process("rollover", "abort", "lab", "--yes").code == 0
            assert watching.end() == ExitCode.FAILED
            watching.until("lab: aborted")


def test_a_pause_ends_the_wait_and_the_watching_of_a_script(deaf: Terminal) -> None:
    """Exit code 5, and what to do about it."""
    with deaf.daemon(), following(deaf, *START) as waiting:
        waiting.until("lab: distributing", err=True)
        with following(deaf, "rollover", "watch") as watching:
            watching.until("lab: distributing")
            assert deaf.process("rollover", "pause", "lab", "--reason", "noise").code == 0
            assert waiting.end() == ExitCode.UNFINISHED
            assert watching.end() == ExitCode.UNFINISHED
            assert '("noise"): `jrc rollover resume lab`' in watching.until("lab: paused")
            assert watching.is_silent()


def test_ctrl_c_ends_the_watching_alone(deaf: Terminal) -> None:
    """Exit code 0: it was only looked at."""
    with deaf.daemon():
        assert deaf.process(*START[:-1]).code == 0
        with following(deaf, "rollover", "watch") as watching:
            watching.until("lab: distributing")
            assert watching.end(signal.SIGINT) == 0


def test_a_resumed_rollover_that_a_revocation_replaces_is_aborted(deaf: Terminal) -> None:
    """Exit code 1 for who waits for it, although the other one is done; watching goes on to that.

    A script that resumes a rollover is not told that its keys are in force when others are.
    """
    with deaf.daemon():
        assert deaf.process(*START[:-1]).code == 0
        assert deaf.process("rollover", "pause", "lab").code == 0
        with following(deaf, "rollover", "resume", "lab", "--wait", "--json") as waiting:
            waiting.until("lab: distributing", err=True)
            with following(deaf, "rollover", "watch", "lab") as watching:
                watching.until("lab: distributing")
                words = ("pledge", "revoke", node_id(1), node_id(2), "--yes")
                assert deaf.process(*words).code == 0
                assert (waiting.end(), watching.end()) == (ExitCode.FAILED, ExitCode.DONE)
                watching.until("lab: aborted, key id 2 in place of key id 1")
                watching.until("lab: done (revocation), key id 3 in place of key id 1")
            assert waiting.until('"phase": ') == '  "phase": "aborted",'
            waiting.until("lab: another rollover (revocation) has taken its place", err=True)


def test_an_installer_that_fails_is_shown_with_its_error_and_its_next_try(
    empty_with_radio: Terminal,
) -> None:
    """The switch waits for it; mended, it is no trouble any more."""
    terminal, radio = empty_with_radio, empty_with_radio.folder / "radio"
    with terminal.daemon():
        with following(terminal, *START) as waiting:
            said = waiting.until("installer lab/exec has failed", err=True)
            assert "no radio here, again at 20" in said
        found = terminal.process("rollover", "status", "--json").json
        run = found["installers"]["lab/exec"]
        assert (found["phase"], run["installed"], run["failures"] >= 1) == (
            "switching",
            False,
            True,
        )
        assert "no radio here" in run["error"]
        assert found["installers"]["lab/exec"]["next"] > run["tried"]
        shown = terminal.process("rollover", "status").out
        heading, row = shown[shown.index("INSTALLER") :].splitlines()[:2]
        cells = dict(zip(heading.split("\t"), row.split("\t"), strict=True))
        assert (cells["INSTALLER"], cells["HAS THE KEYS"]) == ("lab/exec", "no")
        assert cells["NEXT TRY"].endswith("Z")
        assert "no radio here" in cells["TROUBLE"]
        radio.write_text("")
        assert terminal.process("network", "install", "lab").code == 0
        assert terminal.process("rollover", "watch").code == 0
        run = terminal.process("rollover", "status", "--json").json["installers"]["lab/exec"]
        assert (run["installed"], run["failures"], run["error"], run["next"]) == (
            True, 0, None, None
        )  # fmt: skip


def test_ctrl_c_leaves_it_running(deaf: Terminal) -> None:
    """And says so."""
    with deaf.daemon(), following(deaf, *START) as waiting:
        waiting.until("lab: distributing", err=True)
        assert waiting.end(signal.SIGINT) == INTERRUPTED
        assert waiting.until("goes on without this command", err=True).startswith("lab: ")
        assert deaf.process("rollover", "status", "--json").json["phase"] == "distributing"


def test_watching_outlives_the_daemon(deaf: Terminal) -> None:
    """A killed one as well; the rollover is where it was."""
    with deaf.daemon() as daemon, following(deaf, *START) as waiting:
        waiting.until("lab: distributing", err=True)
        with following(deaf, "rollover", "watch") as watching:
            watching.until("lab: distributing")
            daemon.kill()
            daemon.wait()
            for each in (waiting, watching):
                each.until("the daemon has gone; this goes on when it is back", err=True)
            with deaf.daemon():
                for each in (waiting, watching):
                    each.until("the daemon is back", err=True)
                assert deaf.process("rollover", "abort", "lab", "--yes").code == 0
                assert (waiting.end(), watching.end()) == (ExitCode.FAILED, ExitCode.FAILED)


def test_nodes_that_do_not_answer_are_shown(deaf: Terminal) -> None:
    """A line where one has been tried to the end, and on top of the table of a terminal."""
    with deaf.daemon():
        assert deaf.process(*START, "--timeout", "1s").code == ExitCode.UNFINISHED
        with following(deaf, "rollover", "watch", "lab") as watching:
            watching.until(f"{node_id(1)} unreachable (attempt 1): ")
        code, shown = deaf.typed("rollover", "status", "lab")
        assert (code, node_id(1) in shown, "unreachable" in shown) == (0, True, True)


def test_what_was_never_started_can_not_be_watched(empty: Terminal) -> None:
    """The hint starts one."""
    done = empty.process("rollover", "watch")
    assert (done.code, done.out) == (ExitCode.REFUSED, "")
    assert "network lab has had no rollover\nhint: `jrc rollover start lab`" in done.err


def test_metrics_and_status_tell_of_keys_and_rollovers(deaf: Terminal) -> None:
    """As of a look of the daemon, which is at its start and now and then."""
    assert deaf.process(*START[:-1]).code == 0
    with deaf.daemon():
        status = deaf.process("status", "--json").json
        url = f"http://{status['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            metrics = answer.read().decode()
    assert status["keys"]["lab"]["in_force_since"].endswith("Z")
    assert status["keys"]["lab"]["rollover"] == "distributing"
    assert 'jrc_rollover_phase{network="lab",phase="distributing"} 1.0' in metrics
    assert 'jrc_rollover_nodes{network="lab",state="pending"} ' in metrics
    assert 'jrc_network_key_age_seconds{network="lab"} ' in metrics
    assert 'jrc_updates_total{outcome="acknowledged"} 0.0' in metrics
