"""`jrc wpan`, and what `jrc doctor` says of it."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jrc.cli import main, wpan
from jrc.cli.diagnosis import installers
from jrc.errors import ExitCode
from jrc.net.framecounter import CounterFile
from jrc.net.helperinstaller import HelperInstaller
from jrc.net.linuxinstaller import NOT_TRIED
from tests.cli.examined import FAILURE, SKIPPED, SUCCESS, append, one
from tests.cli.terminal import Terminal
from tests.net.bench import BEFORE

_PASSED = """
import os, sys
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
from jrc.cli.main import main
sys.exit(main(["wpan", "nosuch0", "--user", str(os.geteuid())]))
"""


def test_it_is_started_by_a_service_manager_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand there is no socket; the sentence names the unit."""
    assert main.main(["wpan", "wpan0"]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "no socket was passed in" in said
    assert "systemctl enable --now jrc-wpan@wpan0.socket" in said


@pytest.mark.parametrize("name", ["", "a/b", "wpan0 wpan1", "x" * 16])
def test_what_can_be_no_interface_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The instance of a unit is anything that somebody types."""
    assert main.main(["wpan", name]) == ExitCode.USAGE
    assert "is no name of an interface" in capsys.readouterr().err


def test_the_program_answers_on_the_socket_that_it_is_given(tmp_path: Path) -> None:
    """As systemd passes it: there is no such radio on this host, and no key in what it says."""
    path, ready = tmp_path / "wpan.sock", tmp_path / "ready"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        listener.bind(str(path))
        listener.listen()
        manager.bind(str(ready))
        manager.settimeout(60)
        with subprocess.Popen(
            [sys.executable, "-c", f"import os; os.dup2(0, 3)\n{_PASSED}"],
            stdin=listener.fileno(),
            stderr=subprocess.PIPE,
            env={**os.environ, "NOTIFY_SOCKET": str(ready)},
            text=True,
        ) as helper:
            try:
                assert manager.recv(64) == b"READY=1"
                memory = CounterFile(tmp_path / "counter")
                made = HelperInstaller("nosuch0", 10.0, tmp_path / "lock", memory, path)
                outcome = asyncio.run(made.install("lab", BEFORE))
            finally:
                helper.terminate()
            said = helper.communicate(timeout=60)[1]
    assert not outcome.installed
    assert outcome.how in said
    assert "Traceback" not in said


def test_doctor_asks_the_helper(
    made: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not root is not listened to; the daemon itself needs no privilege then."""
    path = tmp_path / "wpan0.sock"
    text = '[[installer]]\nnetwork = "lab"\nkind = "linux"\ninterface = "wpan0"\n'
    append(made, f'{text}helper = "{path}"\n')
    rights = one(made, "rights")
    assert (rights.status, "helper" in rights.what) == (SUCCESS, True)
    asked = []
    for user in (1000, 0):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        found, not_tried = installers.look_at_radio("wpan0", path, has_proxy=False)
        assert NOT_TRIED in not_tried.what
        asked.append(found)
    assert [each.status for each in asked] == [SKIPPED, FAILURE]
    assert "can't be reached" in asked[1].what
    assert asked[1].hint == (
        "systemctl enable --now jrc-wpan@wpan0.socket; where it was started too often: systemctl"
        " reset-failed jrc-wpan@wpan0.socket jrc-wpan@wpan0.service, and the same again"
    )


def test_the_user_is_that_of_the_service() -> None:
    """Which no config file names."""
    assert wpan.REGISTRARS_USER == "jrc-daemon"
