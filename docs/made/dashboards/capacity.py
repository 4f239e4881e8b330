"""How much of what there is, is used."""

from typing import Final

from docs.made.dashboards.shared import MIB, RATE
from docs.made.grafana import GREEN, HERE, IN_NETWORK, RED, YELLOW, Dashboard, Panel, Query, Row


def _share(part: str, whole: str) -> str:
    return f"{part}{{{HERE}}} / {whole}{{{HERE}}}"


def _quantile(share: float, metric: str) -> str:
    buckets = f"sum by (instance, le) (rate({metric}_bucket{{{HERE}}}{RATE}))"
    return f"histogram_quantile({share:g}, {buckets})"


CAPACITY: Final = Dashboard(
    "jrc-capacity",
    "JRC: capacity",
    "How much of what there is, is used: time, disk, memory, queues, short identifiers.",
    (
        Row(
            "Time",
            (
                Panel(
                    title="Wait for the disk",
                    text="How long a commit of joins takes: half of them, nine in ten, 99 in a"
                    " hundred. Red: pledges notice.",
                    unit="s",
                    queries=[
                        Query(
                            _quantile(q, "jrc_commit_duration_seconds"), f"{{{{instance}}}} {q:.0%}"
                        )
                        for q in (0.5, 0.9, 0.99)
                    ],
                    steps=[(None, GREEN), (0.25, RED)],
                ),
                Panel(
                    title="Whole transaction of joins",
                    text="With its commit: what a join waits for, once its turn has come.",
                    unit="s",
                    queries=[
                        Query(
                            _quantile(q, "jrc_transaction_duration_seconds"),
                            f"{{{{instance}}}} {q:.0%}",
                        )
                        for q in (0.5, 0.9, 0.99)
                    ],
                ),
                Panel(
                    title="Commits by how long they wait",
                    text="A second band is another disk, or somebody else who writes to it.",
                    kind="heatmap",
                    queries=[
                        Query(
                            "sum by (le)"
                            f" (increase(jrc_commit_duration_seconds_bucket{{{HERE}}}{RATE}))",
                            "{{le}}",
                        )
                    ],
                ),
                Panel(
                    title="The thread that writes is at work",
                    text="Share of the time, at joins and at all other changes. Near 1, joins wait.",
                    unit="percentunit",
                    queries=[
                        Query(
                            "sum by (instance, work)"
                            f" (rate(jrc_writer_busy_seconds_total{{{HERE}}}{RATE}))",
                            "{{instance}} {{work}}",
                        )
                    ],
                    stacked=True,
                    steps=[(None, GREEN), (0.8, RED)],
                    most=1,
                ),
                Panel(
                    title="Requests that share a commit",
                    text="The more ask at once, the more share one.",
                    queries=[
                        Query(
                            f"rate(jrc_commit_batch_size_sum{{{HERE}}}{RATE})"
                            f" / rate(jrc_commit_batch_size_count{{{HERE}}}{RATE})",
                            "{{instance}}",
                        )
                    ],
                ),
                Panel(
                    title="CPU time",
                    text="Of one core; two threads share it between them.",
                    unit="percentunit",
                    queries=[
                        Query(f"rate(process_cpu_seconds_total{{{HERE}}}{RATE})", "{{instance}}")
                    ],
                ),
            ),
        ),
        Row(
            "Network",
            (
                Panel(
                    title="Datagrams",
                    text="Read from the sockets; those that found no room in the kernel's queue are"
                    " lost.",
                    unit="cps",
                    queries=[
                        Query(
                            f"rate(jrc_datagrams_received_total{{{HERE}}}{RATE})",
                            "{{instance}} read",
                        ),
                        Query(
                            f"rate(jrc_datagrams_lost_total{{{HERE}}}{RATE})", "{{instance}} lost"
                        ),
                        Query(
                            f"rate(jrc_send_failures_total{{{HERE}}}{RATE})",
                            "{{instance}} answers not sent",
                        ),
                    ],
                ),
                Panel(
                    title="The kernel's queue",
                    text="Share of its room that is taken. `deploy/systemd/jrc.socket` gives it 8"
                    " MiB.",
                    unit="percentunit",
                    queries=[
                        Query(
                            _share("jrc_receive_queue_bytes", "jrc_receive_queue_capacity_bytes"),
                            "{{instance}}",
                        )
                    ],
                    steps=[(None, GREEN), (0.8, RED)],
                    most=1,
                ),
                Panel(
                    title="Memory of the join path, against its bounds",
                    text="A full cache of contexts is usual with more than 10,240 devices, and"
                    " costs a read a join; docs/limits.md has each bound.",
                    unit="percentunit",
                    queries=[
                        Query(
                            f"max by (cache) ({_share('jrc_cache_entries', 'jrc_cache_capacity')})",
                            "{{cache}}",
                        )
                    ],
                    most=1,
                ),
            ),
        ),
        Row(
            "Disk and memory",
            (
                Panel(
                    title="Room on the disk of the database",
                    text="Below 256 MiB `jrc doctor` warns; once it is full nobody is answered.",
                    unit="bytes",
                    queries=[Query(f"jrc_disk_free_bytes{{{HERE}}}", "{{instance}}")],
                    steps=[(None, RED), (256 * MIB, GREEN)],
                ),
                Panel(
                    title="Database",
                    text="The file and the log beside it; or the size on the PostgreSQL server, whose log is its own.",
                    unit="bytes",
                    queries=[
                        Query(f"jrc_database_size_bytes{{{HERE}}}", "{{instance}}"),
                        Query(f"jrc_database_wal_size_bytes{{{HERE}}}", "{{instance}} log"),
                    ],
                ),
                Panel(
                    title="Backups",
                    text="Size of the newest scheduled one.",
                    unit="bytes",
                    queries=[
                        Query(f"jrc_backup_size_bytes{{{HERE}}}", "{{instance}} size"),
                    ],
                ),
                Panel(
                    title="Resident memory",
                    text="It grows with the devices that are provisioned, and not with what"
                    " strangers send.",
                    unit="bytes",
                    queries=[Query(f"process_resident_memory_bytes{{{HERE}}}", "{{instance}}")],
                ),
                Panel(
                    title="Open files",
                    text="Share of those that the process may have.",
                    unit="percentunit",
                    queries=[Query(_share("process_open_fds", "process_max_fds"), "{{instance}}")],
                    steps=[(None, GREEN), (0.8, RED)],
                    most=1,
                ),
                Panel(
                    title="Events in the audit log",
                    text="`events.keep_days` has old ones removed (docs/audit-log.md).",
                    queries=[Query(f"jrc_events{{{HERE}}}", "{{instance}}")],
                ),
            ),
        ),
        Row(
            "Admin API and page",
            (
                Panel(
                    title="Requests by status",
                    text="On the admin socket and on TCP; `jrc events` has who changed what.",
                    unit="cps",
                    queries=[
                        Query(
                            "sum by (socket, status)"
                            f" (rate(jrc_api_requests_total{{{HERE}}}{RATE}))",
                            "{{socket}} {{status}}",
                        )
                    ],
                    stacked=True,
                ),
                Panel(
                    title="Refused on TCP",
                    text="Requests without a token that counts, and connections that were hung up"
                    " on.",
                    unit="cps",
                    queries=[
                        Query(
                            f"sum by (reason) (rate(jrc_api_tokens_refused_total{{{HERE}}}{RATE}))",
                            "token {{reason}}",
                        ),
                        Query(
                            f"sum(rate(jrc_api_connections_refused_total{{{HERE}}}{RATE}))",
                            "connections",
                        ),
                    ],
                    stacked=True,
                ),
                Panel(
                    title="Open pages",
                    text="Browsers that are told of changes; 16 at most.",
                    queries=[Query(f"jrc_page_listeners{{{HERE}}}", "{{instance}}")],
                ),
            ),
        ),
        Row(
            "Short identifiers",
            (
                Panel(
                    title="Left, of the range of each network",
                    text="Only new link-layer keys make burned ones free again (RFC 9031 §8.4.4.1).",
                    kind="bargauge",
                    unit="percentunit",
                    queries=[
                        Query(
                            "min by (network) (jrc_short_identifiers_left"
                            f"{{{IN_NETWORK}}} / jrc_short_identifiers_range{{{IN_NETWORK}}})",
                            "{{network}}",
                        )
                    ],
                    steps=[(None, RED), (0.1, YELLOW), (0.3, GREEN)],
                    most=1,
                ),
                Panel(
                    title="Left",
                    text="As a number.",
                    queries=[
                        Query(
                            f"min by (network) (jrc_short_identifiers_left{{{IN_NETWORK}}})",
                            "{{network}}",
                        )
                    ],
                    width=16,
                ),
            ),
        ),
    ),
)
