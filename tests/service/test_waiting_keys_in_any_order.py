"""Keys that wait, come into force, go: no key is good after another has taken its place (row A5).

Two registrars work on one database with memories of their own, and die within transactions.
``JRC_TEST_EXAMPLES`` and ``JRC_TEST_STEPS`` make it long.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jrc.cojp.constants import CoapCode
from jrc.errors import ConflictError, OperatorError, PeerError
from jrc.model import Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.enroll import add_pledge
from jrc.service.examine import OnConflict
from jrc.service.join import decide
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.transferring import transfer_in, transfer_out
from jrc.service.withdrawing import withdraw_key
from jrc.store.database import Database
from tests.daemon.wire import OddPledge, ciphertext_of
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import JOIN, Hall
from tests.service.enrolling import usable

EITHER = st.booleans()
MEANT = st.sampled_from([JOIN, JOIN, bytes.fromhex("a10542beef")])
NAME = pledge_id(1)
KEPT = 20


class Made(NamedTuple):
    """A request that was made, with which key; whether it has left or not."""

    key: bytes
    number: int
    datagram: bytes
    device: OddPledge


class DiedError(Exception):
    """A process has ended within a transaction."""


class KeysOfAPledge(RuleBasedStateMachine):
    """The model: which key is in force, which waits, and which are good for nothing any more."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.desk.network()
        self.devices: dict[bytes, OddPledge] = {}
        self.dead: set[bytes] = set()
        self.current: bytes | None = None
        self.waiting: bytes | None = None
        self.is_revoked = False
        self.made: list[Made] = []
        self.answers: dict[tuple[bytes, int], bytes] = {}
        self.halls: list[Hall] = []

    @initialize()
    def enrolled(self) -> None:
        self.current = self.new_key()
        self.desk.pledge(1, self.current)
        self.begin()

    def begin(self) -> None:
        self.halls = [Hall(self.desk), Hall(self.desk, Database.open(self.desk.url, KEK))]

    def end(self) -> None:
        for hall in self.halls:
            hall.close()
        for hall in self.halls[1:]:
            hall.database.close()

    def teardown(self) -> None:
        self.end()
        self.desk.close()
        self.folder.cleanup()

    def new_key(self) -> bytes:
        key = os.urandom(16)
        self.devices[key] = OddPledge(NAME.value, key)
        return key

    def retire(self, *keys: bytes | None) -> None:
        self.dead.update(key for key in keys if key is not None)

    # Requests

    def request(self, key: bytes, meant: bytes) -> Made:
        device = self.devices[key]
        made = Made(key, device.number, device.request(meant), device)
        self.made.append(made)
        del self.made[:-KEPT]
        return made

    def take(self, hall: Hall, *requests: Made) -> None:
        """Requests come to a registrar in one reading; what it says of them is looked at."""
        before = len(hall.outbox.sent)
        hall.take(*(each.datagram for each in requests))
        if hall.asks:
            hall.commit()
        for datagram, _ in hall.outbox.sent[before:]:
            self.hear(requests, datagram)

    def hear(self, requests: tuple[Made, ...], datagram: bytes) -> None:
        """Answers come in the order of their requests; one protects one answer (RFC 8613 §5.2)."""
        for made in requests:
            code = self.opened(made, datagram)
            if code is None:
                continue
            assert made.key not in self.dead, "a key that is over was answered"
            assert not self.is_revoked
            said = ciphertext_of(datagram)
            assert self.answers.setdefault((made.key, made.number), said) == said
            if code == CoapCode.CHANGED and made.key == self.waiting:
                self.retire(self.current)
                self.current, self.waiting = self.waiting, None
            return

    def opened(self, made: Made, datagram: bytes) -> int | None:
        """The code of an answer that is for this request; None for any other's."""
        device = OddPledge.__new__(OddPledge)
        device.context = made.device.context
        device.partial_iv = made.number.to_bytes(max(1, (made.number.bit_length() + 7) // 8))
        try:
            return device.open(datagram).code
        except PeerError:
            return None

    @rule(waits=EITHER, second=EITHER, meant=MEANT)
    def ask(self, waits: bool, second: bool, meant: bytes) -> None:
        key = self.waiting if waits else self.current
        if key is not None:
            self.take(self.halls[second], self.request(key, meant))

    @rule(second=EITHER, new_first=EITHER)
    def ask_with_both(self, second: bool, new_first: bool) -> None:
        """In one batch."""
        if self.waiting is not None and self.current is not None:
            pair = [self.request(self.current, JOIN), self.request(self.waiting, JOIN)]
            self.take(self.halls[second], *(pair[::-1] if new_first else pair))

    @rule(which=st.integers(0, KEPT - 1), second=EITHER)
    def copy(self, which: int, second: bool) -> None:
        """One that was made comes, again or late, whatever has become of its key."""
        if self.made:
            self.take(self.halls[second], self.made[which % len(self.made)])

    @rule(which=st.integers(0, 9), second=EITHER)
    def ask_with_a_former_key(self, which: int, second: bool) -> None:
        if self.dead:
            key = sorted(self.dead)[which % len(self.dead)]
            self.take(self.halls[second], self.request(key, JOIN))

    @rule(waits=EITHER, second=EITHER, is_committed=EITHER)
    def die(self, waits: bool, second: bool, is_committed: bool) -> None:
        """A registrar dies before or after the commit; in neither case has the answer left."""
        key = self.waiting if waits else self.current
        if key is None:
            return
        hall, made = self.halls[second], self.request(key, JOIN)
        hall.take(made.datagram)
        asks, now_ms = list(hall.asks), self.desk.now_ms

        def run(joins: Any) -> list[Any]:
            done = decide(joins, asks, now_ms)
            if not is_committed:
                raise DiedError
            return done

        outcomes = []
        with suppress(DiedError, ConflictError):
            outcomes = hall.database.join(run, now_ms)
        self.end()
        self.begin()
        if any(each.key_changed for each in outcomes):
            self.retire(self.current)
            self.current, self.waiting = self.waiting, None

    # The operator

    def command(self, work: Any) -> bool:
        """Whether it was carried out; the registrars hear of it, as they do from one another."""
        try:
            self.desk.write(work)
        except OperatorError:
            return False
        for hall in self.halls:
            hall.contexts.learn([NAME.value])
            hall.contexts.forget_all()
        return True

    def add(self, key: bytes, **more: Any) -> bool:
        who = Applicant(identifier=NAME, keys=Secret(key))
        return self.command(lambda tx: add_pledge(tx, who, actor=ACTOR, **more))

    @rule()
    def wait(self) -> None:
        key = self.new_key()
        done = self.add(key, purpose=Purpose.NEXT_FIRMWARE)
        assert done is (self.current is not None and not self.is_revoked)
        if done:
            self.retire(self.waiting)
            self.waiting = key

    @rule()
    def withdraw(self) -> None:
        if self.command(lambda tx: withdraw_key(tx, NAME, actor=ACTOR, agreed=True)):
            self.retire(self.waiting)
            self.waiting = None

    @rule()
    def replace(self) -> None:
        key = self.new_key()
        if self.add(key, on_conflict=OnConflict.REPLACE):
            self.retire(self.current, self.waiting)
            self.current, self.waiting = key, None

    @rule()
    def revoke(self) -> None:
        if self.command(lambda tx: revoke_pledge(tx, NAME, actor=ACTOR)):
            self.retire(self.waiting)
            self.waiting, self.is_revoked = None, True

    @rule()
    def restore(self) -> None:
        if self.command(lambda tx: restore_pledge(tx, NAME, actor=ACTOR)):
            self.is_revoked = False

    @rule()
    def transfer(self) -> None:
        """Out and, with a new key, in again."""
        if not self.command(lambda tx: transfer_out(tx, NAME, actor=ACTOR, agreed=True)):
            return
        self.retire(self.current, self.waiting)
        self.current, self.waiting = None, None
        key = self.new_key()
        who = Applicant(identifier=NAME, keys=Secret(key))
        assert self.command(lambda tx: transfer_in(tx, who, actor=ACTOR))
        self.current = key

    # What holds

    @invariant()
    def two_keys_can_be_looked_up_at_most(self) -> None:
        if self.current is None:
            return
        found = set(usable(self.desk, NAME))
        wanted = {self.current} | ({self.waiting} if self.waiting else set())
        assert found == {self.devices[key].context.sender_key for key in wanted}

    @invariant()
    def a_key_that_is_over_is_wiped(self) -> None:
        kept = self.desk.sql("SELECT count(*) FROM credential WHERE wrapped_secret IS NOT NULL")
        assert kept == [(sum(key is not None for key in (self.current, self.waiting)),)]


TestKeysOfAPledge = KeysOfAPledge.TestCase
TestKeysOfAPledge.settings = settings(
    max_examples=int(os.environ.get("JRC_TEST_EXAMPLES", "4")),
    stateful_step_count=int(os.environ.get("JRC_TEST_STEPS", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
