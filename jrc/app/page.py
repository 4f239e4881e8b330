"""The page in the registrar: on the admin socket, and on a port of loopback where it is set up."""

import socket
from collections.abc import Callable, Mapping

import structlog

from jrc.admin.metrics import Counters
from jrc.admin.page.app import Application, PageParts, build_page, build_socket
from jrc.admin.page.feed import Feed
from jrc.admin.page.metrics import PageFigures
from jrc.admin.page.minutes import JoinMinutes
from jrc.admin.page.reading import Pace
from jrc.admin.page.sessions import Sessions
from jrc.admin.server import HttpServer, page_server
from jrc.admin.services import Services
from jrc.app.part import Every
from jrc.app.updates import Updates
from jrc.config import Settings
from jrc.service.ports import Clock

SESSIONS_FILE = "page.sessions"
COUNT_EVERY_S = 1.0

_log = structlog.get_logger("jrc")


class Page:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs."""

    name = "page"

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        services: Services,
        counters: Counters,
        updates: Updates,
        every: Every,
        passed: Callable[[str, int], socket.socket | None] = lambda _host, _port: None,
    ) -> None:
        """``passed`` gives the socket of the service manager that listens at an address, if any."""
        self._passed = passed
        self._place = None if settings.page is None else settings.page.listen
        self._clock = clock
        self._services = services
        self._counters = counters
        self._updates = updates
        self._every = every
        self._server: HttpServer | None = None
        self._parts = PageParts(
            services=services,
            sessions=Sessions(settings.state_dir / SESSIONS_FILE, clock.now_ms),
            feed=Feed(self._stamps, clock.now_ms()),
            minutes=JoinMinutes(),
            pace=Pace(),
            origin=self._origin,
        )

    def beside(self, api: Application) -> Application:
        """The page and the admin API, for the admin socket."""
        return build_socket(self._parts, api)

    async def start(self) -> None:
        """As ``Part.start``.

        Raises:
            OperatorError: the port can't be had.
        """
        self._every(COUNT_EVERY_S, self._count)
        if self._place is None:
            return
        host, port = self._place.host, self._place.port
        self._server = page_server(build_page(self._parts), host, port, self._passed(host, port))
        await self._server.start()
        _log.info("page_listening", address=self._origin())

    async def stop(self) -> None:
        """As ``Part.stop``; pages that listen are let go at once."""
        self._parts.feed.end()
        self._parts.pace.end()
        if self._server is not None:
            await self._server.stop()
            self._server = None

    def changed(self) -> None:
        """As ``Part.changed``: the audit log has it."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``; ``address`` is null where the admin socket alone has it."""
        return {
            "address": self._origin(),
            "listeners": self._parts.feed.listeners,
            "sessions": len(self._parts.sessions),
        }

    def figures(self) -> PageFigures:
        """What the metrics say of this moment."""
        return PageFigures(
            listeners=self._parts.feed.listeners,
            sessions=len(self._parts.sessions),
            reading_s=self._parts.pace.spent_s,
        )

    def _origin(self) -> str | None:
        if self._server is None or self._place is None:
            return None
        return f"http://{self._place._replace(port=self._server.port)}"

    async def _count(self) -> None:
        self._parts.minutes.look(self._counters.totals(), self._clock.now_ms())

    def _stamps(self) -> Mapping[str, object]:
        """As ``feed.Stamps``. Whatever an operator, a join or a rollover does is an event; how
        updates end is not."""
        newest = self._services.newest_event
        return {
            "status": (self._services.health(), newest),
            "networks": newest,
            "rollovers": (newest, repr(self._updates.counts())),
            "joins": (newest, self._counters.datagrams_received),
            "pledges": newest,
            "events": newest,
        }
