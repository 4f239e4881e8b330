"""Goes on with what published imports change, where whoever imported has ended before."""

from collections.abc import Mapping

import structlog

from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.service.import_settling import settle_some
from jrc.service.imports import AT_ONCE
from jrc.service.registry import Registry

LOOK_EVERY_S = 30.0
"""How long such changes may wait; whoever imports does them by itself."""

_log = structlog.get_logger("jrc")


class ImportKeeper:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs.

    Several registrars on one database may do so at once: each change is made by one transaction.
    """

    name = "imports"

    def __init__(self, transactions: Transactions, every: Every) -> None:
        self._transactions = transactions
        self._every = every
        self._settled = 0

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: the next look is soon enough."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {"changes_gone_on_with": self._settled}

    async def look(self) -> None:
        """Let all changes that are left come into force, in short transactions."""
        if not await self._transactions.run_read(_is_left):
            return
        before = self._settled
        while await self._transactions.run_write(self._some):
            pass
        _log.info("imports_gone_on_with", changes=self._settled - before)

    def _some(self, tx: Registry) -> bool:
        settled = settle_some(tx, AT_ONCE // 2)
        self._settled += 0 if settled is None else settled.looked_at
        return settled is not None


def _is_left(tx: Registry) -> bool:
    return tx.imports.unsettled(1) is not None
