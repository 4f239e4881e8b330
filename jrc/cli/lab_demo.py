"""``jrc lab run``: a registrar and a network of simulated pledges on this machine.

The registrar is a process of its own, as an operator starts it, and is told of network and
pledges through the command line. The pledges live in this process and know its address alone.
"""

import asyncio
import secrets
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

from jrc.cli.lab_registrar import LabRegistrar, typed
from jrc.cli.lab_screen import judge, screen, tell, tell_switch
from jrc.cli.reporting import INTERRUPTED
from jrc.errors import OperatorError
from jrc.lab import demo
from jrc.lab.crowd import Crowd
from jrc.lab.node import LBR

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
        first, *others = demo.make_devices(pledges, secrets.token_bytes)
        self._devices = [replace(first, role=LBR), *others]
        self._registrar = LabRegistrar(folder, self._devices)
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
        tell(f"setting up a registrar in {self._folder}")
        jrc = await self._registrar.prepare()
        async with self._registrar.running() as daemon:
            await self._registrar.enroll()
            tell(f"{len(self._devices)} pledges join the registrar at [{jrc[0]}]:{jrc[1]}")
            crowd = Crowd([device.pledge() for device in self._devices])
            async with crowd.listening(self._registrar.nodes):
                with screen(len(self._devices)) as shown:
                    results = await crowd.join(jrc, shown.show)
                code = judge(results)
                if not once:
                    self._code_when_stopped = code
                    await self._linger(daemon, crowd)
        return code

    async def _linger(self, daemon: asyncio.subprocess.Process, crowd: Crowd) -> None:
        """Tells what can be tried with registrar and nodes, and lets them run until Ctrl-C.

        Raises:
            OperatorError: it has ended without being asked.
        """
        first, last = (self._devices[at].identifier.hex() for at in (0, -1))
        tell("\nThe registrar keeps running. Try, in another terminal from this folder:\n")
        for words in (
            ("status",),
            ("page",),
            ("network", "show", demo.NETWORK_NAME),
            ("pledge", "list"),
            ("pledge", "show", first),
            ("rollover", "start", demo.NETWORK_NAME, "--yes"),
            ("rollover", "watch", demo.NETWORK_NAME),
            ("pledge", "revoke", last, "--reason", "lost"),
            ("events",),
        ):
            tell(f"  {typed('--config', str(self._registrar.config), *words)}")
        tell(f"\nIts log is {self._registrar.log}. Ctrl-C stops it.")
        living = asyncio.ensure_future(crowd.live(tell_switch))
        try:
            await daemon.wait()
        finally:
            living.cancel()
        raise OperatorError("the registrar has stopped by itself", self._registrar.last_words())
