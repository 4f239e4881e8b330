"""HTTP servers on the running loop: the admin socket, and metrics on TCP."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import Server

from jrc.admin.peers import peer_of
from jrc.errors import ExitCode, OperatorError

SOCKET_MODE = 0o660
"""Owner and group may administrate; who else may reach the socket is the folder's mode."""

_BACKLOG = 64
MAX_CONNECTIONS = 64
"""At a time and server; who comes then is hung up on, so that files are left for the database."""
MAX_HEAD_BYTES = 16 * 1024
REQUEST_WITHIN_S = 10.0
"""From a connection, or from an answer, to the end of the next request's head."""
_KEEP_ALIVE_S = 5
GRACE_S = 3
"""How long requests that are under way may take to end when the server stops."""


class _BoundedProtocol(H11Protocol):
    """HTTP/1.1 for strangers: so many connections, and none that waits without asking.

    uvicorn itself counts requests, and lets a connection be that never asks for anything.
    """

    answers_late = False
    """Whether a request may take longer than ``REQUEST_WITHIN_S`` to read, or its answer to."""
    _timer: asyncio.TimerHandle | None = None
    _last: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._timer = self.loop.call_later(REQUEST_WITHIN_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Hang up on who has asked nothing new since the last look."""
        cycle: RequestResponseCycle | None = self.cycle
        is_new = cycle is not self._last
        is_busy = cycle is not None and not cycle.response_complete
        if not is_new and not (is_busy and self.answers_late):
            self.transport.abort()
            return
        self._last = cycle
        self._timer = self.loop.call_later(REQUEST_WITHIN_S, self._look)


class _PeerProtocol(_BoundedProtocol):
    """HTTP/1.1 whose requests carry the credentials of the process that connected."""

    answers_late = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = peer_of(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "peer": peer}
        super().connection_made(transport)


class _Server(Server):
    """A server that leaves signals to the program and says when it accepts connections."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.accepting.set()


class HttpServer:
    """One ASGI application on one listening socket, from ``start`` to ``stop``."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        protocol: type[asyncio.Protocol],
        grace_s: int = GRACE_S,
    ) -> None:
        self._listener = listener
        self._server = _Server(
            Config(
                app,
                http=protocol,
                ws="none",
                loop="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The TCP port."""
        port: int = self._listener.getsockname()[1]
        return port

    async def start(self) -> None:
        """Returns once connections are accepted."""
        task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        accepting = asyncio.create_task(self._server.accepting.wait())
        self._task = task
        await asyncio.wait((task, accepting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            accepting.cancel()
            await task

    async def stop(self) -> None:
        """Ends what is under way within seconds, then closes the socket."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
            self._task = None
        self._listener.close()


class AdminServer:
    """The admin API on its Unix socket; the file goes when the server stops."""

    def __init__(self, app: ASGIApp, path: Path, *, grace_s: int = GRACE_S) -> None:
        self._path = path
        self._listener = bind_unix(path)
        self._file = _identity(path)
        self._http = HttpServer(app, self._listener, protocol=_PeerProtocol, grace_s=grace_s)

    async def start(self) -> None:
        """Returns once connections are accepted."""
        await self._http.start()

    async def stop(self) -> None:
        """Stops, and removes the socket's file if it is still this server's."""
        await self._http.stop()
        with contextlib.suppress(FileNotFoundError):
            if _identity(self._path) == self._file:
                self._path.unlink()


def metrics_server(app: ASGIApp, host: str, port: int) -> HttpServer:
    """The server of ``/metrics``, ``/healthz`` and ``/readyz``, bound and not yet started.

    Raises:
        OperatorError: the address can't be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OperatorError(
            f"metrics.listen: {host} port {port} can't be used ({error.strerror})",
            "name another address or port under [metrics], or stop what holds this one",
        ) from None
    return HttpServer(app, listener, protocol=_BoundedProtocol)


def bind_unix(path: Path) -> socket.socket:
    """A listening socket at ``path`` with mode 0660. A stale one is replaced.

    Raises:
        OperatorError: a live server is behind it, the file is no socket, or it can't be made.
    """
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OperatorError(
            f"admin.socket: {path} can't be made ({error.strerror})",
            f"make the folder {path.parent} and let this user write there",
        ) from None
    finally:
        os.umask(before)
    return listener


def _clear(path: Path) -> None:
    """Removes a socket that nobody listens on."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise OperatorError(f"admin.socket: {path} can't be used ({error.strerror})") from None
    if not stat.S_ISSOCK(mode):
        raise OperatorError(
            f"admin.socket: {path} exists and is no socket", "name another path under [admin]"
        )
    if is_served(path):
        raise OperatorError(
            f"admin.socket: another process answers on {path}",
            "a daemon runs already: see `jrc status`",
            exit_code=ExitCode.REFUSED,
        )
    path.unlink(missing_ok=True)


def is_served(path: Path) -> bool:
    """Whether a connection is taken. A socket whose queue is full has somebody behind it, too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
    return True


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
