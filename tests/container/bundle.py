"""A container as an engine would run a service of ``compose.yaml``: the OCI runtime's own words."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PATIENCE_S = 60.0
GRACE_S = 10.0
"""How long an engine waits after SIGTERM before it kills."""
SECRETS = "/run/secrets"

_FILESYSTEMS = (
    ("/proc", "proc", "proc", ()),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/sys", "none", "/sys", ("rbind", "nosuid", "noexec", "nodev", "ro")),
)
_NAMESPACES = ("pid", "ipc", "uts", "mount")
_ON_CGROUPS = (
    "unshare", "--mount", "sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh",
)  # fmt: skip
"""crun looks at how the host has its control groups, though it is to leave them alone."""
_MASKED = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host in a container."""

    source: Path
    target: str
    is_read_only: bool = False


@dataclass(slots=True)
class Project:
    """A folder with a ``compose.yaml``; ``volumes`` are folders in place of named volumes."""

    folder: Path
    compose: Mapping[str, Any]
    volumes: Mapping[str, Path]

    def mounts(self, service: str) -> list[Mount]:
        """Volumes, config files and secrets of a service."""
        wanted = self.compose["services"][service]
        found = [self._volume(each) for each in wanted.get("volumes", ())]
        for each in wanted.get("configs", ()):
            file = self.compose["configs"][each["source"]]["file"]
            found.append(Mount(self.folder / file, each["target"], is_read_only=True))
        for name in wanted.get("secrets", ()):
            file = self.compose["secrets"][name]["file"]
            found.append(Mount(self.folder / file, f"{SECRETS}/{name}", is_read_only=True))
        return found

    def _volume(self, given: str | Mapping[str, Any]) -> Mount:
        if isinstance(given, str):
            name, target, *options = given.split(":")
            return Mount(self.volumes[name], target, "ro" in options)
        return Mount(self.folder / given["source"], given["target"])


@dataclass(slots=True)
class Container:
    """A container of the image, or of a service that has it; a context manager that removes it.

    ``image`` is what the image says. It shares the host's network.
    """

    folder: Path
    root: Path
    image: Mapping[str, Any]
    mounts: Sequence[Mount]
    service: Mapping[str, Any]
    log: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread = field(init=False)
    _events: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._crun("delete", "--force", self._name)
        if self._process is not None:
            self._process.wait(timeout=PATIENCE_S)
            self._reader.join()
        shutil.rmtree(self._bundle, ignore_errors=True)

    @property
    def _name(self) -> str:
        return self.folder.name

    @property
    def _bundle(self) -> Path:
        return self.folder / "bundle"

    def run(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What a container leaves that carries out ``command``, or the service's."""
        words = self._command(command)
        return subprocess.run(
            words, input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def start(self, *command: str) -> None:
        """Start it, and let it run."""
        self._process = subprocess.Popen(
            self._command(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader.start()

    def listening(self) -> tuple[str, int]:
        """Where the registrar in it answers joins, once it does."""
        self.wait_for("ready")
        ready = next(json.loads(line) for line in self.log if '"ready"' in line)
        host, _, port = ready["listening"][0].rpartition(":")
        return host.strip("[]"), int(port)

    def wait_for(self, event: str) -> None:
        """Returns once it has logged ``event``."""
        while (found := self._events.get(timeout=PATIENCE_S)) != event:
            assert found is not None, "".join(self.log)

    def exec(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A further process in it, with the rights of the first one."""
        file = self._bundle / "exec.json"
        file.write_text(json.dumps(self._process_of(command)))
        words = self._words("exec", "--process", str(file), self._name)
        return subprocess.run(
            words, input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def wait_until_well(self, *command: str) -> None:
        """Returns once ``command`` succeeds in it."""
        deadline = time.monotonic() + PATIENCE_S
        while (done := self.exec(*command)).returncode:
            assert time.monotonic() < deadline, done.stderr

    @property
    def pid(self) -> int:
        """Its first process, as the host numbers it."""
        state = json.loads(self._crun("state", self._name).stdout)
        pid: int = state["pid"]
        return pid

    def signal(self, number: signal.Signals) -> None:
        """A signal for its first process."""
        os.kill(self.pid, number)

    def stop(self) -> int:
        """SIGTERM, and its exit code.

        Raises:
            subprocess.TimeoutExpired: it is not over when an engine would kill it.
        """
        assert self._process is not None
        self.signal(signal.SIGTERM)
        return self._process.wait(timeout=GRACE_S)

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.log.append(line)
                if line.startswith("{"):
                    self._events.put(json.loads(line)["event"])
        self._events.put(None)

    def _command(self, command: Sequence[str]) -> list[str]:
        self._bundle.mkdir(parents=True, exist_ok=True)
        before = self.service.get("entrypoint", self.image["Entrypoint"])
        after = command or self.service.get("command", self.image["Cmd"])
        (self._bundle / "config.json").write_text(json.dumps(self._spec([*before, *after])))
        return self._words("run", "--bundle", str(self._bundle), self._name)

    def _words(self, *words: str) -> list[str]:
        crun = ("crun", "--root", str(self.folder / "crun"), "--cgroup-manager=disabled")
        return [*_ON_CGROUPS, *crun, *words]

    def _crun(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._words(*words), capture_output=True, text=True, check=False)

    def _process_of(self, command: Sequence[str]) -> dict[str, object]:
        user, _, group = self.image["User"].partition(":")
        return {
            "user": {"uid": int(user), "gid": int(group)},
            "args": list(command),
            "env": [*self.image["Env"], "HOME=/"],
            "cwd": self.image["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        }

    def _spec(self, command: Sequence[str]) -> dict[str, object]:
        """The container by the OCI's runtime specification, with all that compose.yaml takes away.

        An engine whose compose file does not ask for it would leave some of it.
        """
        assert self.service["cap_drop"] == ["ALL"]
        assert self.service["security_opt"] == ["no-new-privileges:true"]
        filesystems = [
            {"destination": target, "type": kind, "source": source, "options": list(options)}
            for target, kind, source, options in _FILESYSTEMS
        ]
        binds = [
            {
                "destination": each.target,
                "type": "bind",
                "source": str(each.source),
                "options": ["rbind", "rprivate", "ro" if each.is_read_only else "rw"],
            }
            for each in self.mounts
        ]
        return {
            "ociVersion": "1.0.2",
            "hostname": "jrc",
            "root": {"path": str(self.root), "readonly": self.service["read_only"]},
            "process": self._process_of(command),
            "mounts": [*filesystems, *binds],
            "linux": {
                "namespaces": [{"type": each} for each in _NAMESPACES],
                "maskedPaths": list(_MASKED),
            },
        }
