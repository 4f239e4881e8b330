"""What keeps joins from being answered just now: causes, since when, and what to do about them.

Each cause is said in one log line as it begins and in one as it ends, however many requests meet
it meanwhile. Some hold the joins: their datagrams wait in the kernel's queue.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog

from jrc.errors import REMEDIES, Cause, ConflictError, StoreError

SAY_AGAIN_S = 10.0
"""A cause that comes and goes is said once in so long."""

HOLDING = frozenset({Cause.CORRUPT, Cause.REPLACED, Cause.INSTANCE_FILE, Cause.NOT_DURABLE})
"""While these stand, an answer could be one that was given before in another way, or is again."""
LASTING = frozenset({Cause.CORRUPT, Cause.REPLACED})
"""Nothing that goes well later shows that these are over: only a new start looks again."""

_OF_OTHERS = frozenset({Cause.INSTANCE_FILE, Cause.NOT_DURABLE})
"""A database that is read and written does not end these: who has begun them looks by itself."""

_log = structlog.get_logger("jrc")


class Trouble(NamedTuple):
    """One cause that stands: the error that showed it, and what a person does about it."""

    cause: Cause
    error: str
    remedy: str

    def sentence(self) -> str:
        """For a person."""
        return f"{self.error}; {self.remedy}"


class Troubles:
    """``resume`` is called when joins are held no longer; ``now_s`` never goes back."""

    def __init__(
        self, resume: Callable[[], None], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.holds = False
        """Whether datagrams are to wait in the kernel's queue."""
        self._resume = resume
        self._now_s = now_s
        self._standing: dict[Cause, Trouble] = {}
        self._begun: dict[Cause, int] = dict.fromkeys(Cause, 0)
        self._said_s: dict[Cause, float] = {}
        self._is_said: set[Cause] = set()

    def __bool__(self) -> bool:
        """Whether anything stands in the way."""
        return bool(self._standing)

    def __contains__(self, cause: Cause) -> bool:
        return cause in self._standing

    def begin(self, cause: Cause, error: str) -> None:
        """Something has failed for this cause."""
        if cause in self._standing:
            return
        self._standing[cause] = Trouble(cause, error, REMEDIES[cause])
        self._begun[cause] += 1
        self.holds = self.holds or cause in HOLDING
        if self._now_s() - self._said_s.get(cause, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said_s[cause] = self._now_s()
            self._is_said.add(cause)
            _log.error("joins_not_answered", cause=cause, error=error, remedy=REMEDIES[cause])

    def failed(self, error: StoreError) -> None:
        """The database could not be used, by joins or by others."""
        if not isinstance(error, ConflictError):
            self.begin(error.cause, error.message)

    def end(self, cause: Cause) -> None:
        """What failed has worked again; what lasts stays all the same."""
        if cause in LASTING or self._standing.pop(cause, None) is None:
            return
        was_held, self.holds = self.holds, not HOLDING.isdisjoint(self._standing)
        if cause in self._is_said:
            self._is_said.discard(cause)
            _log.info("joins_answered_again", cause=cause)
        if was_held and not self.holds:
            self._resume()

    def database_works(self) -> None:
        """A transaction is on disk, and the database was read."""
        for cause in list(self._standing):
            if cause not in _OF_OTHERS:
                self.end(cause)

    @property
    def of_database(self) -> bool:
        """Whether it is worth while to try whether the database works again."""
        return any(cause not in LASTING | _OF_OTHERS for cause in self._standing)

    def standing(self) -> list[Trouble]:
        """What stands, the first that began before the others."""
        return list(self._standing.values())

    def sentences(self) -> tuple[str, ...]:
        """The same for a person."""
        return tuple(trouble.sentence() for trouble in self._standing.values())

    def begun(self) -> Mapping[Cause, int]:
        """How often each has begun since the start."""
        return self._begun
