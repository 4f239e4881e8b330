"""Metrics of joins: what comes in, what becomes of it, and what a commit costs."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, histogram
from jrc.admin.metrics import JOINED, Counters
from jrc.errors import Reason

RECEIVED: Final = counter(
    "jrc_datagrams_received_total", "Datagrams read from the sockets.", unit="datagrams"
)
DROPPED: Final = counter(
    "jrc_datagrams_dropped_total",
    "Datagrams that ended in silence (RFC 9031 §7.3.2), by the codes of `jrc pledge explain`.",
    "reason",
    unit="datagrams",
    look="[explain.md](explain.md) has each reason; `jrc pledge explain ID` and `jrc pledge explain"
    " --unknown` say who it was. There is a reason only once it has occurred.",
)
JOINS: Final = counter(
    "jrc_joins_total",
    "New protected answers to Join Requests: `joined`, or the reason for which one was refused.",
    "network",
    "result",
    unit="answers",
    look="[explain.md](explain.md) has each reason. Of each network `joined` is there from the"
    " start, the others once they have occurred.",
)
RESENT: Final = counter(
    "jrc_answers_resent_total",
    "Stored answers that left once more, as the request came again.",
    unit="answers",
    look="Many of them beside few joins: answers get lost on their way.",
)
BEGUN: Final = counter("jrc_recoveries_begun_total", "RFC 8613 App. B.2 runs begun.", unit="runs")
COMPLETED: Final = counter(
    "jrc_recoveries_completed_total",
    "RFC 8613 App. B.2 runs completed.",
    unit="runs",
    look="Many begun and none completed is firmware without App. B.2"
    " ([recovery.md](recovery.md#a-device-that-is-recovered)).",
)
KEYS_CHANGED: Final = counter(
    "jrc_keys_changed_total",
    "Joins with a key that had waited, which is the pledge's only one from then on.",
    unit="joins",
)
SEND_FAILURES: Final = counter(
    "jrc_send_failures_total",
    "Answers that the network did not take; the pledge asks again.",
    unit="answers",
    look="See whether there is a route to the Join Proxies, and `dmesg`.",
)
COMMITS: Final = counter("jrc_commits_total", "Transactions of joins on disk.", unit="commits")
BATCHES: Final = histogram(
    "jrc_commit_batch_size", "Requests that share a commit.", unit="requests"
)
COMMIT_TIMES: Final = histogram(
    "jrc_commit_duration_seconds",
    "How long a commit of joins waits for the disk, or for the database server.",
    unit="seconds",
    look="A commit is two syncs of the disk at most. Slow ones: see what else writes there, and"
    " whether a card or disk wears out (`dmesg`, `smartctl`).",
)
TRANSACTION_TIMES: Final = histogram(
    "jrc_transaction_duration_seconds",
    "How long a whole transaction of joins takes, its commit included.",
    unit="seconds",
    look="What a join waits for, once its turn has come.",
)
BUSY: Final = counter(
    "jrc_writer_busy_seconds_total",
    "Time for which the one thread that writes was at work: at `joins`, or at `changes`, which is"
    " all else.",
    "work",
    unit="seconds",
    look="Its rate is the share of the time that is used. Near 1, joins wait for it.",
)
FAMILIES: Final = (
    RECEIVED, DROPPED, JOINS, RESENT, BEGUN, COMPLETED, KEYS_CHANGED, SEND_FAILURES,
    COMMITS, BATCHES, COMMIT_TIMES, TRANSACTION_TIMES, BUSY,
)  # fmt: skip


class JoinCollector(FamilyCollector):
    """Reads ``counters`` when somebody asks; ``networks`` are those that there are."""

    def __init__(self, counters: Counters, networks: Callable[[], Collection[str]]) -> None:
        self._counters = counters
        self._networks = networks

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        yield from self._counted()
        yield from self._committed()

    def _counted(self) -> Iterator[Metric]:
        c = self._counters
        yield RECEIVED.value(c.datagrams_received)
        dropped = sorted(c.datagrams_dropped.items())
        yield DROPPED.samples(([reason.value], count) for reason, count in dropped)
        # A rate needs a zero to begin at.
        joins = {(network, JOINED): 0 for network in self._networks()} | c.joins
        yield JOINS.samples(sorted(joins.items()))
        yield RESENT.value(c.answers_resent)
        begun = sum(n for (_, why), n in c.joins.items() if why == Reason.RECOVERING.value)
        yield BEGUN.value(begun)
        yield COMPLETED.value(c.recoveries)
        yield KEYS_CHANGED.value(c.keys_changed)
        yield SEND_FAILURES.value(c.send_failures)

    def _committed(self) -> Iterator[Metric]:
        c = self._counters
        yield COMMITS.value(c.commits)
        yield BATCHES.histogram(c.batches)
        yield COMMIT_TIMES.histogram(c.commit_waits_s)
        yield TRANSACTION_TIMES.histogram(c.transactions_s)
        yield BUSY.samples([(["joins"], c.joins_busy_s), (["changes"], c.changes_busy_s)])
