"""How old keys are and how far rollovers are, for metrics and ``jrc status``; as of a look."""

from collections.abc import Mapping, Sequence

from jrc.admin.services import Transactions
from jrc.app.part import Every
from jrc.service.rollover_figures import RolloverFigures, rollover_figures
from jrc.service.wording import utc_text

LOOK_EVERY_S = 10.0
"""How old the figures may be; a look counts the nodes of each network's last rollover."""


class RolloverSurvey:
    """As ``app.part.Part``; ``every`` repeats work for as long as the daemon runs."""

    name = "keys"

    def __init__(self, transactions: Transactions, every: Every) -> None:
        self._transactions = transactions
        self._every = every
        self._found: Sequence[RolloverFigures] = ()

    async def start(self) -> None:
        """As ``Part.start``."""
        self._every(LOOK_EVERY_S, self.look)

    async def stop(self) -> None:
        """As ``Part.stop``; whoever repeats the work ends it."""

    def changed(self) -> None:
        """As ``Part.changed``: the next look is soon enough."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``: by network."""
        return {
            each.network: {
                "in_force_since": utc_text(each.keys_since_ms),
                "rollover": None if each.phase is None else each.phase.value,
            }
            for each in self._found
        }

    async def look(self) -> None:
        """Look at the database once."""
        self._found = await self._transactions.run_read(rollover_figures)

    def figures(self) -> Sequence[RolloverFigures]:
        """What the last look has found."""
        return self._found
