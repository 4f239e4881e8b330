"""Metrics of the Join Proxy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric

from jrc.admin.build_metrics import BuildCollector
from jrc.admin.metric_families import FamilyCollector, counter, gauge
from jrc.errors import Reason

_NONE: Final = "without `[proxy]` in the config"
_KEYLESS: Final = "for a Join Proxy without `proxy.pledge_id`"

FORWARDED: Final = counter(
    "jrc_proxy_forwarded_total",
    "Requests of pledges that went to the registrar.",
    unit="datagrams",
    absent=_NONE,
)
RETURNED: Final = counter(
    "jrc_proxy_returned_total",
    "Answers that went back to pledges.",
    unit="datagrams",
    look="Fewer than were forwarded is usual: what is bad gets no answer.",
    absent=_NONE,
)
DROPPED: Final = counter(
    "jrc_proxy_dropped_total",
    "Datagrams that ended at the Join Proxy.",
    "reason",
    unit="datagrams",
    look="[join-proxy.md](join-proxy.md#limits-and-what-is-dropped); `join_rate` is more than the"
    " network's rate allows (RFC 9031 §4.1).",
    absent=_NONE,
)
UPDATES: Final = counter(
    "jrc_proxy_updates_total",
    "Parameter Updates that the Join Proxy has carried out.",
    unit="updates",
    absent=_NONE,
)
RATE: Final = gauge(
    "jrc_proxy_join_rate_bytes_per_second",
    "The join rate (RFC 9031 §8.4.2).",
    unit="bytes a second",
    absent="for one packet in three seconds",
)
BLOCKED: Final = gauge(
    "jrc_proxy_blocked_identifiers", "Pledges on the blocklist.", unit="pledges", absent=_NONE
)
LISTENING: Final = gauge(
    "jrc_proxy_listening",
    "1 while pledges reach the Join Proxy.",
    unit="0 or 1",
    look="`jrc status` says why not: the interface is away, as a rule"
    " ([join-proxy.md](join-proxy.md)).",
    absent=_NONE,
)
CONNECTED: Final = gauge(
    "jrc_proxy_connected",
    "1 while there is a way to the registrar.",
    unit="0 or 1",
    look="`ip -6 route get` to the address of `proxy.jrc`.",
    absent=_NONE,
)
HAS_JOINED: Final = gauge(
    "jrc_proxy_joined",
    "1 once it has joined as a 6LBR.",
    unit="0 or 1",
    look="[join-proxy.md](join-proxy.md#with-a-key-of-its-own).",
    absent=_KEYLESS,
)
FAMILIES: Final = (
    FORWARDED, RETURNED, DROPPED, UPDATES, RATE, BLOCKED, LISTENING, CONNECTED, HAS_JOINED
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFigures:
    """What is known at the moment; ``joined`` is None for a proxy without a credential."""

    forwarded: int
    returned: int
    dropped: Mapping[Reason, int]
    join_rate_bytes_per_s: int | None
    blocked: int
    listening: bool
    connected: bool
    joined: bool | None
    updates: int


class ProxyCollector(FamilyCollector):
    """Reads ``figures`` when somebody asks."""

    def __init__(self, figures: Callable[[], ProxyFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield FORWARDED.value(found.forwarded)
        yield RETURNED.value(found.returned)
        dropped = sorted(found.dropped.items())
        yield DROPPED.samples(([reason.value], count) for reason, count in dropped)
        yield UPDATES.value(found.updates)
        if found.join_rate_bytes_per_s is not None:
            yield RATE.value(found.join_rate_bytes_per_s)
        yield BLOCKED.value(found.blocked)
        yield LISTENING.value(found.listening)
        yield CONNECTED.value(found.connected)
        if found.joined is not None:
            yield HAS_JOINED.value(found.joined)


def proxy_registry(figures: Callable[[], ProxyFigures], version: str) -> CollectorRegistry:
    """The registry of a process that is a Join Proxy and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProxyCollector(figures))
    registry.register(BuildCollector(version))
    ProcessCollector(registry=registry)
    return registry
