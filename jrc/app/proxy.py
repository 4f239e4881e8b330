"""The Join Proxy inside `jrc run`: rate and blocklist come from the network (RFC 9031 §8.4.2)."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from jrc.admin.proxy_metrics import ProxyCollector
from jrc.app.proxy_host import ProxyHost
from jrc.app.proxy_neighbours import say_neighbours
from jrc.app.tasks import CatchUp
from jrc.coap.blocklist import MAX_BLOCKED
from jrc.coap.endpoint import COAP_PORT, Endpoint
from jrc.config import Endpoint as Address
from jrc.config import Proxy, Settings
from jrc.model import Network, PledgeState
from jrc.net.interfaces import InterfaceWatch
from jrc.service.installers import unknown_network
from jrc.service.node_settings import settings_of
from jrc.service.registry import Registry

T = TypeVar("T")
_PAGE = 500
_UNKNOWN_NETWORK = (
    "add it with `jrc network add`, or name another under [proxy]; until then there is the default"
    " rate, and everybody who is revoked is dropped"
)

_log = structlog.get_logger("jrc")


class Reading(Protocol):
    """The half of ``admin.services.Services`` that is needed here."""

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_read``."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the database says: the network, its join rate, and who is revoked.

    ``missing`` says that no network has the name that was asked for.
    """

    network: str | None
    join_rate_bytes_per_s: int | None
    blocked: tuple[bytes, ...]
    missing: str | None = None


def limits_of(tx: Registry, name: str | None) -> Limits:
    """Those of the network called ``name``, or of the only one there is.

    With several networks and no name, or a name that none has, there is no rate, and everybody
    revoked is blocked.
    """
    network = _network(tx, name)
    blocked = tuple(_revoked(tx, None if network is None else network.id))
    missing = None if name is None else unknown_network(tx, name)
    return Limits(
        None if network is None else network.name,
        None if network is None else settings_of(tx, network).join_rate_bytes_per_s,
        blocked,
        None if missing is None else missing.message,
    )


def _network(tx: Registry, name: str | None) -> Network | None:
    if name is not None:
        return tx.networks.by_name(name)
    all_networks = list(tx.networks.all().values())
    return all_networks[0] if len(all_networks) == 1 else None


def _revoked(tx: Registry, network_id: int | None) -> Iterator[bytes]:
    after, found = None, 0
    while found < MAX_BLOCKED:
        page = tx.pledges.page(
            after=after, limit=_PAGE, network_id=network_id, state=PledgeState.REVOKED
        )
        yield from (record.identifier for record in page if not record.damaged)
        if len(page) < _PAGE:
            return
        after, found = page[-1].identifier, found + len(page)


def join_proxy(
    settings: Settings,
    endpoint: Endpoint,
    database: Reading,
    metrics: CollectorRegistry,
    fatal: Callable[[BaseException], None],
) -> "JoinProxyPart | None":
    """The part for ``[proxy]``, None where there is no such section.

    Raises:
        OperatorError: the proxy's own credential can't be used.
    """
    proxy = settings.proxy
    if proxy is None:
        return None
    host = ProxyHost(
        proxy,
        InterfaceWatch,
        fatal,
        covering=endpoint.covering,
        never_binds=any(
            (place.scope, place.port) == (proxy.interface, COAP_PORT)
            for place in settings.coap.listen
        ),
    )
    metrics.register(ProxyCollector(host.figures))
    return JoinProxyPart(proxy, host, database, fatal, settings.coap.listen)


class JoinProxyPart:
    """As ``app.part.Part``."""

    name = "proxy"

    def __init__(
        self,
        settings: Proxy,
        host: ProxyHost,
        database: Reading,
        fatal: Callable[[BaseException], None],
        listen: Sequence[Address] = (),
    ) -> None:
        self.host = host
        self._listen = listen
        self._settings = settings
        self._database = database
        self._fatal = fatal
        self._network: str | None = None
        self._missing: str | None = None
        self._catching_up = CatchUp(self._catch_up, "proxy_limits_not_read", fatal)

    async def start(self) -> None:
        """As ``Part.start``; interface, network and the way to the registrar may come later."""
        await self._catching_up.now()
        if self._network is None and self._settings.network is None:
            _log.warning(
                "proxy_without_network",
                hint="name the interface's network under [proxy]: rate and blocklist are its own",
            )
        await self.host.start()
        self._catching_up.start()
        await say_neighbours(self._settings.interface)

    async def stop(self) -> None:
        """As ``Part.stop``."""
        await self._catching_up.stop()
        await self.host.stop()

    def changed(self) -> None:
        """As ``Part.changed``: the rate may be another, or somebody revoked."""
        self._catching_up.news()

    def use(self, settings: Proxy) -> None:
        """Rate and blocklist of these from now on."""
        self._settings = settings
        self.host.use(settings)

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        host = self.host.status()
        why = "; ".join(str(each) for each in (self._missing, host["why"]) if each) or None
        waits_for = None if self._missing is None else self._settings.network
        return {"network": self._network, **host, "why": why, "waits_for_network": waits_for}

    async def _catch_up(self) -> None:
        """Read the limits; with a credential for a registrar elsewhere, that one tells them."""
        name = self._settings.network
        limits = await self._database.run_read(lambda tx: limits_of(tx, name))
        self._network = limits.network
        self._note(limits.missing)
        if self._settings.pledge_id is None or reaches(self._settings.jrc, self._listen):
            self.host.limit(limits.join_rate_bytes_per_s, limits.blocked)

    def _note(self, missing: str | None) -> None:
        """Say once that the network is not there, and once that it has come."""
        before, self._missing = self._missing, missing
        if missing is not None and before is None:
            _log.warning("proxy_waits_for_network", error=missing, hint=_UNKNOWN_NETWORK)
        elif missing is None and before is not None:
            _log.info("proxy_has_network", network=self._network)


def reaches(jrc: Address, listen: Sequence[Address]) -> bool:
    """Whether what is sent to ``jrc`` comes to one who listens at ``listen`` on this host."""
    places = [place for place in listen if place.port == jrc.port]
    if any(place.address == jrc.address and place.scope == jrc.scope for place in places):
        return True
    return any(place.address.is_unspecified for place in places) and _is_here(jrc)


def _is_here(place: Address) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            scope_id = socket.if_nametoindex(place.scope) if place.scope else 0
            probe.bind((place.host, 0, 0, scope_id))
        except OSError:
            return False
    return True
