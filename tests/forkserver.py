"""Forks processes of ``python -m MODULE ...``, with what they import already imported.

Begun by ``tests.forked`` alone, which has the other end of the socket that the argument names.
A message there is one process to start; when it is closed, this ends and what it has started.
"""

import atexit
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
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, cast

MESSAGE_BYTES: Final = 1 << 17
FILES: Final = 4
"""Standard input, output and error, and where process id and exit code are told."""
PRELOADED: Final = (
    "jrc.app.run",
    "jrc.cli.run",
    "jrc.cli.proxy",
    "jrc.cli.tree",
    "jrc.cli.checks",
    "jrc.cli.diagnosis.course",
    "jrc.store.bootstrap",
    # What libraries load when they are used.
    "anyio._backends._asyncio",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "httpcore",
    "pydantic.type_adapter",
    "uvicorn.lifespan.off",
)
_PR_SET_PDEATHSIG = 1
"""linux/prctl.h."""
_HIGHEST = 1 << 16


def preload() -> None:
    """Import what commands and daemons do; not what they run as ``__main__``."""
    # As `jrc run` has it: structlog takes rich for its tracebacks where it finds it.
    sys.modules["rich"] = cast(Any, None)
    importlib.import_module("structlog")
    del sys.modules["rich"]
    for name in PRELOADED:
        importlib.import_module(name)
    importlib.import_module("tests.warm").keep()
    # Arguments are looked at in a tree of all commands, which is made when the first one is given.
    importlib.import_module("typer.main").get_command(sys.modules["jrc.cli.tree"].app)
    # Else each process would copy this memory at its first collection.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The order and the standard files of a process, in that process; here it exits at the end."""
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.data is not None:
                    selector.unregister(key.fileobj)
                    _tell_end(*key.data)
                    continue
                order, files, _flags, _address = socket.recv_fds(control, MESSAGE_BYTES, FILES)
                if not order:
                    sys.exit()
                pid = os.fork()
                if pid == 0:
                    return json.loads(order), files[:-1]
                ended = os.pidfd_open(pid)
                selector.register(ended, selectors.EVENT_READ, (ended, pid, files[-1]))
                _tell(files[-1], pid)
                for each in files[:-1]:
                    os.close(each)


def _tell(told: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(told, b"%d\n" % number)


def _tell_end(ended: int, pid: int, told: int) -> None:
    _pid, status = os.waitpid(pid, 0)
    _tell(told, os.waitstatus_to_exitcode(status))
    os.close(told)
    os.close(ended)


def become(order: dict[str, Any], standard: Sequence[int]) -> list[str]:
    """Be what ``subprocess.Popen`` starts, with these three files; the arguments of the process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, file in enumerate(standard):
        os.dup2(file, number)
    os.closerange(len(standard), _HIGHEST)
    if order["new_session"]:
        os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _written(1, "strict", is_terminal=os.isatty(1))
    sys.stderr = _written(2, "backslashreplace", is_terminal=True)
    arguments: list[str] = order["arguments"]
    return arguments


def _written(number: int, errors: str, *, is_terminal: bool) -> Any:
    buffering = 1 if is_terminal else -1
    return open(number, "w", buffering, errors=errors, closefd=False)


def carry_out(module: str) -> NoReturn:
    """The module as the main program, and the end of the process without taking all apart."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        code = ended.code
    # As multiprocessing does in what it has forked; the interpreter's own way takes 50 ms.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    preload()
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        given = serve(opened)
    name, *sys.argv[1:] = become(*given)
    carry_out(name)
