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
from jrc.admin.server import AdminServer, metrics_server
from jrc.config import Settings
from jrc.store.engine import shown_url
from jrc.store.keyfile import KeyMissingError

LOOK_AGAIN_S = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger("jrc")


async def wait_for_key(settings: Settings, missing: KeyMissingError) -> bool:
    """True once the key file is there, False if the process was told to end before.

    Meanwhile `jrc status` and ``/readyz`` say that the registrar is sealed.

    Raises:
        OperatorError: the admin socket or the metrics port can't be had.
    """
    path = settings.keys.kek_file
    assert path is not None, "a credential does not come later"
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    async with AsyncExitStack() as stack:
        await _serve(stack, settings, missing)
        for number in _SIGNALS:
            loop.add_signal_handler(number, ended.set)
            stack.callback(loop.remove_signal_handler, number)
        _log.error("sealed", error=missing.message, hint=missing.hint)
        # Ready is what a service manager waits for before it starts what comes after: `systemctl
        # start` would hang until somebody has put the file there.
        servicemanager.notify(os.environ, f"READY=1\nSTATUS=sealed: {missing.message}")
        has_come = await _come(path, ended)
    if has_come:
        _log.info("unsealing", key_file=str(path))
        servicemanager.notify(os.environ, "STATUS=")
    return has_come


async def _come(path: Path, ended: asyncio.Event) -> bool:
    while not ended.is_set():
        if path.exists():  # noqa: ASYNC240 - one stat; nothing else is served yet
            return True
        try:
            await asyncio.wait_for(ended.wait(), LOOK_AGAIN_S)
        except TimeoutError:
            continue
    return False


async def _serve(stack: AsyncExitStack, settings: Settings, missing: KeyMissingError) -> None:
    identity = {
        "version": __version__,
        "pid": os.getpid(),
        "database": shown_url(settings.database.url),
    }
    services = SealedServices(missing.message, missing.hint, identity)
    admin = AdminServer(build_sealed_api(services), settings.admin.socket)
    stack.push_async_callback(admin.stop)
    await admin.start()
    if settings.metrics is not None:
        place = settings.metrics.listen
        metrics = metrics_server(build_metrics(services), place.host, place.port)
        stack.push_async_callback(metrics.stop)
        await metrics.start()
