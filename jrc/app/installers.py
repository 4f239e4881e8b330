"""Keeps the radios of 6LBRs supplied with keys: one task an installer, beside the joins."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from jrc.admin.installer_metrics import InstallerCount
from jrc.admin.services import Transactions
from jrc.app.tasks import guarded
from jrc.app.upkeep import Upkeep
from jrc.config import Installer
from jrc.errors import ExitCode, JrcError, OperatorError
from jrc.net.installers import programs
from jrc.service.installers import (
    InstallationReport,
    InstallerId,
    Pace,
    Progress,
    attempt,
    installation_report,
    none_configured,
    record_of,
    record_outcome,
    unknown_network,
    wanted_keys,
)
from jrc.service.key_document import InstallReason, WantedKeys
from jrc.service.ports import KeyInstaller
from jrc.service.records import InstallationRecord
from jrc.service.registry import Registry
from jrc.service.wording import utc_text

_log = structlog.get_logger("jrc")


class _Asked(NamedTuple):
    """A person who waits for a run."""

    actor: str
    reason: str
    answer: asyncio.Future[InstallationReport]


class _Outcome(NamedTuple):
    """A run that has ended, to be remembered."""

    wanted: WantedKeys
    error: str | None
    why: InstallReason


class Runner:
    """Runs one installer, never twice at once, for as long as its task lives."""

    def __init__(
        self,
        installer: InstallerId,
        program: KeyInstaller,
        pace: Pace,
        transactions: Transactions,
        upkeep: Upkeep | None = None,
    ) -> None:
        """``upkeep`` is for a program that is local."""
        self.installer = installer
        self.successes = 0
        self.failures = 0
        self.record: InstallationRecord | None = None
        """What is remembered, of earlier processes as well."""
        self._names = {"network": installer.network, "installer": installer.name}
        self._program = program
        self._pace = pace
        self._transactions = transactions
        self._upkeep = upkeep
        self._progress = Progress()
        self._wanted: WantedKeys | None = None
        self._error: str | None = None
        self._missing: OperatorError | None = None
        self._running = False
        self._outcome: _Outcome | None = None
        self._asked: list[_Asked] = []
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Put in what is wanted, whenever that changes, until it is in."""
        while True:
            self._woken.clear()
            try:
                wait_s = await self._turn()
            except JrcError as error:
                _log.error("installer_hindered", **self._names, error=str(error))
                wait_s = self._pace.retry_s
            await self._rest(wait_s)

    async def _rest(self, wait_s: float | None) -> None:
        if self._upkeep is not None:
            done = self._upkeep.rest(self._woken, wait_s, is_installed=self.is_installed)
            if not await done:
                _log.warning("radio_lost_its_keys", **self._names)
                self._progress = Progress()
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _turn(self) -> float | None:
        """One look, and a run if one is due; seconds until the next look, None for no hurry."""
        asked, self._asked = self._asked, []
        try:
            await self._remember()
            self._wanted = await self._transactions.run_read(self._look)
            if self._wanted is None:
                raise_for(asked, self._wait_for_network())
                return None
            wait_s = self._progress.wait_s(self._wanted, time.monotonic())
            if wait_s is None:
                self._error = None
            if wait_s == 0 or asked:
                await self._install(self._wanted, asked)
                wait_s = self._progress.wait_s(self._wanted, time.monotonic())
            return wait_s
        except JrcError as error:
            raise_for(asked, error)
            raise
        finally:
            raise_for(asked, stopping())

    def _look(self, tx: Registry) -> WantedKeys | None:
        name = self.installer.network
        wanted = wanted_keys(tx, name, with_nodes=self._program.is_local)
        self._missing = None if wanted else unknown_network(tx, name)
        if wanted is not None and self.record is None:
            self.record = record_of(tx, wanted.network_id, self.installer.name)
        return wanted

    def _wait_for_network(self) -> OperatorError:
        """Say once that there is nothing to put in; why."""
        missing = self._missing or OperatorError(f"network {self.installer.network} has no keys")
        if self._error != missing.message:
            hint = missing.hint or "its radio gets them when there are some"
            _log.error("installer_waits", **self._names, error=missing.message, hint=hint)
        self._error, self.record = missing.message, None
        return missing

    async def _install(self, wanted: WantedKeys, asked: Sequence[_Asked]) -> None:
        why = InstallReason.COMMAND if asked else self._progress.reason()
        self._running = True
        try:
            error = await attempt(self._program, wanted, why)
        finally:
            self._running = False
        self._note(wanted, error)
        self._outcome = _Outcome(wanted, error, why)
        await self._remember(*asked[:1])
        assert self.record is not None
        for each in asked:
            if not each.answer.done():
                each.answer.set_result(installation_report(self.record))

    def _note(self, wanted: WantedKeys, error: str | None) -> None:
        """Count it, and say it once."""
        before, self._error = self._error, error
        is_news = not wanted.has_keys_of(self._progress.installed)
        self._progress = self._progress.after(
            wanted, installed=error is None, now_s=time.monotonic(), pace=self._pace
        )
        about = {**self._names, "generation": wanted.generation}
        if error is None:
            self.successes += 1
            if is_news or before is not None:
                _log.info("installer_installed", **about)
            return
        self.failures += 1
        if before is None:
            hint = "joins go on, but this radio has not got these keys; it is tried again"
            _log.error("installer_failed", **about, error=error, hint=hint)
        else:
            _log.debug("installer_failed_again", **about, error=error)

    async def _remember(self, *asked: _Asked) -> None:
        """Write what is not yet written of the last run."""
        if self._outcome is None:
            return
        wanted, error, why = self._outcome
        who = {"actor": asked[0].actor, "reason": asked[0].reason} if asked else {}
        self.record = await self._transactions.run_write(
            lambda tx: record_outcome(tx, self.installer, wanted, error, why=why, **who)
        )
        self._outcome = None

    # What others call

    def wake(self) -> None:
        """Look again."""
        self._woken.set()

    async def ask(self, actor: str, reason: str) -> InstallationReport:
        """Run it now, after the run that is under way; what came of it."""
        asked = _Asked(actor, reason, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._woken.set()
        return await asked.answer

    def let_go(self) -> None:
        """Tell whoever waits that nothing comes any more."""
        raise_for(self._asked, stopping())

    @property
    def is_installed(self) -> bool:
        """Whether the radio has what was wanted when it was looked at last."""
        return self._wanted is not None and self._progress.installed == self._wanted

    def wait_s(self) -> float | None:
        """Seconds until it is run again after a failure, None where it has not failed."""
        if self._wanted is None or not self._progress.failures:
            return None
        return self._progress.wait_s(self._wanted, time.monotonic())

    def status(self) -> dict[str, object]:
        """What ``jrc status --json`` shows of it."""
        if self._error is not None:
            state = "failed"
        elif self.is_installed:
            state = "installed"
        else:
            state = "pending"
        record = self.record
        return {
            "state": state,
            "running": self._running,
            "generation": None if record is None else record.generation,
            "installed_at": None if record is None else utc_text(record.installed_at_ms),
            "failures": self._progress.failures,
            "error": self._error,
        }


def raise_for(asked: Sequence[_Asked], error: JrcError) -> None:
    """Give an error to those who have no answer yet."""
    for each in asked:
        if not each.answer.done():
            each.answer.set_exception(error)


def stopping() -> OperatorError:
    """What a command hears whose run has not ended."""
    return OperatorError(
        "the registrar is stopping; whether the keys are in is not known",
        "it runs its installers when it starts",
        exit_code=ExitCode.UNREACHABLE,
    )


class Installers:
    """All of them, as a part of the daemon.

    ``folder`` is for their locks; ``fatal`` gets an error that nobody expected; ``joins`` counts
    those that were answered.
    """

    name = "installers"

    def __init__(
        self,
        sections: Sequence[Installer],
        folder: Path,
        transactions: Transactions,
        fatal: Callable[[BaseException], None],
        joins: Callable[[], int] = lambda: 0,
    ) -> None:
        self._transactions = transactions
        self._fatal = fatal
        self._tasks: list[asyncio.Task[None]] = []
        self.runners = [
            Runner(
                installer,
                program,
                Pace(section.retry_s, section.retry_max_s),
                transactions,
                Upkeep(program, joins) if program.is_local else None,
            )
            for section, (installer, program) in zip(
                sections, programs(sections, folder), strict=True
            )
        ]

    async def start(self) -> None:
        """Run each; one whose network is not there waits for it."""
        self._tasks = [
            asyncio.create_task(guarded(runner.run, self._fatal)) for runner in self.runners
        ]

    async def stop(self) -> None:
        """End runs that are under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for runner in self.runners:
            runner.let_go()

    def changed(self) -> None:
        """Look at the keys again."""
        for runner in self.runners:
            runner.wake()

    async def install(self, network: str, *, actor: str, reason: str) -> list[InstallationReport]:
        """As ``Services.install``."""
        asked = [each for each in self.runners if each.installer.network == network]
        if not asked:
            raise none_configured(network)
        return list(await asyncio.gather(*(runner.ask(actor, reason) for runner in asked)))

    def status(self) -> Mapping[str, object]:
        """By network and name."""
        return {str(runner.installer): runner.status() for runner in self.runners}

    def waits_s(self) -> dict[InstallerId, float]:
        """As ``Services.installer_waits_s``."""
        found = {runner.installer: runner.wait_s() for runner in self.runners}
        return {installer: wait_s for installer, wait_s in found.items() if wait_s is not None}

    def counts(self) -> list[InstallerCount]:
        """For the metrics."""
        return [
            InstallerCount(
                network=runner.installer.network,
                installer=runner.installer.name,
                installed=runner.is_installed,
                successes=runner.successes,
                failures=runner.failures,
                installed_at_ms=None if runner.record is None else runner.record.installed_at_ms,
            )
            for runner in self.runners
        ]
