"""How far changes of keys are, and who lags behind."""

from typing import Final

from docs.made.dashboards.shared import DAY_S, GOOD, RATE
from docs.made.grafana import (
    BLUE,
    GREEN,
    GREY,
    HERE,
    IN_NETWORK,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
)
from jrc.policy.rollover import Phase

_PHASES: Final = {
    Phase.PLANNED: GREY,
    Phase.DISTRIBUTING: BLUE,
    Phase.SWITCHING: "purple",
    Phase.GUARDING: "semi-dark-blue",
    Phase.DONE: GREEN,
    Phase.PAUSED: RED,
    Phase.ABORTED: "orange",
}
"""Each phase and its colour; in a picture they are numbered in this order."""
_TOLD: Final = "pending|sent|reached|refused|unreachable"
"""States of nodes that are to get the new keys by update."""


def _nodes(states: str) -> str:
    """How many nodes of each network are in one of these states.

    Registrars that share a database all count the same nodes: the sum is of states alone.
    """
    each = f'max by (network, state) (jrc_rollover_nodes{{{IN_NETWORK},state=~"{states}"}})'
    return f"sum by (network) ({each})"


def _phase_now() -> str:
    """The number of the phase that each network is in."""
    numbered = (
        f'{number} * (max by (network) (jrc_rollover_phase{{{IN_NETWORK},phase="{phase}"}}) == 1)'
        for number, phase in enumerate(_PHASES)
    )
    return " or ".join(numbered)


ROLLOVERS: Final = Dashboard(
    "jrc-rollovers",
    "JRC: rollovers",
    "Changes of link-layer keys: how far each is, who lags behind, how old keys are.",
    (
        Row(
            "How far",
            (
                Panel(
                    title="Phase",
                    text="Of the rollover that runs, or of the last one (docs/rollover.md). Paused"
                    " waits for a person.",
                    kind="state-timeline",
                    queries=[Query(_phase_now(), "{{network}}")],
                    words={
                        float(number): (phase.value, colour)
                        for number, (phase, colour) in enumerate(_PHASES.items())
                    },
                    least=None,
                    width=16,
                ),
                Panel(
                    title="Nodes that have the new keys",
                    text="Of those that are told by update; whoever must join, or has left, does"
                    " not count.",
                    kind="bargauge",
                    unit="percentunit",
                    queries=[Query(f"{_nodes('reached')} / ({_nodes(_TOLD)} > 0)", "{{network}}")],
                    steps=[(None, YELLOW), (0.9, GREEN)],
                    most=1,
                ),
                Panel(
                    title="Nodes by state",
                    text="All networks that share keys are counted together. `unreachable` and"
                    " `refused` lag behind: `jrc rollover status NETWORK` names them.",
                    queries=[
                        Query(
                            f"max by (network, state) (jrc_rollover_nodes{{{IN_NETWORK}}}) > 0",
                            "{{network}} {{state}}",
                        )
                    ],
                    stacked=True,
                    width=16,
                ),
                Panel(
                    title="Nodes that lag behind",
                    text="They have not acknowledged the new keys, after all tries or for good.",
                    kind="stat",
                    queries=[Query(_nodes("refused|unreachable"), "{{network}}")],
                    steps=[(None, GREEN), (1, YELLOW)],
                ),
            ),
        ),
        Row(
            "Keys",
            (
                Panel(
                    title="Age of the keys in force",
                    text="Red: more than half a year.",
                    unit="s",
                    queries=[
                        Query(
                            f"max by (network) (jrc_network_key_age_seconds{{{IN_NETWORK}}})",
                            "{{network}}",
                        )
                    ],
                    steps=[(None, GREEN), (90 * DAY_S, YELLOW), (180 * DAY_S, RED)],
                ),
                Panel(
                    title="Since the last rollover began",
                    text="Of the one that runs, or of the last one.",
                    kind="stat",
                    unit="s",
                    queries=[
                        Query(
                            "time() - max by (network)"
                            f" (jrc_rollover_started_timestamp_seconds{{{IN_NETWORK}}})",
                            "{{network}}",
                        )
                    ],
                ),
                Panel(
                    title="Waits for a person",
                    text="`jrc status` has a sentence for each.",
                    kind="stat",
                    queries=[
                        Query(
                            f"max by (network) (jrc_network_key_notices{{{IN_NETWORK}}})",
                            "{{network}}",
                        )
                    ],
                    steps=[(None, GREEN), (1, RED)],
                ),
            ),
        ),
        Row(
            "Parameter Updates",
            (
                Panel(
                    title="How updates end",
                    text="`no_answer`: the node is off, asleep or out of reach. `refused`: it can't"
                    " act upon what it is told.",
                    unit="cps",
                    queries=[
                        Query(
                            f"sum by (outcome) (rate(jrc_updates_total{{{HERE}}}{RATE}))",
                            "{{outcome}}",
                        )
                    ],
                    stacked=True,
                ),
                Panel(
                    title="Under way",
                    text="Updates that wait for an answer, of `rollover.in_flight` in each network.",
                    queries=[Query(f"jrc_updates_in_flight{{{HERE}}}", "{{instance}}")],
                ),
                Panel(
                    title="Datagrams an update",
                    text="With its repetitions. Near 1, the mesh is good; RFC 9031 §7.2 gives up"
                    " after five.",
                    queries=[
                        Query(
                            "sum by (instance)"
                            f" (increase(jrc_update_datagrams_total{{{HERE}}}[15m]))"
                            " / (sum by (instance)"
                            f" (increase(jrc_updates_total{{{HERE}}}[15m])) > 0)",
                            "{{instance}}",
                        )
                    ],
                ),
                Panel(
                    title="Radios have the keys in force",
                    text="Installers of `[[installer]]`; no: `jrc status` has the last error"
                    " (docs/border-router.md).",
                    kind="stat",
                    queries=[
                        Query(
                            "min by (network, installer)"
                            f" (jrc_installer_installed{{{IN_NETWORK}}})",
                            "{{network}} {{installer}}",
                        )
                    ],
                    words=GOOD,
                ),
                Panel(
                    title="Runs of installers that failed",
                    text="In an hour.",
                    queries=[
                        Query(
                            "sum by (network, installer)"
                            f" (increase(jrc_installer_failures_total{{{IN_NETWORK}}}[1h]))",
                            "{{network}} {{installer}}",
                        )
                    ],
                ),
                Panel(
                    title="Tells nodes, moves rollovers",
                    text="Of registrars that share a PostgreSQL database, one does so for all.",
                    kind="stat",
                    queries=[Query(f"jrc_conductor{{{HERE}}}", "{{instance}}")],
                    words={1.0: ("yes", GREEN), 0.0: ("another does", GREY)},
                ),
            ),
        ),
    ),
    begin="now-24h",
)
