"""What the admin API needs from the program; ``app/`` gives it, with or without a daemon."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from jrc.model import Secret
from jrc.policy.interface import Interface
from jrc.service.attempts import Attempts
from jrc.service.backups import BackupWish
from jrc.service.installers import InstallationReport, InstallerId
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """``alive``: the process works. ``ready``: joins are answered. ``why``: else why not."""

    alive: bool
    ready: bool
    why: tuple[str, ...] = ()


class Observed(Protocol):
    """What the metrics port needs of a program, be it a registrar or a Join Proxy."""

    def metrics(self) -> Iterable[bytes]:
        """The metrics in Prometheus' text format, in pieces that take a moment."""
        ...

    def health(self) -> Health:
        """Whether the program works, and whether joins are answered, or forwarded."""
        ...


class Transactions(Protocol):
    """Transactions of the operator's use cases, from the loop."""

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from a transaction of its own on the writer thread.

        It comes after the commit and after every cache of the daemon has what was changed. If
        ``work`` raises, nothing was changed and the error is raised here.
        """
        ...

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from one consistent view of the database, which it can't change."""
        ...


class Services(Transactions, Observed, Protocol):
    """The program behind the API; all is called on the loop."""

    @property
    def attempts(self) -> Attempts | None:
        """What pledges have tried lately; None where no daemon has listened to them."""
        ...

    @property
    def allows_weak_keys(self) -> bool:
        """Whether this is a lab's, which takes keys that everybody can compute."""
        ...

    @property
    def spool_folder(self) -> Path:
        """Where a file without a name can be made for what is too long for memory."""
        ...

    @property
    def disk(self) -> Path | None:
        """The folder on whose disk the database grows; None where that is a server's."""
        ...

    @property
    def newest_event(self) -> int:
        """The number of the newest entry of the audit log, without a look at the database."""
        ...

    @property
    def rollover_settings(self) -> RolloverSettings:
        """What the config file says of rollovers."""
        ...

    @property
    def installers(self) -> Collection[InstallerId]:
        """The installers of the config file."""
        ...

    @property
    def installer_waits_s(self) -> Mapping[InstallerId, float]:
        """Seconds until those that have failed are run again; none without a daemon."""
        ...

    @property
    def updates_hindered(self) -> str | None:
        """Why joined nodes are told nothing just now."""
        ...

    async def install(
        self, network: str, *, actor: str, reason: str
    ) -> Sequence[InstallationReport]:
        """Run the installers of a network now; what came of each.

        Raises:
            OperatorError: it has none.
        """
        ...

    def check_recipients(self, recipients: Sequence[str]) -> None:
        """Nothing, if backups can be sealed for them.

        Raises:
            OperatorError: one is no recipient.
        """
        ...

    def dump(self, wish: BackupWish) -> AsyncIterator[bytes]:
        """The database as it is now, sealed, piece by piece; one that breaks off ends early."""
        ...

    def slot_key(self) -> Secret:
        """The key of the slot that this host starts with, read anew from where it is kept.

        Raises:
            OperatorError: it is missing, or no such key.
        """
        ...

    def distrust(self) -> None:
        """A row on disk does not authenticate: nothing in memory counts until it is read anew."""
        ...

    async def interface(self, name: str) -> Interface | None:
        """An interface of this host as it is now, None where there is none of this name."""
        ...

    async def status(self, *, anew: bool = True) -> Mapping[str, object]:
        """What ``jrc status`` shows, as JSON values; unless ``anew``, what is slow to count may be
        of a minute ago."""
        ...
