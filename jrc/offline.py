"""A command without a daemon: the same services on the database itself, with the lock held."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from jrc import __version__
from jrc.admin.services import Health
from jrc.config import Rollover, Settings
from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.net.installers import programs
from jrc.net.interfaces import look
from jrc.opened import Opened, slot_key
from jrc.policy.interface import Interface
from jrc.service.backups import MADE, BackupWish, failed_at
from jrc.service.condition import closed_sentence
from jrc.service.installers import (
    InstallationReport,
    InstallerId,
    attempt,
    installation_report,
    none_configured,
    record_outcome,
    wanted_keys,
)
from jrc.service.key_document import InstallReason
from jrc.service.registry import Registry
from jrc.service.remedies import clock_behind
from jrc.service.rollover_records import OnBorderRouterJoin, RolloverSettings
from jrc.service.survey import Survey, survey
from jrc.service.wording import utc_text
from jrc.store.backup.dump import at_once, sealed_dump
from jrc.store.backup.seal import check_recipients
from jrc.store.backup.streamed import streamed
from jrc.store.engine import shown_url
from jrc.store.schema import SCHEMA_REVISION

T = TypeVar("T")


def surveyed(found: Survey) -> dict[str, object]:
    """What `jrc status` shows of a survey."""
    return {
        "networks": list(found.networks),
        "pledges": dict(found.pledges),
        "short_ids_low": list(found.low),
        "key_notices": [asdict(each) for each in found.key_notices],
        "recovering": found.recovering._asdict(),
        "key_warnings": list(found.key_warnings),
        "backup_made": utc_text(found.last_events_ms.get(MADE)),
        "backup_failed": utc_text(failed_at(found.last_events_ms)),
    }


def identity(opened: Opened) -> dict[str, object]:
    """Which program this is, and which database; whether the clock is behind what that has seen."""
    seen_ms = opened.database.instance.clock_high_water_ms
    behind = clock_behind(opened.clock.now_ms(), seen_ms)
    state = opened.database_state
    return {
        "condition": state.condition.value,
        "condition_since": utc_text(state.since_ms),
        "condition_why": state.detail or None,
        "incarnation": state.incarnation,
        "version": __version__,
        "database": shown_url(opened.settings.database.url),
        "schema": SCHEMA_REVISION,
        "epoch": opened.database.instance.epoch.hex(),
        "weak_keys_allowed": opened.settings.lab.allow_weak_keys,
        "clock_high_water_ms": seen_ms,
        "clock_behind": None if behind is None else behind._asdict(),
    }


def rollover_settings(section: Rollover) -> RolloverSettings:
    """What a rollover has that was given no other settings."""
    return RolloverSettings(
        quorum_permille=round(section.quorum * 1000),
        deadline_s=int(section.deadline_s),
        on_6lbr_join=OnBorderRouterJoin(section.on_6lbr_join),
    )


def configured_installers(settings: Settings) -> list[InstallerId]:
    """The installers of the config file, whose radios a rollover waits for."""
    return [InstallerId(each.network, each.name) for each in settings.installer]


def dumped(
    opened: Opened, wish: BackupWish, pace: Callable[[], None] = at_once
) -> AsyncIterator[bytes]:
    """As ``Services.dump``; ``pace`` is called after each piece of work, and may rest."""

    def dump(take: Callable[[bytes], object]) -> object:
        return sealed_dump(opened.database, take, wish, opened.clock.now_ms(), pace)

    return streamed(dump)


class Offline:
    """The services of a command that works on the database itself, as no daemon runs."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def allows_weak_keys(self) -> bool:
        """As ``Services.allows_weak_keys``."""
        return self._opened.settings.lab.allow_weak_keys

    @property
    def attempts(self) -> None:
        """As ``Services.attempts``: nobody has listened."""
        return None

    @property
    def spool_folder(self) -> Path:
        """As ``Services.spool_folder``."""
        return self._opened.settings.state_dir

    @property
    def disk(self) -> Path | None:
        """As ``Services.disk``."""
        file = self._opened.settings.database.file
        return None if file is None else file.parent

    @property
    def newest_event(self) -> int:
        """As ``Services.newest_event``."""
        return self._opened.database.instance.event_number

    @property
    def rollover_settings(self) -> RolloverSettings:
        """As ``Services.rollover_settings``."""
        return rollover_settings(self._opened.settings.rollover)

    @property
    def installers(self) -> Collection[InstallerId]:
        """As ``Services.installers``."""
        return configured_installers(self._opened.settings)

    @property
    def installer_waits_s(self) -> Mapping[InstallerId, float]:
        """As ``Services.installer_waits_s``: nobody runs them."""
        return {}

    @property
    def updates_hindered(self) -> str:
        """As ``Services.updates_hindered``."""
        return "the daemon is not running"

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_write``."""
        return self._opened.write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """As ``Services.run_read``."""
        return self._opened.read(work)

    async def install(
        self, network: str, *, actor: str, reason: str
    ) -> Sequence[InstallationReport]:
        """As ``Services.install``: once each, one after the other."""
        settings = self._opened.settings
        found = [
            each
            for each in programs(settings.installer, settings.state_dir)
            if each[0].network == network
        ]
        if not found:
            raise none_configured(network)
        why, reports = InstallReason.COMMAND, []
        for installer, program in found:
            ask = partial(wanted_keys, network_name=network, with_nodes=program.is_local)
            wanted = self._opened.read(ask)
            if wanted is None:
                raise OperatorError(f"network {network} has no keys")
            error = await attempt(program, wanted, why)
            remember = partial(record_outcome, installer=installer, wanted=wanted, error=error)
            record = self._opened.write(partial(remember, why=why, actor=actor, reason=reason))
            reports.append(installation_report(record))
        return reports

    def check_recipients(self, recipients: Sequence[str]) -> None:
        """As ``Services.check_recipients``."""
        check_recipients(recipients)

    def dump(self, wish: BackupWish) -> AsyncIterator[bytes]:
        """As ``Services.dump``."""
        return dumped(self._opened, wish)

    def slot_key(self) -> Secret:
        """As ``Services.slot_key``."""
        return slot_key(self._opened.settings)

    def distrust(self) -> None:
        """As ``Services.distrust``: nothing is in memory."""

    async def interface(self, name: str) -> Interface | None:
        """As ``Services.interface``."""
        return await look(name)

    async def status(self, *, anew: bool = True) -> Mapping[str, object]:
        """As ``Services.status``."""
        return {
            **surveyed(self._opened.read(partial(survey, installers=self.installers))),
            **identity(self._opened),
            "ready": False,
            "why": closed_sentence(self._opened.database_state) or "the daemon is not running",
        }

    def metrics(self) -> tuple[bytes, ...]:
        """As ``Services.metrics``: nothing was counted."""
        return ()

    def health(self) -> Health:
        """As ``Services.health``."""
        return Health(alive=False, ready=False, why=("the daemon is not running",))
