"""Counters of the join path.

The hot path adds to plain numbers; text is made only when somebody asks (``join_metrics.py``).
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

import structlog

from jrc.admin.histogram import BATCH_BOUNDS, DURATION_BOUNDS_S, Histogram
from jrc.errors import Reason

RATE_WINDOW_S = 60
JOINED = "joined"

_log = structlog.get_logger("jrc")


@dataclass(slots=True)
class Counters:
    """Plain counters, one writing thread each: the loop, but for times (the writer thread).

    It is what ``service/ports.py`` calls ``Metrics``, and ``WriterMeter``.
    """

    datagrams_received: int = 0
    datagrams_dropped: dict[Reason, int] = field(default_factory=lambda: defaultdict(int))
    joins: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    joins_total: int = 0
    answers_resent: int = 0
    recoveries: int = 0
    keys_changed: int = 0
    send_failures: int = 0
    commits: int = 0
    batches: Histogram = field(default_factory=lambda: Histogram(BATCH_BOUNDS))
    commit_waits_s: Histogram = field(default_factory=lambda: Histogram(DURATION_BOUNDS_S))
    transactions_s: Histogram = field(default_factory=lambda: Histogram(DURATION_BOUNDS_S))
    joins_busy_s: float = 0
    changes_busy_s: float = 0
    damage: str | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def received(self, count: int) -> None:
        """``count`` datagrams were read from a socket."""
        self.datagrams_received += count

    def dropped(self, reason: Reason) -> None:
        """A datagram ended in silence."""
        self.datagrams_dropped[reason] += 1

    def damaged(self, message: str) -> None:
        """A row did not authenticate: silence, and something for the operator to look at."""
        self.datagrams_dropped[Reason.DAMAGED_STATE] += 1
        self.damage = message

    def answered(self, network: str, reason: Reason | None) -> None:
        """A new protected answer left; ``reason`` is None for a Configuration."""
        if reason is None:
            self.joins_total += 1
            self.joins[network, JOINED] += 1
        else:
            self.joins[network, reason.value] += 1

    def resent(self) -> None:
        """A stored answer left once more."""
        self.answers_resent += 1

    def recovered(self) -> None:
        """An RFC 8613 App. B.2 run was completed."""
        self.recoveries += 1

    def key_changed(self, identifier: bytes) -> None:
        """A pledge has joined with a key that waited, which is its only one from now on."""
        self.keys_changed += 1
        _log.info("pledge_key_changed", pledge_id=identifier.hex())

    def send_failed(self) -> None:
        """An answer could not be handed to the network."""
        self.send_failures += 1

    def committed(self, batch: int) -> None:
        """A transaction with ``batch`` requests is on disk."""
        self.commits += 1
        self.batches.observe(batch)

    def transacted(self, whole_s: float, commit_s: float) -> None:
        """A transaction of joins took so long, its commit included."""
        self.transactions_s.observe(whole_s)
        self.commit_waits_s.observe(commit_s)

    def worked(self, seconds: float, *, at_joins: bool) -> None:
        """The writer thread was busy for so long."""
        if at_joins:
            self.joins_busy_s += seconds
        else:
            self.changes_busy_s += seconds

    def sample(self, now_s: float) -> None:
        """Note the joins so far, about once a second; ``now_s`` is a monotonic time."""
        self._samples.append((now_s, self.joins_total))
        while now_s - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()

    def summary(self) -> dict[str, object]:
        """What ``jrc status`` shows of the counters."""
        return {
            "joins_total": self.joins_total,
            "joins_last_minute": self.joins_last_minute(),
            "answers_resent": self.answers_resent,
            "datagrams_received": self.datagrams_received,
            "datagrams_dropped": {r.value: n for r, n in sorted(self.datagrams_dropped.items())},
            "damage": self.damage,
        }

    def totals(self) -> dict[str, int]:
        """What one log line in a while says: datagrams, joins, and drops by reason."""
        totals = {
            "datagrams": self.datagrams_received,
            "joins": self.joins_total,
            "refused": sum(self.joins.values()) - self.joins_total,
            "resent": self.answers_resent,
        }
        dropped = {f"dropped_{r.value}": n for r, n in self.datagrams_dropped.items()}
        return totals | dropped

    def joins_last_minute(self) -> int:
        """Joins between the oldest sample of the last minute and now."""
        return self.joins_total - self._samples[0][1] if self._samples else 0
