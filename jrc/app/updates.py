"""Telling joined nodes (RFC 9031 §8.2), as a part of the daemon.

Turn by turn: how updates have ended is written down, and whom to tell next, in one transaction;
once that is on disk, what it prepared leaves.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import IPv6Address

import structlog

from jrc.admin.rollover_metrics import UpdateCounts
from jrc.admin.services import Transactions
from jrc.app.tasks import RETRY_S, guarded
from jrc.app.update_turns import POLL_S, UpdateTurns
from jrc.coap.endpoint import COAP_PORT, Datagram, Endpoint
from jrc.coap.update_driver import UpdateDriver
from jrc.coap.update_message import Outgoing
from jrc.coap.updates import UpdateClient
from jrc.cojp.constants import CoapCode
from jrc.cojp.exchange import RetransmissionTiming
from jrc.config import Lab, Rollover
from jrc.errors import ConflictError, JrcError, Reason
from jrc.policy.pacing import Pace
from jrc.service.installers import InstallerId
from jrc.service.outcomes import Retry
from jrc.service.ports import Clock
from jrc.service.update import Room
from jrc.service.update_ports import Answered, PreparedUpdate, UpdateOutcome

BATCH = 256
"""Updates that share a transaction; with the usual pace it is a few."""
BATCH_BESIDE_JOINS = 64
"""The same while requests wait, which have to wait for that transaction too."""
LINGER_S = 0.02
"""How long an answer may wait for others to share its transaction."""
MAX_REST_S = 60.0
"""Between looks whether somebody is due."""
MAX_IDLE_S = 30.0
"""Between looks while nobody who is due can be told."""
AHEAD = 2
"""Prepared for each that may be under way in a network: the next turn takes a moment."""

_log = structlog.get_logger("jrc")


class Updates:
    """As ``app.part.Part``.

    ``forget`` drops a kid context from the cache of joins, since its row has changed.
    ``next_message_id`` is shared with the answers to joins, and so is ``endpoint``.
    ``joins_under_way`` is how many requests wait for their transaction.
    ``installers`` are those of the config file. While ``clock_doubt`` says why the clock does not
    count, nobody is told anything. ``lab`` may say where simulated nodes are.
    """

    name = "updates"

    def __init__(
        self,
        section: Rollover,
        transactions: Transactions,
        endpoint: Endpoint,
        clock: Clock,
        next_message_id: Callable[[], int],
        forget: Callable[[bytes], None],
        dropped: Callable[[Reason], None],
        fatal: Callable[[BaseException], None],
        joins_under_way: Callable[[], int],
        installers: Collection[InstallerId],
        clock_doubt: Callable[[], str | None] = lambda: None,
        lab: Lab | None = None,
    ) -> None:
        nodes = None if lab is None else lab.nodes
        self._all_at = IPv6Address(nodes.host) if nodes else None
        self._port = nodes.port if nodes else COAP_PORT
        self._endpoint = endpoint
        self._clock = clock
        self._forget = forget
        self._fatal = fatal
        self._joins_under_way = joins_under_way
        self._clock_doubt = clock_doubt
        self._loop = asyncio.get_running_loop()
        timing = RetransmissionTiming(
            section.ack_timeout_s, section.random_factor, section.max_retransmit
        )
        self._client = UpdateClient(
            self._send,
            clock,
            self._loop.time,
            os.urandom,
            self._finished,
            dropped,
            next_message_id,
            Pace(section.rate_bytes_per_s, section.in_flight),
            timing,
            port=self._port,
        )
        self._driver = UpdateDriver(self._client, self._loop)
        self._each = AHEAD * section.in_flight
        self._turns = UpdateTurns(
            Retry(section.retry_s, section.retry_max_s),
            transactions,
            clock,
            installers,
            self._loop.time,
        )
        self._open: dict[int, PreparedUpdate] = {}
        self._outcomes: list[UpdateOutcome] = []
        self._counts: dict[str, int] = {}
        self._is_changed = True
        self._idle_turns = 0
        self._due_ms: int | None = None
        self._trouble: str | None = None
        self._conducts = True
        self._term = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # As Part

    async def start(self) -> None:
        """As ``Part.start``: what an earlier process was telling is told again."""
        self._woken.set()
        self._task = asyncio.create_task(guarded(self._run, self._fatal))

    async def stop(self) -> None:
        """As ``Part.stop``: nothing more leaves, and what has ended is written down."""
        self._driver.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            try:
                await self._turns.record(outcomes)
            except JrcError as error:
                _log.error("updates_not_recorded", error=str(error), count=len(outcomes))

    def changed(self) -> None:
        """As ``Part.changed``: somebody may have been revoked, a rollover may have begun."""
        self._driver.hold()
        self._is_changed = True
        self._woken.set()

    def conduct(self, is_conductor: bool) -> None:
        """Tell nodes, or tell nobody any more and forget what was under way, at once."""
        self._conducts = is_conductor
        self._term += 1
        self._driver.hold()
        if not is_conductor:
            for node in list(self._open):
                self._driver.cancel(node)
            self._open.clear()
            self._outcomes.clear()
        self._turns.begin_term(is_conductor)
        self._is_changed = True
        self._woken.set()

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {
            "under_way": self._driver.open,
            "datagrams": self._client.sent,
            "outcomes": dict(self._counts),
            "why": self._trouble,
        }

    @property
    def trouble(self) -> str | None:
        """Why nobody is told anything just now."""
        return self._trouble

    def counts(self) -> UpdateCounts:
        """For the metrics."""
        return UpdateCounts(
            outcomes=dict(self._counts),
            in_flight=self._driver.open,
            datagrams=self._client.sent,
        )

    def receive(self, datagrams: Sequence[Datagram]) -> Sequence[Datagram]:
        """Take the answers to updates; what is left is for others."""
        return self._driver.receive(datagrams)

    def use(self, section: Rollover) -> None:
        """Its pace from now on; how messages are sent again stays as it is."""
        self._driver.use(Pace(section.rate_bytes_per_s, section.in_flight))
        self._each = AHEAD * section.in_flight
        self._woken.set()

    # What the client calls

    def _send(self, datagram: Outgoing, address: IPv6Address) -> bool:
        way = self._endpoint.way_to(address, self._port)
        return way is not None and self._endpoint.ask(datagram, way)

    def _placed(self, update: PreparedUpdate) -> PreparedUpdate:
        """The update with the address it goes to."""
        return update if self._all_at is None else update._replace(address=self._all_at)

    def _finished(self, outcomes: list[UpdateOutcome]) -> None:
        if not self._conducts:
            return
        for outcome in outcomes:
            self._open.pop(outcome.node, None)
            word = outcome.error or _kind(outcome.answer)
            self._counts[word] = self._counts.get(word, 0) + 1
        self._outcomes += outcomes
        self._woken.set()

    # Turns

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                wait_s = await self._turn() if self._conducts else None
            except ConflictError:
                # Somebody has joined meanwhile: what is in memory is out of date.
                wait_s = RETRY_S if self._turns.reads_anew else 0.0
                self._turns.read_anew()
            except JrcError as error:
                self._note(str(error))
                wait_s = RETRY_S
            except Exception as error:  # noqa: BLE001 - the guard of this task: joins go on
                self._failed(error)
                wait_s = RETRY_S
            await self._rest(wait_s)

    def _failed(self, error: Exception) -> None:
        """Say what nobody expected, which may be several errors."""
        for fault in error.exceptions if isinstance(error, ExceptionGroup) else [error]:
            _log.critical("updates_failed", error=str(fault), kind=type(fault).__name__)
            self._note(f"a fault in jrc ({type(fault).__name__})")

    async def _rest(self, wait_s: float | None) -> None:
        """Wait, but no longer than until there is news; what comes soon after goes along."""
        if wait_s == 0:
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return
        if not self._is_changed and len(self._outcomes) < BATCH:
            await asyncio.sleep(LINGER_S)

    async def _turn(self) -> float | None:
        """One transaction, if there is anything to write; seconds until the next look."""
        if self._is_changed:
            self._idle_turns = 0
            await self._look_whom_to_tell()
            closed = await self._turns.closed()
            if closed is not None:
                self._note(closed)
                return None
            self._due_ms = self._clock.now_ms()
        if not self._outcomes and self._wait_s() != 0:
            # A join during a rollover makes a node due, and says so on disk alone.
            self._due_ms = await self._turns.next_due_ms()
        if not self._outcomes and self._wait_s() != 0:
            return self._wait_s()
        outcomes, self._outcomes = self._outcomes, []
        room, term = self._room(), self._term
        try:
            turned = await self._turns.turn(outcomes, room)
        except JrcError:
            self._keep(outcomes, term)
            raise
        except Exception as fault:  # noqa: BLE001 - all go to the guard
            more = await self._turns.record_apart(outcomes)
            raise ExceptionGroup("a turn, and what it was to write", [fault, *more]) from None
        if term != self._term:
            return 0.0  # what was prepared never leaves; its numbers are not used again
        self._note(turned.no_numbers or self._clock_doubt())
        for kid_context in (*turned.told, *self._turns.turned()):
            self._forget(kid_context)
        self._open.update((update.node, update) for update in turned.updates)
        self._driver.begin(*map(self._placed, turned.updates))
        self._due_ms = turned.next_due_ms
        await self._advance_touched()
        if turned.updates or outcomes:
            self._idle_turns = 0
            return self._wait_s() if turned.updates else POLL_S
        # Somebody is due and can't be told: without room until an update ends, or with a clock
        # that is behind. Each look is a commit.
        self._idle_turns += 1
        return float(min(POLL_S * 2**self._idle_turns, MAX_IDLE_S))

    async def _advance_touched(self) -> None:
        """Have rollovers go on once nobody is being told; till then ``RolloverKeeper`` looks."""
        if not self._open:
            await self._turns.advance_touched()

    def _keep(self, outcomes: list[UpdateOutcome], term: int) -> None:
        """For the next turn; after a term of another registrar all is read, and told again."""
        if term == self._term:
            self._outcomes = outcomes + self._outcomes

    def _room(self) -> Room:
        networks = {node: update.network for node, update in self._open.items()}
        batch = BATCH_BESIDE_JOINS if self._joins_under_way() else BATCH
        most = 0 if self._clock_doubt() else len(networks) + batch
        return Room(networks, most, self._each)

    def _wait_s(self) -> float | None:
        """Seconds until somebody is to be told, None where nobody is and nothing runs."""
        if self._due_ms is None:
            return None
        # No longer than until then, since the clock may be set back and forth meanwhile.
        wait_s = min(max(0.0, (self._due_ms - self._clock.now_ms()) / 1000), MAX_REST_S)
        return min(wait_s, POLL_S) if self._turns.has_rollover else wait_s

    async def _look_whom_to_tell(self) -> None:
        """After a change: nothing leaves before it is known who may still be told."""
        self._is_changed = False
        try:
            await self._cancel_stale()
        except BaseException:
            self._is_changed = True
            raise
        if not self._is_changed:
            self._driver.go_on()

    async def _cancel_stale(self) -> None:
        """Stop telling whoever may not be told any more, or was told by what is over."""
        if not self._open:
            return
        stale = await self._turns.stale(self._open)
        for node in stale:
            self._driver.cancel(node)

    def _note(self, trouble: str | None) -> None:
        """Say once that no updates leave, and once that they do again."""
        if trouble is not None and self._trouble is None:
            _log.error("updates_hindered", error=trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("updates_work_again")
        self._trouble = trouble


def _kind(answer: Answered | None) -> str:
    """A word for an answer that verified."""
    is_success = answer is not None and answer.code == CoapCode.CHANGED
    return "acknowledged" if is_success else "refused"
