"""SIGHUP: the config file is read again, and what can change while the daemon runs is taken.

A file that can't be used changes nothing. What needs a new start is named in the log and in `jrc
status`, until the file says again what is in force or the daemon has started anew.
"""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import structlog

from jrc import servicemanager
from jrc.app.backups import Backups
from jrc.app.border_routers import look_at_border_routers
from jrc.app.event_keeper import EventKeeper
from jrc.app.logs import Logs
from jrc.app.proxy import JoinProxyPart
from jrc.app.rollovers import RolloverKeeper
from jrc.app.updates import Updates
from jrc.config import Settings
from jrc.errors import OperatorError
from jrc.offline import rollover_settings
from jrc.opened import Opened
from jrc.service.wording import utc_text

TAKEN: Mapping[str, frozenset[str]] = {
    "log": frozenset({"level", "format"}),
    "rollover": frozenset(
        {"deadline_s", "every_days", "guard_time_s", "in_flight", "on_6lbr_join", "quorum"}
        | {"rate_bytes_per_s"}
    ),
    "backup": frozenset({"every_h", "keep", "key_file", "recipients"}),
    "handover": frozenset({"builders", "key"}),
    "events": frozenset({"keep_at_least", "keep_days"}),
    "lab": frozenset({"allow_weak_keys"}),
    "proxy": frozenset({"blocklist", "join_rate_bytes_per_s"}),
}
"""Keys that a running daemon takes, by section; all others need a new start."""

_log = structlog.get_logger("jrc")


def differences(one: Settings, other: Settings) -> list[str]:
    """The keys whose values differ, as ``section.key``; a section that one lacks by its name."""
    return [
        name
        for section in Settings.model_fields
        for name in _differing(section, getattr(one, section), getattr(other, section))
    ]


def _differing(section: str, one: object, other: object) -> Iterator[str]:
    if one == other:
        return
    fields: Sequence[str] = tuple(getattr(type(one), "model_fields", ()))
    if not fields or type(one) is not type(other):
        yield section
        return
    for key in fields:
        if getattr(one, key) != getattr(other, key):
            yield f"{section}.{key}"


def is_taken(name: str) -> bool:
    """Whether a running daemon takes this key."""
    section, _, key = name.partition(".")
    return key in TAKEN.get(section, frozenset())


def with_taken(current: Settings, found: Settings) -> Settings:
    """``current`` with the values of ``found`` that a running daemon takes."""
    changed = {}
    for section, keys in TAKEN.items():
        mine, others = getattr(current, section), getattr(found, section)
        if mine is not None and others is not None:
            values = {key: getattr(others, key) for key in keys}
            changed[section] = mine.model_copy(update=values)
    return current.model_copy(update=changed)


@dataclass(frozen=True, slots=True)
class Taking:
    """Puts settings into force that a running daemon takes; ``TAKEN`` has their names."""

    opened: Opened
    logs: Logs
    updates: Updates
    rollovers: RolloverKeeper
    events: EventKeeper
    backups: Backups | None
    proxy: JoinProxyPart | None

    def __call__(self, settings: Settings) -> None:
        self.opened.settings = settings
        self.logs.use(settings.log)
        look = look_at_border_routers(rollover_settings(settings.rollover))
        self.opened.database.on_border_router = look
        self.updates.use(settings.rollover)
        self.rollovers.use(settings.rollover)
        self.events.use(settings.events)
        if self.backups is not None:
            self.backups.use(settings.backup)
        if self.proxy is not None and settings.proxy is not None:
            self.proxy.use(settings.proxy)


class Reloading:
    """As ``app.part.Part``, but that nothing of it runs.

    ``read`` gives what the config file says now; ``take`` puts settings into force. ``environ``
    names the service manager's socket.
    """

    name = "config"

    def __init__(
        self,
        current: Settings,
        read: Callable[[], Settings],
        take: Callable[[Settings], None],
        environ: MutableMapping[str, str],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._current = current
        self._read = read
        self._take = take
        self._environ = environ
        self._now_ms = now_ms
        self._read_at_ms: int | None = None
        self._error: str | None = None
        self._needs_restart: list[str] = []

    async def start(self) -> None:
        """As ``Part.start``."""

    async def stop(self) -> None:
        """As ``Part.stop``."""

    def changed(self) -> None:
        """As ``Part.changed``: the config file knows nothing of networks."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``; ``needs_restart`` are keys of the file that are not in force."""
        return {
            "read_again": utc_text(self._read_at_ms),
            "error": self._error,
            "needs_restart": list(self._needs_restart),
        }

    def reload(self) -> None:
        """Read the file again; the service manager hears when that begins and when it is over."""
        servicemanager.notify(self._environ, servicemanager.reloading())
        try:
            self._apply(self._read())
            self._error = None
        except OperatorError as error:
            self._error = " ".join(error.message.split())
            _log.error("reload_refused", error=error.message, hint=_kept(error.hint))
        self._read_at_ms = self._now_ms()
        servicemanager.notify(self._environ, f"READY=1\nSTATUS={self._sentence()}")

    def _apply(self, found: Settings) -> None:
        wanted = with_taken(self._current, found)
        taken = differences(self._current, wanted)
        if taken:
            self._take(wanted)
            self._current = wanted
        self._needs_restart = differences(wanted, found)
        _log.info("reloaded", taken=taken)
        if self._needs_restart:
            _log.warning(
                "restart_needed",
                settings=_named(self._needs_restart),
                hint="`systemctl restart jrc` puts them into force",
            )

    def _sentence(self) -> str:
        if self._error is not None:
            return f"the config file can't be used, and was not: {self._error}"
        if self._needs_restart:
            return f"a restart is needed for {_named(self._needs_restart)}"
        return ""


def _kept(hint: str) -> str:
    return "; ".join(part for part in (hint, "the settings from before stay in force") if part)


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys)
