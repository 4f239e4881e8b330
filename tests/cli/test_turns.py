"""Commands and a daemon that begin at the same moment: neither makes the other fail."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.terminal import PREFIX, PSK, Terminal, environment

_PATIENCE_S = 60.0
_LOOK_AGAIN_S = 0.02
_TURNS = 5
"""So often the daemon has slept since it began: it looks for the lock again and again."""


@contextmanager
def _started(terminal: Terminal, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        terminal.command(*words),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=_PATIENCE_S)


def _wait_until_ready(daemon: subprocess.Popen[bytes]) -> None:
    assert daemon.stderr is not None
    said = [line for line in iter(daemon.stderr.readline, b"") if _goes_on(line)]
    assert daemon.poll() is None, said


def _goes_on(line: bytes) -> bool:
    if b'"ready"' in line:
        raise StopIteration
    return True


def test_commands_are_carried_out_while_the_daemon_starts(terminal: Terminal) -> None:
    """`jrc run &`, and the next lines of a script at once."""
    given = f"pledge_id,psk\n0200000000000001,{PSK}\n".encode()
    with _started(terminal, "run") as daemon:
        add = terminal.process("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX)
        assert (0, "") == (add.code, add.err)
        done = terminal.process("pledge", "import", "-", stdin=given)
        assert (0, True) == (done.code, "1 added" in done.err)
        assert daemon.poll() is None
    assert daemon.returncode == 0
