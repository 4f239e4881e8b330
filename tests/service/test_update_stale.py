"""Who is told nothing after all, or no further: by what is on disk, whatever was prepared."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from jrc.cojp.constants import Role
from jrc.model import PledgeState
from jrc.policy.rollover import NodeState
from jrc.service.outcomes import SOON_MS, Ref
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.rollover import abort_rollover, pause_rollover, resume_rollover
from jrc.service.rollover_records import RolloverNode
from jrc.service.update import MAX_AHEAD_S, NUMBERS, Turned
from jrc.service.update_ports import PreparedUpdate, UpdateError
from jrc.store.schema import context, context_state
from jrc.store.transaction import Transaction
from tests.desk import ACTOR, pledge_id
from tests.joining import hall_at
from tests.service.office import NUMBERS_EPOCH_MS, SECOND_MS, Office, answered, unanswered

AS_6LBR = bytes.fromhex("a201010542cafe")


def stale(office: Office, *updates: PreparedUpdate) -> set[int]:
    """The nodes of open updates that may not be told any more."""
    refs: Mapping[int, object] = {
        each.node: each.ref.inner for each in updates if isinstance(each.ref, Ref)
    }
    return set(office.desk.read(lambda tx: office.keying.stale(tx, refs)))


def save_pledge(office: Office, number: int, **values: object) -> None:
    """Its row alone: what else goes with it is left as it was."""

    def work(tx: Registry) -> None:
        name = pledge_id(number).value
        record: PledgeRecord = tx.pledges.find([name])[name]
        tx.pledges.save(replace(record, **values))  # type: ignore[arg-type]
        tx.policy_changed()

    office.desk.write(work)


def save_node(office: Office, number: int = 1, **values: object) -> None:
    """How far the rollover says that it is."""
    node: RolloverNode = office.node(number)._replace(**values)  # type: ignore[arg-type]
    office.desk.write(lambda tx: tx.rollovers.save_nodes([node]))


def wait_for_recovery(office: Office, number: int) -> None:
    """As after a restored backup: the context is used for nothing until it is set right."""

    def work(tx: Transaction) -> None:
        found = select(context_state).join(context, context.c.id == context_state.c.context_id)
        query = found.where(context.c.pledge_id == who)
        (row,) = tx.connection.execute(query).mappings().all()
        sealed = tx.mac.seal(context_state, {**row, "needs_recovery": 1})
        same = context_state.c.context_id == row["context_id"]
        tx.connection.execute(update(context_state).where(same).values(sealed))

    who = office.row_number(number)
    office.desk.database.write(work, office.desk.now_ms)


def test_e10_after_an_abort_the_aborted_keys_are_told_no_further(office: Office) -> None:
    """An update that is under way has them: its row has changed, so it is over (row E10)."""
    office.join(1, 2)
    office.start()
    updates = office.turn().updates
    assert stale(office, *updates) == set()
    office.desk.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))
    assert stale(office, *updates) == {update.node for update in updates}


def test_a_pledge_out_of_force_is_told_no_further(office: Office) -> None:
    """Whatever the rollover's own row says of it, which is as it was."""
    office.join(1, 2)
    office.start()
    updates = office.turn().updates
    save_pledge(office, 1, state=PledgeState.REVOKED)
    assert stale(office, *updates) == {office.row_number(1)}


def test_a_paused_rollover_tells_nobody_on_and_each_one_again_when_it_is_resumed(
    office: Office,
) -> None:
    """No datagram may have left, or its answer be on the way: it counts as sent all the while."""
    office.join(1, 2)
    office.start()
    updates = office.turn().updates
    office.desk.write(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))
    assert stale(office, *updates) == {update.node for update in updates}
    turned = office.turn(*(unanswered(each, UpdateError.CANCELLED) for each in updates))
    assert (turned.updates, turned.next_due_ms) == ((), None)
    assert {each.state for each in office.nodes().values()} == {NodeState.SENT}
    office.desk.now_ms += 60 * SECOND_MS
    assert office.turn().updates == ()
    office.desk.write(lambda tx: resume_rollover(tx, "lab", actor=ACTOR))
    again = office.turn().updates
    assert {update.node for update in again} == {update.node for update in updates}
    assert stale(office, *again) == set()


def test_the_pause_of_another_key_domain_stops_nobody_here(office: Office) -> None:
    """Each key domain has a rollover of its own."""
    office.desk.network("two", b"\x00\x02")
    office.join(1)
    office.start("two")
    office.start()
    updates = office.turn().updates
    office.desk.write(lambda tx: pause_rollover(tx, "two", actor=ACTOR))
    assert stale(office, *updates) == set()


def test_what_was_heard_before_a_pause_counts(office: Office) -> None:
    """It is written down after it."""
    office.join(1, 2)
    office.start()
    first, _ = office.turn().updates
    office.desk.write(lambda tx: pause_rollover(tx, "lab", actor=ACTOR))
    office.turn(answered(first))
    assert office.nodes()[first.node].state is NodeState.REACHED


@pytest.mark.parametrize("state", [NodeState.REACHED, NodeState.REFUSED, NodeState.LEFT])
def test_a_6ln_that_is_due_in_a_state_that_is_told_nothing_is_told_nothing(
    office: Office, state: NodeState
) -> None:
    """And is due no more."""
    office.join(1)
    office.start()
    save_node(office, state=state)
    assert office.turn().updates == ()
    assert (office.node().state, office.node().next_at_ms) == (state, None)


def test_e02_a_6lbr_that_is_due_before_the_switch_is_told_nothing(office: Office) -> None:
    """6LNs first (RFC 9031 §8.4.3.1), whatever its row says of when (row E2)."""
    join_6lbr(office)
    office.join(1)
    office.start()
    save_node(office, 9, next_at_ms=office.desk.now_ms)
    assert {update.node for update in office.turn().updates} == {office.row_number(1)}


@pytest.mark.parametrize(
    ("number", "values"),
    [(9, {"role": int(Role.NODE)}), (1, {"network_id": 2})],
    ids=["a 6LBR in the row of a 6LN", "a node in the row of another network"],
)
def test_a_node_is_told_nothing_where_it_is_not_what_its_row_says(
    office: Office, number: int, values: Mapping[str, object]
) -> None:
    """A 6LBR that is told as a 6LN would switch before the 6LNs (RFC 9031 §8.4.3.1)."""
    office.desk.network("two", b"\x00\x02", key_domain="lab", prefix="2001:db8:9::/64")
    join_6lbr(office)
    office.join(1, 2)
    office.start()
    save_node(office, number, next_at_ms=office.desk.now_ms, **values)
    told = {update.node for update in office.turn().updates}
    assert told == {office.row_number(1), office.row_number(2)} - {office.row_number(number)}


def join_6lbr(office: Office) -> None:
    with hall_at(office.desk) as hall:
        hall.join(hall.enroll(9, networks=("lab",), role=1), AS_6LBR)


@pytest.mark.parametrize(
    ("spoil", "state", "why"),
    [
        (lambda office: save_pledge(office, 1, network_ids=()), NodeState.LEFT, "left"),
        (lambda office: wait_for_recovery(office, 1), NodeState.UNREACHABLE, "damaged"),
    ],
    ids=["its network is taken from it", "its context waits for recovery"],
)
def test_who_may_not_be_told_is_passed_over(
    office: Office, spoil: Callable[[Office], None], state: NodeState, why: str
) -> None:
    """The others are told; no number of its context is used (RFC 8613 §7.2.1)."""
    office.join(1, 2)
    office.start()
    spoil(office)
    numbers = office.state()["numbers_reserved"]
    assert {update.node for update in office.turn().updates} == {office.row_number(2)}
    assert (office.node().state, office.node().last_error) == (state, why)
    assert office.state()["numbers_reserved"] == numbers


def test_b04_numbers_are_reserved_no_further_ahead_than_half_a_minute(office: Office) -> None:
    """Told again each second, a node soon waits: else one would have to for hours (row B4)."""
    office.join(1)
    office.start()

    def told_again() -> tuple[Turned, int]:
        turned = office.turn()
        at_s = (office.desk.now_ms - NUMBERS_EPOCH_MS) // SECOND_MS
        ahead_s = office.state()["numbers_reserved"] - NUMBERS - at_s
        office.turn(*(unanswered(each, UpdateError.CANCELLED) for each in turned.updates))
        office.desk.now_ms += SOON_MS
        return turned, ahead_s

    told = [told_again() for _ in range(60)]
    assert max(ahead_s for _, ahead_s in told) <= MAX_AHEAD_S
    assert 60 // NUMBERS < sum(len(turned.updates) for turned, _ in told) < 60 // NUMBERS + 6
