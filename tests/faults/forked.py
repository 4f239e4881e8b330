"""Daemons by fork from a process that has everything imported: a start takes a tenth of the time.

What runs is the daemon's own entry point in a process of its own, which is killed with SIGKILL as
any other. Only the imports are shared, as they are of the file system's cache.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import IO

from tests.daemon.site import Daemon, Site

_PRELOADED = ("jrc.cli.main", "jrc.cli.run", "jrc.app.daemon", "tests.faults.broken")


class Forked:
    """A daemon's process, as ``tests.daemon.site.Process``."""

    def __init__(self, child: ForkServerProcess, output: Connection) -> None:
        self._child = child
        self.stdout: IO[str] | None = os.fdopen(os.dup(output.fileno()), encoding="utf-8")
        output.close()

    def poll(self) -> int | None:
        """As ``Process.poll``."""
        return self._child.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """As ``Process.wait``."""
        self._child.join(timeout)
        code = self._child.exitcode
        if code is None:
            raise TimeoutError("the daemon does not end")
        return code

    def kill(self) -> None:
        """As ``Process.kill``."""
        self._child.kill()


def start(site: Site, fault: str | None = None, environ: Mapping[str, str] | None = None) -> Daemon:
    """The daemon of ``site``, once it answers joins; ``fault`` is one of ``broken.py``."""
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(
        target=_run, args=(theirs, str(site.config), fault, dict(environ or {}))
    )
    child.start()
    theirs.close()
    assert child.pid is not None
    daemon = Daemon(site, Forked(child, ours), pid=child.pid)
    daemon.wait_until_ready()
    return daemon


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context


def _run(output: Connection, config: str, fault: str | None, environ: Mapping[str, str]) -> None:
    """In the child: the daemon, with its output where ``Daemon`` reads it."""
    from jrc.cli.main import main
    from tests.faults.broken import build_in

    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    os.environ.update(environ)
    threading.Thread(target=_die_with_the_test, daemon=True).start()
    if fault is not None:
        build_in(fault)
    sys.exit(main(["--config", config, "run"]))


def _die_with_the_test() -> None:
    """No daemon stays behind where a test was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
