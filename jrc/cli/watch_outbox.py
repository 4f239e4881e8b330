"""What is on its way from consoles to the registrar: in a thread, so that no port waits for it.

While the registrar can't be reached, what was seen is kept, up to a bound, and sent later.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, TypeAlias

from jrc.cli.client import Api
from jrc.cli.identity_sending import AT_ONCE, Seen, record_identities
from jrc.cli.output import Record
from jrc.cojp.credential import Credential
from jrc.errors import ExitCode, JrcError, OperatorError, StateError
from jrc.model import PledgeId

MAX_KEPT: Final = 10_000
"""Devices whose identity waits for the registrar; for so many there is room in memory."""
RETRY_S: Final = 1.0
LINGER_S: Final = 1.0
"""How long a connection stays open for what may come, and a database is held without a daemon."""


class Sighting(NamedTuple):
    """An identity that is to be stored, and ``where`` it was seen."""

    device: PledgeId
    credential: Credential
    where: str


class Stored(NamedTuple):
    """What the registrar has made of one: its outcome, or why it refused, and what to do."""

    sighting: Sighting
    outcome: str
    error: str = ""
    hint: str = ""


Errand: TypeAlias = "Callable[[Api], Callable[[], None]]"
"""Done in the thread, again after the registrar could not be reached; gives what the thread of the
command is to call then."""


class Outbox:
    """Carries errands out in their order; ``wake`` is called when ``finished`` has something."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Api]],
        told: Callable[[Stored], None],
        wake: Callable[[], None],
        reason: str,
    ) -> None:
        self._connect = connect
        self._told = told
        self._wake = wake
        self._reason = reason
        self._changed = threading.Condition()
        self._errands: deque[Errand] = deque()
        self._kept: dict[bytes, Sighting] = {}
        self._is_stopping = False
        self._is_done = False
        self._broken: JrcError | None = None
        self._finished: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.away = ""
        """Why the registrar can't be reached; empty while it can."""
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Devices whose identity is not stored yet."""
        return len(self._kept)

    def put(self, sighting: Sighting) -> bool:
        """Have an identity stored; False if there is no more room. A device's newest counts."""
        with self._changed:
            known = sighting.device.value in self._kept
            if not known and len(self._kept) >= MAX_KEPT:
                return False
            self._kept[sighting.device.value] = sighting
            if self._store not in self._errands:
                self._errands.append(self._store)
            self._changed.notify()
        return True

    def ask(self, errand: Errand) -> None:
        """Have something else done."""
        with self._changed:
            self._errands.append(errand)
            self._changed.notify()

    def finished(self) -> None:
        """Tells what was done since.

        Raises:
            JrcError: what no retry mends has ended the thread.
        """
        if self._broken is not None:
            raise self._broken
        if not self._thread.is_alive() and not self._is_done:
            raise StateError("what talks to the registrar has ended by itself")
        while True:
            try:
                tell = self._finished.get_nowait()
            except queue.Empty:
                return
            tell()

    def stop(self, patience_s: float) -> None:
        """Ends after what is left was sent, or in ``patience_s``.

        Raises:
            JrcError: as ``finished``.
        """
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(patience_s)
        self._is_done = True
        self.finished()

    def left(self) -> list[Sighting]:
        """What is not stored."""
        with self._changed:
            return list(self._kept.values())

    def _run(self) -> None:
        while self._is_wanted(None):
            try:
                with self._connect() as api:
                    self._reached("")
                    while self._is_wanted(LINGER_S):
                        self._carry_out(api)
            except OperatorError as error:
                self._reached("; ".join(filter(None, (error.message, error.hint))))
                if not self._may_retry():
                    break
            except JrcError as error:
                self._broken = error
                break
        self._is_done = True
        self._wake()

    def _is_wanted(self, wait_s: float | None) -> bool:
        """Whether there is an errand, waited for if need be."""
        with self._changed:
            self._changed.wait_for(lambda: self._errands or self._is_stopping, wait_s)
            return bool(self._errands)

    def _may_retry(self) -> bool:
        """Whether to try once more, after a rest; not when the command ends."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._is_stopping, RETRY_S)

    def _carry_out(self, api: Api) -> None:
        """The first errand; it stays the first one if it fails."""
        self._finished.put(self._errands[0](api))
        with self._changed:
            self._errands.popleft()
            if self._kept and self._store not in self._errands:
                self._errands.append(self._store)
        self._wake()

    def _reached(self, trouble: str) -> None:
        if trouble != self.away:
            self.away = trouble
            self._wake()

    def _store(self, api: Api) -> Callable[[], None]:
        """Has the identities stored that are kept, as many as the API takes at once."""
        with self._changed:
            batch = list(self._kept.values())[:AT_ONCE]
        stored = list(map(_stored, batch, self._sent(api, [_seen(each) for each in batch])))
        with self._changed:
            for each in batch:
                if self._kept.get(each.device.value) == each:
                    del self._kept[each.device.value]

        def tell() -> None:
            for each in stored:
                self._told(each)

        return tell

    def _sent(self, api: Api, seen: list[Seen]) -> list[Record]:
        """What became of each; one that the registrar can't read hinders none of the others."""
        try:
            return list(record_identities(api, seen, self._reason))
        except OperatorError as error:
            if error.exit_code is not ExitCode.USAGE:
                raise
            if len(seen) > 1:
                return [done for each in seen for done in self._sent(api, [each])]
            return [{"outcome": "refused", "error": error.message, "hint": error.hint}]


def _seen(sighting: Sighting) -> Seen:
    return Seen(str(sighting.device), sighting.credential.value, "serial", sighting.where)


def _stored(sighting: Sighting, done: Record) -> Stored:
    error, hint = done["error"] or "", done["hint"] or ""
    return Stored(sighting, str(done["outcome"]), str(error), str(hint))
