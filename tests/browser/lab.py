"""A registrar with its page, and simulated nodes that stay and take updates, on loopback."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from jrc.lab.pledge import SimulatedPledge
from tests import forked
from tests.daemon.site import CAFE, PATIENCE_S, RUN, Daemon, Device, Site
from tests.daemon.wire import Wire

T = TypeVar("T")
LOOK_AGAIN_S: Final = 0.1
_SECTIONS: Final = """\
[page]
listen = "127.0.0.1:{page}"
[lab]
nodes = "[::1]:{nodes}"
[rollover]
ack_timeout_s = 1
max_retransmit = 1
guard_time_s = 2
retry_s = {retry_s}
retry_max_s = {retry_s}
rate_bytes_per_s = {rate}
in_flight = 4
"""


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port that nobody on loopback has at this moment."""
    with socket.socket(socket.AF_INET6, kind) as probe:
        probe.bind(("::1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepared(folder: Path, *, rate: int = 1500, retry_s: int = 3) -> Site:
    """A registrar without nodes; updates go out at ``rate`` bytes a second."""
    site = Site.make(folder, listen=f"[::1]:{free_port()}", log_level="warning")
    site.change('level = "warning"', 'level = "info"')
    sections = _SECTIONS.format(
        page=free_port(socket.SOCK_STREAM), nodes=free_port(), rate=rate, retry_s=retry_s
    )
    with site.config.open("a") as config:
        config.write(sections)
    site.add_lab()
    return site


class Lab:
    """A running registrar and its nodes; the first is a 6LBR, ``dead`` of the last are silent."""

    def __init__(self, folder: Path, nodes: int, *, dead: int = 0, rate: int = 1500) -> None:
        self.site = prepared(folder / "site", rate=rate)
        self.devices = self.site.new_devices(nodes)
        self.labels = [f"room {number}" for number in range(1, nodes + 1)]
        self._file = folder / "pledges.csv"
        self._dead = self.devices[len(self.devices) - dead :]
        _write(self._file, self.devices, self.labels)
        self.site.run("pledge", "import", str(self._file))
        self.daemon: Daemon = self.site.start()
        self._crowd: forked.Forked | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.leave()
        with self.daemon:
            pass

    def join(self) -> None:
        """Everybody joins; those that are not dead stay, and take updates."""
        living = self.devices[: len(self.devices) - len(self._dead)]
        _write(self._file, living, self.labels[: len(living)])
        words = ("lab", "join", str(self._file), "--network-id", CAFE.hex())
        self._crowd = forked.piped(*RUN[1:], "--config", str(self.site.config), *words)
        stream = self._crowd.stdout
        assert stream is not None
        said = []
        for line in stream:
            said.append(line)
            if "they stay" in line:
                break
        else:
            raise AssertionError("".join(said))
        with Wire(self.daemon.address) as wire:
            for device in self._dead:
                wire.join(device.pledge())

    def send(self, pledge: SimulatedPledge) -> None:
        """One Join Request from this host itself, whatever comes of it."""
        with Wire(self.daemon.address) as wire:
            wire.send(pledge.request())

    def leave(self) -> None:
        """The nodes are gone."""
        if self._crowd is not None:
            self._crowd.terminate()
            self._crowd.wait(PATIENCE_S)
            assert self._crowd.stdout is not None
            self._crowd.stdout.close()
            self._crowd = None

    def restart(self) -> None:
        """The daemon ends in order, and another one begins."""
        assert self.daemon.stop() == 0
        self.daemon = self.site.start()

    # Commands

    def jrc(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command that must succeed."""
        return self.site.run(*words)

    def told(self, *words: str) -> Any:
        """What a command says as JSON."""
        return json.loads(self.jrc(*words, "--json").stdout)

    def link(self) -> str:
        """What opens the page."""
        url: str = self.told("page")["url"]
        return url

    def wait(self, look: Callable[[], T]) -> T:
        """What ``look`` gives once it is something."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not (found := look()):
            assert time.monotonic() < deadline_s, "it does not come to that"
            time.sleep(LOOK_AGAIN_S)
        return found


def _write(file: Path, devices: Sequence[Device], labels: Sequence[str]) -> None:
    rows = ["pledge_id,psk,role,label"]
    for number, (device, label) in enumerate(zip(devices, labels, strict=True)):
        role = "6ln" if number else "6lbr"
        rows.append(f"{device.identifier.hex()},{device.psk.reveal().hex()},{role},{label}")
    file.write_text("\n".join(rows) + "\n")
