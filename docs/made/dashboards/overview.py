"""Whether devices can join, and what a person has to look at."""

from typing import Final

from docs.made.dashboards.shared import BAD, DAY_S, GOOD, JOINS_BY_NETWORK, REFUSALS, REFUSED
from docs.made.grafana import GREEN, HERE, IN_NETWORK, RED, YELLOW, Dashboard, Panel, Query, Row

_CONDITIONS: Final = (
    Panel(
        title="Answers joins",
        text="No: `jrc status` says why, and what to do.",
        kind="stat",
        queries=[Query(f"jrc_ready{{{HERE}}}", "{{instance}}")],
        words=GOOD,
        width=4,
        height=4,
    ),
    Panel(
        title="Metrics are there",
        text="No: the process or the host is down, or can't be reached.",
        kind="stat",
        queries=[Query(f"up{{{HERE}}}", "{{instance}}")],
        words=GOOD,
        width=4,
        height=4,
    ),
    Panel(
        title="Sealed or quarantined",
        text="1: the key file is missing (docs/keys.md). 2: the database is an old copy"
        " (docs/recovery.md).",
        kind="stat",
        queries=[
            Query(
                f"max by (instance) (jrc_sealed{{{HERE}}})"
                f" + 2 * max by (instance) (jrc_quarantined{{{HERE}}})"
                f" or max by (instance) (jrc_sealed{{{HERE}}})",
                "{{instance}}",
            )
        ],
        words={0.0: ("no", GREEN), 1.0: ("sealed", RED), 2.0: ("quarantined", RED)},
        width=4,
        height=4,
    ),
    Panel(
        title="Faults that keep joins from being answered",
        text="How many stand now; docs/faults.md has each.",
        kind="stat",
        queries=[Query(f"sum by (instance) (jrc_trouble{{{HERE}}})", "{{instance}}")],
        steps=[(None, GREEN), (1, RED)],
        width=4,
        height=4,
    ),
    Panel(
        title="Nodes are told nothing",
        text="Yes: neither new keys nor revocations reach them. It is the clock as a rule"
        " (docs/clock.md).",
        kind="stat",
        queries=[Query(f"jrc_updates_hindered{{{HERE}}}", "{{instance}}")],
        words=BAD,
        width=4,
        height=4,
    ),
    Panel(
        title="Version",
        text="What runs, and since when.",
        kind="stat",
        unit="s",
        queries=[
            Query(
                f"(time() - process_start_time_seconds{{{HERE}}}) * on (job, instance)"
                f" group_left (version) jrc_build_info{{{HERE}}}",
                "{{instance}} {{version}}",
            )
        ],
        width=4,
        height=4,
    ),
)

_NETWORKS: Final = Panel(
    title="Networks",
    text="Of each: devices that have joined, how old its link-layer keys are, short identifiers"
    " that are left, what waits for a person, joins and refusals in the time that is shown.",
    kind="table",
    queries=[
        Query(f'sum by (instance, network) (jrc_network_pledges{{{IN_NETWORK},state="joined"}})'),
        Query(f"max by (instance, network) (jrc_network_key_age_seconds{{{IN_NETWORK}}})"),
        Query(f"max by (instance, network) (jrc_short_identifiers_left{{{IN_NETWORK}}})"),
        Query(f"max by (instance, network) (jrc_network_key_notices{{{IN_NETWORK}}})"),
        Query(
            "sum by (instance, network)"
            f' (increase(jrc_joins_total{{{IN_NETWORK},result="joined"}}[$__range]))'
        ),
        Query(f"sum by (instance, network) (increase(jrc_joins_total{{{REFUSED}}}[$__range]))"),
    ],
    columns={
        "instance": ("Registrar", "string"),
        "network": ("Network", "string"),
        "Value #A": ("Joined devices", "none"),
        "Value #B": ("Age of keys", "s"),
        "Value #C": ("Short identifiers left", "none"),
        "Value #D": ("Wants a person", "none"),
        "Value #E": ("Joins", "none"),
        "Value #F": ("Refusals", "none"),
    },
    width=24,
)

_ALERTS: Final = Panel(
    title="Alerts",
    text="What Prometheus warns of; docs/alerts.md has a section for each.",
    kind="table",
    queries=[
        Query(
            'sum by (alertname, severity, instance, network) (ALERTS{alertname=~"Jrc.*",'
            'alertstate="firing"})'
        )
    ],
    columns={
        "alertname": ("Alert", "string"),
        "severity": ("Severity", "string"),
        "instance": ("Registrar", "string"),
        "network": ("Network", "string"),
    },
    width=12,
)

OVERVIEW: Final = Dashboard(
    "jrc-overview",
    "JRC: overview",
    "Whether devices can join, and what a person has to look at.",
    (
        Row("Now", _CONDITIONS),
        Row("Networks", (_NETWORKS,)),
        Row(
            "What goes on",
            (
                JOINS_BY_NETWORK,
                REFUSALS,
                Panel(
                    title="Devices by state",
                    text="`waiting` are for you to approve or not (docs/admission.md).",
                    queries=[Query(f"max by (state) (jrc_pledges{{{HERE}}})", "{{state}}")],
                    stacked=True,
                ),
                _ALERTS,
                Panel(
                    title="Age of the newest backup",
                    text="By the daemon, a timer or by hand. Red: more than thirty days.",
                    kind="stat",
                    unit="s",
                    queries=[
                        Query(
                            "time() - max by (instance)"
                            f" (jrc_backup_last_success_timestamp_seconds{{{HERE}}})",
                            "{{instance}}",
                        )
                    ],
                    steps=[(None, GREEN), (7 * DAY_S, YELLOW), (30 * DAY_S, RED)],
                    width=6,
                ),
                Panel(
                    title="The audit log is as it was written",
                    text="No: `jrc events verify` says where it was changed (docs/audit-log.md).",
                    kind="stat",
                    queries=[Query(f"jrc_event_chain_intact{{{HERE}}}", "{{instance}}")],
                    words=GOOD,
                    width=6,
                ),
            ),
        ),
    ),
)
