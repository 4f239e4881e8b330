"""The way to the admin API: over the daemon's socket, or in this process where none runs.

Both ways lead to the same ASGI application, so that a command does the same with either.
"""

import asyncio
import json
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import structlog

from jrc.admin.sudo import sudo_headers
from jrc.cli.inprocess import InProcess
from jrc.cli.options import Common, refuse_undecoded
from jrc.cli.remote import Remote
from jrc.cli.reporting import say
from jrc.cli.users import owner_of, refuse_other_owner, who_may_talk
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

BASE_URL = "http://jrc"
_TIMEOUT = httpx.Timeout(5.0, read=600.0, write=600.0)
_STATUS_WITHIN_S = 3.0
_SHOWN_WITHIN_S = 30.0
"""For who asks for the status itself: among a million pledges it takes some seconds."""
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For the socket: httpx would read all the certificates of the web, which takes 27 ms."""
Query = Mapping[str, str | int]


def segment(name: str, text: str) -> str:
    """``text`` as one segment of a path; ``name`` is what it is to the person.

    Raises:
        OperatorError: it is empty, or no UTF-8.
    """
    refuse_undecoded(name, text)
    if not text:
        raise OperatorError(f"{name} is empty", exit_code=ExitCode.USAGE)
    return quote(text, safe="")


def pledge_path(pledge_id: str) -> str:
    """Where the API has a pledge."""
    return f"/v1/pledges/{segment('the pledge identifier', pledge_id)}"


class Api:
    """The admin API, called synchronously. Errors of the far side come as ``OperatorError``."""

    def __init__(
        self, runner: asyncio.Runner, client: httpx.AsyncClient, remote: Remote | None = None
    ) -> None:
        self._runner = runner
        self._client = client
        self._remote = remote

    def get(self, path: str, query: Query | None = None) -> dict[str, object]:
        """The JSON object at ``path``."""
        return self._call("GET", path, params=_checked_words(query or {}))

    def status(self) -> dict[str, object]:
        """What the daemon says of itself, within half a minute: one that hangs is to be told of."""
        return self._call("GET", "/v1/status", timeout=_SHOWN_WITHIN_S)

    def send(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """The answer to a request with a JSON body."""
        return self._call(method, path, json=_checked_words(body))

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """The answer to a POST."""
        return self.send("POST", path, body)

    def upload(self, path: str, query: Query, content: AsyncIterable[bytes]) -> dict[str, object]:
        """The answer to a body that is sent piece by piece."""
        return self._call("POST", path, params=_checked_words(query), content=content)

    def upload_for_lines(
        self,
        path: str,
        query: Query,
        content: AsyncIterable[bytes],
        take: Callable[[Mapping[str, object], Sequence[bytes]], object],
    ) -> dict[str, object]:
        """As ``upload``, where more lines follow the answer: ``take`` gets it with some of them."""
        _checked_words(query)
        try:
            return self._runner.run(self._lines(path, query, content, take))
        except httpx.TransportError as error:
            raise self._broken_off(error) from None

    async def _lines(
        self,
        path: str,
        query: Query,
        content: AsyncIterable[bytes],
        take: Callable[[Mapping[str, object], Sequence[bytes]], object],
    ) -> dict[str, object]:
        async with self._client.stream("POST", path, params=query, content=content) as answer:
            if not answer.is_success:
                await answer.aread()
                self._checked(answer)
            first: dict[str, object] = {}
            rest = b""
            async for piece in answer.aiter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                if lines and not first:
                    first = json.loads(lines.pop(0))
                if lines:
                    take(first, lines)
        return first

    def download(
        self, path: str, body: Mapping[str, object], take: Callable[[bytes], object]
    ) -> None:
        """The bytes that answer a POST, handed to ``take`` as they come."""
        try:
            self._runner.run(self._download(path, _checked_words(body), take))
        except httpx.TransportError as error:
            raise self._broken_off(error) from None

    async def _download(
        self, path: str, body: Mapping[str, object], take: Callable[[bytes], object]
    ) -> None:
        async with self._client.stream("POST", path, json=body) as answer:
            if not answer.is_success:
                await answer.aread()
                self._checked(answer)
            async for piece in answer.aiter_raw():
                take(piece)

    def pages(self, path: str, query: Query, items: str) -> Iterator[dict[str, object]]:
        """All elements of a listing, fetched page by page; the first page at once."""
        return self._follow(self.get(path, query), path, query, items)

    def _follow(
        self, page: dict[str, object], path: str, query: Query, items: str
    ) -> Iterator[dict[str, object]]:
        while True:
            found, after = page[items], page["next"]
            assert isinstance(found, list)
            yield from found
            if after is None:
                return
            page = self.get(path, {**query, "after": str(after)})

    def _call(self, method: str, path: str, **content: object) -> dict[str, object]:
        try:
            answer = self._runner.run(
                self._client.request(method, path, **content)  # type: ignore[arg-type]
            )
        except httpx.TransportError as error:
            raise self._broken_off(error) from None
        return self._checked(answer)

    def _broken_off(self, error: httpx.TransportError) -> OperatorError:
        return _broken_off(error) if self._remote is None else self._remote.unreachable(error)

    def _checked(self, answer: httpx.Response) -> dict[str, object]:
        return _checked(answer, None if self._remote is None else self._remote.base_url)


def _broken_off(error: httpx.TransportError) -> OperatorError:
    if isinstance(error, httpx.TimeoutException):
        return OperatorError(
            "the daemon does not answer",
            "it hangs, or its host is very busy: see its log; `systemctl restart jrc`, where it is"
            " a service, loses no join",
            exit_code=ExitCode.UNREACHABLE,
        )
    return OperatorError(
        f"the daemon broke the connection off ({type(error).__name__})",
        "see its log; `jrc status` tells whether it runs, and `jrc events` what was done",
        exit_code=ExitCode.UNREACHABLE,
    )


def _checked_words(words: Mapping[str, object]) -> dict[str, object]:
    for name, value in words.items():
        refuse_undecoded(name, value)
    return dict(words)


def _checked(answer: httpx.Response, url: str | None = None) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OperatorError(
            f"what listens {'on the admin socket' if url is None else f'at {url}'} is no jrc daemon"
            f" (HTTP {answer.status_code})",
            "see admin.socket in the config file" if url is None else "see --url",
            exit_code=ExitCode.UNREACHABLE,
        )
    if answer.is_success:
        return body
    raise OperatorError(
        str(body.get("error", f"HTTP {answer.status_code}")),
        str(body.get("hint", "")),
        exit_code=_exit_code(body.get("exit_code")),
    )


def _exit_code(value: object) -> ExitCode:
    return ExitCode(value) if value in set(ExitCode) and isinstance(value, int) else ExitCode.FAILED


@contextmanager
def connect(common: Common) -> Iterator[Api]:
    """The API for the duration of a command.

    Raises:
        OperatorError: the daemon can't be reached, or the database can't be opened in its stead.
    """
    remote = common.remote
    settings = common.settings() if remote is None else None
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            if settings is not None:
                client = runner.run(_client(stack, settings))
            else:
                assert remote is not None
                client = runner.run(_remote_client(stack, remote))
            yield Api(runner, client, remote)
        finally:
            runner.run(stack.aclose())


@contextmanager
def connect_daemon(common: Common) -> Iterator[Api]:
    """The API of a daemon, for commands that have nothing to do without one.

    Raises:
        OperatorError: none is running, or it can't be reached.
    """
    if not is_served(common):
        raise not_running(common)
    with connect(common) as api:
        yield api


def is_served(common: Common) -> bool:
    """Whether a daemon has the database; what answers over TCP is one.

    Raises:
        OperatorError: this user may not connect.
    """
    return common.remote is not None or daemon_answers(common.settings().admin.socket)


async def _remote_client(stack: AsyncExitStack, remote: Remote) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        base_url=remote.base_url,
        headers={"authorization": f"Bearer {remote.token().reveal().decode()}"},
        verify=remote.context(),
        timeout=_TIMEOUT,
        trust_env=False,
    )
    return await stack.enter_async_context(client)


async def _client(stack: AsyncExitStack, settings: Settings) -> httpx.AsyncClient:
    transport = await _transport(stack, settings)
    client = httpx.AsyncClient(
        transport=transport,
        base_url=BASE_URL,
        headers=sudo_headers(),
        timeout=_TIMEOUT,
        trust_env=False,
    )
    return await stack.enter_async_context(client)


async def _transport(stack: AsyncExitStack, settings: Settings) -> httpx.AsyncBaseTransport:
    """To the daemon, also where it is about to start; in this process where none comes up."""
    path = settings.admin.socket
    if daemon_answers(path):
        return _to_daemon(path)
    refuse_other_owner(settings)
    from jrc.admin.api import build_api
    from jrc.admin.peers import as_this_process
    from jrc.clock import HostClock
    from jrc.offline import Offline
    from jrc.opened import open_in_turn
    from jrc.store.lock import LockHeldError

    try:
        opened = await open_in_turn(settings, HostClock(), lambda: daemon_answers(path))
    except LockHeldError:
        return _to_daemon(path)
    stack.callback(opened.close)
    _quiet_log(stack)
    if opened.quarantined is not None:
        say(f"the database is quarantined now: {opened.quarantined}")
        say("nobody is answered; put the newest database back, or see `jrc recover --dry-run`")
    return InProcess(as_this_process(build_api(Offline(opened))))


def _quiet_log(stack: AsyncExitStack) -> None:
    """Standard output is the command's: of the log, warnings alone, and beside it."""
    stack.callback(structlog.configure, **structlog.get_config())
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _to_daemon(path: Path) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(verify=_NO_TLS, uds=str(path))


def daemon_answers(path: Path) -> bool:
    """Whether somebody listens on the admin socket.

    Raises:
        OperatorError: this user may not connect.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError:
            raise OperatorError(
                f"this user may not talk to the daemon on {path}",
                f"become a member of the group that owns it, or: {who_may_talk(owner_of(path))}",
                exit_code=ExitCode.UNREACHABLE,
            ) from None
        except OSError as error:
            raise OperatorError(
                f"the daemon can't be reached on {path} ({error.strerror or error})",
                "try again; `jrc status` tells whether it runs",
                exit_code=ExitCode.UNREACHABLE,
            ) from None
    return True


def daemon_status(path: Path) -> dict[str, object] | None:
    """What the daemon at the admin socket says of itself, None where none runs.

    Raises:
        OperatorError: this user may not connect, or what listens there does not answer.
    """
    if not daemon_answers(path):
        return None
    transport = httpx.HTTPTransport(verify=_NO_TLS, uds=str(path))
    with httpx.Client(transport=transport, timeout=_STATUS_WITHIN_S, trust_env=False) as client:
        try:
            return _checked(client.get(f"{BASE_URL}/v1/status"))
        except httpx.TransportError as error:
            raise _broken_off(error) from None


def not_running(common: Common) -> OperatorError:
    """What to say where a command asks for the daemon."""
    start = f"jrc --config {common.config} run" if common.config else "jrc run"
    return OperatorError(
        "the daemon is not running",
        f"start it: `{start}`, or `systemctl start jrc` where it is a service (after too many"
        " failures `systemctl reset-failed jrc jrc.socket` first)",
        exit_code=ExitCode.UNREACHABLE,
    )
