"""No key of a live or later generation ever goes to a revoked pledge, whatever happens when."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jrc.app.border_routers import look_at_border_routers
from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.model import KeySetState
from jrc.service.outcomes import Retry
from jrc.service.registry import Registry
from jrc.service.revoking import restore_pledge, revoke_pledges
from jrc.service.rollover import (
    abort_rollover,
    pause_rollover,
    resume_rollover,
    start_rollover,
)
from jrc.service.rollover_records import RolloverSettings
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall
from tests.service.turns import Turns

AS_6LBR = bytes.fromhex("a201010542cafe")
ROUTER = 1
NODES = (2, 3, 4)
ALL = (ROUTER, *NODES)
ANYBODY = st.sampled_from(ALL)


class Device:
    """A pledge and every link-layer key that a datagram with it was ever made for."""

    def __init__(self, hall: Hall, number: int) -> None:
        self.pledge: OddPledge = hall.enroll(number, role=int(number == ROUTER))
        self.request = AS_6LBR if number == ROUTER else JOIN
        self.heard: set[bytes] = set()
        self.revoked = False

    def hears(self, payload: bytes) -> None:
        keys = decode_configuration(payload).keys
        assert not (keys and self.revoked), "a revoked pledge was sent a key"
        self.heard.update(key.key_value.reveal() for key in keys)


class Revocations(RuleBasedStateMachine):
    """Joins, updates, rollovers and revocations of one network, on a real database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.desk.network()
        self.hall = Hall(self.desk)
        self.desk.database.on_border_router = look_at_border_routers(RolloverSettings())
        self.devices = {number: Device(self.hall, number) for number in ALL}
        self.turns = Turns(self.desk, Retry())
        for number in ALL:
            self.join(number)

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.hall.close()
            self.desk.close()
            self.folder.cleanup()

    # What devices do

    @rule(number=ANYBODY)
    def join(self, number: int) -> None:
        """Whatever the cache of the join path says: it was read before the last changes."""
        device = self.devices[number]
        answer = self.hall.ask(device.pledge.request(device.request))
        if device.revoked:
            assert answer is None
        elif answer is not None:
            device.hears(device.pledge.open(answer).payload)

    @rule()
    def tell(self) -> None:
        """One turn: outcomes are written down, and updates prepared, which then leave."""
        for update in self.turns.take().updates:
            # Pledges were enrolled in the order of their numbers.
            self.devices[update.node].hears(update.payload)

    @rule(number=ANYBODY, code=st.sampled_from([CoapCode.CHANGED, CoapCode.BAD_REQUEST, None]))
    def answer(self, number: int, code: int | None) -> None:
        """An update ends: acknowledged, refused, or without an answer."""
        self.turns.end(number, code)

    # What the operator does

    @rule(numbers=st.sets(ANYBODY, min_size=1, max_size=3))
    def revoke(self, numbers: set[int]) -> None:
        """Open exchanges with them are cancelled, as the daemon does after the commit."""
        names = [pledge_id(number) for number in sorted(numbers)]
        self.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR))
        for number in numbers:
            self.devices[number].revoked = True
            self.turns.open.pop(number, None)

    @rule(number=ANYBODY)
    def restore(self, number: int) -> None:
        self.desk.write(lambda tx: restore_pledge(tx, pledge_id(number), actor=ACTOR))
        self.devices[number].revoked = False

    @rule()
    def start(self) -> None:
        self.turns.command(start_rollover)

    @rule()
    def pause(self) -> None:
        self.turns.command(pause_rollover)

    @rule(anyway=st.booleans())
    def resume(self, anyway: bool) -> None:
        self.turns.command(resume_rollover, anyway=anyway)

    @precondition(lambda self: not any(each.revoked for each in self.devices.values()))
    @rule()
    def abort(self) -> None:
        """Who aborts what puts a device out, keeps the device in: that is said before."""
        self.turns.command(abort_rollover)

    # What time does

    @rule(guard_over=st.booleans(), deadline_passed=st.booleans())
    def go_on(self, guard_over: bool, deadline_passed: bool) -> None:
        self.turns.go_on(guard_over=guard_over, deadline_passed=deadline_passed)

    @rule(but=st.sets(ANYBODY, max_size=2))
    def all_answer(self, but: set[int]) -> None:
        """What is under way goes well, but for some; so that rollovers get on."""
        self.tell()
        for number in set(self.turns.open).difference(but):
            self.turns.end(number)
        self.tell()
        self.turns.go_on(guard_over=False, deadline_passed=False)

    @rule(minutes=st.sampled_from([1, 10, 90]))
    def wait(self, minutes: int) -> None:
        self.desk.now_ms += minutes * 60_000

    # What holds

    @invariant()
    def no_revoked_pledge_has_heard_of_keys_to_come(self) -> None:
        """What is still being distributed was never sent to one."""
        to_come = self.values(KeySetState.SCHEDULED)
        for number, device in self.devices.items():
            assert not (device.revoked and device.heard & to_come), number

    def settle(self) -> None:
        """Everything to its end: then no revoked pledge has a live key.

        Every node answers; where one has refused, the operator goes on without it.
        """
        for _ in range(60):
            self.turns.command(resume_rollover, anyway=True)
            self.turns.command(resume_rollover)
            self.wait(90)
            for number in ALL:
                self.turns.end(number)
            self.tell()
            self.turns.go_on()
            if self.is_idle():
                break
        assert self.is_idle()
        in_force = self.values(KeySetState.CURRENT)
        for number, device in self.devices.items():
            assert not (device.revoked and device.heard & in_force), number

    def is_idle(self) -> bool:
        def work(tx: Registry) -> bool:
            return not tx.rollovers.all_running() and not tx.rollovers.all_wanted()

        return not self.turns.open and self.desk.read(work)

    def values(self, state: KeySetState) -> set[bytes]:
        live = self.desk.read(lambda tx: tx.keysets.live(1))
        found = [each.keys for each in live if each.state is state]
        return {key.key_value.reveal() for keys in found for key in keys}


TestRevocations = Revocations.TestCase
TestRevocations.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
