"""Metrics of rollovers, of the Parameter Updates that carry them, and of the keys' age."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, gauge
from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover_figures import RolloverFigures

_NONE: Final = "for a network whose keys were never changed"

PHASES: Final = gauge(
    "jrc_rollover_phase",
    "1 for the phase of a network's running or last rollover, 0 for the others.",
    "network",
    "phase",
    unit="0 or 1",
    absent=_NONE,
    look="`paused` waits for a person: `jrc rollover status NETWORK`"
    " ([rollover.md](rollover.md#its-phases)).",
)
NODES: Final = gauge(
    "jrc_rollover_nodes",
    "Nodes of a network's running or last rollover, of all networks that share its keys.",
    "network",
    "state",
    unit="nodes",
    absent=_NONE,
    look="[rollover.md](rollover.md#states-of-a-node) has each state; `jrc rollover status NETWORK"
    " --all` names the nodes.",
)
STARTED: Final = gauge(
    "jrc_rollover_started_timestamp_seconds",
    "When a network's running or last rollover was started.",
    "network",
    unit="seconds since 1970",
    absent=_NONE,
)
ENDED: Final = gauge(
    "jrc_rollover_ended_timestamp_seconds",
    "When a network's last rollover ended.",
    "network",
    unit="seconds since 1970",
    absent="while one runs",
)
AGES: Final = gauge(
    "jrc_network_key_age_seconds",
    "For how long the link-layer keys have been in force.",
    "network",
    unit="seconds",
    absent="for a network without keys",
    look="`jrc rollover start NETWORK`, or `rollover.every_days` in the config.",
)
UPDATES: Final = counter(
    "jrc_updates_total",
    "Parameter Updates that have ended, by how.",
    "outcome",
    unit="updates",
    look="`no_answer`: the node is off, asleep or out of reach; `refused`: it can't act upon what"
    " it is told ([updates.md](updates.md)).",
)
IN_FLIGHT: Final = gauge(
    "jrc_updates_in_flight", "Parameter Updates that wait for an answer.", unit="updates"
)
SENT: Final = counter(
    "jrc_update_datagrams_total",
    "Datagrams of Parameter Updates that were sent, repeated ones as well.",
    unit="datagrams",
)
FAMILIES: Final = (PHASES, NODES, STARTED, ENDED, AGES, UPDATES, IN_FLIGHT, SENT)

OUTCOMES: Final = (
    "acknowledged", "refused", "no_answer", "out_of_numbers", "echo_loop", "cancelled"
)  # fmt: skip
"""How updates end; each is there from the start, so that a rate has a zero to begin at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCounts:
    """Counts of the client of updates since the start of the process.

    ``outcomes``: ended updates by word; ``in_flight``: begun and not ended; ``datagrams``: sent,
    repeated ones as well.
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    datagrams: int = 0


class RolloverCollector(FamilyCollector):
    """Reads ``figures`` and ``updates`` when somebody asks; ``now_ms`` is for the keys' age."""

    def __init__(
        self,
        figures: Callable[[], Sequence[RolloverFigures]],
        updates: Callable[[], UpdateCounts],
        now_ms: Callable[[], int],
    ) -> None:
        self._figures = figures
        self._updates = updates
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        figures = self._figures()
        yield from _rollovers([each for each in figures if each.phase is not None])
        now_ms = self._now_ms()
        yield AGES.samples(
            ([each.network], max(0, now_ms - each.keys_since_ms) / 1000)
            for each in figures
            if each.keys_since_ms is not None
        )
        yield from _counted(self._updates())


def _rollovers(figures: Sequence[RolloverFigures]) -> Iterator[Metric]:
    yield PHASES.samples(
        ((each.network, phase.value), phase is each.phase) for each in figures for phase in Phase
    )
    yield NODES.samples(
        ((each.network, state.value), each.nodes.get(state, 0))
        for each in figures
        for state in NodeState
    )
    for family, at_ms in (
        (STARTED, {each.network: each.started_at_ms for each in figures}),
        (ENDED, {each.network: each.ended_at_ms for each in figures}),
    ):
        yield family.samples(
            ([network], moment / 1000) for network, moment in at_ms.items() if moment is not None
        )


def _counted(updates: UpdateCounts) -> Iterator[Metric]:
    counted = {**dict.fromkeys(OUTCOMES, 0), **updates.outcomes}
    yield UPDATES.samples(([outcome], count) for outcome, count in sorted(counted.items()))
    yield IN_FLIGHT.value(updates.in_flight)
    yield SENT.value(updates.datagrams)
