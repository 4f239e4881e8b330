"""Processes of ``python -m MODULE ...`` without the time that imports take (``forkserver.py``).

They are processes like others, with arguments, environment, folder and standard files of their own.
What the kernel says of them is another matter: ``/proc/PID/cmdline``, limits, open files. Tests of
such things start an interpreter.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from typing import IO

from tests.forkserver import CONTROL

PATIENCE_S = 60.0
JRC = "jrc.cli.main"

_lock = threading.Lock()
_server: list[socket.socket] = []


class Forked:
    """A running process, as ``subprocess.Popen``."""

    def __init__(
        self,
        *arguments: str,
        stdin: int,
        stdout: int,
        stderr: int,
        environ: Mapping[str, str] | None = None,
        new_session: bool = False,
    ) -> None:
        order = {
            "arguments": arguments,
            "folder": os.getcwd(),
            "environ": dict(os.environ if environ is None else environ),
            "new_session": new_session,
        }
        self.stdout: IO[str] | None = None
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._status, theirs = socket.socketpair()
        with theirs:
            files = [stdin, stdout, stderr, theirs.fileno()]
            socket.send_fds(_control(), [json.dumps(order).encode()], files)
        self._told = self._status.makefile("r")
        self.pid = int(self._told.readline())
"""
"""
