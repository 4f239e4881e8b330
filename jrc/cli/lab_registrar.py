"""A registrar for simulated pledges, in a folder and a process of its own.

It is set up, started and told of its pledges as an operator does it: through the command line.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jrc.cli.client import daemon_answers
from jrc.config import load
from jrc.errors import OperatorError
from jrc.lab import demo
from jrc.lab.demo import LabDevice
from jrc.lab.network import Address

LOOPBACK = "::1"
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
POLL_S = 0.05


class LabRegistrar:
    """What belongs to one registrar of the lab; its folder is the caller's to remove."""

    def __init__(self, folder: Path, devices: Sequence[LabDevice]) -> None:
        self.config = folder / "config.toml"
        self.log = folder / "daemon.log"
        self.nodes: Address = LOOPBACK, _free_port()
        self._folder = folder
        self._devices = devices

    async def prepare(self) -> Address:
        """Makes the registrar's files, and has it listen on a free port of loopback.

        Raises:
            OperatorError: they can't be made.
        """
        await _jrc("init", "--dir", str(self._folder))
        address = LOOPBACK, _free_port()
        text = self.config.read_text()
        listen = f'listen = ["[{address[0]}]:{address[1]}"]'
        text = re.sub(r"(?m)^listen = .*$", listen, text, count=1)
        nodes = f'[lab]\nnodes = "[{self.nodes[0]}]:{self.nodes[1]}"\n'
        page = '[page]\nlisten = "127.0.0.1:0"\n'
        self.config.write_text(f"{text}\n{nodes}\n{page}")
        return address

    async def enroll(self) -> None:
        """Tells the running registrar of the network and its pledges.

        Raises:
            OperatorError: with what the command said that failed.
        """
        configured = ("--config", str(self.config))
        await _jrc(
            *configured, "network", "add", demo.NETWORK_NAME,
            "--network-id", demo.NETWORK_ID.hex(), "--prefix", demo.PREFIX,
        )  # fmt: skip
        file = self._folder / "pledges.jsonl"
        try:
            _write_pledges(file, self._devices)
            await _jrc(*configured, "pledge", "import", str(file))
        finally:
            file.unlink(missing_ok=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The daemon, from when it can be told things until it has stopped.

        Raises:
            OperatorError: it did not start.
        """
        # In a session of its own, Ctrl-C at the terminal reaches this process alone.
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            daemon = await asyncio.create_subprocess_exec(
                *_command("--config", str(self.config), "run"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(log)
        try:
            await self._until_ready(daemon)
            yield daemon
        finally:
            await _stop(daemon)

    async def _until_ready(self, daemon: asyncio.subprocess.Process) -> None:
        admin = load(self.config).admin.socket
        deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
        while not daemon_answers(admin):
            late = asyncio.get_running_loop().time() > deadline
            if late or daemon.returncode is not None:
                raise OperatorError("the registrar did not start", self.last_words())
            await asyncio.sleep(POLL_S)

    def last_words(self) -> str:
        """How the daemon's log ends."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "its log ends: " + " | ".join(lines[-3:]) if lines else "its log is empty"


def _write_pledges(file: Path, devices: Sequence[LabDevice]) -> None:
    """An import file that nobody else can read."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        for number, device in enumerate(devices, 1):
            row = {
                "pledge_id": device.identifier.hex(),
                "psk": device.psk.reveal().hex(),
                "network": demo.NETWORK_NAME,
                "role": "6lbr" if device.role else "6ln",
                "label": f"simulated {number}",
            }
            stream.write(json.dumps(row) + "\n")


def _free_port() -> int:
    """A UDP port that nobody on loopback has at this moment."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


async def _jrc(*arguments: str) -> None:
    """Carries out one command of the command line.

    Raises:
        OperatorError: with what it said, if it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(*arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        await _stop(process)
    if process.returncode:
        said = output.decode(errors="replace").strip()
        raise OperatorError(f"`{typed(*arguments)}` failed", said)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ends a process in order, or at last the hard way; nothing if it has ended."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _command(*arguments: str) -> tuple[str, ...]:
    return sys.executable, "-P", "-m", "jrc.cli.main", *arguments


def typed(*arguments: str) -> str:
    """The command as a person types it here."""
    program = sys.argv[0]
    if Path(program).name != "jrc":
        words = [sys.executable, "-m", "jrc.cli.main"]
    else:
        on_path = shutil.which("jrc")
        same = on_path is not None and Path(program).exists() and os.path.samefile(on_path, program)
        words = ["jrc" if same else program]
    return shlex.join([*words, *arguments])
