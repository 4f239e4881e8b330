"""No number, nonce or short identifier comes twice, whatever happens in whatever order.

Two registrars work on one database with caches of their own; their processes die, and the clock
goes both ways. ``JRC_TEST_EXAMPLES`` and ``JRC_TEST_STEPS`` make it long.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.errors import ConflictError
from jrc.model import ShortIdRange
from jrc.service.join import decide
from jrc.service.outcomes import Retry
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledges
from jrc.service.rollover import abort_rollover, resume_rollover, start_rollover
from jrc.service.rollover_leaving import leave
from jrc.store.database import Database
from tests.daemon.wire import OddPledge, ciphertext_of
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import JOIN, Hall, give_back
from tests.service.lasting import Witness
from tests.service.turns import Turns

ALL = (1, 2, 3, 4)
ANYBODY = st.sampled_from(ALL)
EITHER = st.booleans()
RETRY = Retry(first_s=300, most_s=3600)
MINUTE_MS = 60_000
KEPT = 40


class Sent(NamedTuple):
    """A request that was made, whether it has left or not."""

    pledge: int
    number: int
    datagram: bytes


class DiedError(Exception):
    """A process has ended within a transaction."""


def _dies() -> None:
    raise DiedError


class LastingState(RuleBasedStateMachine):
    """Joins, copies, updates, rollovers and faults of one network, on a real database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        # One too few for all, so that they have to come back.
        self.desk.network(short_ids=ShortIdRange(1, 3), lease_hours=2)
        self.witness = Witness()
        self.devices = {number: OddPledge(*self._enrolled(number)) for number in ALL}
        self.made: list[Sent] = []
        self.revoked: set[int] = set()
        self.halls: list[Hall] = []
        self.begin()

    @initialize()
    def everybody_joins(self) -> None:
        for number in ALL:
            self.join(number, False)

    def _enrolled(self, number: int) -> tuple[bytes, bytes]:
        name, psk = self.desk.pledge(number)
        return name.value, psk

    def begin(self) -> None:
        """Two processes."""
        self.halls = [Hall(self.desk), Hall(self.desk, Database.open(self.desk.url, KEK))]
        self.turns = Turns(self.desk, RETRY, is_pushing=True)
        self.desk.write(lambda tx: [errand.take_up(tx) for errand in self.turns.errands])

    def end(self) -> None:
        for hall in self.halls:
            hall.close()
        self.halls[1].database.close()

    def teardown(self) -> None:
        self.end()
        self.desk.close()
        self.folder.cleanup()

    # Requests

    def request(self, number: int) -> Sent:
        device = self.devices[number]
        sent = Sent(number, device.number, device.request(JOIN))
        self.made.append(sent)
        del self.made[:-KEPT]
        return sent

    def take(self, sent: Sent, *halls: Hall) -> None:
        """A request comes to one registrar or to both before either has answered."""
        before = self.row(sent.pledge)
        counts = [len(hall.outbox.sent) for hall in halls]
        for hall in halls:
            hall.take(sent.datagram)
        for hall in halls:
            if hall.asks:
                hall.commit()
        self.note(sent, before)
        for hall, count in zip(halls, counts, strict=True):
            for datagram, _ in hall.outbox.sent[count:]:
                self.hear(sent, datagram)

    def note(self, sent: Sent, before: tuple[int, int]) -> None:
        """A window changes by the number of the request, or not at all."""
        if self.row(sent.pledge) != before:
            self.witness.accept(sent.pledge, sent.number)

    def hear(self, sent: Sent, datagram: bytes) -> None:
        self.witness.answered(sent.pledge, sent.number, ciphertext_of(datagram))
        device = OddPledge.__new__(OddPledge)
        device.context = self.devices[sent.pledge].context
        device.partial_iv = sent.number.to_bytes(max(1, (sent.number.bit_length() + 7) // 8))
        inner = device.open(datagram)
        if inner.code == CoapCode.CHANGED:
            self.tell_witness(sent.pledge, inner.payload)

    def tell_witness(self, pledge: int, payload: bytes) -> None:
        assert pledge not in self.revoked, f"{pledge} is revoked, and was told something"
        self.witness.told(pledge, decode_configuration(payload), self.live())

    @rule(number=ANYBODY, second=EITHER)
    def join(self, number: int, second: bool) -> None:
        self.take(self.request(number), self.halls[second])

    @rule(number=ANYBODY, both=EITHER, second_first=EITHER)
    def join_at_both(self, number: int, both: bool, second_first: bool) -> None:
        """Copies of one request, of which neither registrar knows that the other has it."""
        halls = self.halls[::-1] if second_first else self.halls
        self.take(self.request(number), *halls)
        if both:
            self.take(self.made[-1], *halls)

    @rule(number=ANYBODY, ahead=st.sampled_from([1, 5, 31, 32, 33, 70]))
    def hold_back(self, number: int, ahead: int) -> None:
        """Requests that are made and come later, or never."""
        self.request(number)
        self.devices[number].number += ahead - 1

    @rule(which=st.integers(0, KEPT - 1), second=EITHER)
    def copy(self, which: int, second: bool) -> None:
        """One that was made comes, again or late."""
        if self.made:
            self.take(self.made[which % len(self.made)], self.halls[second])

    # Faults

    @rule(number=ANYBODY, second=EITHER)
    def die_before_the_commit(self, number: int, second: bool) -> None:
        """What was decided, and maybe encrypted, is gone; the request comes again."""
        hall = self.halls[second]
        sent, before = self.request(number), self.row(number)
        hall.take(sent.datagram)
        asks = list(hall.asks)

        def run(joins: Any) -> None:
            decide(joins, asks, self.desk.now_ms)
            raise DiedError

        with suppress(DiedError):
            hall.database.join(run, self.desk.now_ms)
        assert self.row(number) == before
        self.restart()
        self.take(sent, self.halls[second])

    @rule(number=ANYBODY, second=EITHER, comes_again=EITHER)
    def die_after_the_commit(self, number: int, second: bool, comes_again: bool) -> None:
        """The answer never left; a copy gets what is stored."""
        hall = self.halls[second]
        sent, before = self.request(number), self.row(number)
        hall.take(sent.datagram)
        with suppress(ConflictError):
            hall.outcomes()
        self.note(sent, before)
        self.restart()
        if comes_again:
            self.take(sent, self.halls[second])

    @rule()
    def restart(self) -> None:
        """Both processes end and begin; what was only in memory is gone."""
        self.end()
        self.begin()

    @rule(minutes=st.sampled_from([1, 10, 61, 200, 60 * 24, -1, -90, -60 * 24]))
    def clock(self, minutes: int) -> None:
        """Forwards, and set back."""
        self.desk.now_ms += minutes * MINUTE_MS

    # Updates

    @rule(dies=EITHER)
    def tell(self, dies: bool) -> None:
        """One turn; a process that dies in it has sent nothing."""
        if dies:
            with suppress(DiedError):
                self.turns.take(_dies)
            self.restart()
            return
        for update in self.turns.take().updates:
            block = update.numbers
            self.witness.sends(update.node, block.first, block.reserved)
            self.tell_witness(update.node, update.payload)

    @rule(number=ANYBODY, is_answered=EITHER)
    def answer(self, number: int, is_answered: bool) -> None:
        self.turns.end(number, CoapCode.CHANGED if is_answered else None)

    # The operator, and what follows

    @rule(number=ANYBODY, rekey=EITHER)
    def revoke(self, number: int, rekey: bool) -> None:
        who = [pledge_id(number)]
        self.desk.write(lambda tx: revoke_pledges(tx, who, actor=ACTOR, rekey=rekey))
        self.revoked.add(number)
        self.turns.open.pop(number, None)

    @rule(number=ANYBODY)
    def restore(self, number: int) -> None:
        self.desk.write(lambda tx: restore_pledge(tx, pledge_id(number), actor=ACTOR))
        self.revoked.discard(number)

    @rule(number=ANYBODY)
    def release(self, number: int) -> None:
        """Short identifiers are given back; the device still has its own, and is told nothing more.

        As `jrc pledge replace` and `remove` do it: a node that is told further keys goes on to use
        the identifier with them, which is then burned for too short a time.
        """

        def given_back(tx: Registry) -> None:
            give_back(tx, number)
            tx.pledges.forget_place(number)
            leave(tx, number)

        self.desk.write(given_back)
        self.turns.open.pop(number, None)

    @rule()
    def start(self) -> None:
        self.turns.command(start_rollover)

    @rule()
    def abort(self) -> None:
        self.turns.command(abort_rollover)

    @rule()
    def go_on(self) -> None:
        """A rollover gets on by a phase, with those who have answered."""
        self.turns.command(resume_rollover, anyway=True)
        self.turns.go_on()

    @rule()
    def change_keys(self) -> None:
        """A rollover to its end, where everybody answers."""
        self.turns.command(start_rollover)
        for _ in range(4):
            self.tell(False)
            for number in ALL:
                self.turns.end(number)
            self.tell(False)
            self.go_on()

    # What holds

    @invariant()
    def windows_are_those_of_the_model(self) -> None:
        """N4: on disk is what was accepted, neither more nor less."""
        for number in ALL:
            assert self.row(number) == self.witness.window(number), f"windows of {number}"

    @invariant()
    def every_sender_number_is_reserved(self) -> None:
        """N1: what is on disk is above all that was ever used."""
        for (reserved,), number in zip(
            self.desk.sql("SELECT numbers_reserved FROM context_state ORDER BY context_id"),
            ALL,
            strict=True,
        ):
            used = max((end for _, end in self.witness.senders[number]), default=0)
            assert isinstance(reserved, int)
            assert reserved >= used, f"{used} of {number} was not reserved"

    @invariant()
    def a_short_identifier_has_one_holder(self) -> None:
        """K1: among rows, too."""
        rows = self.desk.sql(
            "SELECT value FROM short_identifier WHERE released_at_ms IS NULL AND domain_id = 1"
        )
        assert len(rows) == len(set(rows))

    def row(self, number: int) -> tuple[int, int]:
        """The window on disk; pledges were enrolled in the order of their numbers."""
        ((highest, seen),) = self.desk.sql(
            "SELECT highest, seen FROM context_state WHERE context_id = :n", n=number
        )
        assert isinstance(highest, int)
        return highest, int.from_bytes(seen) if isinstance(seen, bytes) else seen  # type: ignore[return-value]

    def live(self) -> set[bytes]:
        found = self.desk.read(lambda tx: tx.keysets.live(1))
        return {key.key_value.reveal() for each in found for key in each.keys}


TestLastingState = LastingState.TestCase
TestLastingState.settings = settings(
    max_examples=int(os.environ.get("JRC_TEST_EXAMPLES", "6")),
    stateful_step_count=int(os.environ.get("JRC_TEST_STEPS", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
