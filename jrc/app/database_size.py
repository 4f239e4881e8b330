"""How large the database on a server is, for the metrics; a file is looked at as somebody asks."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from jrc.app.part import Every
from jrc.errors import OperatorError

LOOK_EVERY_S = 300.0
"""The server looks at each file of the database for it."""

_log = structlog.get_logger("jrc")


class DatabaseSize:
    """As ``app.part.Part``; ``look`` blocks, and gives bytes or an ``OperatorError``.

    ``every`` repeats work for as long as the daemon runs. Joins do not depend on it: a failure is
    no trouble of the database, and is said once.
    """

    name = "database_size"

    def __init__(self, look: Callable[[], int], every: Every) -> None:
        self.size_bytes: int | None = None
        """As of the last look, None where that has failed."""
        self._ask = look
        self._every = every
        self._has_failed = False

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: the next look is soon enough."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {"bytes": self.size_bytes}

    async def look(self) -> None:
        """Ask the server once."""
        try:
            self.size_bytes = await asyncio.to_thread(self._ask)
        except OperatorError as error:
            self.size_bytes = None
            if not self._has_failed:
                _log.warning("database_size_unknown", error=error.message, hint=error.hint or "")
            self._has_failed = True
        else:
            self._has_failed = False
