"""A host of its own that boots systemd: a container made of this host's /usr, or of that of another
tree, and nothing else.

Its /etc, /var and /usr/local are empty folders. The checkout and what its tests import are below
/usr/local/lib/tested, for who joins from inside. It has no network but loopback.
"""

import functools
import os
import pty
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tests import wheels
from tests.cli.terminal import converse

T = TypeVar("T")

CHECKOUT = Path(__file__).parents[2]
HERE = Path("/")
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
"""The interpreter inside: no other folder but /usr is there."""
TESTED = "/usr/local/lib/tested"
WHEELS = f"{TESTED}/wheels"
"""In place of an index, for pip inside."""
PATIENCE_S = 60.0
_LOOK_S = 0.05
_OF_USR = ("bin", "lib", "lib32", "lib64", "libexec", "sbin", "share")
_OF_ETC = ("os-release", "ld.so.cache", "manpath.config", "ssl/certs/ca-certificates.crt")
_ENTER = 'while [ $1 != -- ]; do echo $$ > $1/cgroup.procs; shift; done; shift; exec "$@"'
_INSIDE = ("sh", "-c", _ENTER, "sh")
"""Runs a command in control groups, with -- between them and it."""
_MASKED = ("getty.target", "systemd-logind.service", "dbus.service", "dbus.socket")
_BOOT = ("systemd.unit=multi-user.target", "systemd.show_status=no")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
    "HOME": "/root",
    "SYSTEMD_PAGER": "",  # else what is shown on a terminal waits for a key
}
_HAS_VENV = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
_NSPAWN = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
"""With `bpf` what IPAddressDeny= takes: it is in force inside, whatever this host boots with."""


@functools.cache
def why_not() -> str | None:
    """Why no container can be booted here, None where one can."""
    if os.geteuid() != 0:
        return "booting a container needs root"
    for command in ("systemd-nspawn", "systemctl", "nsenter", "ip"):
        if shutil.which(command) is None:
            return f"there is no {command} here"
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON}, which alone can load what is installed for this one"
    if subprocess.run([wheels.PYTHON, "-c", _HAS_VENV], check=False).returncode:
        return f"{wheels.PYTHON} is none that the install script takes: python3-venv"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        _fill(root, HERE)
        done = subprocess.run(
            _command(root, HERE, "/bin/true"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | _NSPAWN,
        )
    return f"systemd-nspawn: {done.stderr.strip()}" if done.returncode else None


class Machine:
    """A booted container; ``root`` is an empty folder, ``tree`` where its /usr is from."""

    def __init__(self, root: Path, tree: Path = HERE) -> None:
        self.root = root
        self._console = (root.parent / "console").open("wb")
        _fill(root, tree)
        self._groups = _new_groups()
        self._process = subprocess.Popen(
            [*_INSIDE, *map(str, self._groups), "--", *_command(root, tree, "--boot", *_BOOT)],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | _NSPAWN,
        )
        self.init = 0

    def wait_until_booted(self) -> None:
        """Return once systemd has started everything; fails with its console if it never does."""
        try:
            self.init = self.wait_for(self._child, "the container's first process")
            self.wait_for(self._is_up, "the end of the boot")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.console()}") from None

    def console(self) -> str:
        """The last of what it has said."""
        return (self.root.parent / "console").read_text(errors="replace")[-8000:]

    def _child(self) -> int:
        assert self._process.poll() is None, "systemd-nspawn has ended"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for found in children.read_text().split():
            with suppress(OSError):  # the one that makes its namespaces ends soon
                if Path(f"/proc/{found}/comm").read_text() == "systemd\n":
                    return int(found)
        return 0

    def _is_up(self) -> bool:
        assert self._process.poll() is None, "systemd-nspawn has ended"
        state = self.attempt("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def attempt(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A command inside, however it ends."""
        return subprocess.run(
            [*self._inside(), *command],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
            env=_ENVIRONMENT,
        )

    def run(self, *command: str, given: str = "") -> str:
        """What a command inside says, which must succeed."""
        done = self.attempt(*command, given=given)
        assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def type(self, text: str, answers: Sequence[str] = ()) -> str:
        """What root's terminal shows of a line of shell, which must succeed, with these answers."""
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "wb", 0) as terminal:
            process = subprocess.Popen(
                ["setsid", "--ctty", "--wait", *self._inside(), "sh", "-c", text],
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env=_ENVIRONMENT,
            )
        shown = converse(ours, answers, PATIENCE_S)
        assert process.wait(PATIENCE_S) == 0, (text, shown)
        return shown

    def _inside(self) -> Sequence[str]:
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        return ("nsenter", f"--target={self.init}", *spaces)

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """A command inside that goes on; its output is read as text."""
        return subprocess.Popen(
            [*self._inside(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def python(self, module: str, *arguments: str) -> Sequence[str]:
        """The command that runs a module of the checkout inside."""
        paths = f"{TESTED}/source:{TESTED}/packages"
        return ("env", f"PYTHONPATH={paths}", PYTHON, "-m", module, *arguments)

    def inside(self, path: str) -> Path:
        """Where a path of the container's is for us; of what is mounted there, as ``/run``, too."""
        return Path(f"/proc/{self.init}/root", path.lstrip("/"))

    def property(self, unit: str, name: str) -> str:
        """A property as systemd has it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal(self, *matches: str) -> str:
        """Entries of the journal, as JSON, an entry a line."""
        return self.run("journalctl", "--output=json", "--no-pager", *matches)

    def wait_for(self, look: Callable[[], T], what: str) -> T:
        """What ``look`` gives, once it is something."""
        ends_s = time.monotonic() + PATIENCE_S
        while not (found := look()):
            assert time.monotonic() < ends_s, f"{what} did not come"
            time.sleep(_LOOK_S)
        return found

    def stop(self) -> None:
        """End it, and all that runs inside."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self.init:
            with suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._console.close()
        self.wait_for(self._has_gone, "the end of its control groups")

    def _has_gone(self) -> bool:
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):  # its last processes are still ending
                    Path(folder).rmdir()
        return not any(group.exists() for group in self._groups)


def _fill(root: Path, tree: Path) -> None:
    """The folders of a host whose /usr is that of ``tree``."""
    tested = ("source", "packages", "wheels")
    ours = ("local/bin", "local/sbin", *(f"local/lib/tested/{name}" for name in tested))
    for name in (*_usr(tree), *ours):
        (root / "usr" / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        if (tree / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var/lib", "var/log/journal"):
        (root / name).mkdir(parents=True)
    _fill_etc(root / "etc", tree / "etc")


def _new_groups() -> list[Path]:
    """Control groups of a container's own: where two share one, each takes the other's for its."""
    places = {"": Path("/sys/fs/cgroup/unified"), "name=systemd": Path("/sys/fs/cgroup/systemd")}
    if not places[""].is_dir():
        places[""] = Path("/sys/fs/cgroup")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    ours = {kind: path for _, kind, path in (line.split(":", 2) for line in lines)}
    name = f"jrc-{secrets.token_hex(4)}"
    groups = [place / ours[kind][1:] / name for kind, place in places.items() if kind in ours]
    for group in groups:
        group.mkdir()
    return groups


def _usr(tree: Path) -> list[str]:
    """What of /usr is of the tree, and there."""
    return [name for name in _OF_USR if (tree / "usr" / name).is_dir()]


def _fill_etc(etc: Path, theirs: Path) -> None:
    (etc / "machine-id").write_text(secrets.token_hex(16) + "\n")
    (etc / "hostname").write_text("border-router\n")
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
        "alice:x:1000:1000:Alice:/tmp:/bin/sh\n"
    )
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\nalice:x:1000:\n")
    (etc / "nsswitch.conf").write_text("passwd: files systemd\ngroup: files systemd\n")
    for name in _OF_ETC:
        if (theirs / name).exists():
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(theirs / name, etc / name)
    (etc / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {WHEELS}\n")
    for unit in _MASKED:
        link = etc / "systemd/system" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/dev/null")


def _command(root: Path, tree: Path, *what: str) -> list[str]:
    binds = [
        *(f"{tree / 'usr' / name}:/usr/{name}" for name in _usr(tree)),
        f"{CHECKOUT}:{TESTED}/source",
        f"{sysconfig.get_path('platlib')}:{TESTED}/packages",
    ]
    return [
        "systemd-nspawn",
        "--quiet",
        f"--directory={root}",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--system-call-filter=bpf",
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        f"--machine=jrc-{secrets.token_hex(4)}",
        *(f"--bind-ro={bind}" for bind in binds),
        *what,
    ]
