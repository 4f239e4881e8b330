"""What the use cases need of the store about contexts that lost their state (RFC 8613 App. B.2)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol


class Obstacle(StrEnum):
    """Why a pledge can't be taken through RFC 8613 App. B.2, and has to be provisioned anew."""

    DERIVED_KEYS = "derived_keys"
    """Its PSK stayed elsewhere (RFC 9031 App. B): no other context can be derived from it."""
    PROFILE = "profile"
    """Devices of its profile can't do it (``policy/profiles.py``)."""


class Recovery(NamedTuple):
    """That a pledge waits for App. B.2, and what came of it so far.

    ``runs`` are begun and not completed, the last at ``last_run_at_ms`` (ms since 1970).
    """

    runs: int = 0
    last_run_at_ms: int | None = None
    obstacle: Obstacle | None = None


class RecoveryCounts(NamedTuple):
    """How many pledges wait for App. B.2; ``unable`` are those of them that can't do it."""

    waiting: int
    unable: int


NOBODY = RecoveryCounts(0, 0)
"""No context is lost."""


class RecoveryStore(Protocol):
    """Security contexts whose mutable half was lost (RFC 9031 §8.3.3)."""

    def lose_some(self, limit: int) -> int:
        """Mark up to ``limit`` contexts as lost that are not yet; how many there were.

        A pledge is then answered with RFC 8613 App. B.2 alone, whatever its numbers begin at.
        0 says that every context is marked.
        """
        ...

    def lose(self, pledge_id: int) -> bool:
        """Mark one pledge's contexts as lost; False if no key of it is in force.

        There is one under its own identifier afterwards, for a device that forgot all the others.
        """
        ...

    def counts(self) -> RecoveryCounts:
        """How many pledges wait, of those that may be answered."""
        ...

    def if_all_were_lost(self) -> RecoveryCounts:
        """How many pledges would wait, which is all that may be answered."""
        ...

    def forget_runs(self) -> None:
        """End all runs that are begun: an old copy does not know what was answered to them."""
        ...

    def page(self, *, after: bytes | None, limit: int) -> Sequence[tuple[bytes, Recovery]]:
        """Identifiers of pledges that wait, in their order."""
        ...

    def waiting(self, pledge_ids: Sequence[int]) -> Mapping[int, Recovery]:
        """Those of these pledges that wait, by row number."""
        ...

    def obstacle(self, pledge_id: int) -> Obstacle | None:
        """Why App. B.2 can't be done with a pledge, None if it can."""
        ...

    def confirm(self, context_id: int) -> None:
        """A message has verified under a context that a run gave: what it replaced is erased.

        Nothing, if it is not there or replaces none any more (RFC 8613 App. B.2 step 5).
        """
        ...
