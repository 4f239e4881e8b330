"""What the admin API needs from the program; ``app.py`` gives it, with or without a daemon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from jrc.service.registry import Registry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """``alive``: the process works. ``ready``: joins are answered. ``why``: else why not."""

    alive: bool
    ready: bool
    why: tuple[str, ...] = ()


class Services(Protocol):
    """The program behind the API; all is called on the loop."""

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from a transaction of its own on the writer thread.

        It comes after the commit and after every cache of the daemon has what was changed. If
        ``work`` raises, nothing was changed and the error is raised here.
        """
        ...

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        """``work``'s result from one consistent view of the database, which it can't change."""
        ...

    async def status(self) -> Mapping[str, object]:
        """What ``jrc status`` shows, as JSON values."""
        ...

    def metrics_text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        ...

    def health(self) -> Health:
        """Whether the daemon works, and whether it answers joins."""
        ...
