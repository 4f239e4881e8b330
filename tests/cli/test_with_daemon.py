"""Commands beside a running daemon, each a process of its own as in real life."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import OTHER_PREFIX, PLEDGE, PSK, Terminal, environment, pledge_file


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A daemon with a network and a pledge."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    terminal.add_lab()
    with terminal.daemon():
        yield terminal


def test_commands_go_to_the_daemon_and_are_in_its_log_of_events(running: Terminal) -> None:
    """The daemon holds the lock, so nothing but its socket can have done it."""
    add = running.process(
        "network", "add", "hall", "--network-id", "beef", "--prefix", OTHER_PREFIX
    )
    assert (add.code, "beef" in add.out) == (0, True)
    assert {n["name"] for n in running.process("network", "list", "--json").json} == {"lab", "hall"}
    last = running.process("events", "--json", "--limit", "1").json[-1]
    assert (last["kind"], last["network"]) == ("network.added", "hall")
    assert last["actor"].startswith(f"uid={os.geteuid()}")


def test_status_tells_of_the_running_daemon(running: Terminal) -> None:
    """Version, process, addresses, pledges by state; exit code 0 while it answers joins."""
    found = running.process("status", "--json")
    assert found.code == 0
    assert found.json["ready"] is True
    assert found.json["listening"][0].startswith("[::1]:")
    assert found.json["pledges"]["provisioned"] >= 1
    assert "answers joins" in running.process("status").out


def test_the_socket_has_mode_0660(running: Terminal) -> None:
    """Owner and group."""
    mode = (running.folder / "admin.sock").stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o660)


def test_a_second_daemon_is_refused(running: Terminal) -> None:
    """And names the first."""
    done = running.process("run")
    assert done.code == ExitCode.UNREACHABLE
    assert "in use by process" in done.err
    assert "Traceback" not in done.err


def test_an_import_through_the_daemon_reports_rows(running: Terminal, tmp_path: Path) -> None:
    """More rows than one transaction takes, from standard input."""
    file = pledge_file(tmp_path / "p", [f"{n:016x},{os.urandom(16).hex()},n" for n in range(600)])
    body = file.read_bytes().replace(b"label\n", b"network\n").replace(b",n\n", b",lab\n")
    done = running.process("pledge", "import", "-", "--json", "--reason", "batch", stdin=body)
    assert (done.code, done.json["added"]) == (0, 600)
    assert len(running.process("pledge", "list", "--json").json) == 601


def test_a_reader_that_stops_early_is_no_error_of_ours(running: Terminal) -> None:
    """`jrc pledge list | head -1`: no traceback."""
    listing = subprocess.Popen(
        running.command("events", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.stderr is not None
    with listing.stderr as err:
        assert err.read() == b""
    assert listing.wait(timeout=90) == ExitCode.FAILED


def test_no_command_and_no_log_shows_a_key(tmp_path: Path) -> None:
    """Output of commands, arguments of processes, log of the daemon, bytes of the database."""
    terminal = Terminal(tmp_path / "r")
    terminal.init()
    terminal.add_lab()
    psk = os.urandom(16).hex()
    with terminal.daemon() as daemon:
        words = ("pledge", "add", "01", "--psk-file", "-")
        adding = terminal.process(*words, stdin=psk.encode())
        again = terminal.process("pledge", "add", "02", "--psk-file", "-", stdin=psk.encode())
        shown = [
            terminal.process(*command, "--json")
            for command in (("pledge", "list"), ("pledge", "show", "01"), ("events",), ("status",))
        ]
        daemon.terminate()
        assert daemon.stdout is not None
        log = daemon.stdout.read()
    assert (adding.code, again.code) == (0, ExitCode.REFUSED)
    kek = (terminal.folder / "kek").read_text().strip()
    for secret in (psk, PSK, kek):
        for done in (adding, again, *shown):
            assert secret not in done.out + done.err
        assert secret not in log
        for file in terminal.folder.glob("jrc.db*"):
            assert bytes.fromhex(secret) not in file.read_bytes()
            assert secret.encode() not in file.read_bytes()


def test_a_killed_daemon_leaves_a_database_that_commands_can_use(tmp_path: Path) -> None:
    """Its socket file is stale and its lock is gone with it."""
    terminal = Terminal(tmp_path / "r")
    terminal.init()
    terminal.add_lab()
    with terminal.daemon() as daemon:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(timeout=90)
        assert (terminal.folder / "admin.sock").exists()
        assert [p["pledge_id"] for p in terminal.process("pledge", "list", "--json").json] == [
            PLEDGE
        ]
        assert terminal.process("status").code == ExitCode.UNREACHABLE
    with terminal.daemon():
        assert terminal.process("status").code == 0


@contextmanager
def asking(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A command that asks a daemon, and the daemon's socket: the test is the daemon."""
    terminal = Terminal(folder / "r")
    terminal.init()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(terminal.folder / "admin.sock"))
        server.listen()
        words = terminal.command("network", "list")
        yield subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE), server


def test_a_daemon_that_hangs_up_is_exit_code_3(tmp_path: Path) -> None:
    """Killed in the middle of a command: a sentence, not a traceback."""
    with asking(tmp_path) as (command, server):
        for _ in range(2):  # the probe, then the request
            server.accept()[0].close()
        err = command.communicate(timeout=90)[1].decode()
    assert command.returncode == ExitCode.UNREACHABLE
    assert "broke the connection off" in err
    assert "Traceback" not in err


def test_sigterm_stops_the_daemon_with_exit_code_0(tmp_path: Path) -> None:
    """And takes the socket's file away."""
    terminal = Terminal(tmp_path / "r")
    terminal.init()
    with terminal.daemon() as daemon:
        daemon.terminate()
        assert daemon.wait(timeout=90) == 0
    assert not (terminal.folder / "admin.sock").exists()


def test_ctrl_c_in_a_command_is_exit_code_130(tmp_path: Path) -> None:
    """As shells expect."""
    with asking(tmp_path) as (command, server):
        server.accept()[0].close()
        waiting, _ = server.accept()
        waiting.recv(1000)
        command.send_signal(signal.SIGINT)
        err = command.communicate(timeout=90)[1]
        waiting.close()
    assert (command.returncode, b"Traceback" in err) == (130, False)


def test_a_change_is_in_force_when_the_command_returns(running: Terminal) -> None:
    """Read back over a connection of its own right after."""

    async def look() -> str:
        transport = httpx.AsyncHTTPTransport(uds=str(running.folder / "admin.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            state: str = (await client.get(f"/v1/pledges/{PLEDGE}")).json()["state"]
            return state

    for command, state in (
        (("revoke", PLEDGE, "--yes"), "revoked"),
        (("restore", PLEDGE), "provisioned"),
    ):
        assert running.process("pledge", *command).code == 0
        assert asyncio.run(look()) == state
