"""Processes of ``python -m MODULE ...`` without the time that imports take (``forkserver.py``).

They are processes like others, with arguments, environment, folder and standard files of their own.
What the kernel says of them is another matter: ``/proc/PID/cmdline``, limits, open files. Tests of
such things start an interpreter.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

PATIENCE_S = 60.0
JRC = "jrc.cli.main"
CHECKOUT = Path(__file__).parents[1]

_lock = threading.Lock()
_servers: list[socket.socket] = []


class Forked:
    """A running ``python -m ARGUMENTS``, as ``subprocess.Popen`` has it.

    ``stdin``, ``stdout`` and ``stderr`` are open files' descriptors, and stay the caller's.
    """

    def __init__(
        self,
        *arguments: str,
        stdin: int,
        stdout: int,
        stderr: int,
        environ: Mapping[str, str] | None = None,
        new_session: bool = False,
        folder: str | None = None,
    ) -> None:
        order = {
            "arguments": arguments,
            "folder": folder or os.getcwd(),
            "environ": dict(os.environ if environ is None else environ),
            "new_session": new_session,
        }
        ours, theirs = socket.socketpair()
        with ours, theirs:
            files = [stdin, stdout, stderr, theirs.fileno()]
            socket.send_fds(_control(), [json.dumps(order).encode()], files)
            self._told = ours.makefile("rb", buffering=0)
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self.returncode: int | None = None
        self._reading = threading.Lock()
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Its exit code, minus the signal that killed it; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, within ``timeout`` seconds.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def _look(self, timeout: float | None) -> int | None:
        with self._reading:
            if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
                self.returncode = int(self._told.readline())
                self._told.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it may be that its end is not told yet
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def piped(
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    new_session: bool = False,
    errors_apart: bool = False,
    folder: str | None = None,
) -> Forked:
    """A process without input, whose output is to be read as text.

    Errors are in it as well, or are its ``stderr`` where they are to be told apart.
    """
    out, out_theirs = os.pipe()
    err, err_theirs = os.pipe() if errors_apart else (None, os.dup(out_theirs))
    try:
        with open(os.devnull) as nothing:
            process = Forked(
                *arguments,
                stdin=nothing.fileno(),
                stdout=out_theirs,
                stderr=err_theirs,
                environ=environ,
                new_session=new_session,
                folder=folder,
            )
    finally:
        os.close(out_theirs)
        os.close(err_theirs)
    process.stdout = open(out)  # noqa: SIM115
    process.stderr = None if err is None else open(err)  # noqa: SIM115
    return process


def run(
    *arguments: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    timeout_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[bytes]:
    """What a process leaves that reads ``given``.

    Raises:
        subprocess.TimeoutExpired: it does not end, and was killed.
    """
    with TemporaryFile() as read, TemporaryFile() as out, TemporaryFile() as err:
        read.write(given)
        read.seek(0)
        process = Forked(
            *arguments,
            stdin=read.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
            environ=environ,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def _control() -> socket.socket:
    """Where the server takes its orders; it ends with this process."""
    with _lock:
        if not _servers:
            _servers.append(_started())
        return _servers[0]


def _started() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver", str(number)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
            cwd=CHECKOUT,
            start_new_session=True,
        )
    atexit.register(_end, ours, server)
    return ours


def _end(control: socket.socket, server: subprocess.Popen[bytes]) -> None:
    control.close()
    server.wait(timeout=PATIENCE_S)
