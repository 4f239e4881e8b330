"""Installers for Linux on a bench: a kernel that is played, and documents of keys."""

import asyncio
import json
import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from jrc.model import Secret
from jrc.net.framecounter import CounterFile
from jrc.net.helper import Helper
from jrc.net.helperinstaller import HelperInstaller
from jrc.net.linuxinstaller import LinuxInstaller
from jrc.service.ports import InstallOutcome, KeyInstaller
from tests.net.nl802154 import (
    ADD_DEV,
    ADD_KEY,
    ADD_SECLEVEL,
    DEL_DEV,
    DEL_KEY,
    DEL_SECLEVEL,
    SETPARAMS,
)
from tests.net.wpan import Interface, PlayedKernel

NOW_S = 1_796_000_000
INSTALLED = InstallOutcome(installed=True)
OLD, NEW, THIRD = (bytes([number]) * 16 for number in (0xA1, 0xB2, 0xC3))
NODE = bytes.fromhex("00124b0014b5b67e")
OTHER = bytes.fromhex("00124b0014b5b600")
COMMANDS = {
    ADD_DEV: "add node", DEL_DEV: "remove node", ADD_KEY: "add key", DEL_KEY: "remove key",
    ADD_SECLEVEL: "add level", DEL_SECLEVEL: "remove level", SETPARAMS: "send",
}  # fmt: skip


def key(key_id: int, value: bytes, state: str = "current", usage: int = 0) -> dict[str, Any]:
    """A key as the document has it."""
    named = {"key_id": key_id, "key_usage": usage, "state": state, "generation": key_id}
    return {**named, "mic_length": 4, "addinfo": None, "value": value.hex()}


def document(
    *keys: dict[str, Any], nodes: tuple[bytes, ...] = (NODE,), first: int = 0x10
) -> Secret:
    """Keys in force first; nodes have short addresses from ``first`` on."""
    told = [{"eui64": each.hex(), "short_id": f"{first + n:04x}"} for n, each in enumerate(nodes)]
    shown = {"format": 1, "generation": keys[0]["generation"], "keys": list(keys), "nodes": told}
    return Secret(json.dumps(shown).encode())


BEFORE = document(key(1, OLD))
DURING = document(key(2, NEW), key(1, OLD, "previous"))
AFTER = document(key(2, NEW))


class Played(ABC):
    """A kernel that is played, what outlives its radio, and installers for it."""

    def __init__(self, folder: Path) -> None:
        self.kernel = PlayedKernel()
        self.memory = CounterFile(folder / "wpan0.counter")
        self.lock = folder / "wpan0.lock"

    @abstractmethod
    def installer(self, interface: str, timeout_s: float) -> KeyInstaller:
        """Who puts keys in."""

    def install(
        self, told: Secret = BEFORE, *, interface: str = "wpan0", timeout_s: float = 10.0
    ) -> InstallOutcome:
        """How a run ends; what was asked before is forgotten."""
        self.kernel.requests.clear()
        return asyncio.run(self.installer(interface, timeout_s).install("lab", told))

    def keeps(self) -> bool:
        return asyncio.run(self.installer("wpan0", 10.0).keeps())

    @property
    def steps(self) -> list[str]:
        """What the last run has changed."""
        return [COMMANDS[command] for command in self.kernel.changes]

    @property
    def held(self) -> dict[int, bytes]:
        return {index: value for (_, index, _), (_, value) in self.kernel.wpan.keys.items()}


class Bench(Played):
    """An installer in this process, which remembers whom it has put in; ``now_s`` is its time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.now_s = NOW_S
        self._made: dict[tuple[str, float], LinuxInstaller] = {}

    def installer(self, interface: str, timeout_s: float) -> LinuxInstaller:
        made = LinuxInstaller(
            interface,
            timeout_s,
            self.lock,
            self.memory,
            now_s=lambda: self.now_s,
            open_socket=self.kernel.open_socket,
        )
        return self._made.setdefault((interface, timeout_s), made)


class Pair(Played):
    """A helper that serves ``user`` on a thread, and installers that ask it."""

    def __init__(self, folder: Path, user: str) -> None:
        super().__init__(folder)
        self.said: list[str] = []
        self.socket = folder / "wpan0.sock"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        made = Helper(
            "wpan0",
            user,
            self.said.append,
            now_s=lambda: NOW_S,
            open_socket=self.kernel.open_socket,
        )
        self._thread = threading.Thread(target=self._serve, args=(made,))
        self._thread.start()

    def _serve(self, made: Helper) -> None:
        with suppress(OSError):
            made.serve(self._listener)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def installer(self, interface: str, timeout_s: float) -> HelperInstaller:
        return HelperInstaller(interface, timeout_s, self.lock, self.memory, self.socket)

    def connected(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(str(self.socket))
        return made


def restart(bench: Played) -> None:
    """The host starts again, or the radio is plugged in again."""
    bench.kernel.interfaces["wpan0"] = Interface()
