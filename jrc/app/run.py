"""`jrc run`: the daemon with its database, sockets and signals."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack

import structlog

from jrc import servicemanager
from jrc.admin.server import is_served
from jrc.app.daemon import Daemon
from jrc.app.heap import share_heap
from jrc.app.logs import Logs
from jrc.app.sealed import wait_for_key
from jrc.app.watchdog import Watchdog
from jrc.clock import HostClock
from jrc.coap.endpoint import bind, prepare
from jrc.config import Endpoint as Place
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition
from jrc.opened import Opened, open_in_turn
from jrc.servicemanager import Passed
from jrc.store.keyfile import KeyMissingError
from jrc.store.ledger import moved_error

_UNUSED = "no section of the config file names it, and who connects there waits for nothing"

READERS = 2
"""Threads that read for commands and metrics; each one costs memory of its own."""

_log = structlog.get_logger("jrc")


def run_daemon(settings: Settings, read_settings: Callable[[], Settings]) -> int:
    """Run the registrar until SIGTERM or SIGINT; its exit code.

    ``read_settings`` reads the config file once more, at SIGHUP.

    Raises:
        OperatorError: it can't start.
    """
    share_heap()
    # Its default is to end the process; as a signal it may come before anybody listens to it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return asyncio.run(_serve(settings, Logs(settings.log), read_settings))


async def _serve(settings: Settings, logs: Logs, read_settings: Callable[[], Settings]) -> int:
    readers = ThreadPoolExecutor(READERS, "jrc-reader")
    asyncio.get_running_loop().set_default_executor(readers)
    clock = HostClock()
    passed = servicemanager.passed_sockets(os.environ)
    async with AsyncExitStack() as stack:
        stack.callback(passed.close)
        watchdog = Watchdog()
        watchdog.start()
        stack.callback(watchdog.stop)
        # A unit at boot must not fail because somebody gives a command at that moment.
        opened = await _opened(settings, clock, passed)
        if opened is None:
            return ExitCode.DONE
        stack.callback(opened.close)
        if opened.condition is Condition.MOVED:
            raise moved_error(opened.database.instance)
        places = () if passed.datagrams else settings.coap.listen
        _refuse_without_sockets(settings, places)
        daemon = Daemon(
            opened,
            _listeners(passed.datagrams, places),
            places,
            logs=logs,
            passed=passed,
            read_settings=read_settings,
            clock_doubt=lambda: clock.doubt,
        )
        stack.push_async_callback(daemon.stop)
        await daemon.start()
        watchdog.works = daemon.works
        for place in passed.unused():
            _log.warning("passed_socket_unused", address=place, hint=_UNUSED)
        servicemanager.notify(os.environ, "READY=1")
        code = await daemon.run()
        servicemanager.notify(os.environ, "STOPPING=1")
        return code


def _refuse_without_sockets(settings: Settings, places: Sequence[Place]) -> None:
    """Returns if nothing of the settings needs sockets that this process may not open.

    Raises:
        OperatorError: something does; the unit says what a process may (docs/systemd.md).
    """
    needs = ["coap.listen"] * bool(places) + ["proxy"] * (settings.proxy is not None)
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError as error:
        if needs and error.errno == errno.EAFNOSUPPORT:
            raise OperatorError(
                f"{' and '.join(needs)}: the service may open no sockets to the network"
                " (RestrictAddressFamilies=)",
                "for coap.listen enable jrc.socket; for all else there is the drop-in"
                " deploy/systemd/ip.conf (docs/systemd.md)",
            ) from None


async def _opened(settings: Settings, clock: HostClock, passed: Passed) -> Opened | None:
    """What the settings name, once its key is there; None if the process was told to end before.

    Raises:
        OperatorError: it can't be opened.
    """
    while True:
        try:
            return await open_in_turn(settings, clock, lambda: is_served(settings.admin.socket))
        except KeyMissingError as error:
            if not await wait_for_key(settings, error, passed):
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
