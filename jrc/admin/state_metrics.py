"""Metrics of the state of things: whether joins are answered, and what there is how much of."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, gauge
from jrc.model import PledgeState
from jrc.service.survey import Survey

_MINUTE: Final = "as of a minute ago at most"
_STATES: Final = tuple(state for state in PledgeState if state is not PledgeState.REMOVED)
"""What a pledge is counted as; a removed one is listed nowhere."""

READY: Final = gauge(
    "jrc_ready",
    "1 while joins are answered; a Join Proxy by itself has none.",
    unit="0 or 1",
    look="`jrc status` and `/readyz` say why not, and what to do.",
)
SEALED: Final = gauge(
    "jrc_sealed",
    "1 while the key file is missing: no database is open, and there is no other metric but"
    " `jrc_ready` and `jrc_build_info`.",
    unit="0 or 1",
    look="Put the key file where the config says ([keys.md](keys.md#without-its-key)).",
)
QUARANTINED: Final = gauge(
    "jrc_quarantined",
    "1 while the database is quarantined: nobody is answered until `jrc recover`.",
    unit="0 or 1",
    look="[recovery.md](recovery.md#what-to-do-in-this-order).",
)
CLOCK_DOUBTED: Final = gauge(
    "jrc_clock_doubted",
    "1 while the host's clock does not count, since it leapt or was never set; no updates leave.",
    unit="0 or 1",
    look="`timedatectl`; [clock.md](clock.md#when-the-clock-is-doubted).",
)
CLOCK_BEHIND: Final = gauge(
    "jrc_clock_behind_seconds",
    "How far the clock is behind the latest time that the database has seen; no updates leave.",
    unit="seconds",
    look="`jrc status` says what it means; [clock.md](clock.md).",
)
HINDERED: Final = gauge(
    "jrc_updates_hindered",
    "1 while joined nodes are told nothing, whatever they ought to be told.",
    unit="0 or 1",
    look="`jrc status` says why; it is the clock as a rule.",
)
CONDUCTOR: Final = gauge(
    "jrc_conductor",
    "1 where this registrar tells nodes and moves rollovers, for all that share a database.",
    unit="0 or 1",
    look="Of the registrars of one PostgreSQL database one has it"
    " ([postgresql.md](postgresql.md#several-registrars)).",
)
WAITING: Final = gauge(
    "jrc_listen_addresses_waiting",
    "Addresses of `coap.listen` that are on no interface of this host.",
    unit="addresses",
    look="`jrc status` names them; [networking.md](networking.md#where-join-requests-arrive).",
)
PLEDGES: Final = gauge(
    "jrc_pledges",
    f"Pledges by state, {_MINUTE}.",
    "state",
    unit="pledges",
    look="`waiting` are for you to approve or not ([admission.md](admission.md)).",
)
NETWORK_PLEDGES: Final = gauge(
    "jrc_network_pledges",
    f"Pledges by network and state, {_MINUTE}; one of several networks counts in each.",
    "network",
    "state",
    unit="pledges",
)
LEFT: Final = gauge(
    "jrc_short_identifiers_left",
    f"Short identifiers that can still be given out, {_MINUTE}.",
    "network",
    unit="identifiers",
    look="Only new link-layer keys make burned ones free again: `jrc rollover start NETWORK`, or a"
    " wider range with `jrc network set --short-ids`.",
)
RANGE: Final = gauge(
    "jrc_short_identifiers_range",
    "Short identifiers in the range of a network.",
    "network",
    unit="identifiers",
)
RECOVERING: Final = gauge(
    "jrc_pledges_recovering",
    f"Pledges that have lost their security context, {_MINUTE}: `waiting` for RFC 8613 App. B.2, or"
    " `unable` to do it.",
    "outlook",
    unit="pledges",
    look="`jrc pledge list --recovering`; those that are unable need a new key.",
)
NOTICES: Final = gauge(
    "jrc_network_key_notices",
    f"What of a network's keys waits for a person, {_MINUTE}.",
    "network",
    unit="notices",
    look="`jrc status` says each in a sentence, with the command to look at it.",
)
KEY_WARNINGS: Final = gauge(
    "jrc_key_warnings",
    f"What is to be said of the keys that seal the database, {_MINUTE}.",
    unit="warnings",
    look="`jrc status` says each in a sentence; [keys.md](keys.md#set-up).",
)
EVENTS: Final = gauge("jrc_events", f"Events in the audit log, {_MINUTE}.", unit="events")
LAST_EVENT: Final = gauge(
    "jrc_event_last_timestamp_seconds",
    f"When the newest event of a kind was recorded, {_MINUTE}.",
    "kind",
    unit="seconds since 1970",
    absent="of a kind that the audit log does not have",
)
CHAIN_INTACT: Final = gauge(
    "jrc_event_chain_intact",
    "1 while nothing of the audit log was found changed; it is gone along bit by bit.",
    unit="0 or 1",
    look="`jrc events verify` says where"
    " ([audit-log.md](audit-log.md#proving-that-nothing-was-changed)).",
)
CHAIN_VERIFIED: Final = gauge(
    "jrc_event_chain_verified_timestamp_seconds",
    "When the daemon had last gone along the whole audit log and found nothing changed.",
    unit="seconds since 1970",
    absent="before that was done once",
)
CACHED: Final = gauge(
    "jrc_cache_entries",
    "What is in the memory of the join path, by what it is for.",
    "cache",
    unit="entries",
    look="[limits.md](limits.md) has each bound, and what is beyond it.",
)
CAPACITY: Final = gauge(
    "jrc_cache_capacity", "The most that there can be of it.", "cache", unit="entries"
)
INTERVAL: Final = gauge(
    "jrc_rollover_interval_seconds",
    "How often the config has link-layer keys changed by themselves.",
    unit="seconds",
    absent="where `rollover.every_days` is 0",
)
FAMILIES: Final = (
    READY, SEALED, QUARANTINED, CLOCK_DOUBTED, CLOCK_BEHIND, HINDERED, CONDUCTOR, WAITING,
    PLEDGES, NETWORK_PLEDGES, LEFT, RANGE, RECOVERING, NOTICES, KEY_WARNINGS, EVENTS, LAST_EVENT,
    CHAIN_INTACT, CHAIN_VERIFIED, CACHED, CAPACITY, INTERVAL,
)  # fmt: skip


class CacheFill(NamedTuple):
    """A bounded memory: what it is for, how much it has, and the most it may."""

    cache: str
    entries: int
    capacity: int


class ChainFigures(NamedTuple):
    """Whether the audit log was found intact, and when all of it was, in ms since 1970."""

    intact: bool
    verified_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFigures:
    """What is looked up as somebody asks; ``survey`` is as of a minute ago at most.

    ``rollover_every_s`` is 0 where keys are changed by people alone.
    """

    ready: bool
    quarantined: bool
    clock_doubted: bool
    clock_behind_ms: int
    updates_hindered: bool
    is_conductor: bool
    listen_waiting: int
    survey: Survey
    chain: ChainFigures
    caches: Sequence[CacheFill]
    rollover_every_s: float


class StateCollector(FamilyCollector):
    """Reads ``figures`` when somebody asks."""

    def __init__(self, figures: Callable[[], StateFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = self._figures()
        yield from _conditions(found)
        yield from _counted(found.survey)
        yield from _log(found)
        yield CACHED.samples(([each.cache], each.entries) for each in found.caches)
        yield CAPACITY.samples(([each.cache], each.capacity) for each in found.caches)
        if found.rollover_every_s:
            yield INTERVAL.value(found.rollover_every_s)


class SealedCollector(FamilyCollector):
    """What there is to say of a registrar that has no key."""

    def collect(self) -> Iterator[Metric]:
        """Always the same."""
        yield READY.value(0)
        yield SEALED.value(1)


def _conditions(found: StateFigures) -> Iterator[Metric]:
    yield READY.value(found.ready)
    yield SEALED.value(0)
    yield QUARANTINED.value(found.quarantined)
    yield CLOCK_DOUBTED.value(found.clock_doubted)
    yield CLOCK_BEHIND.value(found.clock_behind_ms / 1000)
    yield HINDERED.value(found.updates_hindered)
    yield CONDUCTOR.value(found.is_conductor)
    yield WAITING.value(found.listen_waiting)


def _counted(survey: Survey) -> Iterator[Metric]:
    yield PLEDGES.samples(_by_state((), survey.pledges))
    yield NETWORK_PLEDGES.samples(
        sample
        for network in survey.networks
        for sample in _by_state((network,), survey.network_pledges.get(network, {}))
    )
    yield LEFT.samples(([network], left) for network, left in survey.short_ids_left.items())
    yield RANGE.samples(([network], size) for network, size in survey.short_ids.items())
    waiting, unable = survey.recovering
    yield RECOVERING.samples([(["waiting"], waiting - unable), (["unable"], unable)])
    notices = dict.fromkeys(survey.networks, 0)
    for notice in survey.key_notices:
        for network in notice.networks if notice.wants_operator else ():
            notices[network] = notices.get(network, 0) + 1
    yield NOTICES.samples(([network], count) for network, count in notices.items())
    yield KEY_WARNINGS.value(len(survey.key_warnings))


def _by_state(
    labels: tuple[str, ...], counts: Mapping[str, int]
) -> Iterable[tuple[tuple[str, ...], int]]:
    """Each state, also one that nobody is in."""
    return (((*labels, state.value), counts.get(state.value, 0)) for state in _STATES)


def _log(found: StateFigures) -> Iterator[Metric]:
    yield EVENTS.value(found.survey.events)
    last = found.survey.last_events_ms
    yield LAST_EVENT.samples(([kind], at_ms / 1000) for kind, at_ms in last.items())
    yield CHAIN_INTACT.value(found.chain.intact)
    if found.chain.verified_at_ms is not None:
        yield CHAIN_VERIFIED.value(found.chain.verified_at_ms / 1000)
