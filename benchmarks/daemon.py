"""The registrar as it is run in earnest: a subprocess with a database on a real disk."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from benchmarks.client import HOST, MeasurementError, free_port
from benchmarks.command import Cost, Running
from benchmarks.fleet import NETWORK, NETWORK_ID, PREFIX, Fleet
from benchmarks.process import cpu_ns, forget_peak, peak_bytes, resident_bytes

T = TypeVar("T")

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
API_TIMEOUT_S = 60.0
_JRC = (sys.executable, "-m", "jrc.cli.main")


class Bed:
    """A directory with configuration, key encryption key and database for a fleet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.database = folder / "jrc.db"
        self.port = free_port()

    @classmethod
    def make(cls, folder: Path, url: str | None = None) -> "Bed":
        """An empty one, made by the command line; ``url`` is that of a server's database."""
        bed = cls(folder)
        _run("init", "--dir", str(folder), *(("--database-url", url) if url else ()))
        bed._listen(5683, "::")
        bed.jrc("network", "add", NETWORK, f"--network-id={NETWORK_ID.hex()}", f"--prefix={PREFIX}")
        return bed

    def copy(self, folder: Path) -> "Bed":
        """Another host that shares the database: its files but the sockets, and another port."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock", "*.log"))
        bed = Bed(folder)
        text = bed.config.read_text()
        bed.config.write_text(text.replace(str(self.folder), str(folder)))
        bed._listen(self.port)
        return bed

    def _listen(self, port: int, host: str = HOST) -> None:
        before, after = (
            f'listen = ["[{at}]:{to}"]' for at, to in ((host, port), (HOST, self.port))
        )
        text = self.config.read_text()
        if before not in text:
            raise MeasurementError(f"the configuration does not say {before}")
        self.config.write_text(text.replace(before, after, 1))

    def enroll(self, fleet: Fleet, label: str = "") -> float:
        """Import the fleet's pledges, those that there are with another label; the seconds."""
        rows = self.folder / "pledges.csv"
        fleet.write_csv(rows, label)
        started_s = time.perf_counter()
        self.jrc("pledge", "import", str(rows), *(("--on-conflict", "replace") if label else ()))
        return time.perf_counter() - started_s

    def set_section(self, name: str, values: Mapping[str, object]) -> None:
        """Have a section of the configuration say this, and nothing else."""
        kept, _, _ = self.config.read_text().partition(f"\n[{name}]")
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        self.config.write_text(f"{kept}\n[{name}]\n{''.join(lines)}")

    def jrc(self, *arguments: str) -> str:
        """What one command prints."""
        return _run("--config", str(self.config), *arguments)

    def begin(self, *arguments: str) -> Running:
        """A command under way, to be measured."""
        return Running([*_JRC, "--config", str(self.config), *arguments])

    def cost(self, *arguments: str) -> Cost:
        """What one command costs."""
        return self.begin(*arguments).wait()

    def evict(self) -> None:
        """Let the kernel forget the database's pages, as after a boot."""
        os.sync()
        with self.database.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _run(*arguments: str) -> str:
    done = subprocess.run([*_JRC, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"jrc {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Daemon:
    """``jrc run``, from exec until it is stopped. ``ready_s`` is how long it took to be ready."""

    def __init__(self, bed: Bed, environment: Mapping[str, str]) -> None:
        self._bed = bed
        log = (bed.folder / "daemon.log").open("ab")
        with tempfile.TemporaryDirectory() as folder, log, _notified(folder) as (address, ready):
            started_s = time.perf_counter()
            self._process = subprocess.Popen(
                [*_JRC, "--config", str(bed.config), "run"],
                env={**os.environ, **environment, "NOTIFY_SOCKET": address},
                stderr=log,
            )
            try:
                _wait_for_ready(ready)
            except TimeoutError:
                self.stop()
                raise MeasurementError(f"not ready; see {bed.folder / 'daemon.log'}") from None
            self.ready_s = time.perf_counter() - started_s
        self.port = bed.port
        self._api = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(bed.folder / "admin.sock")),
            base_url="http://jrc",
            timeout=API_TIMEOUT_S,
        )

    @classmethod
    @contextmanager
    def running(cls, bed: Bed, environment: Mapping[str, str] | None = None) -> Iterator["Daemon"]:
        """A daemon that is ready, and has ended afterwards."""
        daemon = cls(bed, environment or {})
        try:
            yield daemon
        finally:
            daemon._api.close()
            daemon.stop()

    def stop(self) -> None:
        """End it, with force if it does not end by itself."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def cpu_ns(self) -> int:
        """CPU time so far."""
        return cpu_ns(self.pid)

    def resident_bytes(self) -> int:
        """Memory at the moment."""
        return resident_bytes(self.pid)

    def peak_growth_bytes(self, work: Callable[[], T]) -> tuple[int, T]:
        """How far memory went beyond what it was before ``work``, and what that gives."""
        before = self.resident_bytes()
        forget_peak(self.pid)
        result = work()
        return peak_bytes(self.pid) - before, result

    def joins(self) -> int:
        """Configurations it has given out."""
        return int(str(self._status()["joins_total"]))

    def received(self) -> int:
        """Datagrams it has read."""
        return int(str(self._status()["datagrams_received"]))

    def dropped(self) -> dict[str, int]:
        """Datagrams that ended in silence, by reason."""
        dropped = self._status()["datagrams_dropped"]
        assert isinstance(dropped, dict)
        return dropped

    def conducts(self) -> bool:
        """Whether it is the one that tells nodes and moves rollovers."""
        registrars = self._status()["registrars"]
        assert isinstance(registrars, dict)
        return bool(registrars["is_conductor"])

    def _status(self) -> dict[str, object]:
        found: dict[str, object] = self._api.get("/v1/status").raise_for_status().json()
        return found


@contextmanager
def _notified(folder: str) -> Iterator[tuple[str, socket.socket]]:
    address = str(Path(folder) / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(address)
        ready.settimeout(READY_TIMEOUT_S)
        yield address, ready


def _wait_for_ready(ready: socket.socket) -> None:
    while b"READY=1" not in ready.recv(1024):
        pass


class Echo:
    """The process of ``echo.py``."""

    def __init__(self, *, silent: bool) -> None:
        self.port = free_port()
        options = ("--silent",) if silent else ()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.echo", str(self.port), *options],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    @classmethod
    @contextmanager
    def running(cls, *, silent: bool = False) -> Iterator["Echo"]:
        """An echo that is ready, and has ended afterwards."""
        echo = cls(silent=silent)
        try:
            yield echo
        finally:
            echo._process.terminate()
            echo._process.communicate()

    def cpu_ns(self) -> int:
        """CPU time so far."""
        return cpu_ns(self._process.pid)


@contextmanager
def bed_in(parent: Path) -> Iterator[Bed]:
    """A new bed in a folder of its own under ``parent``, gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bed-", dir=parent))
    try:
        yield Bed.make(folder)
    finally:
        shutil.rmtree(folder)
