"""``docs/metrics.md``: every metric, what it says and what to do about it."""

from docs.made.pages import MADE, joined, table
from jrc.admin.metric_families import Family
from jrc.admin.metric_list import GROUPS

_HEAD = f"""\
# Metrics

{MADE}
`[metrics] listen = "127.0.0.1:9631"` in the config serves `/metrics` in Prometheus' text format,
beside `/healthz` and `/readyz`. Whoever reaches the address can read them: no key, no identifier of
a pledge and no address of a node is among them. Labels are the names of networks and installers,
which the operator gives, and words from fixed lists: what strangers send makes no series beyond one
a reason. A registrar has some 150 series, and 30 to 40 more with each network.

On loopback they are served to who asks by address or by a name of one word, such as `localhost`.
Where Prometheus comes over a tunnel or a proxy and calls the host by a name with a dot, the answer is
421 until the config file has that name: `hosts = ["router.example.org"]` under `[metrics]`.

A look costs no read of the database: what is counted there is counted beside the joins, once a
minute, and of rollovers every ten seconds. `jrc status` counts anew, and the metrics show the same
figures from then on. Counters begin at 0 with the process.

- [alerts.md](alerts.md): what to be woken for, and what to do then, by rules in
  `deploy/prometheus/`.
- `deploy/grafana/`: dashboards that show all of this ([alerts.md](alerts.md#dashboards)).

Prometheus adds `_bucket`, `_sum` and `_count` to the name of a histogram. The `process_*` metrics
of its client library are there as well: CPU time, resident memory, open files, the time of the start.
"""
_HEADINGS = ("metric", "type", "unit", "what it says, and what to do")


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, families in GROUPS.items():
        parts += [f"## {name}\n", table(_HEADINGS, map(_row, families))]
    return joined(parts)


def _row(family: Family) -> tuple[str, ...]:
    labels = f"{{{','.join(family.labels)}}}" if family.labels else ""
    absent = f"Absent {family.absent}." if family.absent else ""
    told = (each for each in (family.help, absent, _ended(family.look)) if each)
    return f"`{family.name}{labels}`", family.kind.value, family.unit, " ".join(told)


def _ended(sentence: str) -> str:
    return sentence if not sentence or sentence.endswith(".") else f"{sentence}."
