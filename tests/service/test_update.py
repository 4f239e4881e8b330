"""What is on disk before an update leaves, and what becomes of its outcome."""

import pytest

from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import Role
from jrc.model import Profile
from jrc.policy.rollover import NodeState
from jrc.service.outcomes import MAX_EXCHANGE_MS
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge, revoke_pledges
from jrc.service.rollover import advance
from jrc.service.rollover_records import RolloverRecord
from jrc.service.update import Room, Want, lane_of
from tests.desk import ACTOR, pledge_id
from tests.joining import hall_at
from tests.service.office import NUMBERS_EPOCH_MS, SECOND_MS, Office, answered, unanswered


def test_e03_a_6ln_is_told_the_new_set_alone(office: Office) -> None:
    """It keeps the old ones for sending by itself (RFC 9031 §8.4.3.2)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    told = decode_configuration(update.payload)
    key_ids = [key.key_id for key in told.keys]
    assert [2] == key_ids
    assert (None, None, None) == (told.short_identifier, told.jrc_address, told.blocklist)
    assert "2001:db8::212:4b00:0:1" == str(update.address)
    assert (True, True) == (update.with_kid_context, update.with_uri_host)


def test_b04_numbers_are_on_disk_before_an_update_is_given_out(office: Office) -> None:
    """Reserved in the row, above the seconds since 2026 (RFC 8613 App. B.1.1)."""
    office.join(1)
    office.start()
    before = office.state()
    (update,) = office.turn().updates
    after = office.state()
    assert update.numbers.reserved == after["numbers_reserved"] == update.numbers.first + 8
    assert (office.desk.now_ms - NUMBERS_EPOCH_MS) // 1000 == update.numbers.first
    assert before["version"] + 1 == after["version"]


def test_b04_a_second_update_has_other_numbers(office: Office) -> None:
    """Those that were left of the first block are lost."""
    office.join(1)
    office.start()
    (first,) = office.turn().updates
    office.turn(unanswered(first))
    office.desk.now_ms = office.node().next_at_ms or 0
    (second,) = office.turn().updates
    assert first.numbers.reserved <= second.numbers.first


def test_f03_the_short_identifier_is_burned_in_keys_that_may_have_left(office: Office) -> None:
    """For the first datagram that may carry them, whether it arrives or not (§8.4.4.1)."""
    office.join(1)
    office.start()
    query = "SELECT first_generation, last_generation FROM short_identifier"
    assert [(1, 1)] == office.desk.sql(query)
    office.turn()
    assert NodeState.SENT is office.node().state
    assert office.desk.now_ms == office.node().sent_at_ms
    office.desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    assert [(1, 2)] == office.desk.sql(query)


def test_b04_without_a_clock_nobody_is_told(office: Office) -> None:
    """A clock behind what was seen gives no numbers; nothing is written of nodes."""
    office.join(1)
    office.start()
    office.desk.now_ms -= 2 * SECOND_MS
    turned = office.turn()
    assert () == turned.updates
    assert "clock" in (turned.no_numbers or "")
    assert NodeState.PENDING is office.node().state
    office.desk.now_ms += 2 * SECOND_MS
    assert 1 == len(office.turn().updates)


def test_k09_a_revoked_pledge_is_told_nothing(office: Office) -> None:
    """Looked at in the transaction that prepares the update."""
    office.join(1, 2)
    office.start()
    office.desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    told = {update.node for update in office.turn().updates}
    assert office.row_number(1) not in told


def test_k09_a_revoked_pledge_is_told_nothing_where_its_row_is_still_due(office: Office) -> None:
    """As it is for as long as two registrars are at work: who it is decides, not who is due."""
    office.join(1, 2)
    office.start()
    number = office.row_number(1)
    (due,) = [each for each in office.nodes().values() if each.pledge_id == number]
    office.desk.write(lambda tx: revoke_pledges(tx, [pledge_id(1)], actor=ACTOR, rekey=False))
    left = office.nodes()[number]
    again = left._replace(state=due.state, next_at_ms=due.next_at_ms)
    office.desk.write(lambda tx: tx.rollovers.save_nodes([again]))
    assert {office.row_number(2)} == {update.node for update in office.turn().updates}


@pytest.mark.parametrize(
    "damage",
    [
        (
            "UPDATE context_state SET highest = highest + 1 WHERE context_id IN"
            " (SELECT id FROM context WHERE pledge_id = :p)"
        ),
        "UPDATE pledge SET label = 'x' WHERE id = :p",
        "UPDATE short_identifier SET last_generation = 9 WHERE pledge_id = :p",
    ],
)
def test_m02_a_damaged_pledge_keeps_nobody_else_from_being_told(
    office: Office, damage: str
) -> None:
    """It is told nothing itself."""
    office.join(1, 2, 3)
    office.start()
    office.desk.sql(damage, p=office.row_number(2))
    told = {update.node for update in office.turn().updates}
    assert {office.row_number(1), office.row_number(3)} == told


def test_what_takes_no_updates_has_to_join_again(office: Office) -> None:
    """Listed, counted nowhere, and never sent anything (profile openwsn)."""
    office.join(1, profile=Profile.OPENWSN)
    office.start()
    assert () == office.turn().updates
    assert NodeState.MUST_JOIN is office.node().state


def test_a_join_under_a_cached_context_looks_again_after_an_update(office: Office) -> None:
    """The update has changed the context's row: the numbers it reserved are not lost."""
    with hall_at(office.desk) as hall:
        pledge = hall.enroll(1, networks=("lab",))
        hall.join(pledge)
        office.start()
        hall.join(pledge)
        (update,) = office.turn().updates
        hall.join(pledge)
    assert update.numbers.reserved == office.state()["numbers_reserved"]


def test_room_is_kept_for_other_networks(office: Office) -> None:
    """A network that is full does not take the places of another."""
    office.desk.network("two", b"\x00\x02", prefix="2001:db8:2::/64")
    office.join(1, 2, 3)
    with hall_at(office.desk) as hall:
        for number in (11, 12):
            hall.join(hall.enroll(number, networks=("two",)), bytes.fromhex("a105420002"))
    office.start("lab")
    office.start("two")
    first = office.turn(each=3, room=3).updates
    office.open = {update.node: update.network for update in first}
    second = office.turn(each=3, room=6).updates
    networks = sorted(update.network for update in (*first, *second))
    assert [1, 1, 2, 2] == networks


def test_e03_after_the_switch_a_6ln_joins_with_both_sets(office: Office) -> None:
    """And is told the new one alone before the end (RFC 9031 §8.4.3.2)."""
    office.join(1)
    with hall_at(office.desk) as hall:
        router = hall.enroll(9, networks=("lab",), role=1)
        hall.join(router, bytes.fromhex("a20101 0542cafe".replace(" ", "")))
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update))
    moved = office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    assert "switching" == moved.phase
    with hall_at(office.desk) as hall:
        late = hall.enroll(5, networks=("lab",))
        assert [1, 2] == [key.key_id for key in hall.join(late).keys]
        assert [2] == [
            key.key_id
            for key in hall.join(router, bytes.fromhex("a20101 0542cafe".replace(" ", ""))).keys
        ]
    assert NodeState.PENDING is office.node(9).state
    told = {update.node: update for update in office.turn().updates}
    assert {office.row_number(5), office.row_number(9)} == told.keys()
    office.turn(answered(told[office.row_number(9)]))
    assert NodeState.REACHED is office.node(9).state
    keys = decode_configuration(told[office.row_number(5)].payload).keys
    assert [2] == [key.key_id for key in keys]


def office_record(tx: Registry) -> RolloverRecord:
    return tx.rollovers.latest(1)[0]


def test_a_6lbr_that_can_not_be_read_holds_the_switch_up(office: Office) -> None:
    """It may send with the old keys: the network is not switched without it."""
    office.join(1)
    with hall_at(office.desk) as hall:
        hall.join(hall.enroll(9, networks=("lab",), role=1), bytes.fromhex("a201010542cafe"))
    office.start()
    office.desk.sql(
        "UPDATE context_state SET highest = highest + 1 WHERE context_id IN"
        " (SELECT id FROM context WHERE pledge_id = :p)",
        p=office.row_number(9),
    )
    (update,) = office.turn().updates
    office.turn(answered(update))
    office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    office.turn()
    after = office.desk.write(lambda tx: advance(tx, office_record(tx).id))
    assert "switching" == after.phase
    assert (NodeState.UNREACHABLE, "damaged") == (office.node(9).state, office.node(9).last_error)
    assert (office.node(9).next_at_ms or 0) > office.desk.now_ms


@pytest.mark.parametrize("damage", ["role = 1", "attempts = 9", "role = 7"])
def test_a_damaged_row_is_mended_by_where_its_node_is(office: Office, damage: str) -> None:
    """So that the rollover can end (the row would be told nothing as it is)."""
    office.join(1)
    office.start()
    office.desk.sql(f"UPDATE rollover_node SET {damage}")
    (update,) = office.turn().updates
    office.turn(answered(update))
    assert (NodeState.REACHED, 0) == (office.node().state, office.node().role)


def test_keys_leave_room_for_settings_in_every_network(office: Office) -> None:
    """A throttle does not wait for hours until everybody has new keys."""
    room = Room({}, 64, 8)
    wants = [Want(number, 1, 0) for number in range(20)]
    assert 7 == len(room.take(wants, leaves_room=True))
    assert {1} == room.full(leaves_room=True)
    assert set() == room.full()
    assert 1 == len(room.take(wants))
    assert {1} == room.full()


def test_a_6lbr_waits_for_no_6ln() -> None:
    """Half a switched network would wait for exchanges that take minutes (RFC 9031 §8.4.3.1)."""
    node, router = lane_of(1, Role.NODE), lane_of(1, Role.LBR)
    room = Room({}, 64, 2)
    assert 2 == len(room.take([Want(number, node, 0) for number in range(3)]))
    assert [9, 8] == [
        want.pledge_id for want in room.take([Want(9, router, 0), Want(8, router, 0)])
    ]
    assert len({node, router, lane_of(2, Role.NODE), lane_of(2, Role.LBR)}) == 4


def test_what_a_process_was_telling_is_taken_up_in_any_state(office: Office) -> None:
    """Also who was tried before: half a switched network must not wait for ten minutes."""
    office.join(1, 2)
    office.start()
    first, _ = office.turn().updates
    office.turn(unanswered(first))
    office.desk.now_ms = office.nodes()[first.node].next_at_ms or 0
    office.turn()
    assert NodeState.UNREACHABLE is office.nodes()[first.node].state
    office.desk.now_ms += 1000
    taken = office.desk.write(lambda tx: tx.rollovers.take_up(1, MAX_EXCHANGE_MS))
    assert 2 == taken
    assert {office.desk.now_ms} == {each.next_at_ms for each in office.nodes().values()}
