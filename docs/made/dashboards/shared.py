"""What several dashboards have."""

from typing import Final

from docs.made.grafana import GREEN, IN_NETWORK, RED, Panel, Query

RATE: Final = "[$__rate_interval]"
"""Over so long a rate is taken; Grafana says how long."""
REFUSED: Final = f'{IN_NETWORK},result!~"joined|recovering"'
GOOD: Final = {1.0: ("yes", GREEN), 0.0: ("no", RED)}
BAD: Final = {0.0: ("no", GREEN), 1.0: ("yes", RED)}
MIB: Final = 1024 * 1024
DAY_S: Final = 86_400

JOINS_BY_NETWORK: Final = Panel(
    title="Joins",
    text="Devices that were let in, by network.",
    unit="cps",
    queries=[
        Query(
            f'sum by (network) (rate(jrc_joins_total{{{IN_NETWORK},result="joined"}}{RATE}))',
            "{{network}}",
        )
    ],
    stacked=True,
)
REFUSALS: Final = Panel(
    title="Refusals by reason",
    text="Protected answers that say no. `jrc pledge explain ID` has one device's reason and"
    " remedy; docs/reasons.md has each.",
    unit="cps",
    queries=[
        Query(
            f"sum by (result) (rate(jrc_joins_total{{{REFUSED}}}{RATE}))",
            "{{result}}",
        )
    ],
    stacked=True,
)
