"""A Join Proxy on this host: its core, its sockets, the interface that it follows.

The interface may come late, go and come back, and change its addresses; so may the way to the
registrar. Sockets are made anew when that happens, and tried again while they can't be made.
"""

import asyncio
import errno
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Final

import structlog

from jrc.admin.proxy_metrics import ProxyFigures
from jrc.app.proxy_credential import Credential
from jrc.app.proxy_limits import ProxyLimits
from jrc.app.proxy_place import Place
from jrc.app.tasks import guarded
from jrc.coap import token
from jrc.coap.endpoint import COAP_PORT, Datagram
from jrc.coap.proxy import JoinProxy
from jrc.coap.proxy_endpoint import (
    ProxyEndpoint,
    SharedSide,
    SocketAddress,
    open_jrc_socket,
)
from jrc.cojp.objects import Configuration
from jrc.config import Proxy
from jrc.errors import ExitCode, OperatorError
from jrc.policy.interface import Interface
from jrc.policy.rate import ByteRate
from jrc.service.ports import WatchInterface

RETRY_S: Final = 1.0
"""Before a socket that could not be made is tried again."""
LOOK_EVERY: Final = 10
"""Retries until the way to the registrar is looked at, and until the next line of traffic."""

_log = structlog.get_logger("jrc")


Covering = Callable[[IPv6Address, int, int], socket.socket | None]
"""The registrar's socket that gets what is sent to an address, port and interface, if any."""


def _no_registrar(_address: IPv6Address, _port: int, _interface: int) -> socket.socket | None:
    return None


class ProxyHost:
    """``fatal`` hears of an error that nobody expected. Started and stopped once, on the loop.

    Raises:
        OperatorError: the key under ``[proxy]`` can't be used, or another process has it.
    """

    def __init__(
        self,
        settings: Proxy,
        watch: WatchInterface,
        fatal: Callable[[BaseException], None],
        *,
        covering: Covering = _no_registrar,
        never_binds: bool = False,
    ) -> None:
        now_ms = _now_ms()
        sealer = token.TokenSealer(secrets.token_bytes, now_ms, freshness_ms=token.FRESHNESS_MS)
        rate = ByteRate(settings.join_rate_bytes_per_s, now_ms)
        self.proxy = JoinProxy(sealer, secrets.randbelow(1 << 16), rate)
        self._settings = settings
        self._fatal = fatal
        self._limited = ProxyLimits(self.proxy, settings)
        self._is_limited = False
        self._covering = covering
        self._never_binds = never_binds
        self._said: dict[str, str] = {}
        self._credential = self._open_credential()
        self._node = (
            None
            if self._credential is None
            else self._credential.node(self._send, self._configured, self.proxy.drop)
        )
        self._endpoint = ProxyEndpoint(
            self.proxy, _now_ms, self._node, self._is_ours, settings.interface
        )
        self._watch = watch(settings.interface, self._interface_changed)
        self._interface: Interface | None = None
        self._place: Place | None = None
        self._last: tuple[int, IPv6Address | None] = (0, None)
        self._route: object = None
        self._logged: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def _open_credential(self) -> Credential | None:
        """The proxy's own; with a damaged state none, and neighbours are served all the same.

        Raises:
            OperatorError: as for the class.
        """
        credential = Credential.of(self._settings)
        if credential is None:
            return None
        try:
            credential.open()
        except OperatorError as error:
            if error.exit_code is ExitCode.REFUSED:
                raise
            self._said["credential"] = error.message
            _log.error("proxy_joins_not", error=error.message, hint=error.hint)
            return None
        return credential

    # Life

    async def start(self) -> None:
        """Serve as soon as interface and registrar are there.

        Raises:
            OperatorError: this process may not ask the kernel.
        """
        await self._watch.start()
        if self._interface is None:
            self._listen(None)
        self._begin(self._keep_up, "join proxy")
        if self._node is not None:
            self._begin(self._node.run, "proxy node")

    def _begin(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        self._tasks.append(asyncio.create_task(guarded(work, self._fatal), name=name))

    async def stop(self) -> None:
        """End, and close every socket."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        await self._watch.stop()
        self._endpoint.close()
        if self._credential is not None:
            self._credential.close()

    async def _keep_up(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(RETRY_S)
            turn += 1
            if self._place is None and self._interface is not None:
                self._interface_changed(self._interface)
            if self._endpoint.upstream is None or turn % LOOK_EVERY == 0:
                self._reach_jrc()
            if turn % LOOK_EVERY == 0:
                self._summarise()

    # What it is told

    def limit(self, rate: int | None, blocked: Iterable[bytes]) -> None:
        """Rate (None: the default) and blocklist from now on, whatever a registrar tells."""
        self._is_limited = True
        self._limited.set_rate(rate)
        self._limited.block(blocked)

    def take(self, datagrams: list[Datagram]) -> list[Datagram]:
        """Forward what of the registrar's datagrams is the proxy's; what is left is not."""
        return self._endpoint.take(datagrams)

    def use(self, settings: Proxy) -> None:
        """Rate and blocklist of these; all else stays as it is."""
        self._limited.use(settings)

    def _configured(self, config: Configuration, whole: bool) -> None:
        if self._is_limited:
            return
        if whole or config.join_rate_bytes_per_s is not None:
            self._limited.set_rate(config.join_rate_bytes_per_s)
        if config.blocklist is not None:
            self._limited.block(config.blocklist)
        _log.info("proxy_configured", **self._limits())

    def _send(self, datagram: bytes) -> bool:
        return self._endpoint.send(datagram)

    # Sockets

    def _interface_changed(self, interface: Interface | None) -> None:
        self._interface = interface
        place = Place.on(interface, self._last[1])
        if place is None or place != self._place:
            self._listen(place)
        self._reach_jrc()

    def _listen(self, place: Place | None) -> None:
        had, self._place = self._place, None
        self._endpoint.listen()
        if place is None:
            why = self._why_nowhere()
            if had is not None or "interface" not in self._said:
                _log.warning("proxy_waits", interface=self._settings.interface, why=why)
            self._said["interface"] = why
            return
        try:
            shared = self._open(place)
        except BlockingIOError:
            return
        except OSError as error:
            self._complain("pledges", "proxy_listens_not", error, _CLASH if _in_use(error) else "")
            return
        self._place = place
        self._last = (place.interface, place.address)
        self._said.pop("pledges", None)
        self._said.pop("interface", None)
        _log.info("proxy_listens", address=self._address(), shared_with_jrc=shared)

    def _why_nowhere(self) -> str:
        if not self._watch.is_known:
            return "the kernel has not told yet whether there is such an interface"
        return "it has no link-local address" if self._interface else "there is no such interface"

    def _open(self, place: Place) -> bool:
        """Listen there; whether it is the registrar's socket.

        Raises:
            OSError: the address can't be bound; BlockingIOError where that comes by itself.
        """
        sock = self._covering(place.address, COAP_PORT, place.interface)
        if sock is not None:
            self._endpoint.share(SharedSide(sock, place.address.packed, place.interface))
            return True
        if self._never_binds:
            raise BlockingIOError(errno.EAGAIN, "the registrar's own socket is not open yet")
        self._endpoint.listen(*place.sockets())
        return False

    def _is_ours(self, index: int) -> bool:
        """Whether an interface's number is the proxy's, also before the watch has told it."""
        if self._place is not None and index == self._place.interface:
            return True
        try:
            return socket.if_indextoname(index) == self._settings.interface
        except OSError:
            return index == self._last[0]  # it has gone, and this was still in the queue

    def _reach_jrc(self) -> None:
        """Connect to the registrar, anew if another source address is right now."""
        try:
            target = self._target()
            sources = self._wanted_sources(target)
            if self._endpoint.upstream is not None and (target, sources) == self._route:
                return
            self._endpoint.connect(self._connected(target, sources))
        except OSError as error:
            self._endpoint.connect(None)
            self._complain("jrc", "proxy_reaches_no_jrc", error)
            return
        self._route = (target, sources)
        self._said.pop("jrc", None)
        _log.info("proxy_reaches_jrc", jrc=str(self._settings.jrc), source=self._source())

    def _target(self) -> SocketAddress:
        place = self._settings.jrc
        scope_id = socket.if_nametoindex(place.scope) if place.scope else 0
        return place.host, place.port, 0, scope_id

    def _wanted_sources(self, target: SocketAddress) -> list[tuple[str, int]]:
        """Addresses to send from, best first; the registrar's updates come to one of them.

        That is the address it forms from prefix and identifier (RFC 9031 §8.2.1), where this
        interface has it, else the one that the kernel takes.
        """
        with open_jrc_socket(target) as probe:
            usual = probe.getsockname()[0]
        own: list[str] = []
        if self._credential is not None and self._interface is not None:
            identifier = self._credential.interface_identifier
            own = [
                str(entry.address)
                for entry in self._interface.addresses
                if int(entry.address) & (1 << 64) - 1 == identifier
            ]
        return [(address, COAP_PORT) for address in (*own, usual)]

    def _connected(self, target: SocketAddress, sources: list[tuple[str, int]]) -> socket.socket:
        if self._node is None:
            return open_jrc_socket(target)
        for source in sources:
            try:
                sock = open_jrc_socket(target, source)
            except OSError:
                continue
            self._said.pop("updates", None)
            return sock
        if "updates" not in self._said:
            self._said["updates"] = (
                f"the registrar's updates do not reach it: port {COAP_PORT} is another program's"
            )
            _log.warning("proxy_hears_no_updates", hint=f"port {COAP_PORT} is another program's")
        return open_jrc_socket(target)

    def _complain(self, what: str, event: str, error: OSError, hint: str = "") -> None:
        """Say once what does not work, until it has worked again."""
        text = error.strerror or str(error)
        if self._said.get(what) != text:
            self._said[what] = text
            _log.error(event, **self._where(), error=text, **({"hint": hint} if hint else {}))

    # What it tells

    def _where(self) -> dict[str, str]:
        return {"interface": self._settings.interface, "jrc": str(self._settings.jrc)}

    def _address(self) -> str | None:
        if self._place is None:
            return None
        return f"[{self._place.address}%{self._settings.interface}]:{COAP_PORT}"

    def _source(self) -> str | None:
        upstream = self._endpoint.upstream
        return None if upstream is None else f"[{upstream[0]}]:{upstream[1]}"

    def _limits(self) -> dict[str, int | None]:
        return {
            "join_rate_bytes_per_s": self.proxy.rate.bytes_per_s,
            "blocked": len(self.proxy.blocklist.identifiers),
        }

    def _has_joined(self) -> bool | None:
        """None for a proxy that has no credential."""
        if self._settings.pledge_id is None:
            return None
        return self._node is not None and self._node.joined

    def figures(self) -> ProxyFigures:
        """For the metrics."""
        return ProxyFigures(
            forwarded=self.proxy.forwarded,
            returned=self.proxy.returned,
            dropped=self.proxy.dropped,
            join_rate_bytes_per_s=self.proxy.rate.bytes_per_s,
            blocked=len(self.proxy.blocklist.identifiers),
            listening=self._place is not None,
            connected=self._endpoint.upstream is not None,
            joined=self._has_joined(),
            updates=0 if self._node is None else self._node.updates,
        )

    def status(self) -> Mapping[str, object]:
        """What `jrc status --json` shows of it; a rate of null is one packet in three seconds."""
        node = self._node
        return {
            **self._where(),
            "listening": self._address(),
            "source": self._source(),
            "why": "; ".join(self._said.values()) or None,
            **self._limits(),
            "forwarded": self.proxy.forwarded,
            "returned": self.proxy.returned,
            "dropped": {reason.value: n for reason, n in sorted(self.proxy.dropped.items())},
            "joined": self._has_joined(),
            "not_joined_why": None if node is None else node.why,
            "given_keys": None if node is None else node.given_keys,
        }

    def _summarise(self) -> None:
        """One line for all datagrams since the last one."""
        proxy = self.proxy
        totals = {"forwarded": proxy.forwarded, "returned": proxy.returned}
        totals |= {f"dropped_{reason.value}": n for reason, n in proxy.dropped.items()}
        changes = {name: n - self._logged.get(name, 0) for name, n in totals.items()}
        self._logged = totals
        if any(changes.values()):
            _log.info("proxy_traffic", **{name: n for name, n in changes.items() if n})


_CLASH: Final = (
    "another program has the port on this host (`ss -ulpn`); a registrar that listens on the"
    " wildcard is the Join Proxy too if its own config has [proxy]"
)


def _in_use(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
