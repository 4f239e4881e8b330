"""`jrc proxy`: the Join Proxy as a process of its own, without a database."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack

import structlog

from jrc import __version__, servicemanager
from jrc.admin.health import build_metrics
from jrc.admin.metric_families import pieces_of
from jrc.admin.proxy_metrics import proxy_registry
from jrc.admin.server import metrics_server
from jrc.admin.services import Health
from jrc.app.logs import Logs
from jrc.app.proxy_host import ProxyHost
from jrc.app.proxy_neighbours import say_neighbours
from jrc.app.watchdog import Watchdog
from jrc.config import Proxy, Settings
from jrc.errors import ExitCode
from jrc.net.interfaces import InterfaceWatch

_log = structlog.get_logger("jrc")


def run_proxy(settings: Settings, proxy: Proxy) -> int:
    """Run the Join Proxy until SIGTERM or SIGINT; its exit code.

    Raises:
        OperatorError: it can't start.
    """
    Logs(settings.log)
    return asyncio.run(_serve(settings, proxy))


async def _serve(settings: Settings, proxy: Proxy) -> int:
    async with AsyncExitStack() as stack:
        watchdog = Watchdog()
        watchdog.start()
        stack.callback(watchdog.stop)
        daemon = ProxyDaemon(proxy)
        await daemon.host.start()
        stack.push_async_callback(daemon.host.stop)
        if settings.metrics is not None:
            place, hosts = settings.metrics.listen, settings.metrics.hosts
            app = build_metrics(daemon)
            metrics = metrics_server(app, place.host, place.port, hosts=hosts)
            stack.push_async_callback(metrics.stop)
            await metrics.start()
        await say_neighbours(proxy.interface)
        gc.freeze()
        _log.info("ready", version=__version__, **daemon.host.status())
        servicemanager.notify(os.environ, "READY=1")
        code = await daemon.run()
        servicemanager.notify(os.environ, "STOPPING=1")
    _log.info("stopped", forwarded=daemon.host.proxy.forwarded)
    return code


class ProxyDaemon:
    """The process; as ``admin.services.Observed`` for the metrics port."""

    def __init__(self, settings: Proxy) -> None:
        self._ended = asyncio.Event()
        self._exit_code = ExitCode.DONE
        self.host = ProxyHost(settings, InterfaceWatch, self._fatal)
        self._registry = proxy_registry(self.host.figures, __version__)

    async def run(self) -> int:
        """Wait for the end; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        await self._ended.wait()
        return int(self._exit_code)

    def metrics(self) -> Iterator[bytes]:
        """As ``Observed.metrics``."""
        return pieces_of(self._registry)

    def health(self) -> Health:
        """As ``Observed.health``: ready is who listens and has a way to the registrar."""
        found = self.host.figures()
        why = [] if found.listening else ["pledges can't reach the proxy"]
        if not found.connected:
            why.append("there is no way to the registrar")
        return Health(alive=not self._ended.is_set(), ready=not why, why=tuple(why))

    def _fatal(self, error: BaseException) -> None:
        _log.critical("stopping", error=str(error))
        self._exit_code = ExitCode.FAILED
        self._ended.set()
