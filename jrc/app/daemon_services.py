"""What the operator's commands and the metrics port reach of a running registrar."""

import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry

from jrc.admin.metric_families import pieces_of
from jrc.admin.metrics import Counters
from jrc.admin.services import Health
from jrc.app.closure import Closure
from jrc.app.housekeeping import Housekeeping
from jrc.app.installers import Installers
from jrc.app.part import Part
from jrc.app.transactions import DaemonTransactions
from jrc.app.troubles import Troubles
from jrc.app.updates import Updates
from jrc.coap.endpoint import Endpoint
from jrc.config import Settings
from jrc.errors import StoreError
from jrc.model import Secret
from jrc.net.interfaces import look
from jrc.offline import configured_installers, dumped, identity, rollover_settings, surveyed
from jrc.opened import Opened, slot_key
from jrc.policy.interface import Interface
from jrc.service.attempts import Attempts
from jrc.service.backups import BackupWish
from jrc.service.contexts import Contexts
from jrc.service.installers import InstallationReport, InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings
from jrc.store.backup.dump import BESIDE_JOINS, Pace
from jrc.store.backup.seal import check_recipients

T = TypeVar("T")


class DaemonServices:
    """As ``admin.services.Services``; nothing is ready before ``is_up`` is set."""

    def __init__(
        self,
        *,
        opened: Opened,
        transactions: DaemonTransactions,
        contexts: Contexts,
        attempts: Attempts,
        installers: Installers,
        updates: Updates,
        endpoint: Endpoint,
        counters: Counters,
        housekeeping: Housekeeping,
        closure: Closure,
        troubles: Troubles,
        clock_doubt: Callable[[], str | None],
        is_ending: Callable[[], bool],
    ) -> None:
        self.is_up = False
        self._opened = opened
        self._transactions = transactions
        self._contexts = contexts
        self._attempts = attempts
        self._installers = installers
        self._updates = updates
        self._endpoint = endpoint
        self._counters = counters
        self._housekeeping = housekeeping
        self._closure = closure
        self._troubles = troubles
        self._clock_doubt = clock_doubt
        self._is_ending = is_ending
        self._started_s = time.monotonic()
        self._registry = CollectorRegistry()
        self._parts: Sequence[Part] = ()

    @property
    def _settings(self) -> Settings:
        """Those in force; SIGHUP may bring others."""
        return self._opened.settings

    def begin(self, registry: CollectorRegistry, parts: Sequence[Part]) -> None:
        """These are the metrics, and what runs beside the joins."""
        self._registry = registry
        self._parts = parts

    @property
    def allows_weak_keys(self) -> bool:
        """As ``Services.allows_weak_keys``."""
        return self._settings.lab.allow_weak_keys

    @property
    def attempts(self) -> Attempts:
        """As ``Services.attempts``."""
        return self._attempts

    @property
    def spool_folder(self) -> Path:
        """As ``Services.spool_folder``."""
        return self._settings.state_dir

    @property
    def disk(self) -> Path | None:
        """As ``Services.disk``."""
        file = self._settings.database.file
        return None if file is None else file.parent

    @property
    def newest_event(self) -> int:
        """As ``Services.newest_event``."""
        return self._opened.database.instance.event_number

    @property
    def rollover_settings(self) -> RolloverSettings:
        """As ``Services.rollover_settings``."""
        return rollover_settings(self._settings.rollover)

    @property
    def installers(self) -> Collection[InstallerId]:
        """As ``Services.installers``."""
        return configured_installers(self._settings)

    @property
    def installer_waits_s(self) -> Mapping[InstallerId, float]:
        """As ``Services.installer_waits_s``."""
        return self._installers.waits_s()

    @property
    def updates_hindered(self) -> str | None:
        """As ``Services.updates_hindered``."""
        return self._updates.trouble

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_write``."""
        return await self._transactions.run_write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_read``."""
        return await self._transactions.run_read(work)

    async def install(
        self, network: str, *, actor: str, reason: str
    ) -> Sequence[InstallationReport]:
        """As ``Services.install``."""
        return await self._installers.install(network, actor=actor, reason=reason)

    async def interface(self, name: str) -> Interface | None:
        """As ``Services.interface``."""
        return await look(name)

    async def status(self, *, anew: bool = True) -> Mapping[str, object]:
        """As ``Services.status``."""
        return {
            **await self._surveyed(anew=anew),
            "clock_doubt": self._clock_doubt(),
            **identity(self._opened),
            "pid": os.getpid(),
            "ready": self.is_ready,
            "why": "; ".join(self._why()) or None,
            "troubles": [each._asdict() for each in self._troubles.standing()],
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "listening": self._endpoint.addresses(),
            "metrics": None
            if self._settings.metrics is None
            else str(self._settings.metrics.listen),
            **self._counters.summary(),
            **{part.name: part.status() for part in self._parts},
        }

    async def _surveyed(self, *, anew: bool) -> dict[str, object]:
        """What the database holds; nothing where it can't be read, which ``why`` says then."""
        with suppress(StoreError):
            keeping = self._housekeeping
            return surveyed(await (keeping.count() if anew else keeping.recent()))
        return {}

    def check_recipients(self, recipients: Sequence[str]) -> None:
        """As ``Services.check_recipients``."""
        check_recipients(recipients)

    def dump(self, wish: BackupWish) -> AsyncIterator[bytes]:
        """As ``Services.dump``; joins come first."""
        return dumped(self._opened, wish, Pace(BESIDE_JOINS))

    def slot_key(self) -> Secret:
        """As ``Services.slot_key``."""
        return slot_key(self._settings)

    def distrust(self) -> None:
        """As ``Services.distrust``."""
        self._contexts.forget_all()

    def metrics(self) -> Iterator[bytes]:
        """As ``Services.metrics``."""
        return pieces_of(self._registry)

    def health(self) -> Health:
        """As ``Services.health``."""
        return Health(
            alive=not self._is_ending(),
            ready=self.is_ready,
            why=self._why(),
        )

    def _why(self) -> tuple[str, ...]:
        closed, troubles = self._closure.why, self._troubles.sentences()
        return troubles if closed is None else (closed, *troubles)

    @property
    def is_ready(self) -> bool:
        """Whether joins are answered."""
        hindered = bool(self._troubles) or self._closure.is_closed
        return self.is_up and not hindered and not self._is_ending()
