"""Commands and a daemon that begin at the same moment: neither makes the other fail."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli.terminal import PREFIX, PSK, Terminal, environment

_PATIENCE_S = 60.0
_LOOK_AGAIN_S = 0.02
_TURNS = 5
"""So often the daemon has slept since it began to run: it looks for the lock again and again."""


@contextmanager
def _started(terminal: Terminal, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        terminal.command(*words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
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
    said = []
    for line in daemon.stderr:
        if b'"ready"' in line:
            return
        said.append(line)
    raise AssertionError(said)


def test_commands_are_carried_out_while_the_daemon_starts(terminal: Terminal) -> None:
    """`jrc run &`, and the next lines of a script at once."""
    given = f"pledge_id,psk\n0200000000000001,{PSK}\n".encode()
    with _started(terminal, "run") as daemon:
        add = terminal.process("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX)
        assert (0, "") == (add.code, add.err)
        done = terminal.process("pledge", "import", "-", stdin=given)
        assert (0, True) == (done.code, "1 added" in done.err)
        _wait_until_ready(daemon)


def test_a_daemon_waits_for_a_command_that_has_the_database(terminal: Terminal) -> None:
    """A unit at boot: an import is under way, and the daemon starts when that is over."""
    lock = terminal.folder / "jrc.db.lock"
    with _started(terminal, "pledge", "import", "-") as command:
        _until(lambda: lock.exists() and lock.read_text() == f"{command.pid}\n")
        with _started(terminal, "run") as daemon:
            _wait_until_it_looks_again(daemon)
            command.communicate(timeout=_PATIENCE_S)
            _wait_until_ready(daemon)


def _until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(_LOOK_AGAIN_S)


def _wait_until_it_looks_again(daemon: subprocess.Popen[bytes]) -> None:
    """Return once the daemon has an event loop and has slept in it some times, or has ended."""
    _until(lambda: daemon.poll() is not None or _has_loop(daemon.pid))
    enough = _sleeps(daemon.pid) + _TURNS
    _until(lambda: daemon.poll() is not None or _sleeps(daemon.pid) >= enough)


def _has_loop(pid: int) -> bool:
    targets = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            targets.add(str(file.readlink()))
    return "anon_inode:[eventpoll]" in targets


def _sleeps(pid: int) -> int:
    """So often it has waited for something, 0 where it has ended (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
