"""`jrc run`: the daemon with its database, sockets and signals."""

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack

from jrc import log, servicemanager
from jrc.admin.server import is_served
from jrc.app.daemon import Daemon
from jrc.app.sealed import wait_for_key
from jrc.clock import HostClock
from jrc.coap.endpoint import bind, prepare
from jrc.config import Endpoint as Place
from jrc.config import Settings
from jrc.errors import ExitCode
from jrc.logwriter import LogWriter, writer_to
from jrc.model import Condition
from jrc.opened import Opened, open_in_turn
from jrc.store.keyfile import KeyMissingError
from jrc.store.ledger import moved_error

READERS = 2
"""Threads that read for commands and metrics; each one costs memory of its own."""


def run_daemon(settings: Settings) -> int:
    """Run the registrar until SIGTERM or SIGINT; its exit code.

    Raises:
        OperatorError: it can't start.
    """
    writer = writer_to(sys.stderr)
    log.configure(settings.log.level, settings.log.format, sys.stderr, writer)
    return asyncio.run(_serve(settings, writer))


async def _serve(settings: Settings, writer: LogWriter | None) -> int:
    readers = ThreadPoolExecutor(READERS, "jrc-reader")
    asyncio.get_running_loop().set_default_executor(readers)
    clock = HostClock()
    async with AsyncExitStack() as stack:
        # A unit at boot must not fail because somebody gives a command at that moment.
        opened = await _opened(settings, clock)
        if opened is None:
            return ExitCode.DONE
        stack.callback(opened.close)
        if opened.condition is Condition.MOVED:
            raise moved_error(opened.database.instance)
        passed = servicemanager.passed_sockets(os.environ)
        places = () if passed else settings.coap.listen
        daemon = Daemon(opened, _listeners(passed, places), places, writer, lambda: clock.doubt)
        stack.push_async_callback(daemon.stop)
        await daemon.start()
        servicemanager.notify(os.environ, "READY=1")
        code = await daemon.run()
        servicemanager.notify(os.environ, "STOPPING=1")
        return code


async def _opened(settings: Settings, clock: HostClock) -> Opened | None:
    """What the settings name, once its key is there; None if the process was told to end before.

    Raises:
        OperatorError: it can't be opened.
    """
    while True:
        try:
            return await open_in_turn(settings, clock, lambda: is_served(settings.admin.socket))
        except KeyMissingError as error:
            if not await wait_for_key(settings, error):
                return None


def _listeners(passed: list[socket.socket], places: Sequence[Place]) -> list[socket.socket]:
    """Those of the service manager, else one a place; link-local ones wait (``listening.py``)."""
    for listener in passed:
        prepare(listener)
    with ExitStack() as undo:
        listeners = list(passed)
        for place in places:
            if place.scope:
                continue
            listeners.append(bind(place.host, place.port))
            undo.callback(listeners[-1].close)
        undo.pop_all()
    return listeners
