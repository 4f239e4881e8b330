"""A registrar as an operator runs it: its folder, its commands and its process on loopback."""

import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, Self

import httpx

from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests import forked
from tests.at_home import at_home
from tests.daemon.wire import LOOPBACK, Address

CAFE = bytes.fromhex("cafe")
BEEF = bytes.fromhex("beef")
PATIENCE_S = 60.0
"""When a process that ought to have done its work is given up."""
RUN = ("-m", "jrc.cli.main")

_CONFIG = """\
[coap]
listen = ["{listen}"]
retransmit_cache = {copies}
[database]
url = "{url}"
[keys]
kek_file = "kek"
[admin]
socket = "admin.sock"
[instance]
file = "jrc.instance"
[metrics]
listen = "127.0.0.1:{metrics_port}"
[log]
level = "{log_level}"
format = "json"
"""


@dataclass(frozen=True, slots=True)
class Device:
    """A pledge as a factory knows it."""

    identifier: bytes
    psk: Secret

    def pledge(self, network: bytes = CAFE, role: int = 0, first: int = 0) -> SimulatedPledge:
        """The device with aiocoap's OSCORE, counting from ``first``."""
        return SimulatedPledge(self.identifier, self.psk, network, role, first_number=first)


def devices(count: int, start: int = 1) -> list[Device]:
    """Devices with EUI-64 identifiers and random keys."""
    return [
        Device(bytes.fromhex("02000000") + number.to_bytes(4), Secret(secrets.token_bytes(16)))
        for number in range(start, start + count)
    ]


@dataclass(slots=True)
class Site:
    """A folder with config file, key encryption key and database."""

    folder: Path
    metrics_port: int
    _next_device: int = 1

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        listen: str = "[::1]:0",
        copies: bool = True,
        log_level: str = "info",
        server: str | None = None,
    ) -> Self:
        """What ``jrc init --dir`` makes, set up for loopback; the folder may be moved.

        ``server`` is the URL of an empty PostgreSQL database, in place of an SQLite file.
        """
        site = cls(folder, _free_port())
        where = () if server is None else ("--database-url", server)
        site.run("init", "--dir", str(folder), *where, configured=False)
        text = _CONFIG.format(
            listen=listen,
            copies=str(copies).lower(),
            metrics_port=site.metrics_port,
            log_level=log_level,
            url=server or "sqlite:///jrc.db",
        )
        site.config.write_text(text)
        return site

    def copy(self, folder: Path) -> "Site":
        """The same state elsewhere, while nobody works on it."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock"))
        at_home(folder)
        other = Site(folder, _free_port(), self._next_device)
        other.change(f":{self.metrics_port}", f":{other.metrics_port}")
        return other

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        return self.folder / "jrc.db"

    @property
    def lock(self) -> Path:
        """The file that names the process which has the database open, here."""
        at = self.database if self.database.exists() else self.folder / "jrc.instance"
        return at.with_name(at.name + ".lock")

    def change(self, old: str, new: str) -> None:
        """Replace a part of the config file."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def run(
        self, *arguments: str, configured: bool = True, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A ``jrc`` command that must succeed."""
        done = self.attempt(*arguments, configured=configured, given=given)
        assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def attempt(
        self,
        *arguments: str,
        configured: bool = True,
        given: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A ``jrc`` command, however it ends."""
        where = ("--config", str(self.config)) if configured else ()
        done = forked.run(
            *RUN[1:], *where, *arguments, given=given.encode(), environ=_with(environ)
        )
        said, errors = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, said, errors)

    def new_devices(self, count: int) -> list[Device]:
        """Devices the site has not seen."""
        made = devices(count, self._next_device)
        self._next_device += count
        return made

    def import_devices(self, made: Sequence[Device], **fields: str) -> None:
        """Enroll devices through ``jrc pledge import``."""
        rows = [
            json.dumps({"pledge_id": d.identifier.hex(), "psk": d.psk.reveal().hex(), **fields})
            for d in made
        ]
        self.run("pledge", "import", "-", "--format", "jsonl", given="\n".join(rows) + "\n")

    def add_lab(self, *more: str) -> None:
        """The network ``lab`` of RFC 9031 App. A."""
        self.run("network", "add", "lab", "--network-id", "cafe", "--prefix", "fd00:1::/64", *more)

    def start(
        self,
        program: Sequence[str] = RUN,
        *,
        environ: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        keep: Sequence[int] = (),
        is_executed: bool = False,
    ) -> "Daemon":
        """The daemon, once it answers joins; ``program`` is ``-m`` and what follows it.

        ``before`` is a tool that runs it, ``keep`` are file descriptors that it inherits. With
        these, and where ``is_executed``, an interpreter of its own is started for it.
        """
        words = [*program, "--config", str(self.config), "run"]
        process: Process
        if is_executed or before or keep:
            process = self._executed([*before, sys.executable, *words], _with(environ), keep)
        else:
            process = forked.piped(*words[1:], environ=_with(environ), new_session=True)
        daemon = Daemon(self, process)
        daemon.wait_until_ready()
        return daemon

    def _executed(
        self, command: Sequence[str], environ: Mapping[str, str], keep: Sequence[int]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environ,
            pass_fds=keep,
            start_new_session=True,
        )


def _with(environ: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(environ or {})}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process(Protocol):
    """What a daemon needs of its process; ``subprocess.Popen`` is one."""

    stdout: IO[str] | None

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""

    def kill(self) -> None:
        """SIGKILL."""


@dataclass(slots=True)
class Daemon:
    """A running ``jrc run``; a context manager that stops it."""

    site: Site
    process: Process
    log: list[str] = field(default_factory=list)
    address: Address = ("", 0)
    pid: int = 0
    _ready: "queue.SimpleQueue[list[str] | None]" = field(default_factory=queue.SimpleQueue)
    _reader: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for text in stream:
                self.log.append(text)
                if '"ready"' in text:
                    self._ready.put(json.loads(text)["listening"])
        self._ready.put(None)

    def wait_until_ready(self) -> None:
        """Return once it answers joins; fails with its log if it never does."""
        try:
            listening = self._ready.get(timeout=PATIENCE_S)
        except queue.Empty:
            listening = None
        if listening is None:
            self.kill()
            raise AssertionError("the daemon did not start: " + "".join(self.log[-20:]))
        host, _, port = listening[0].rpartition(":")
        host = host.strip("[]")
        self.address = (LOOPBACK if host == "::" else host, int(port))
        # Under a tool such as strace the daemon is its child and the last who had the lock.
        self.pid = int(self.site.lock.read_text())

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._reap()

    def kill(self) -> None:
        """SIGKILL."""
        if self.pid and self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        elif self.process.poll() is None:
            self.process.kill()
        self._reap()

    def wait_for_the_end(self) -> int:
        """The exit code of a daemon that ends by itself."""
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(timeout=PATIENCE_S)
        assert self._reader is not None
        self._reader.join(timeout=PATIENCE_S)
        return code

    def events(self) -> list[dict[str, object]]:
        """The lines of its log."""
        return [json.loads(text) for text in self.log if text.startswith("{")]

    def api(self, method: str, path: str, **content: object) -> dict[str, object]:
        """The answer of the admin API, which must be good."""
        transport = httpx.HTTPTransport(uds=str(self.site.folder / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://jrc", timeout=PATIENCE_S) as client:
            answer = client.request(method, path, **content)  # type: ignore[arg-type]
            assert answer.is_success, answer.text
            found: dict[str, object] = answer.json()
            return found

    def get(self, path: str) -> httpx.Response:
        """What the metrics port answers."""
        url = f"http://127.0.0.1:{self.site.metrics_port}{path}"
        return httpx.get(url, timeout=PATIENCE_S, trust_env=False)

    def metrics(self) -> dict[str, float]:
        """The samples of ``/metrics``, by name and labels as they are written."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line[:1] != "#"]
        pairs = (line.rsplit(" ", 1) for line in lines)
        return {name: float(value) for name, value in pairs}

    def dropped(self) -> dict[str, int]:
        """Datagrams that ended in silence, by reason."""
        prefix = 'jrc_datagrams_dropped_total{reason="'
        return {
            name.removeprefix(prefix).rstrip('"}'): int(value)
            for name, value in self.metrics().items()
            if name.startswith(prefix)
        }

    def resident_kib(self) -> int:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1])

    def enroll(self, device: Device | None = None, **fields: object) -> Device:
        """A device that may join ``lab``, or what ``fields`` say."""
        made = device or self.site.new_devices(1)[0]
        given = {"pledge_id": made.identifier.hex(), "psk": made.psk.reveal().hex()}
        self.api("POST", "/v1/pledges", json={**given, "networks": ["lab"], **fields})
        return made
