"""Runs an operator's program that puts link-layer keys into a radio; keys on its stdin alone.

The program gets a session of its own, the environment below and no file descriptors but its
standard ones and a lock. The lock is its own for as long as it lives, so that it keeps a second run
from beginning even where the process that has started it was killed. When it ends, or its time is
over, whatever is left of its process group is ended, so that no run ever meets the remains of
another.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from jrc.model import Secret
from jrc.net.runlock import RunLock, run_alone
from jrc.service.key_document import MAX_SAID_BYTES
from jrc.service.ports import InstallOutcome

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STDERR = 2
_GRACE_S = 1.0
"""Between SIGTERM and SIGKILL: time to leave a serial line in order."""
_REST_S = 0.5
"""For the rest of what it has said, once it has ended."""


def program_environment(environ: Mapping[str, str], network: str) -> dict[str, str]:
    """All that a program finds in its environment."""
    language = {"LANG": environ["LANG"]} if "LANG" in environ else {}
    return {"PATH": environ.get("PATH", DEFAULT_PATH), **language, "JRC_NETWORK": network}


class _Run(asyncio.SubprocessProtocol):
    """One process: the beginning of its stderr, and when it has ended."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.said = bytearray()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the first bytes, drop the others."""
        if fd == _STDERR:
            self.said += data[: MAX_SAID_BYTES - len(self.said)]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A standard stream was closed; a program need not read all of its stdin."""
        if fd == _STDERR and not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        """The program itself has ended; what it started may live."""
        if not self.ended.done():
            self.ended.set_result(None)


class ExecInstaller:
    """As ``service.ports.KeyInstaller``: runs ``command``, a program and its arguments.

    No two runs hold ``lock``, a file, at once.
    """

    is_local = False

    def __init__(self, command: Sequence[str], timeout_s: float, lock: Path) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._lock = lock

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        """As ``KeyInstaller.install``; exit code 0 says that the keys are in."""
        return await run_alone(self._lock, partial(self._run, network, document))

    async def keeps(self) -> bool:
        """As ``KeyInstaller.keeps``: nobody can tell."""
        return True

    async def _run(self, network: str, document: Secret, lock: RunLock) -> InstallOutcome:
        # A start that is called off halfway may never come back (asyncio waits for pipes that it
        # has not opened) and would leave what it has started.
        starting = asyncio.create_task(self._start(network, lock))
        try:
            transport, run = await asyncio.shield(starting)
        except (OSError, ValueError) as error:
            return InstallOutcome(False, f"can't be started ({_why(error)})")
        except asyncio.CancelledError:
            with suppress(OSError, ValueError):
                await _end(*await starting)
            raise
        try:
            lock.name(transport.get_pid())
            how = await self._talk(transport, run, document)
        finally:
            await _end(transport, run)
        return InstallOutcome(how is None, how or "", bytes(run.said))

    async def _start(self, network: str, lock: RunLock) -> tuple[asyncio.SubprocessTransport, _Run]:
        return await asyncio.get_running_loop().subprocess_exec(
            _Run,
            *self._command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            cwd="/",
            env=program_environment(os.environ, network),
            start_new_session=True,
            pass_fds=(lock.fd,),
        )

    async def _talk(
        self, transport: asyncio.SubprocessTransport, run: _Run, document: Secret
    ) -> str | None:
        """Hand the document over and wait; what went wrong, None if nothing did."""
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.write(document.reveal())
        stdin.close()
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.shield(run.ended)
        except TimeoutError:
            return f"took longer than {self._timeout_s:g} s"
        code = transport.get_returncode()
        if code == 0:
            return None
        return f"exit code {code}" if code is None or code > 0 else f"ended by {_name_of(-code)}"


async def _end(transport: asyncio.SubprocessTransport, run: _Run) -> None:
    """End the process group, leader and all, and let go of the pipes."""
    group = transport.get_pid()
    try:
        if not run.ended.done():
            _signal(group, signal.SIGTERM)
            await asyncio.wait([run.ended], timeout=_GRACE_S)
    finally:
        _signal(group, signal.SIGKILL)
    await asyncio.wait([run.ended, run.silent], timeout=_REST_S)
    transport.close()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
