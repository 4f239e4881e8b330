"""A place to paste commands of documents in: a folder with a registrar, and its programs.

`jrc` there is a few lines that hand arguments, files and folder to this process, which forks the
real one: an interpreter with its imports would take a second of each command. `ssh HOST` and
`sudo` do on this host, as this user, what they are told; `pip` puts nothing into the environment of
the tests, and `make` sets up none. ``/etc/jrc`` and such are below it. The terminal is one for all
commands: where `cd` has gone and what `export` has set, the next one finds.
"""

import atexit
import json
import os
import re
import secrets
import select
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from tests import forked
from tests.at_home import at_home
from tests.certificates import self_signed
from tests.cli.terminal import Terminal, environment, free_port, typed
from tests.forked import CHECKOUT, JRC, Forked

PLEDGE, OTHER, ROUTER = "00124b0014b5b67e", "00124b0014b5b67f", "00124b0014b5b601"
PATIENCE_S = 120
POLL_S = 0.02
QUICK = "[rollover]\nguard_time_s = 1\nrate_bytes_per_s = 100000"
"""What lets a rollover end soon."""
_ROOTED = re.compile(r"(?<![\w./])/(?=(?:etc|mnt|media|var|run|srv)/)")
"""Where a path of the system begins."""
_OF_THE_SHELL = ("cd", "export", "unset", ".")
_FOLDERS = ("etc/jrc", "mnt/stick", "media/usb", "var/backups/jrc", "var/lib/jrc", "run/jrc")
_KEY_FILES = ("key.hex", "next.hex", "new.hex", "mote2.hex", "proxy.psk", "etc/jrc/proxy.psk")
_CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    order = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(order).to_bytes(4)], [0, 1, 2])
    server.sendall(order)
    sys.exit(int.from_bytes(server.recv(4)))
"""
_PROGRAMS: Mapping[str, str] = {
    "jrc": 'exec {python} -IS {client} "$@"',
    "ssh": 'shift; exec "$@"',
    "sudo": 'case $1 in -u) shift 2;; esac; exec "$@"',
    "age": f'exec {{python}} {CHECKOUT}/tests/documents/age.py "$@"',
    "jq": "exec cat >/dev/null",
    "laze": f"exec cat {CHECKOUT}/tests/provision/consoles/ariel-os.log",
    "pass": f"echo {secrets.token_hex(16)}",
    "pip": '{python} -m pip --quiet --disable-pip-version-check "$@" --target pip'
    " --no-index --no-deps --no-build-isolation",
    "make": f'exec {shutil.which("make")} -o .venv/.ready -o .venv/.locked "$@"',
}
"""`age`, `jq`, `laze` and `pass` stand for programs that a host may not have."""
_COPIED = ("deploy",)
"""Folders of a checkout that commands write into."""
_NOT_LINKED = ("dist", "build", "registrar")


class Sandbox:
    """A context manager; what runs in it when it ends is ended."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="jrc-docs-"))
        self.terminal = Terminal(self.folder / "registrar")
        self._running: list[Forked] = []
        self._background: list[subprocess.Popen[bytes]] = []
        self._at = self.folder
        self._exported: dict[str, str] = {}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.folder / "orders"))
        self._server.listen()
        self._place_programs()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in reversed(self._running):
            _end(process)
        for program in self._background:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        self._server.shutdown(socket.SHUT_RDWR)  # which wakes who waits for a command
        self._server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What is there

    def furnish(self, more: str) -> None:
        """A registrar, with ``more`` in its config, and the files that documents speak of."""
        self.terminal.init()
        with self.terminal.config.open("a") as config:
            config.write(f"{QUICK}\n")
            config.write(f'[lab]\nnodes = "[::1]:{free_port()}"\n{more}')
        for name in _FOLDERS:
            (self.folder / name).mkdir(parents=True)
        for name in _KEY_FILES:
            self.write(name, secrets.token_hex(16) + "\n")
        self.write("ids.txt", "".join(f"00124b0014b5b7{n:02x}\n" for n in range(3)))
        certificate = self_signed(self.folder)
        certificate.certificate.rename(self.folder / "fullchain.pem")
        certificate.private_key.rename(self.folder / "privkey.pem")
        keys = [{"key_id": n, "key_usage": usage, "value": secrets.token_hex(16)}
                for n, usage in ((1, 6), (2, 12))]  # fmt: skip
        self.write("keys.json", json.dumps({"version": 1, "keys": keys}))
        self.write("pledges.csv", _rows("pledge_id,psk", 3, 0x10))
        self.write("vendor.csv", _rows("Device EUI,Install Key,Serial No", 3, 0x20, ",7"))
        first = ((ROUTER, "6lbr"), (PLEDGE, "6ln"), (OTHER, "6ln"))
        rows = [f"{name},{secrets.token_hex(16)},{role}\n" for name, role in first]
        self.write("devices.csv", "pledge_id,psk,role\n" + "".join(rows))

    def add_lab(self) -> None:
        """The network and its pledges, in the registrar; made once, and copied from then on."""
        kept = _with_lab()
        if not kept.exists():
            self.must("jrc network add lab --network-id cafe --prefix 2001:db8:0:1::/64")
            self.must("jrc pledge import devices.csv")
            shutil.copytree(
                self.folder, kept, ignore=shutil.ignore_patterns("config.toml", "orders")
            )
            return
        shutil.copytree(kept / "registrar", self.terminal.folder, dirs_exist_ok=True)
        at_home(self.terminal.folder)
        shutil.copy(kept / "devices.csv", self.folder)

    def add_checkout(self) -> None:
        """The files of this checkout, with their environment."""
        for path in CHECKOUT.iterdir():
            if path.name.startswith(".") or path.name in _NOT_LINKED:
                continue
            if path.name in _COPIED:
                shutil.copytree(path, self.folder / path.name)
            else:
                (self.folder / path.name).symlink_to(path)
        (self.folder / ".venv").symlink_to(sys.prefix)

    @property
    def port(self) -> str:
        """The registrar's UDP port."""
        found = re.search(r"\[::1\]:(\d+)", self.terminal.config.read_text())
        assert found is not None
        return found[1]

    def write(self, name: str, text: str) -> None:
        """A file that nobody else reads."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)

    # What is given there

    def rooted(self, text: str) -> str:
        """The command with its system folders below this one."""
        return _ROOTED.sub(f"{self.folder}/", text)

    def give(self, text: str) -> subprocess.CompletedProcess[str]:
        """A command, as a shell takes it; one that wants a yes and no terminal gets it."""
        if text.endswith("&"):
            return self._leave(text.removesuffix("&"))
        if text.split()[0] in _OF_THE_SHELL:
            return self._settle(text)
        done = self._give(self.rooted(text))
        if done.returncode == 6 and "no terminal to ask on" in done.stderr:
            done = self._give(f"{self.rooted(text)} --yes")
        return done

    def _give(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", text],
            check=False,
            cwd=self._at,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def _leave(self, text: str) -> subprocess.CompletedProcess[str]:
        """A command in the background; ended with the sandbox."""
        program = subprocess.Popen(
            ["sh", "-c", f"exec {self.rooted(text)}"],
            cwd=self._at,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._background.append(program)
        return subprocess.CompletedProcess(text, 0, "", "")

    def _settle(self, text: str) -> subprocess.CompletedProcess[str]:
        """A command that changes the shell itself."""
        place, variables = self.folder / "place", self.folder / "variables"
        done = self._give(f"{self.rooted(text)} && pwd >{place} && env -0 >{variables}")
        if done.returncode == 0:
            self._at = Path(place.read_text().removesuffix("\n"))
            pairs = variables.read_text().split("\0")
            self._exported = dict(pair.split("=", 1) for pair in pairs if pair)
        return done

    def must(self, text: str) -> None:
        """A command that a scene is prepared with."""
        done = self.give(text)
        assert done.returncode == 0, (text, done.returncode, done.stdout, done.stderr)

    def begin(self, text: str, until: str) -> None:
        """A command that goes on, once it has said ``until``; ended with the sandbox."""
        words = [word for word in shlex.split(self.rooted(text)) if word != "jrc"]
        process = forked.piped(JRC, *words, environ=self._environ(), folder=str(self._at))
        self._running.append(process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                return
        raise AssertionError(f"{text} has ended without {until!r}: {''.join(said)}")

    def watch(self, text: str, until: str) -> None:
        """A command that is ended by Ctrl-C once it has said ``until``."""
        self.begin(text, until)
        process = self._running[-1]
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        process.stdout.read()
        process.wait(PATIENCE_S)

    def type(self, text: str, answers: Sequence[str]) -> tuple[int, str]:
        """Exit code and what a terminal shows of a command whose questions are answered so."""
        words = shlex.split(self.rooted(text))[1:]
        return typed(words, answers, self._environ(), str(self._at))

    def _environ(self) -> dict[str, str]:
        mine = {
            "JRC_CONFIG": str(self.terminal.config),
            "HOME": str(self.folder),
            "RUSTUP_HOME": str(Path("~/.rustup").expanduser()),
        }
        known = {**environment(), **mine, **self._exported}
        return {**known, "PATH": f"{self.folder / 'bin'}:{known['PATH']}"}

    # Its programs

    def _place_programs(self) -> None:
        client = self.folder / "client.py"
        client.write_text(_CLIENT.format(path=str(self.folder / "orders")))
        folder = self.folder / "bin"
        folder.mkdir()
        for name, line in _PROGRAMS.items():
            program = folder / name
            text = line.replace("{python}", sys.executable).replace("{client}", str(client))
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(stat.S_IRWXU)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                asked, _ = self._server.accept()
                threading.Thread(target=_carry_out, args=(asked,), daemon=True).start()


@cache
def _with_lab() -> Path:
    """Where what `add_lab` has made is kept for others of this process."""
    above = Path(mkdtemp(prefix="jrc-docs-"))
    atexit.register(shutil.rmtree, above, ignore_errors=True)
    return above / "lab"


def _carry_out(asked: socket.socket) -> None:
    """One command, with the files of who asks."""
    with asked:
        head, files, _, _ = socket.recv_fds(asked, 4, 3)
        try:
            order = b""
            while len(order) < int.from_bytes(head):
                order += asked.recv(1 << 16)
            words, environ, folder = json.loads(order)
            given, out, err = files
            process = Forked(
                JRC, *words, stdin=given, stdout=out, stderr=err, environ=environ, folder=folder
            )
        finally:
            for number in files:
                os.close(number)
        while (code := process.poll()) is None:
            if select.select([asked], [], [], POLL_S)[0]:  # whoever asked is gone
                process.terminate()
                code = process.wait(PATIENCE_S)
        with suppress(OSError):
            asked.sendall((code if code >= 0 else 128 - code).to_bytes(4))


def _end(process: Forked) -> None:
    process.terminate()
    assert process.stdout is not None
    with process.stdout as rest:
        rest.read()
    process.wait(PATIENCE_S)


def _rows(header: str, count: int, start: int, more: str = "") -> str:
    """An import file of so many new devices."""
    rows = [f"00124b0014b5b8{start + n:02x},{secrets.token_hex(16)}{more}" for n in range(count)]
    return "\n".join([header, *rows, ""])
