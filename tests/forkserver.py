"""Forks processes of ``python -m MODULE ...``, with what they import already imported.

Begun by ``tests.forked`` alone, which also has the other end of ``CONTROL``: a message there is
one process to start. It ends when that end is closed, and with it whatever it has started.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final, cast

CONTROL: Final = 3
MESSAGE_BYTES: Final = 1 << 17
DESCRIPTORS: Final = 4
"""Standard input, output and error, and where process id and exit code are told."""
PRELOADED: Final = ("jrc.app.run", "jrc.cli.run", "jrc.cli.proxy", "jrc.cli.tree")
_PR_SET_PDEATHSIG = 1
"""linux/prctl.h."""


def preload() -> None:
    """Import what commands and daemons do; not what they run as ``__main__``."""
    # As `jrc run` has it: structlog takes rich for its tracebacks where it finds it.
    sys.modules["rich"] = cast(Any, None)
    importlib.import_module("structlog")
    del sys.modules["rich"]
    for name in PRELOADED:
        importlib.import_module(name)
    # Else each process would copy this memory at its first collection.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> list[str]:
    """The arguments of a process, in that process; this one returns never, and exits."""
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj is not control:
                    selector.unregister(key.fileobj)
                    _tell_end(cast(int, key.fileobj), *key.data)
                    continue
                order, descriptors, _flags, _address = socket.recv_fds(
                    control, MESSAGE_BYTES, DESCRIPTORS
                )
                if not order:
                    sys.exit()
                pid = os.fork()
                if pid == 0:
                    os.close(descriptors[3])
                    return _become(json.loads(order), descriptors[:3])
                _told(descriptors[3], pid)
                selector.register(
                    os.pidfd_open(pid), selectors.EVENT_READ, (pid, descriptors[3])
                )
                for each in descriptors[:3]:
                    os.close(each)


def _told(status: int, number: int) -> None:
    os.write(status, b"%d\n" % number)


def _tell_end(pidfd: int, pid: int, status: int) -> None:
    _pid, ended = os.waitpid(pid, 0)
    _told(status, os.waitstatus_to_exitcode(ended))
    os.close(status)
    os.close(pidfd)


def _become(order: dict[str, Any], standard: Sequence[int]) -> list[str]:
    """Be what ``subprocess.Popen`` would start."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if order["new_session"]:
        os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        setattr(sys, name, _standard(name, mode))
    arguments: list[str] = order["arguments"]
    return arguments


def _standard(name: str, mode: str) -> Any:
    number = ("stdin", "stdout", "stderr").index(name)
    is_error = name == "stderr"
    return open(  # noqa: SIM115
        number,
        mode,
        buffering=1 if is_error or os.isatty(number) else -1,
        errors="backslashreplace" if is_error else "strict",
        closefd=False,
    )


if __name__ == "__main__":
    preload()
    with socket.socket(fileno=CONTROL) as opened:
        module, *sys.argv[1:] = serve(opened)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
