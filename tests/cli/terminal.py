"""Commands as a person gives them: in this process, or as processes of their own."""

import atexit
import fcntl
import io
import json
import os
import pty
import select
import shutil
import socket
import struct
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from jrc.cli.main import main
from jrc.errors import ExitCode
from jrc.service.key_records import NewSlot, SlotKind
from jrc.store.database import Database
from jrc.store.keyfile import new_key, read_key
from jrc.store.keyslots import recovery_public_key
from jrc.store.registry import StoreRegistry
from tests import forked
from tests.at_home import at_home
from tests.forked import JRC, Forked

PREFIX, OTHER_PREFIX = "2001:db8:0:1::/64", "2001:db8:0:2::/64"
PLEDGE = "00124b0014b5b67e"
SILENCE_S = 30
QUESTIONS = (b"[y/N]: ", b"(hex): ", b"assphrase: ", b"confirmation: ")
"""How what asks on a terminal ends."""
PSK = "6d1f9c0a73e84b52a9c7d0e15f3b8264"


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def add_recovery_slot(folder: Path) -> None:
    """A second key slot, as one alone is warned of; done without a command, for the time it takes.

    Nobody has its identity.
    """
    slot_key = read_key(folder / "kek")
    public_key = recovery_public_key(new_key())
    slot = NewSlot("second", SlotKind.RECOVERY, public_key=public_key)
    with closing(Database.open(f"sqlite:///{folder / 'jrc.db'}", slot_key)) as database:
        database.write(lambda tx: StoreRegistry(tx).sealing.add(slot_key, slot), 1)


class Terminal:
    """Gives commands with the config file in ``folder``; standard input is no terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"

    def jrc(self, *words: str, stdin: bytes = b"", config: bool = True) -> Done:
        """The command, carried out in this process."""
        out, err = io.StringIO(), io.StringIO()
        before = ["--config", str(self.config)] if config else []
        typed = io.TextIOWrapper(io.BytesIO(stdin))
        with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", typed):
            code = main([*before, *words])
        return Done(int(code), out.getvalue(), err.getvalue())

    def command(self, *words: str) -> list[str]:
        """The command as a process has it."""
        return [sys.executable, "-m", "jrc.cli.main", "--config", str(self.config), *words]

    def process(self, *words: str, stdin: bytes = b"") -> Done:
        """The command, carried out by a process of its own."""
        done = forked.run(*self.command(*words)[2:], given=stdin)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def typed(self, *words: str, answer: str = "") -> tuple[int, str]:
        """Exit code and what a terminal shows of a command that gets ``answer`` typed."""
        return typed(self.command(*words)[3:], [answer] if answer else [])

    def init(self, *, recovery: bool = True, anew: bool = False) -> None:
        """A registrar that listens on a free port of loopback; ``recovery``: with two slots.

        Its keys are those of the others of this process, but where it is made ``anew``.
        """
        template = _made(recovery) if anew else _template(recovery)
        shutil.copytree(template, self.folder, dirs_exist_ok=True)
        at_home(self.folder)
        text = self.config.read_text().replace(str(template), str(self.folder))
        self.config.write_text(text.replace("[::]:5683", f"[::1]:{free_port()}"))

    def add_lab(self) -> None:
        """A network called lab and one pledge."""
        assert (
            self.jrc("network", "add", "lab", "--network-id", "cafe", "--prefix", PREFIX).code == 0
        )
        assert self.add_pledge().code == 0

    def add_pledge(self, identifier: str = PLEDGE, psk: str = PSK, *more: str) -> Done:
        """A pledge with its key on standard input."""
        words = ("pledge", "add", identifier, "--psk-file", "-", *more)
        return self.jrc(*words, stdin=psk.encode())

    @contextmanager
    def daemon(self) -> Iterator[Forked]:
        """`jrc run` as a process, until it answers; stopped by SIGTERM."""
        daemon = forked.piped(*self.command("run")[2:], environ=environment())
        assert daemon.stdout is not None
        with daemon.stdout as log:
            try:
                for line in log:
                    if '"ready"' in line:
                        break
                else:
                    raise AssertionError("the daemon did not come up")
                yield daemon
            finally:
                daemon.terminate()
                log.read()
                daemon.wait(timeout=90)


@cache
def _template(recovery: bool) -> Path:
    """The folder of a new registrar, to be copied: to make one takes a tenth of a second."""
    return _made(recovery)


def _made(recovery: bool) -> Path:
    above = Path(mkdtemp(prefix="jrc-test-"))
    atexit.register(shutil.rmtree, above, ignore_errors=True)
    folder = above / "registrar"
    # Not in this process, where the test that comes first may have changed something.
    done = forked.run(JRC, "init", "--dir", str(folder))
    assert done.returncode == 0, done.stderr
    if recovery:
        add_recovery_slot(folder)
    return folder


def environment() -> dict[str, str]:
    """Nothing of the service manager's, or of this terminal's size."""
    left_out = {"NOTIFY_SOCKET", "COLUMNS", "LINES", "PYTHONUNBUFFERED"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def _read_terminal(terminal: int, silence_s: float = SILENCE_S) -> bytes:
    """The next piece; Linux reports the far side's end as an error.

    Raises:
        AssertionError: none comes, as of a command that asks what nobody has an answer to.
    """
    assert select.select([terminal], [], [], silence_s)[0], "the command says no more, and waits"
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def free_port() -> int:
    """A UDP port that nobody has just now."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        port: int = probe.getsockname()[1]
        return port


def typed(
    words: Sequence[str],
    answers: Sequence[str],
    environ: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> tuple[int, str]:
    """Exit code and what a terminal shows of `jrc`, whose questions get the answers in turn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = Forked(
        JRC,
        *words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        environ=environ or environment(),
        new_session=True,
        folder=folder,
    )
    os.close(theirs)
    shown = converse(ours, answers)
    return command.wait(timeout=90), shown


def converse(terminal: int, answers: Sequence[str], silence_s: float = SILENCE_S) -> str:
    """What a command shows on a terminal until it ends; its questions get the answers in turn."""
    shown, asked, left = bytearray(), 0, list(answers)
    try:
        while piece := _read_terminal(terminal, silence_s):
            shown += piece
            if left and len(shown) > asked and shown.endswith(QUESTIONS):
                os.write(terminal, left.pop(0).encode())
                asked = len(shown)
    finally:
        os.close(terminal)  # which hangs up, so that a command that still waits ends
    return shown.decode()


def pledge_file(path: Path, rows: Sequence[str], header: str = "pledge_id,psk,label") -> Path:
    """A CSV file of pledges that only its owner reads."""
    path.write_text("\n".join((header, *rows, "")))
    path.chmod(0o600)
    return path


def one_sentence(done: Done, code: ExitCode) -> None:
    """Assert that a command has failed, and has said so and nothing else."""
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
