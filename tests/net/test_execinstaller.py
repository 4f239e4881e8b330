"""The operator's program: what it gets, how it may end, and that nothing of it is left."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jrc.model import Secret
from jrc.net.execinstaller import ExecInstaller, program_environment
from jrc.net.runlock import RunLock
from jrc.service.key_document import MAX_SAID_BYTES
from jrc.service.ports import InstallOutcome

DOCUMENT = Secret(b'{"format": 1}\n')
PATIENCE_S = 60.0
INSTALLED = InstallOutcome(installed=True)


def script(folder: Path, text: str, shell: str = "/bin/sh") -> Path:
    """An executable program."""
    path = folder / "set-keys"
    path.write_text(f"#!{shell}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(*command: object, timeout_s: float = PATIENCE_S) -> InstallOutcome:
    """How a run ends."""
    with TemporaryDirectory() as folder:
        installer = ExecInstaller([str(word) for word in command], timeout_s, lock_in(folder))
        return asyncio.run(installer.install("lab", DOCUMENT))


def lock_in(folder: str | Path) -> Path:
    return Path(folder) / "run.lock"


def eventually(holds: Callable[[], bool]) -> None:
    """Return once something holds; fail if it does not in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_document_comes_on_stdin_and_exit_code_0_says_installed(tmp_path: Path) -> None:
    """All of it, and then the end of the stream."""
    assert run(script(tmp_path, f"cat > {tmp_path}/got")) == INSTALLED
    assert (tmp_path / "got").read_bytes() == DOCUMENT.reveal()


def test_arguments_are_given_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    """Blanks, quotes, dollars and semicolons mean nothing."""
    words = ["a b", "$HOME; exit 3", "'\"", ""]
    program = script(tmp_path, f"import json,sys\njson.dump(sys.argv[1:],open('{tmp_path}/w','w'))",
                     sys.executable)  # fmt: skip
    assert run(program, *words) == INSTALLED
    assert json.loads((tmp_path / "w").read_text()) == words


def test_a_program_has_a_clean_environment_a_session_and_no_other_file_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the lock; nothing of the daemon's sockets, credentials or variables reaches it."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LANG", "C.UTF-8")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    program = script(
        tmp_path,
        "import json, os\n"
        "fds = {int(n): os.readlink(f'/proc/self/fd/{n}').rpartition('/')[2]"
        " for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')}\n"
        "fds = [name for number, name in sorted(fds.items()) if number > 2]\n"
        f"json.dump([dict(os.environ), fds, os.getsid(0) == os.getpid(), os.getcwd()],"
        f" open('{tmp_path}/seen', 'w'))\n",
        sys.executable,
    )
    try:
        assert run(program) == INSTALLED
    finally:
        os.close(reading)
        os.close(writing)
    environment, descriptors, leads, folder = json.loads((tmp_path / "seen").read_text())
    environment.pop("LC_CTYPE", None)  # Python's own
    assert environment == {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "JRC_NETWORK": "lab"}
    assert (descriptors, leads, folder) == (["run.lock"], True, "/")


def test_an_environment_without_a_path_gets_the_usual_one() -> None:
    """A service manager may give none."""
    assert program_environment({}, "lab") == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "JRC_NETWORK": "lab",
    }


@pytest.mark.parametrize(
    ("text", "how", "said"),
    [
        ("exit 3", "exit code 3", b""),
        ("echo no radio >&2; echo second >&2; exit 1", "exit code 1", b"no radio\nsecond\n"),
        ("kill -9 $$", "ended by SIGKILL", b""),
        ("kill -40 $$", "ended by signal 40", b""),
    ],
)
def test_any_other_end_is_a_failure_with_what_it_said(
    tmp_path: Path, text: str, how: str, said: bytes
) -> None:
    """The exit code decides; what is printed to stdout is nobody's."""
    assert run(script(tmp_path, f"echo printed\n{text}")) == InstallOutcome(False, how, said)


def test_what_it_prints_has_no_bound_and_what_is_kept_has(tmp_path: Path) -> None:
    """Megabytes on both streams neither stop it nor are they held in memory."""
    noise = "head -c 5000000 /dev/zero"
    outcome = run(script(tmp_path, f"{noise}; {noise} >&2; exit 1"))
    assert outcome == InstallOutcome(False, "exit code 1", bytes(MAX_SAID_BYTES))


def test_a_program_that_reads_nothing_may_end_well() -> None:
    """What it does not read is its own affair."""
    assert run("/bin/true") == INSTALLED


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "missing", "No such file or directory"),
        (lambda folder: folder, "Permission denied"),
    ],
)
def test_a_program_that_can_not_be_started_is_a_failure(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    """No such file, or not executable."""
    assert run(make(tmp_path)) == InstallOutcome(False, f"can't be started ({why})")


def stubborn(folder: Path, then: str) -> Path:
    """A program that leaves a child in its group which hears no SIGTERM; ``pid`` names it."""
    return script(
        folder,
        f"(trap '' TERM; echo child >&2; while :; do sleep 0.1; done) &\necho $! > {folder}/pid\n"
        f"{then}\n",
    )


def left_by(folder: Path) -> int:
    return int((folder / "pid").read_text())


def test_a_program_that_hangs_is_ended_in_time_with_its_children(tmp_path: Path) -> None:
    """Its whole process group, those that hear no SIGTERM too."""
    program = stubborn(tmp_path, "trap '' TERM; while :; do sleep 0.1; done")
    began = time.monotonic()
    outcome = run(program, timeout_s=0.3)
    assert (outcome.installed, outcome.how) == (False, "took longer than 0.3 s")
    assert time.monotonic() - began < 10
    eventually(lambda: is_gone(left_by(tmp_path)))


def test_what_a_good_program_leaves_running_is_ended(tmp_path: Path) -> None:
    """The next run must not meet the remains of this one; its open stderr delays nothing."""
    assert run(stubborn(tmp_path, "exit 0")).installed
    eventually(lambda: is_gone(left_by(tmp_path)))


def test_a_child_that_has_left_the_group_does_not_hold_the_run_up(tmp_path: Path) -> None:
    """A service that it has started keeps its stderr open."""
    text = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' &\n"
    program = script(tmp_path, f"{text}while [ ! -s {tmp_path}/pid ]; do sleep 0.01; done")
    began = time.monotonic()
    try:
        assert run(program).installed
        assert time.monotonic() - began < 10
        assert not is_gone(left_by(tmp_path))
    finally:
        os.kill(left_by(tmp_path), signal.SIGKILL)


def test_a_run_that_is_called_off_ends_at_once(tmp_path: Path) -> None:
    """The daemon stops: SIGTERM first, which a program may take to leave its radio in order."""
    program = stubborn(
        tmp_path,
        f"trap 'echo heard > {tmp_path}/heard; exit 0' TERM\necho > {tmp_path}/ready\n"
        "while :; do sleep 0.1; done",
    )

    lock = lock_in(tmp_path)

    async def call_off() -> float:
        run = ExecInstaller([str(program)], 600, lock).install("lab", DOCUMENT)
        task = asyncio.create_task(run)
        await asyncio.to_thread(eventually, (tmp_path / "ready").exists)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(call_off()) < 5
    assert (tmp_path / "heard").exists()
    eventually(lambda: is_gone(left_by(tmp_path)))


@pytest.mark.parametrize("turns", range(1, 8))
def test_a_run_that_is_called_off_while_it_starts_ends_too(tmp_path: Path, turns: int) -> None:
    """The daemon stops in the very moment that a program is started: whatever was, is ended."""
    program = script(tmp_path, "sleep 600 &\nexec sleep 600")
    lock = lock_in(tmp_path)

    async def call_off() -> None:
        task = asyncio.create_task(
            ExecInstaller([str(program)], 600, lock).install("lab", DOCUMENT)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await task

    asyncio.run(call_off())
    RunLock.take(lock).give_back()  # which what is left of a run would hold


def started(program: Path, lock: Path) -> subprocess.Popen[bytes]:
    """Another process that runs a program, as a daemon that can be killed."""
    text = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom jrc.model import Secret\n"
        "from jrc.net.execinstaller import ExecInstaller\n"
        "one = ExecInstaller([sys.argv[1]], 600, Path(sys.argv[2]))\n"
        "asyncio.run(one.install('lab', Secret(b'')))\n"
    )
    return subprocess.Popen([sys.executable, "-c", text, str(program), str(lock)])


def test_a_run_that_outlives_its_daemon_keeps_the_next_one_from_beginning(tmp_path: Path) -> None:
    """After SIGKILL the program goes on; with its end the next run may begin."""
    program = script(tmp_path, f"echo $$ > {tmp_path}/pid\nexec sleep 600")
    lock = lock_in(tmp_path)
    daemon = started(program, lock)
    try:
        eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        eventually(lambda: lock.read_text() != "")
    finally:
        daemon.kill()
        daemon.wait()
    next_one = ExecInstaller(["/bin/true"], PATIENCE_S, lock)
    pid = left_by(tmp_path)
    try:
        outcome = asyncio.run(next_one.install("lab", DOCUMENT))
        how = f"an earlier run still goes on (process {pid})"
        assert outcome == InstallOutcome(False, how)
    finally:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: asyncio.run(next_one.install("lab", DOCUMENT)).installed)


def test_a_service_that_a_run_has_left_does_not_hold_the_next_one_up(tmp_path: Path) -> None:
    """It has the lock's file descriptor, but the run that has ended gave the lock back."""
    text = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' &\n"
    program = script(tmp_path, f"{text}while [ ! -s {tmp_path}/pid ]; do sleep 0.01; done")
    lock = lock_in(tmp_path)
    try:
        for command in (str(program), "/bin/true"):
            installer = ExecInstaller([command], PATIENCE_S, lock)
            assert asyncio.run(installer.install("lab", DOCUMENT)) == INSTALLED
        assert not is_gone(left_by(tmp_path))
    finally:
        os.kill(left_by(tmp_path), signal.SIGKILL)


def test_a_lock_that_can_not_be_made_is_a_failure(tmp_path: Path) -> None:
    """With the file's name."""
    installer = ExecInstaller(["/bin/true"], PATIENCE_S, tmp_path / "no" / "run.lock")
    outcome = asyncio.run(installer.install("lab", DOCUMENT))
    assert not outcome.installed
    assert "no/run.lock: No such file" in outcome.how
