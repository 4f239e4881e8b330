"""What pledges tried lately, in the daemon's memory, for the person who asks why one stays out.

What comes in costs a dictionary entry, whatever it is, and memory is bounded. Requests that have
verified are kept apart from those that only claim an identifier: whoever sends forgeries in the
name of a pledge can't push out what the pledge itself has tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import nlargest
from ipaddress import IPv6Address
from itertools import islice
from operator import itemgetter
from typing import Any

from jrc.errors import Reason
from jrc.service.join_ports import Standing
from jrc.service.ports import Way

PLEDGES = 1024
STRANGERS = 256
RUNS = 8
"""How many of a pledge's attempts are shown; those with one outcome in a row count as one."""

_MOST_RUNS = 2 * RUNS
"""When the oldest are cut off; more than are shown, so that this is rare."""


class Success(StrEnum):
    """What became of a request that was answered as it wished."""

    JOINED = "joined"
    RESENT = "resent"
    """A copy of it came, and got the same answer again (row C11)."""


Outcome = Reason | Success


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Attempts with one outcome in a row: how many, and the times and the peer of the last.

    Times are ms since 1970. ``authenticated`` says that the pledge itself has sent them.
    ``own_proxy`` is the interface of this host's own Join Proxy where the last came through it:
    ``peer`` is the pledge's then, else that of the Join Proxy elsewhere, or whoever has sent it.
    ``standing`` is what the pledge had after the last.
    """

    outcome: Outcome
    count: int
    first_ms: int
    last_ms: int
    peer: IPv6Address
    own_proxy: str | None
    authenticated: bool
    standing: Standing | None


class Book:
    """The last outcomes by identifier, of the ``capacity`` identifiers that were noted last.

    At least half as many are there, always: a full young generation takes the old one's place.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        self._half = capacity // 2
        # Outcome, count, first, last, way, standing, the run before, how many runs there are.
        self._young: dict[bytes, tuple[Any, ...]] = {}
        self._old: dict[bytes, tuple[Any, ...]] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def note(
        self,
        identifier: bytes,
        outcome: Outcome,
        now_ms: int,
        way: Way,
        standing: Standing | None = None,
    ) -> None:
        """An attempt had this outcome."""
        young = self._young
        run = young.get(identifier)
        if run is None:
            run = self._old.get(identifier)
            if len(young) >= self._half:
                self._old = young
                self._young = young = {}
            if run is None:
                young[identifier] = (outcome, 1, now_ms, now_ms, way, standing, None, 1)
                return
        if run[0] is outcome:
            young[identifier] = (
                outcome, run[1] + 1, run[2], now_ms, way, standing, run[6], run[7]
            )  # fmt: skip
        else:
            if run[7] >= _MOST_RUNS:
                run = _shortened(run, RUNS - 1)
            young[identifier] = (outcome, 1, now_ms, now_ms, way, standing, run, run[7] + 1)

    def runs(self, identifier: bytes) -> Iterator[tuple[Any, ...]]:
        """What was noted of an identifier, the last first."""
        run = self._young.get(identifier) or self._old.get(identifier)
        while run is not None:
            yield run
            run = run[6]

    def identifiers(self) -> list[bytes]:
        """Everybody who is there."""
        return list(self._young.keys() | self._old.keys())


def _shortened(run: tuple[Any, ...], length: int) -> tuple[Any, ...]:
    """The last ``length`` runs of a chain that is longer."""
    older = _shortened(run[6], length - 1) if length > 1 else None
    return (*run[:6], older, length)


class Attempts:
    """All three books: of pledges, of what claims to be one, of identifiers that nobody has."""

    def __init__(self) -> None:
        self.verified = Book(PLEDGES)
        self.claimed = Book(PLEDGES)
        self.strangers = Book(STRANGERS)

    def of(self, identifier: bytes) -> list[Attempt]:
        """The last attempts of one identifier, the last first."""
        books = ((self.verified, True), (self.claimed, False), (self.strangers, False))
        found = [
            _attempt(run, authenticated)
            for book, authenticated in books
            for run, _ in zip(book.runs(identifier), range(RUNS), strict=False)
        ]
        return sorted(found, key=lambda attempt: attempt.last_ms, reverse=True)

    def latest(self, limit: int) -> list[tuple[bytes, Attempt]]:
        """The last attempts of all identifiers, the last first; ``limit`` rows of one outcome.

        Whoever has one of them has its last one among as many last ones. For any thread: books
        grow meanwhile, and what is in one never changes.
        """
        books = ((self.verified, True), (self.claimed, False), (self.strangers, False))
        last = (
            (run[3], identifier, book, authenticated)
            for book, authenticated in books
            for identifier in book.identifiers()
            for run in islice(book.runs(identifier), 1)
        )
        found = (
            (run[3], identifier, run, authenticated)
            for _, identifier, book, authenticated in nlargest(limit, last, key=_time_of)
            for run in islice(book.runs(identifier), RUNS)
        )
        return [
            (identifier, _attempt(run, authenticated))
            for _, identifier, run, authenticated in nlargest(limit, found, key=_time_of)
        ]

    def unknown(self) -> list[tuple[bytes, Attempt]]:
        """Identifiers that nobody had when they were asked for, the last first."""
        found = [
            (identifier, _attempt(run, authenticated=False))
            for identifier in self.strangers.identifiers()
            for run in self.strangers.runs(identifier)
        ]
        return sorted(found, key=lambda each: each[1].last_ms, reverse=True)[:STRANGERS]


_time_of = itemgetter(0)


def _attempt(run: tuple[Any, ...], authenticated: bool) -> Attempt:
    outcome, count, first_ms, last_ms, way, standing, *_ = run
    address, own_proxy = way.forwarded_for() or (way.peer_address(), None)
    return Attempt(
        outcome=outcome,
        count=count,
        first_ms=first_ms,
        last_ms=last_ms,
        peer=IPv6Address(address),
        own_proxy=own_proxy,
        authenticated=authenticated,
        standing=standing,
    )
