"""The admin API's services as the page has them: they read, one at a time, and joins come first."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias, TypeVar, cast

from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeState
from jrc.service.pledge_stores import PledgeStore
from jrc.service.registry import Registry

T = TypeVar("T")
Counts: TypeAlias = Mapping[int | None, Mapping[PledgeState, int]]

SHARE = 0.1
"""Reads take this much of one thread's time, for all pages together."""
AT_ONCE_S = 0.3
"""So much of it is saved up while nobody reads: a page that is opened need not wait."""
COUNTING_SHARE = 0.05
"""Beside it, for counting the pledges of all networks."""

_KNOWN: Final = frozenset(
    {
        *("attempts", "distrust", "health", "installers", "installer_waits_s", "newest_event"),
        *("rollover_settings", "updates_hindered"),
    }
)
"""What else the page's requests may reach of ``Services``; a new use has to be entered here."""


class Pace:
    """One read at a time, and a rest where they have taken more than their share of time."""

    def __init__(self, share: float = SHARE, at_once_s: float = AT_ONCE_S) -> None:
        self.spent_s = 0.0
        """Time that reads have taken since the start."""
        self._share = share
        self._at_once_s = at_once_s
        self._debt_s = 0.0
        self._as_of_s = time.monotonic()
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Whoever waits for a turn is sent away, so that the daemon need not wait for them."""
        self._ended.set()

    def forgive(self, seconds: float) -> None:
        """So much of the turn that goes on is no part of the share."""
        self._debt_s -= seconds

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The turn of one read; others wait, in the order in which they came.

        Raises:
            OperatorError: the daemon ends.
        """
        async with self._turn:
            await self._rest()
            began_s = time.monotonic()
            try:
                yield
            finally:
                took_s = time.monotonic() - began_s
                self.spent_s += took_s
                self._debt_s += took_s

    async def _rest(self) -> None:
        """Until the next read may begin."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), self.rest_s())
        if self._ended.is_set():
            raise OperatorError(
                "the daemon is stopping",
                "the page goes on when it is back",
                exit_code=ExitCode.UNFINISHED,
            )

    def rest_s(self) -> float:
        """Seconds until the next read may begin, as of now: as long as those before were."""
        now_s = time.monotonic()
        paid_s, self._as_of_s = self._share * (now_s - self._as_of_s), now_s
        self._debt_s = max(0.0, self._debt_s - paid_s)
        return max(0.0, (self._debt_s - self._at_once_s) / self._share)


class _Counting:
    """How many pledges there are, counted anew as often as ``COUNTING_SHARE`` allows.

    Every look at the networks needs it, and among a million pledges it takes seconds: were that of
    the share of all reads, whoever opens a page would wait for minutes.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._found: Counts = {}
        self._good_until_s = 0.0

    def counts(self, pledges: PledgeStore) -> Counts:
        """As ``PledgeStore.counts``, or what that said a while ago."""
        began_s = time.monotonic()
        if began_s >= self._good_until_s:
            self._found = pledges.counts()
            took_s = time.monotonic() - began_s
            self.spent_s += took_s
            self._good_until_s = began_s + took_s / COUNTING_SHARE
        return self._found


class _Pledges:
    """As ``PledgeStore``, but for what counts them."""

    def __init__(self, pledges: PledgeStore, counting: _Counting) -> None:
        self._pledges = pledges
        self._counting = counting

    def __getattr__(self, name: str) -> object:
        return getattr(self._pledges, name)

    def counts(self) -> Counts:
        return self._counting.counts(self._pledges)


class _Read:
    """As ``Registry``, with such ``pledges``."""

    def __init__(self, tx: Registry, counting: _Counting) -> None:
        self._tx = tx
        self.pledges = _Pledges(tx.pledges, counting)

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)


class _Reading:
    def __init__(self, services: Services, pace: Pace) -> None:
        self._services = services
        self._pace = pace
        self._counting = _Counting()

    def __getattr__(self, name: str) -> object:
        if name not in _KNOWN:
            raise AttributeError(name)
        return getattr(self._services, name)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        async with self._pace.turn():
            before_s = self._counting.spent_s
            try:
                return await self._services.run_read(
                    lambda tx: work(cast(Registry, _Read(tx, self._counting)))
                )
            finally:
                self._pace.forgive(self._counting.spent_s - before_s)

    async def status(self, *, anew: bool = False) -> Mapping[str, object]:
        # Health is to be seen at once, so it takes no turn; nor does what is slow in it.
        return await self._services.status(anew=False)


def reading(services: Services, pace: Pace) -> Services:
    """``services`` without any way to change something; what is not for the page is not there."""
    return cast(Services, _Reading(services, pace))
