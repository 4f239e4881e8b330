"""An installer for Linux on a bench: a kernel that is played, and documents of keys."""

import asyncio
import json
from pathlib import Path
from typing import Any

from jrc.model import Secret
from jrc.net.framecounter import CounterFile
from jrc.net.linuxinstaller import LinuxInstaller
from jrc.service.ports import InstallOutcome
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


class Bench:
    """An installer and the kernel that it works on."""

    def __init__(self, folder: Path, kernel: PlayedKernel, *, timeout_s: float = 10.0) -> None:
        self.kernel = kernel
        self.now_s = NOW_S
        self.memory = CounterFile(folder / "wpan0.counter")
        self.lock = folder / "wpan0.lock"
        self.installer = LinuxInstaller(
            "wpan0",
            timeout_s,
            self.lock,
            self.memory,
            now_s=lambda: self.now_s,
            open_socket=kernel.open_socket,
        )

    def install(self, told: Secret) -> InstallOutcome:
        """How a run ends; what was asked before is forgotten."""
        self.kernel.requests.clear()
        return asyncio.run(self.installer.install("lab", told))

    def keeps(self) -> bool:
        return asyncio.run(self.installer.keeps())

    @property
    def steps(self) -> list[str]:
        """What the last run has changed."""
        return [COMMANDS[command] for command in self.kernel.changes]

    @property
    def held(self) -> dict[int, bytes]:
        return {index: value for (_, index, _), (_, value) in self.kernel.wpan.keys.items()}


def restart(bench: Bench) -> None:
    """The host starts again, or the radio is plugged in again."""
    bench.kernel.interfaces["wpan0"] = Interface()
