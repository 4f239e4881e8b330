"""What runs beside the joins."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

Every: TypeAlias = Callable[[float, Callable[[], Awaitable[None]]], None]
"""Does work anew each time that so many seconds are over, for as long as the daemon runs."""


class Part(Protocol):
    """Something that runs beside the joins, such as a Join Proxy; each has a module here."""

    name: str
    """Its key in ``jrc status --json``."""

    async def start(self) -> None:
        """Begin; what it needs may come later, so it only fails for good reasons.

        Raises:
            OperatorError: the settings can't work on this host.
        """
        ...

    async def stop(self) -> None:
        """End, and let go of everything."""
        ...

    def changed(self) -> None:
        """Networks, keys or pledges were changed: look again."""
        ...

    def status(self) -> Mapping[str, object]:
        """What ``jrc status --json`` shows of it."""
        ...
