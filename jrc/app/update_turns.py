"""The transactions of a telling (RFC 9031 §8.2): turns of the errands, and what they lead to.

Each runs on another thread, and so looks at nothing that the loop changes meanwhile.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from jrc.admin.services import Transactions
from jrc.errors import JrcError, StateError
from jrc.service.condition import closed_sentence, is_open
from jrc.service.installers import InstallerId
from jrc.service.keying import Keying
from jrc.service.outcomes import Ref, Retry
from jrc.service.ports import Clock
from jrc.service.pushing import Pushing
from jrc.service.registry import Registry
from jrc.service.rollover import advance
from jrc.service.telling import Facts
from jrc.service.update import Errand, Room, Turned, record, turn
from jrc.service.update_ports import PreparedUpdate, UpdateOutcome

POLL_S = 1.0
"""While a rollover runs, whoever joins is to be told at once; joins give no other sign."""

_log = structlog.get_logger("jrc")


class UpdateTurns:
    """New keys and settings, told in turns.

    ``installers`` are those of the config file. ``has_rollover`` says whether one ran at the last
    look.
    """

    def __init__(
        self,
        retry: Retry,
        transactions: Transactions,
        clock: Clock,
        installers: Collection[InstallerId],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.has_rollover = True
        self._transactions = transactions
        self._clock = clock
        self._installers = installers
        self._facts = Facts()
        self._keying = Keying(retry, self._facts)
        self._pushing = Pushing(retry, self._facts, monotonic_s)
        self._errands: Sequence[Errand] = (self._keying, self._pushing)
        self._is_taken_up = False

    @property
    def reads_anew(self) -> bool:
        """Whether what is in memory of rows does not count at the next turn."""
        return self._keying.anew

    def read_anew(self) -> None:
        """Rows may have changed by another hand."""
        self._keying.anew = True

    def begin_term(self, is_conductor: bool) -> None:
        """What another registrar has told meanwhile is not known here: all is read again."""
        if not is_conductor:
            self._is_taken_up = False
        self._keying.anew = True
        self._pushing.look_again()

    # Turns

    async def closed(self) -> str | None:
        """Why nobody may be told anything, None where the database is open."""
        return await self._transactions.run_read(lambda tx: closed_sentence(tx.database))

    async def next_due_ms(self) -> int | None:
        """When the next turn is due; a look at the database."""
        return await self._transactions.run_read(self._next_due_ms)

    def _next_due_ms(self, tx: Registry) -> int | None:
        if not is_open(tx):
            self.has_rollover = False
            return None
        due = [at for at in (errand.next_due_ms(tx) for errand in self._errands) if at is not None]
        self.has_rollover = bool(tx.rollovers.all_running())
        if self.has_rollover:
            due.append(self._clock.now_ms() + int(POLL_S * 1000))
        return min(due, default=None)

    async def turn(self, outcomes: Sequence[UpdateOutcome], room: Room) -> Turned:
        """One transaction: what ended is written down, and what may leave once it is committed.

        Raises:
            JrcError: it was rolled back.
        """
        try:
            return await self._transactions.run_write(lambda tx: self._turn_in(tx, outcomes, room))
        except Exception:
            self._pushing.look_again()
            raise

    def _turn_in(self, tx: Registry, outcomes: Sequence[UpdateOutcome], room: Room) -> Turned:
        if not self._is_taken_up:
            for errand in self._errands:
                errand.take_up(tx)
        return turn(tx, self._errands, outcomes, room, self._facts)

    def turned(self) -> Sequence[bytes]:
        """A turn was committed, and this registrar still conducts.

        Gives the kid contexts whose rows were changed though nothing leaves for them.
        """
        self._is_taken_up = True
        self._keying.anew = False
        changed = list(self._pushing.changed_contexts)
        self._pushing.changed_contexts.clear()
        return changed

    async def record(self, outcomes: Sequence[UpdateOutcome]) -> None:
        """Write how updates ended, and tell nobody."""
        await self._transactions.run_write(lambda tx: record(tx, self._errands, outcomes))

    async def record_apart(self, outcomes: Sequence[UpdateOutcome]) -> list[Exception]:
        """Write each by itself after a fault: one that has it takes no other with it.

        The node of one that can't be written is told again later. Gives the errors that nobody
        expected, for the guard of the task.
        """
        faults: list[Exception] = []
        for outcome in outcomes:
            try:
                await self.record([outcome])
            except JrcError as error:
                _log.error("update_not_recorded", error=str(error), kind=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - rolled back; the guard is told
                faults.append(error)
        return faults

    # What else they lead to

    async def advance_touched(self) -> None:
        """Have rollovers go on whose nodes have."""
        for rollover_id in sorted(self._keying.touched):
            await self._advance(rollover_id)
            self._keying.touched.discard(rollover_id)

    async def _advance(self, rollover_id: int) -> None:
        try:
            await self._transactions.run_write(
                lambda tx: advance(tx, rollover_id, installers=self._installers)
            )
        except StateError as error:
            # Damaged: the others' nodes are told all the same.
            _log.error("rollover_not_advanced", rollover=rollover_id, error=str(error))

    async def stale(self, under_way: Mapping[int, PreparedUpdate]) -> Sequence[int]:
        """Those who may not be told any more, or are told by what is over."""
        everybody = list(under_way)
        asked = {
            errand.name: {
                node: update.ref.inner
                for node, update in under_way.items()
                if isinstance(update.ref, Ref) and update.ref.errand == errand.name
            }
            for errand in self._errands
        }

        def look(tx: Registry) -> list[int]:
            if not is_open(tx):
                return everybody
            stale = [errand.stale(tx, asked[errand.name]) for errand in self._errands]
            return [node for nodes in stale for node in nodes]

        return await self._transactions.run_read(look)
