"""Nodes that join elsewhere while a rollover runs, and rows of it that were damaged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import make_url

from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import Role
from jrc.policy.rollover import NodeState, Phase
from jrc.service.keying import Keying
from jrc.service.outcomes import Retry
from jrc.service.rollover import start_rollover
from jrc.service.rollover_records import RolloverNode
from jrc.service.telling import Facts
from jrc.service.update import Room, turn
from jrc.store import joins as store_joins
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk
from tests.joining import JOIN, hall_at
from tests.rollovers import AS_6LBR, Floor

TO_YARD, TO_FAR = bytes.fromhex("a10542caff"), bytes.fromhex("a10542cafd")
FAR_AS_6LBR = bytes.fromhex("a201010542cafd")
EVERYWHERE = ("lab", "yard", "far")


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """6LNs 1 and 2, 6LBRs 3 and 4 in `lab`; `yard` has the same keys, `far` others."""
    desk.network("lab", b"\xca\xfe", key_domain="site")
    desk.network("yard", b"\xca\xff", key_domain="site")
    desk.network("far", b"\xca\xfd")
    with hall_at(desk) as hall:
        floor = Floor(hall)
        for number, role in enumerate((Role.NODE, Role.NODE, Role.LBR, Role.LBR), 1):
            pledge = hall.enroll(number, role=role.value, networks=EVERYWHERE)
            floor.pledges[number] = pledge
            hall.join(pledge, AS_6LBR if role is Role.LBR else JOIN)
        yield floor


def row(floor: Floor, number: int, rollover: int = 1) -> RolloverNode:
    return floor.desk.read(lambda tx: tx.rollovers.find(rollover, [number]))[number]


def start_far(floor: Floor) -> None:
    floor.desk.write(lambda tx: start_rollover(tx, "far", actor=ACTOR))


# --- Into another key domain -------------------------------------------------------------------


def test_e03_a_6ln_that_moves_to_other_keys_is_waited_for_no_more(floor: Floor) -> None:
    """Its row has left, is whole, and is due at no time; the network switches without it."""
    floor.start()
    before = row(floor, 1)
    floor.hall.join(floor.pledges[1], TO_FAR)
    after = row(floor, 1)
    left = before._replace(state=NodeState.LEFT, next_at_ms=None, version=before.version + 1)
    assert left == after
    assert [2] == floor.due()
    floor.to_switching()


def test_e03_a_6lbr_that_moves_to_other_keys_is_waited_for_no_more(floor: Floor) -> None:
    """The network that it has left does not switch for ever."""
    floor.start()
    floor.to_switching()
    floor.tell(only=[3])
    assert floor.advance() is Phase.SWITCHING
    floor.hall.join(floor.pledges[4], FAR_AS_6LBR)
    assert "left" == floor.states()[4]
    assert floor.advance() is Phase.GUARDING


def test_e03_a_node_that_moves_away_and_back_is_told_again(floor: Floor) -> None:
    """That it was sent the new keys before is not forgotten."""
    floor.start()
    floor.tell(NodeState.SENT, only=[1])
    floor.desk.now_ms += 5
    floor.hall.join(floor.pledges[1], TO_FAR)
    floor.hall.join(floor.pledges[1], JOIN)
    back = row(floor, 1)
    assert (NodeState.PENDING, floor.desk.now_ms) == (back.state, back.next_at_ms)
    assert floor.desk.now_ms - 5 == back.sent_at_ms


def test_e03_a_node_moves_from_one_rollover_into_another(floor: Floor) -> None:
    """It leaves the one and is told by the other."""
    floor.start()
    start_far(floor)
    floor.hall.join(floor.pledges[1], TO_FAR)
    assert (NodeState.LEFT, NodeState.PENDING) == (row(floor, 1).state, row(floor, 1, 2).state)
    floor.hall.join(floor.pledges[1], JOIN)
    assert (NodeState.PENDING, NodeState.LEFT) == (row(floor, 1).state, row(floor, 1, 2).state)


def test_e03_moves_within_one_transaction_end_where_the_last_join_was(floor: Floor) -> None:
    """Several pledges, there and back, and one that has no row."""
    floor.start()
    late = floor.hall.enroll(5, networks=EVERYWHERE)
    first, second = floor.pledges[1], floor.pledges[2]
    floor.hall.take(first.request(TO_FAR), second.request(TO_FAR), late.request(JOIN))
    floor.hall.commit()
    states = floor.states()
    assert ("left", "left", "pending") == (states[1], states[2], states[5])


def test_what_is_no_move_asks_for_no_rows(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joins again, also with other settings, within one domain, and where no rollover runs."""
    asked: list[Any] = []
    monkeypatch.setattr(store_joins, "note_moves", lambda *given: asked.append(given))
    pledge = floor.pledges[1]
    floor.hall.join(pledge, TO_FAR)
    floor.hall.join(pledge, JOIN)
    floor.hall.join(floor.pledges[2], TO_FAR)
    floor.desk.sql("UPDATE node SET settings_number = 7 WHERE pledge_id = 2")
    floor.start()
    floor.hall.join(pledge, JOIN)
    floor.hall.join(floor.pledges[2], TO_FAR)
    floor.hall.join(pledge, TO_YARD)
    floor.hall.join(floor.hall.enroll(5, networks=EVERYWHERE), TO_FAR)
    assert [] == asked
    floor.hall.join(pledge, TO_FAR)
    ((*_, rollover_id, gone),) = asked
    assert (1, [1], [2]) == (rollover_id, list(gone), [place.network_id for place in gone.values()])


# --- Within one key domain ---------------------------------------------------------------------


@pytest.mark.parametrize("told", [(), (1,)], ids=["untold", "told before"])
def test_e03_a_node_that_moves_to_a_network_with_the_same_keys_is_told_there(
    floor: Floor, told: tuple[int, ...]
) -> None:
    """One rollover is for all networks of a key domain."""
    floor.start()
    if told:
        floor.tell(only=told)
    floor.hall.join(floor.pledges[1], TO_YARD)
    moved = row(floor, 1)
    assert (2, NodeState.PENDING) == (moved.network_id, moved.state)
    facts = Facts()
    keying, room = Keying(Retry(), facts), Room({}, 64, 64)
    turned = floor.desk.write(lambda tx: turn(tx, [keying], (), room, facts))
    (update,) = (each for each in turned.updates if each.node == 1)
    assert [2] == [key.key_id for key in decode_configuration(update.payload).keys]


@pytest.mark.parametrize("change", ["network_id = 2", "role = 1"])
def test_what_was_acknowledged_elsewhere_says_nothing_of_a_place(floor: Floor, change: str) -> None:
    """Of a network or a role that the node is not in any more."""
    floor.start()
    floor.tell()
    floor.desk.sql(f"UPDATE node SET {change} WHERE pledge_id = 1")
    number = floor.record().generation_id
    floor.desk.write(lambda tx: tx.rollovers.place_reached(1, number))
    found = floor.desk.sql("SELECT pledge_id FROM node WHERE generation_id = :g", g=number)
    assert [(2,)] == found


# --- Damaged rows ------------------------------------------------------------------------------

DAMAGES = ["attempts = 9", "state = 'reached'", "role = 7", "version = 'a'", "version = -3",
           "version = 9223372036854775807", "next_at_ms = 'x'", "mac = x'00'"]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_pledge_whose_row_in_a_rollover_is_damaged_joins(floor: Floor, damage: str) -> None:
    """A whole row takes the place of the damaged one; it may have been sent the new keys."""
    floor.start()
    on_disk = break_row(floor, damage)
    floor.hall.join(floor.pledges[1], JOIN)
    after = row(floor, 1)
    assert (NodeState.PENDING, None, 0) == (after.state, after.last_error, after.sent_at_ms)
    assert floor.desk.now_ms == after.next_at_ms
    if isinstance(on_disk, int) and 0 <= on_disk < 1 << 62:
        assert on_disk + 1 == after.version


@pytest.mark.parametrize("damage", [*DAMAGES, "network_id = 77"])
def test_a_pledge_whose_row_in_a_rollover_is_damaged_moves(floor: Floor, damage: str) -> None:
    """It has left like any other, from where it was."""
    floor.start()
    break_row(floor, damage)
    floor.hall.join(floor.pledges[1], TO_FAR)
    after = row(floor, 1)
    assert (NodeState.LEFT, None, "its row was damaged") == (
        after.state,
        after.next_at_ms,
        after.last_error,
    )
    assert (1, Role.NODE) == (after.network_id, after.role)
    floor.to_switching()


def test_a_damaged_row_keeps_no_others_from_joining(floor: Floor) -> None:
    """In the same transaction."""
    floor.start()
    break_row(floor, "attempts = 9")
    sent = len(floor.hall.outbox.sent)
    pledges: list[OddPledge] = [floor.pledges[1], floor.pledges[2]]
    floor.hall.take(*(pledge.request(JOIN) for pledge in pledges))
    floor.hall.commit()
    assert 2 == len(floor.hall.outbox.sent) - sent


def break_row(floor: Floor, damage: str) -> object:
    """Damage the first node's row; its version as it is on disk then."""
    # A connection of its own looks at no foreign keys, as a flipped bit does not.
    with closing(sqlite3.connect(make_url(floor.desk.url).database or "")) as file, file:
        file.execute(f"UPDATE rollover_node SET {damage} WHERE pledge_id = 1")
        ((version,),) = file.execute("SELECT version FROM rollover_node WHERE pledge_id = 1")
    return version


def test_k10_a_damaged_row_tells_nobody_the_keys_of_a_domain_it_has_left(floor: Floor) -> None:
    """A node gets the keys of the network it is in, whatever a row says (RFC 9031 §8.4.3)."""
    floor.start()
    floor.hall.join(floor.pledges[1], TO_FAR)
    assert row(floor, 1).state is NodeState.LEFT
    floor.desk.sql("UPDATE rollover_node SET next_at_ms = 0 WHERE pledge_id = 1")
    facts = Facts()
    errands = [Keying(Retry(), facts)]
    turned = floor.desk.write(lambda tx: turn(tx, errands, (), Room({}, 64, 64), facts))
    assert 1 not in [update.node for update in turned.updates]
