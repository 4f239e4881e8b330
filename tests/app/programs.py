"""An installer's program that a test plays, and what it needs of a registrar."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from jrc.app.installers import Runner
from jrc.errors import StoreError
from jrc.model import Secret
from jrc.service.installers import InstallerId, Pace
from jrc.service.ports import InstallOutcome
from jrc.service.registry import Registry
from tests.desk import Desk

T = TypeVar("T")
PATIENCE_S = 60.0
LAB = InstallerId("lab", "exec")
FOLDER = Path("/nowhere")
GOOD = InstallOutcome(installed=True)
BAD = InstallOutcome(installed=False, how="exit code 1", said=b"no radio\n")
AT_ONCE = Pace(retry_s=0.001, retry_max_s=0.002)
NEVER = Pace(retry_s=3600, retry_max_s=3600)


class Program:
    """A program that ends as it is told, when it is told."""

    is_local = False

    def __init__(self, *outcomes: InstallOutcome) -> None:
        self.documents: list[dict[str, Any]] = []
        self.running = 0
        self.cancelled = 0
        self.holds = False
        self._outcomes = list(outcomes)
        self._news = asyncio.Condition()
        self._let_go = asyncio.Event()

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        assert (network, self.running) == ("lab", 0), "never two runs at once"
        self.running += 1
        self.documents.append(json.loads(document.reveal()))
        async with self._news:
            self._news.notify_all()
        try:
            if self.holds:
                await self._let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return self._outcomes.pop(0) if self._outcomes else GOOD

    async def keeps(self) -> bool:
        """Asked of those that are local alone."""
        raise AssertionError

    async def has_begun(self, runs: int) -> None:
        """Return when so many runs have begun."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.documents) >= runs)

    def go_on(self) -> None:
        """Let the run end, and all that follow."""
        self.holds = False
        self._let_go.set()

    @property
    def reasons(self) -> list[str]:
        return [document["reason"] for document in self.documents]


class Office:
    """As ``admin.services.Transactions`` over a desk; ``broken`` is a disk that is full."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.broken = False
        self.refused = asyncio.Event()

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        await asyncio.sleep(0)
        if self.broken:
            self.refused.set()
            raise StoreError("disk full")
        return self.desk.write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        await asyncio.sleep(0)
        return self.desk.read(work)


def runner(office: Office, program: Program, pace: Pace = NEVER) -> Runner:
    return Runner(LAB, program, pace, office)


def staged(work: Callable[[], Awaitable[T]]) -> T:
    """``work`` on a loop, within patience."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await work()

    return asyncio.run(bounded())


async def settled(one: Runner, state: str) -> dict[str, object]:
    """The status once it is so, and is remembered."""
    # It tells nobody of its states.
    while (status := one.status())["state"] != state or status["running"] or one._outcome:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return status
