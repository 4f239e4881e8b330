"""Who gets in, who does not, and why."""

from typing import Final

from docs.made.dashboards.shared import GOOD, JOINS_BY_NETWORK, RATE, REFUSALS, REFUSED
from docs.made.grafana import (
    BLUE,
    GREEN,
    HERE,
    IN_NETWORK,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
)

JOINS: Final = Dashboard(
    "jrc-joins",
    "JRC: joins and refusals",
    "Who gets in, who does not, and why.",
    (
        Row(
            "Answered",
            (
                JOINS_BY_NETWORK,
                REFUSALS,
                Panel(
                    title="Share of requests that are refused",
                    text="Of all new answers, by network.",
                    unit="percentunit",
                    queries=[
                        Query(
                            f"sum by (network) (rate(jrc_joins_total{{{REFUSED}}}{RATE}))"
                            f" / sum by (network) (rate(jrc_joins_total{{{IN_NETWORK}}}{RATE}))",
                            "{{network}}",
                        )
                    ],
                    steps=[(None, GREEN), (0.5, RED)],
                    most=1,
                ),
                Panel(
                    title="Refusals in the time that is shown",
                    text="By network and reason.",
                    kind="bargauge",
                    queries=[
                        Query(
                            "sort_desc(sum by (network, result)"
                            f" (increase(jrc_joins_total{{{REFUSED}}}[$__range])) > 0)",
                            "{{network}} {{result}}",
                        )
                    ],
                    steps=[(None, YELLOW)],
                ),
                Panel(
                    title="Answers that were sent again",
                    text="The same request came again, and its answer left once more. Many of them"
                    " beside few joins: answers get lost on their way.",
                    unit="cps",
                    queries=[
                        Query(f"rate(jrc_answers_resent_total{{{HERE}}}{RATE})", "{{instance}}")
                    ],
                ),
                Panel(
                    title="Security contexts that were lost",
                    text="RFC 8613 App. B.2: runs begun and completed, and pledges that wait for"
                    " one or can't do it (docs/recovery.md).",
                    queries=[
                        Query(
                            f"sum(rate(jrc_recoveries_begun_total{{{HERE}}}{RATE}))",
                            "begun a second",
                        ),
                        Query(
                            f"sum(rate(jrc_recoveries_completed_total{{{HERE}}}{RATE}))",
                            "completed a second",
                        ),
                        Query(
                            f"max by (outlook) (jrc_pledges_recovering{{{HERE}}})",
                            "pledges {{outlook}}",
                        ),
                    ],
                ),
            ),
        ),
        Row(
            "Ended in silence",
            (
                Panel(
                    title="Datagrams by reason",
                    text="RFC 9031 §7.3.2 wants silence for all that does not verify."
                    " `unknown_context` is nobody's identifier, `bad_tag` another key,"
                    " `replayed` an old request.",
                    unit="cps",
                    queries=[
                        Query(
                            f"sum by (reason) (rate(jrc_datagrams_dropped_total{{{HERE}}}{RATE}))",
                            "{{reason}}",
                        )
                    ],
                    stacked=True,
                    width=16,
                ),
                Panel(
                    title="In the time that is shown",
                    text="By reason.",
                    kind="bargauge",
                    queries=[
                        Query(
                            "sort_desc(sum by (reason)"
                            f" (increase(jrc_datagrams_dropped_total{{{HERE}}}[$__range])) > 0)",
                            "{{reason}}",
                        )
                    ],
                    steps=[(None, BLUE)],
                ),
            ),
        ),
        Row(
            "The Join Proxy",
            (
                Panel(
                    title="Forwarded and returned",
                    text="What the border router's own Join Proxy passed on, both ways.",
                    unit="cps",
                    queries=[
                        Query(
                            f"rate(jrc_proxy_forwarded_total{{{HERE}}}{RATE})",
                            "{{instance}} forwarded",
                        ),
                        Query(
                            f"rate(jrc_proxy_returned_total{{{HERE}}}{RATE})",
                            "{{instance}} returned",
                        ),
                    ],
                ),
                Panel(
                    title="Dropped by the Join Proxy",
                    text="`join_rate` is beyond the network's rate (RFC 9031 §4.1), `blocklisted`"
                    " are revoked.",
                    unit="cps",
                    queries=[
                        Query(
                            f"sum by (reason) (rate(jrc_proxy_dropped_total{{{HERE}}}{RATE}))",
                            "{{reason}}",
                        )
                    ],
                    stacked=True,
                ),
                Panel(
                    title="Pledges reach it, and it the registrar",
                    text="`jrc status` says why not.",
                    kind="stat",
                    queries=[
                        Query(f"jrc_proxy_listening{{{HERE}}}", "{{instance}} listens"),
                        Query(f"jrc_proxy_connected{{{HERE}}}", "{{instance}} is connected"),
                    ],
                    words=GOOD,
                ),
            ),
        ),
    ),
)
