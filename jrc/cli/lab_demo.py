"""``jrc lab run``: a registrar and a network of simulated pledges on this machine.

The registrar is a process of its own, as an operator starts it, and is told of network and
pledges through the command line. The pledges live in this process and know its address alone.
"""

import asyncio
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jrc.cli.client import daemon_answers
from jrc.cli.lab_screen import screen, tell
from jrc.cli.reporting import INTERRUPTED, say
from jrc.config import load
from jrc.errors import ExitCode, OperatorError
from jrc.lab import demo
from jrc.lab.demo import LabDevice
from jrc.lab.network import Address, JoinResult

LOOPBACK = "::1"
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
POLL_S = 0.05
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demonstrate(pledges: int, folder: Path | None, *, once: bool) -> int:
    """The whole demonstration; gives its exit code. A folder that was not given goes at the end.

    Raises:
        OperatorError: the registrar could not be set up, or has stopped by itself.
    """
    if folder is not None:
        return asyncio.run(_Lab(folder.absolute(), pledges).run(once=once))
    with tempfile.TemporaryDirectory(prefix="jrc-lab-", ignore_cleanup_errors=True) as place:
        return asyncio.run(_Lab(Path(place), pledges).run(once=once))


class _Lab:
    """One demonstration with its folder."""

    def __init__(self, folder: Path, pledges: int) -> None:
        self._folder = folder
        self._config = folder / "config.toml"
        self._log = folder / "daemon.log"
        self._devices = demo.make_devices(pledges, secrets.token_bytes)
        self._code_when_stopped: int = INTERRUPTED

    async def run(self, *, once: bool) -> int:
        """Everything, and the exit code; a signal ends it, which after the joins is in order."""
        work = asyncio.ensure_future(self._run(once=once))
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, work.cancel)
        try:
            return await work
        except asyncio.CancelledError:
            return self._code_when_stopped

    async def _run(self, *, once: bool) -> int:
        jrc = await self._prepare()
        async with self._registrar() as daemon:
            await self._enroll()
            tell(f"{len(self._devices)} pledges join the registrar at [{jrc[0]}]:{jrc[1]}")
            with screen(len(self._devices)) as shown:
                results = await demo.join_devices(self._devices, jrc, shown.show)
            code = _judge(results)
            if not once:
                self._code_when_stopped = code
                await self._linger(daemon)
        return code

    async def _prepare(self) -> Address:
        """Makes the registrar's files, and has it listen on a free port of loopback."""
        tell(f"setting up a registrar in {self._folder}")
        await _jrc("init", "--dir", str(self._folder))
        address = LOOPBACK, _free_port()
        text = self._config.read_text()
        listen = f'listen = ["[{address[0]}]:{address[1]}"]'
        self._config.write_text(re.sub(r"(?m)^listen = .*$", listen, text, count=1))
        return address

    async def _enroll(self) -> None:
        """Tells the running registrar of the network and its pledges."""
        configured = ("--config", str(self._config))
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
    async def _registrar(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The daemon, from when it can be told things until it has stopped."""
        # In a session of its own, Ctrl-C at the terminal reaches this process alone.
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            daemon = await asyncio.create_subprocess_exec(
                *_command("--config", str(self._config), "run"),
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
        admin = load(self._config).admin.socket
        deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
        while not daemon_answers(admin):
            late = asyncio.get_running_loop().time() > deadline
            if late or daemon.returncode is not None:
                raise OperatorError("the registrar did not start", self._last_words())
            await asyncio.sleep(POLL_S)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "its log ends: " + " | ".join(lines[-3:]) if lines else "its log is empty"

    async def _linger(self, daemon: asyncio.subprocess.Process) -> None:
        """Tells what can be tried with the registrar, and lets it run until Ctrl-C.

        Raises:
            OperatorError: it has ended without being asked.
        """
        first, last = (self._devices[at].identifier.hex() for at in (0, -1))
        tell("\nThe registrar keeps running. Try, in another terminal from this folder:\n")
        for words in (
            ("status",),
            ("network", "show", demo.NETWORK_NAME),
            ("pledge", "list"),
            ("pledge", "show", first),
            ("pledge", "revoke", last, "--reason", "lost"),
            ("events",),
        ):
            tell(f"  {_typed('--config', str(self._config), *words)}")
        tell(f"\nIts log is {self._log}. Ctrl-C stops it.")
        await daemon.wait()
        raise OperatorError("the registrar has stopped by itself", self._last_words())


def _judge(results: Sequence[JoinResult]) -> ExitCode:
    """Says what is wrong with the joins, or that nothing is."""
    faults = demo.find_faults(results)
    for fault in faults:
        say(f"fault: {fault}")
    if faults:
        return ExitCode.FAILED
    tell(f"all {len(results)} joined, with the same link-layer keys and a short address each")
    return ExitCode.DONE


def _write_pledges(file: Path, devices: Sequence[LabDevice]) -> None:
    """An import file that nobody else can read."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        for number, device in enumerate(devices, 1):
            row = {
                "pledge_id": device.identifier.hex(),
                "psk": device.psk.reveal().hex(),
                "network": demo.NETWORK_NAME,
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
        raise OperatorError(f"`{_typed(*arguments)}` failed", said)


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
    return sys.executable, "-m", "jrc.cli.main", *arguments


def _typed(*arguments: str) -> str:
    """The command as a person types it here."""
    program = sys.argv[0]
    if Path(program).name != "jrc":
        words = [sys.executable, "-m", "jrc.cli.main"]
    else:
        on_path = shutil.which("jrc")
        same = on_path is not None and Path(program).exists() and os.path.samefile(on_path, program)
        words = ["jrc" if same else program]
    return shlex.join([*words, *arguments])
