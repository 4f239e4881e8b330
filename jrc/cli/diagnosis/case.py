"""What is known of a registrar while it is looked at; each check may add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jrc.cli.client import daemon_status
from jrc.cli.options import Common
from jrc.clock import SystemClock
from jrc.config import Endpoint, Settings
from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.ports import Clock
from jrc.store.ledger import Instance


@dataclass(frozen=True, slots=True)
class Daemon:
    """What became of asking the daemon: its status, an error, or neither where none runs."""

    status: dict[str, object] | None = None
    error: OperatorError | None = None

    @classmethod
    def ask(cls, socket: Path) -> "Daemon":
        """Whoever answers on the admin socket."""
        try:
            return cls(daemon_status(socket))
        except OperatorError as error:
            return cls(None, error)

    @property
    def runs(self) -> bool:
        """Whether somebody is there, even one that does not speak with us."""
        return self.status is not None or self.error is not None

    def number(self, name: str) -> int | None:
        """A number of its status."""
        value = (self.status or {}).get(name)
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str:
        """A text of its status; empty where there is none."""
        value = (self.status or {}).get(name)
        return value if isinstance(value, str) else ""

    def part(self, name: str) -> Mapping[str, object]:
        """What one of its parts tells; empty where it has no such part."""
        value = (self.status or {}).get(name)
        return value if isinstance(value, dict) else {}

    def records(self, name: str) -> Sequence[Mapping[str, object]] | None:
        """A list of its status; None where it has none of the name."""
        value = (self.status or {}).get(name)
        return value if isinstance(value, list) else None

    def texts(self, name: str) -> list[str]:
        """A list of texts of its status; empty where it has none of the name."""
        value = (self.status or {}).get(name)
        return [str(each) for each in value] if isinstance(value, list) else []

    @property
    def listening(self) -> list[str]:
        """Where it takes Join Requests."""
        return self.texts("listening")


@dataclass(slots=True)
class Case:
    """One registrar: what was asked, and what was found out so far."""

    asked: Common
    wants_join: bool = True
    clock: Clock = field(default_factory=SystemClock)
    settings: Settings = field(init=False)
    """Set by the check of the config file, on which all that use it depend."""
    daemon: Daemon = Daemon()
    kek: Secret | None = None
    instance: Instance | None = None
    """Which database it is; None where the daemon has it, or nobody may look."""
    hashes: Mapping[int, bytes | None] = field(default_factory=dict)
    """Of the entries of its audit log that the instance file remembers, by number."""
    followed: frozenset[str] = frozenset()
    """Interfaces that networks take their prefix or the registrar's address from."""
    key_notices: Sequence[Mapping[str, object]] | None = None
    """What there is to know of rollovers and keys, None where nobody could be asked."""
    absent: set[Endpoint] = field(default_factory=set)
    """What is to be listened on and is not on this host."""

    @property
    def high_water_ms(self) -> int | None:
        """The latest time the database has seen, where that is known."""
        if self.instance is not None:
            return self.instance.clock_high_water_ms
        return self.daemon.number("clock_high_water_ms")
