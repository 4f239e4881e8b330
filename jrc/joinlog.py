"""A line of the log for each join, at level info, and no more of them than a reader can bear.

The join path hands over what has been answered, once a batch. Lines are made on the thread that
writes them; beyond ``LINES_PER_S`` they are counted, and the count has a line of its own.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from jrc import journal
from jrc.journal import Entry
from jrc.service.join import Outcome

LINES_PER_S: Final = 100
"""systemd's journal takes 333 a second of a service, and drops the others (journald.conf(5))."""
BURST_LINES: Final = 1000
"""A network that is switched on joins at once."""
MAX_WAITING_LINES: Final = 1024
"""Joins whose lines wait for whoever reads the log; each keeps what it was answered with."""
EVENT: Final = "join"
JOINED: Final = "joined"
_NS_PER_S: Final = 1_000_000_000

Form = Callable[["JoinLine"], str]

_log = structlog.get_logger("jrc")


class JoinLine(NamedTuple):
    """What a line says; ``took_ms`` is from the datagram's arrival until its answer has left."""

    timestamp: str
    pledge: str
    network: str | None
    outcome: str
    short_id: str | None
    took_ms: str
    peer: str


def as_json(line: JoinLine) -> str:
    """One line of JSON, as ``log.configure`` has it for others."""
    network = "null" if line.network is None else json.dumps(line.network, ensure_ascii=False)
    short_id = "null" if line.short_id is None else f'"{line.short_id}"'
    return (
        f'{{"pledge": "{line.pledge}", "network": {network}, "outcome": "{line.outcome}",'
        f' "short_id": {short_id}, "took_ms": {line.took_ms}, "peer": "{line.peer}",'
        f' "event": "{EVENT}", "level": "info", "timestamp": "{line.timestamp}"}}'
    )


def as_entry(line: JoinLine) -> Entry:
    """One entry of the journal."""
    where = "" if line.network is None else f" {line.network}"
    message = f"join of {line.pledge}:{where} {line.outcome}, {line.took_ms} ms, from {line.peer}"
    values = {
        name: value
        for name, value in line._asdict().items()
        if name != "timestamp" and value is not None
    }
    return journal.entry("info", message, EVENT, values)


def on_console(renderer: structlog.dev.ConsoleRenderer) -> Form:
    """One line for a person, by the renderer of all others."""

    def form(line: JoinLine) -> str:
        values = {**line._asdict(), "event": EVENT, "level": "info"}
        return str(renderer(None, "info", {k: v for k, v in values.items() if v is not None}))

    return form


class JoinLog:
    """``put`` gives work to the thread that writes the log, and says whether it was taken.

    ``form`` makes the lines. While ``is_on`` is False nothing is done, and nothing counted.
    """

    def __init__(
        self,
        put: Callable[[Callable[[], Iterable[str]]], bool],
        form: Form,
        *,
        is_on: bool,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.is_on = is_on
        self.form = form
        self._put = put
        self._now_ns = now_ns
        self._wall_s = wall_s
        self._credit = float(BURST_LINES)
        self._seen_ns = now_ns()
        self._left_out = 0
        self._handed = 0
        self._made = 0

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """These were answered, or not, just now."""
        if not self.is_on:
            return
        now_ns = self._now_ns()
        gained = (now_ns - self._seen_ns) * LINES_PER_S / _NS_PER_S
        credit, self._seen_ns = min(self._credit + gained, BURST_LINES), now_ns
        room = MAX_WAITING_LINES - (self._handed - self._made)
        count = min(len(outcomes), int(credit), room)
        self._credit = credit - count
        if count and self._hand_over(outcomes[:count], now_ns):
            self._left_out += len(outcomes) - count
        else:
            self._left_out += len(outcomes)

    def _hand_over(self, batch: Sequence[Outcome], now_ns: int) -> bool:
        wall_s, form = self._wall_s(), self.form

        def make() -> Iterator[str]:
            yield from lines(batch, now_ns, wall_s, form)
            self._made += len(batch)  # by the writing thread alone

        if not self._put(make):
            return False
        self._handed += len(batch)
        return True

    async def summarise(self) -> None:
        """Say how many joins have no line of their own; called every now and then."""
        left_out, self._left_out = self._left_out, 0
        if left_out:
            _log.info(
                "joins_without_a_line", count=left_out, hint="jrc_joins_total counts them all"
            )


def lines(outcomes: Sequence[Outcome], now_ns: int, wall_s: float, form: Form) -> Iterator[str]:
    """The lines of a batch that had its answers at ``now_ns``."""
    at = datetime.fromtimestamp(wall_s, UTC)
    timestamp = f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    for outcome in outcomes:
        yield form(_line(outcome, now_ns, timestamp))


def _line(outcome: Outcome, now_ns: int, timestamp: str) -> JoinLine:
    ask, leases = outcome.ask, outcome.standing.leases
    is_joined = outcome.reason is None and outcome.state is not None
    return JoinLine(
        timestamp,
        ask.known.pledge.identifier.value.hex(),
        outcome.network or None,
        JOINED if outcome.reason is None else outcome.reason.value,
        f"{leases[0].value:04x}" if is_joined and len(leases) == 1 else None,
        f"{(now_ns - ask.arrived_ns) / 1_000_000:.2f}",
        socket.inet_ntop(socket.AF_INET6, ask.way.peer_address()),
    )
