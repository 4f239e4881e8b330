"""A registrar whose key file is not there: it opens no database and no UDP socket, and waits.

A file that is missing may still come: secrets of containers and disks of other hosts do. One that
is there and wrong needs a person, and ends the process with a sentence instead, which a service
manager shows as failed. While it waits it has no lock: `jrc keys restore` can make the file.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from jrc import __version__, servicemanager
from jrc.admin.health import build_metrics
from jrc.admin.sealed import SealedServices, build_sealed_api
from jrc.admin.server import metrics_server
from jrc.app.admin_socket import admin_server
from jrc.config import Settings
from jrc.servicemanager import Passed
from jrc.store.engine import shown_url
from jrc.store.keyfile import KeyMissingError

LOOK_AGAIN_S = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger("jrc")


async def wait_for_key(settings: Settings, missing: KeyMissingError, passed: Passed) -> bool:
    """True once the key file is there, False if the process was told to end before.

    Meanwhile `jrc status` and ``/readyz`` say that the registrar is sealed.

    Raises:
        OperatorError: the admin socket or the metrics port can't be had.
    """
    path = settings.keys.kek_file
    assert path is not None, "a credential does not come later"
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    async with AsyncExitStack() as stack:
        await _serve(stack, settings, missing, passed)
        for number in _SIGNALS:
            loop.add_signal_handler(number, ended.set)
            stack.callback(loop.remove_signal_handler, number)
        loop.add_signal_handler(signal.SIGHUP, _read_later)
        # Removed, it would end the process until the daemon listens to it.
        stack.callback(signal.signal, signal.SIGHUP, signal.SIG_IGN)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)
        _log.error("sealed", error=missing.message, hint=missing.hint)
        # Ready is what a service manager waits for before it starts what comes after: `systemctl
        # start` would hang until somebody has put the file there.
        servicemanager.notify(os.environ, f"READY=1\nSTATUS=sealed: {missing.message}")
        has_come = await _come(path, ended)
    if has_come:
        _log.info("unsealing", key_file=str(path))
        servicemanager.notify(os.environ, "STATUS=")
    return has_come


def _read_later() -> None:
    """SIGHUP: nothing is in force yet that could change."""
    _log.warning("reload_refused", hint="a restart reads the config file again")
    servicemanager.notify(os.environ, servicemanager.reloading())
    servicemanager.notify(os.environ, "READY=1")


async def _come(path: Path, ended: asyncio.Event) -> bool:
    while not ended.is_set():
        if path.exists():  # noqa: ASYNC240 - one stat; nothing else is served yet
            return True
        try:
            await asyncio.wait_for(ended.wait(), LOOK_AGAIN_S)
        except TimeoutError:
            continue
    return False


async def _serve(
    stack: AsyncExitStack, settings: Settings, missing: KeyMissingError, passed: Passed
) -> None:
    identity = {
        "version": __version__,
        "pid": os.getpid(),
        "database": shown_url(settings.database.url),
    }
    services = SealedServices(missing.message, missing.hint, identity)
    admin = admin_server(build_sealed_api(services), settings.admin)
    stack.push_async_callback(admin.stop)
    await admin.start()
    if settings.metrics is not None:
        place, hosts = settings.metrics.listen, settings.metrics.hosts
        listener = passed.stream_at(place.host, place.port)
        app = build_metrics(services)
        metrics = metrics_server(app, place.host, place.port, listener, hosts=hosts)
        stack.push_async_callback(metrics.stop)
        await metrics.start()
