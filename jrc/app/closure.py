"""What the daemon does about a database that is quarantined or was moved: it answers nobody.

Its sockets stay open, for a closed port would tell pledges so (RFC 9031 §7.3.2 asks for silence).
"""

from collections.abc import Callable

import structlog

from jrc.model import Condition
from jrc.opened import Opened
from jrc.service.condition import closed_sentence, remedy

_log = structlog.get_logger("jrc")


class Closure:
    """``silence`` is told whether requests are to be dropped, each time that this changes."""

    def __init__(self, opened: Opened, silence: Callable[[bool], None]) -> None:
        self._opened = opened
        self._silence = silence
        self._seen = Condition.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether nobody is answered."""
        return self._seen is not Condition.OPEN

    @property
    def is_quarantined(self) -> bool:
        """Whether the operator is to recover the database."""
        return self._seen is Condition.QUARANTINED

    @property
    def why(self) -> str | None:
        """Why nobody is answered and what to do, None where that is not for the database."""
        return closed_sentence(self._opened.database_state)

    def look(self) -> None:
        """Follow the condition of the database, as the last transaction has found it."""
        before, self._seen = self._seen, self._opened.condition
        if before is self._seen:
            return
        self._silence(self.is_closed)
        if self.is_closed:
            _log.error(
                "joins_not_answered",
                cause=self._seen.value,
                error=self._opened.database_state.detail,
                remedy=remedy(self._seen),
            )
        else:
            _log.info("joins_answered_again", cause=before.value)
