"""HTTP servers on the running loop: the admin socket, and metrics on TCP."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import Server

from jrc.admin.called_as import called_rightly
from jrc.admin.peers import Rights, peer_of, with_rights
from jrc.admin.reserve import ReservingSocket
from jrc.errors import ExitCode, OperatorError

SOCKET_MODE = 0o660
"""Owner and group may administrate; who else may reach the socket is the folder's mode."""
OPEN_SOCKET_MODE = 0o666
"""Where groups have rights: who is in none of them is told so, and nothing else."""

BACKLOG = 64
MAX_CONNECTIONS = 64
"""At a time and server; who comes then is hung up on, so that files are left for the database."""
MAX_STRANGERS = 8
"""Of them, on the admin socket, from users who may do nothing there: to be told so."""
MAX_HEAD_BYTES = 16 * 1024
REQUEST_WITHIN_S = 10.0
"""From a connection, or from an answer, to the end of the next request's head."""
_KEEP_ALIVE_S = 5
NO_SOCKETS_HINT = (
    "the service may open no sockets of its own (RestrictAddressFamilies=): for metrics, `systemctl"
    " enable jrc-metrics.socket`, for the page jrc-page.socket, then `systemctl restart jrc`; for"
    " all else there is the drop-in deploy/systemd/ip.conf (docs/systemd.md)"
)
GRACE_S = 3
"""How long requests that are under way may take to end when the server stops."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 for strangers: so many connections, and none that waits without asking.

    uvicorn itself counts requests, and lets a connection be that never asks for anything.
    """

    answers_late = False
    """Whether a request may take longer than ``REQUEST_WITHIN_S`` to read, or its answer to."""
    _timer: asyncio.TimerHandle | None = None
    _last: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "hang_up": transport.abort}
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


class _PeerProtocol(BoundedProtocol):
    """HTTP/1.1 whose requests carry the credentials of the process that connected."""

    answers_late = True
    rights: ClassVar[Rights] = Rights()
    is_stranger = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = peer_of(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "peer": peer}
        super().connection_made(transport)
        self.is_stranger = not self.rights.of(peer)
        others: Iterable[object] = self.connections
        strangers = sum(getattr(each, "is_stranger", False) for each in others)
        if self.is_stranger and strangers > MAX_STRANGERS:
            transport.abort()


class _PatientProtocol(BoundedProtocol):
    """HTTP/1.1 for pages, which listen for as long as they are open; bodies come at once."""

    answers_late = True

    def _look(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle is self._last and cycle.more_body:
            self.transport.abort()
            return
        super()._look()


class QuietServer(Server):
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
        serving: Callable[[Config], QuietServer] = QuietServer,
    ) -> None:
        self._listener = ReservingSocket(listener)
        self._name = self._listener.getsockname()
        self._server = serving(
            Config(
                app,
                http=protocol,
                ws="none",
                loop="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",  # it warns of what strangers send: they would write the log
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The TCP port; an answer that ends late asks for it when the socket is closed."""
        port: int = self._name[1]
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

    def __init__(
        self,
        app: ASGIApp,
        path: Path,
        *,
        grace_s: int = GRACE_S,
        rights: Rights | None = None,
        group: int | None = None,
    ) -> None:
        """``group`` owns the file, where it is not the process's."""
        rights = rights or Rights()
        self._path = path
        mode = SOCKET_MODE if rights.groups is None else OPEN_SOCKET_MODE
        self._listener = bind_unix(path, mode, group)
        self._file = _identity(path)
        served = with_rights(app, rights)
        protocol = type("_Protocol", (_PeerProtocol,), {"rights": rights})
        self._http = HttpServer(served, self._listener, protocol=protocol, grace_s=grace_s)

    async def start(self) -> None:
        """Returns once connections are accepted."""
        await self._http.start()

    async def stop(self) -> None:
        """Stops, and removes the socket's file if it is still this server's."""
        await self._http.stop()
        with contextlib.suppress(FileNotFoundError):
            if _identity(self._path) == self._file:
                self._path.unlink()


def metrics_server(
    app: ASGIApp,
    host: str,
    port: int,
    passed: socket.socket | None = None,
    *,
    hosts: Collection[str] = (),
) -> HttpServer:
    """The server of ``/metrics``, ``/healthz`` and ``/readyz``, bound and not yet started.

    ``passed`` is a socket that listens there already; ``hosts`` as for ``called_rightly``.

    Raises:
        OperatorError: the address can't be bound.
    """
    listener = passed or bind_tcp("metrics", host, port)
    return HttpServer(called_rightly(app, host, hosts), listener, protocol=BoundedProtocol)


def page_server(
    app: ASGIApp, host: str, port: int, passed: socket.socket | None = None
) -> HttpServer:
    """The server of the page, bound and not yet started; ``passed`` as for ``metrics_server``.

    Raises:
        OperatorError: the address can't be bound.
    """
    listener = passed or bind_tcp("page", host, port)
    return HttpServer(app, listener, protocol=_PatientProtocol)


def bind_tcp(section: str, host: str, port: int) -> socket.socket:
    """A TCP socket at an address, for a section of the config file.

    Raises:
        OperatorError: it can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as undo:
        try:
            # Where the protocol is left out, asyncio sends the second half of an answer late: it
            # sets TCP_NODELAY for sockets that say they are of TCP alone.
            made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listener = undo.enter_context(made)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError as error:
            hint = f"name another address or port under [{section}], or stop what holds this one"
            raise OperatorError(
                f"{section}.listen: {host} port {port} can't be used ({error.strerror})",
                NO_SOCKETS_HINT if error.errno == errno.EAFNOSUPPORT else hint,
            ) from None
        undo.pop_all()
    return listener


def bind_unix(path: Path, mode: int = SOCKET_MODE, group: int | None = None) -> socket.socket:
    """A listening socket at ``path`` with this mode, of this group. A stale one is replaced.

    Raises:
        OperatorError: a live server is behind it, the file is no socket, or it can't be made.
    """
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~(mode if group is None else 0o600))
    try:
        listener.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(mode)
        listener.listen(BACKLOG)
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
