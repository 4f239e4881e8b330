"""The API on TCP: TLS 1.3 alone, so many connections and handshakes, and no more.

Connections are accepted here and not by asyncio's server, which lets strangers hold as many as
they like in the handshake, and takes as many handshakes in a second as come: each costs about a
millisecond of the time in which joins are answered.
"""

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import structlog
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import RequestResponseCycle
from uvicorn.server import ServerState

from jrc.admin.api_metrics import ApiCounts
from jrc.admin.certificate import Certificate
from jrc.admin.refusals import source_of
from jrc.admin.server import BACKLOG, BoundedProtocol, HttpServer, QuietServer

HANDSHAKE_WITHIN_S: Final = 5.0
MAX_HANDSHAKES: Final = 16
"""At a time; one address has half of those that the others leave, and one at least."""
HANDSHAKES_PER_S: Final = 20
"""What comes beyond waits in the kernel's queue."""
MAX_FROM_ONE: Final = 24
"""Connections from one address (``refusals.source_of``)."""
MAX_SILENT_LOOKS: Final = 6
"""Looks (``server.REQUEST_WITHIN_S`` apart) at a request whose body does not go on."""
_RETRY_S: Final = 0.5
_AT_ONCE_S: Final = 0.5

_log = structlog.get_logger("jrc")


class Turns:
    """How long to wait before the next handshake; half a second's measure may come at once."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._next_s = 0.0

    def wait_s(self) -> float:
        """Seconds, after one that has begun now."""
        now_s = self._now_s()
        self._next_s = max(self._next_s, now_s - _AT_ONCE_S) + 1 / HANDSHAKES_PER_S
        return max(0.0, self._next_s - now_s)


class _TlsProtocol(BoundedProtocol):
    """HTTP/1.1 whose answers may take their time: imports, and followers of the audit log."""

    answers_late = True
    left: Callable[[], None] | None = None
    is_made = False
    _has_heard = False
    _silent_looks = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.is_made = True
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._has_heard = True
        super().data_received(data)

    def _look(self) -> None:
        """As the one of all servers; and hang up on a body that nothing comes of any more."""
        cycle: RequestResponseCycle | None = self.cycle
        waits = cycle is not None and cycle.more_body and not cycle.response_complete
        is_silent = waits and not self._has_heard and not self.flow.read_paused
        self._silent_looks = self._silent_looks + 1 if is_silent else 0
        self._has_heard = False
        if self._silent_looks >= MAX_SILENT_LOOKS:
            self.transport.abort()
            return
        super()._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.left is not None:
            self.left()


class _Door:
    """Accepts connections; a uvicorn server takes it for one of asyncio's."""

    def __init__(
        self,
        listener: socket.socket,
        certificate: Certificate,
        counts: ApiCounts,
        made: Callable[[], _TlsProtocol],
    ) -> None:
        self._listener = listener
        self._certificate = certificate
        self._counts = counts
        self._made = made
        self._open: Counter[str] = Counter()
        self._shaking: dict[asyncio.Task[None], str] = {}
        self._turns = Turns(time.monotonic)
        self._has_failed = False
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._task = asyncio.create_task(self._accept())

    def close(self) -> None:
        """As ``asyncio.Server.close``."""
        for task in (self._task, *self._shaking):
            task.cancel()

    async def wait_closed(self) -> None:
        """As ``asyncio.Server.wait_closed``."""
        await asyncio.gather(self._task, *self._shaking, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError:
                # No more files, or whoever connected has gone.
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                wait_s = self._take(connection, address[0])
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - the outermost guard of this task
                connection.close()
                self._complain(error)
                wait_s = _RETRY_S
            await asyncio.sleep(wait_s)

    def _take(self, connection: socket.socket, address: str) -> float:
        """Begin the handshake, or hang up; how long the next connection has to wait."""
        source = source_of(address)
        if self._open[source] >= MAX_FROM_ONE or not self._has_place(source):
            self._counts.hung_up += 1
            connection.close()
            return 0  # joins are answered between two of them all the same
        protocol = self._made()
        self._open[source] += 1
        protocol.left = lambda: self._leave(source)
        task = asyncio.create_task(self._shake(connection, source, protocol))
        self._shaking[task] = source
        task.add_done_callback(self._shaking.pop)
        return self._turns.wait_s()

    def _complain(self, error: Exception) -> None:
        """Say once that connections are lost by a fault of our own, until one is taken again."""
        self._counts.hung_up += 1
        if not self._has_failed:
            _log.error("api_connection_lost", error=str(error), kind=type(error).__name__)
        self._has_failed = True

    def _has_place(self, source: str) -> bool:
        """Whether there is a place for one more handshake of this address."""
        own = sum(each == source for each in self._shaking.values())
        free = MAX_HANDSHAKES - len(self._shaking)
        return free > 0 and own < max(1, (free + own) // 2)

    async def _shake(self, connection: socket.socket, source: str, protocol: _TlsProtocol) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._certificate.context,
                ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
                ssl_shutdown_timeout=HANDSHAKE_WITHIN_S,
            )
        except (OSError, ssl.SSLError):
            self._counts.hung_up += 1
        finally:
            if not protocol.is_made:
                self._leave(source)

    def _leave(self, source: str) -> None:
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]


class _TlsServer(QuietServer):
    """A server whose connections come through a ``_Door``."""

    def __init__(self, config: Config, certificate: Certificate, counts: ApiCounts) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._counts = counts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As ``Server.startup``, without asyncio's server."""
        await self.lifespan.startup()
        state: ServerState = self.server_state

        def made() -> _TlsProtocol:
            return _TlsProtocol(self.config, state, self.lifespan.state)

        doors: Any = [_Door(each, self._certificate, self._counts, made) for each in sockets or ()]
        self.servers = doors
        self.started = True
        self.accepting.set()


def tls_server(
    app: ASGIApp, listener: socket.socket, certificate: Certificate, counts: ApiCounts
) -> HttpServer:
    """The server of the API on TCP, not yet started."""
    return HttpServer(
        app,
        listener,
        protocol=_TlsProtocol,
        serving=lambda config: _TlsServer(config, certificate, counts),
    )
