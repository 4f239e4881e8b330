"""Joined nodes as updates find them, by one read without the join path's."""

import pytest

from tests.desk import Desk
from tests.joining import hall_at


@pytest.fixture
def joined(desk: Desk) -> Desk:
    """Pledges 1 to 3 in network lab; the first is of another network too, and before."""
    desk.network()
    desk.network("two", b"\x00\x02", prefix="2001:db8:2::/64")
    with hall_at(desk) as hall:
        first = hall.enroll(1, networks=("two", "lab"))
        hall.join(first, bytes.fromhex("a10542cafe"))
        for number in (2, 3):
            hall.join(hall.enroll(number, networks=("lab",)))
    return desk


def reached(desk: Desk) -> dict[int, tuple[int, ...]]:
    """The networks of whom an update may go to, by the pledge's number."""
    found = desk.write(lambda tx: dict(tx.nodes.reach([1, 2, 3])))
    return {number: each.pledge.network_ids for number, each in found.items()}


def test_a_pledge_of_several_networks_is_reached_with_them_in_their_order(joined: Desk) -> None:
    """The order is the operator's, and its row's MAC covers it."""
    assert {1: (2, 1), 2: (1,), 3: (1,)} == reached(joined)


def test_labels_that_a_node_can_not_take_change_nothing_of_its_networks(joined: Desk) -> None:
    """Each label and each network makes a row; together they tell of one node (§8.4.5)."""
    joined.write(lambda tx: tx.nodes.report(1, [(0, 7, None), (0, 8, None)]))
    found = joined.write(lambda tx: tx.nodes.reach([1]))[1]
    assert ((2, 1), frozenset({7, 8})) == (found.pledge.network_ids, found.left_out)


@pytest.mark.parametrize(("network_id", "position"), [(2, 7), (1, -1)])
def test_m02_networks_in_another_order_leave_their_pledge_out(
    joined: Desk, network_id: int, position: int
) -> None:
    """Whatever was changed past jrc shows in the MAC of the pledge."""
    joined.sql(
        "UPDATE pledge_network SET position = :p WHERE pledge_id = 1 AND network_id = :n",
        p=position,
        n=network_id,
    )
    assert [2, 3] == sorted(reached(joined))


def test_m02_a_position_that_is_no_number_is_no_fault(joined: Desk) -> None:
    """SQLite keeps any word in a column of numbers; the others are told all the same."""
    if joined.database.url.startswith("postgresql"):
        pytest.skip("PostgreSQL keeps numbers alone there")
    joined.sql("UPDATE pledge_network SET position = 'x' WHERE pledge_id = 1 AND network_id = 2")
    assert {2, 3} <= set(reached(joined))


def test_b06_a_context_whose_state_was_lost_is_told_nothing(joined: Desk) -> None:
    """Nobody knows which of its numbers were used, until its node has been through App. B.2."""
    assert joined.write(lambda tx: tx.recoveries.lose(2))
    assert [1, 3] == sorted(reached(joined))
