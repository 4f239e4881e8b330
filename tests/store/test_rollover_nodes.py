"""Rows of nodes in rollovers: versioned, paged, due in order; a damaged one is told anew."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from jrc.cojp.constants import Role
from jrc.errors import ConflictError
from jrc.policy.rollover import TOLD_BY_UPDATE, NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverNode
from jrc.store import rollovers
from tests.desk import NOW_MS, Desk
from tests.joining import next_generation
from tests.rollovers import Floor
from tests.store.rollover_rows import DRAFT, add, end, node


def due(desk: Desk, now_ms: int = NOW_MS, limit: int = 10, **more: object) -> list[int]:
    found = desk.read(lambda tx: tx.rollovers.due(now_ms, limit, **more))  # type: ignore[arg-type]
    return [each.pledge_id for each in found]


@pytest.mark.parametrize(
    "damage", ["state = 'reached'", "state = 'rea\x03hed'", "attempts = 9", "role = 1"]
)
def test_a_node_whose_row_is_damaged_is_told_anew(floor: Floor, damage: str) -> None:
    """A forged `reached` would cut it off; and it keeps nobody else from being told."""
    add(floor.desk, node(1), node(2))
    floor.desk.sql(f"UPDATE rollover_node SET {damage} WHERE pledge_id = 2")
    assert {1, 2} == set(due(floor.desk))
    (_, doubted) = floor.desk.read(lambda tx: tx.rollovers.nodes(1))
    assert (NodeState.PENDING, "its row was damaged", 0) == (
        doubted.state,
        doubted.last_error,
        doubted.sent_at_ms,
    )
    floor.desk.write(lambda tx: tx.rollovers.save_nodes([doubted._replace(attempts=1)]))
    (_, good) = floor.desk.read(lambda tx: tx.rollovers.nodes(1))
    assert 1 == good.attempts


def test_a_state_that_is_none_counts_as_one_that_has_to_be_waited_for(floor: Floor) -> None:
    """Counting looks at no MAC, and must not take a damaged word for a good one."""
    add(floor.desk, node(1))
    floor.desk.sql("UPDATE rollover_node SET state = 'rea\x03hed', role = 7")
    counts = floor.desk.read(lambda tx: tx.rollovers.counts(1))
    assert 1 == counts.nodes.pending


def test_nodes_of_a_new_rollover_are_written_as_they_are_read(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be many thousands, and memory for one batch of them is enough."""
    monkeypatch.setattr(rollovers, "BATCH", 2)
    ahead = []

    def nodes(tx: Registry) -> Iterator[RolloverNode]:
        for number in (1, 2, 3):
            ahead.append(number - len(tx.rollovers.nodes(1)))
            yield node(number)

    floor.desk.write(lambda tx: tx.rollovers.add(DRAFT, nodes(tx)))
    assert [1, 2, 1] == ahead
    found = floor.desk.read(lambda tx: tx.rollovers.nodes(1))
    assert [1, 2, 3] == [each.pledge_id for each in found]


def test_nodes_are_read_back_as_they_were_written(floor: Floor) -> None:
    """In the order of their pledges, by page, by state, by number."""
    full = node(
        2,
        7,
        role=1,
        state=NodeState.SENT,
        attempts=3,
        last_error="no_answer",
        sent_at_ms=4,
        reached_at_ms=5,
        tried_at_ms=6,
    )
    add(floor.desk, node(3), full, node(1))

    def pages(tx: Registry) -> tuple[list[int], list[RolloverNode], dict[int, RolloverNode]]:
        first = [each.pledge_id for each in tx.rollovers.nodes(1, limit=2)]
        rest = [each.pledge_id for each in tx.rollovers.nodes(1, after=2)]
        sent = list(tx.rollovers.nodes(1, states=[NodeState.SENT]))
        return [*first, *rest], sent, dict(tx.rollovers.find(1, [2, 99]))

    numbers, sent, found = floor.desk.read(pages)
    assert [1, 2, 3] == numbers
    assert [full._replace(version=1)] == sent
    assert {2: full._replace(version=1)} == found


def test_a_node_that_was_changed_meanwhile_is_not_overwritten(floor: Floor) -> None:
    """A join and an answer may come at the same time; nothing of the batch is written then."""
    add(floor.desk, node(1), node(2))
    before = floor.desk.read(lambda tx: tx.rollovers.nodes(1))
    floor.desk.write(lambda tx: tx.rollovers.save_nodes([before[1]._replace(attempts=1)]))
    late = [each._replace(attempts=5) for each in before]
    with pytest.raises(ConflictError):
        floor.desk.write(lambda tx: tx.rollovers.save_nodes(late))
    assert [0, 1] == [n.attempts for n in floor.desk.read(lambda tx: tx.rollovers.nodes(1))]


def test_those_longest_due_come_first(floor: Floor) -> None:
    """Without those in flight, up to a limit, and none before its time."""
    add(floor.desk, node(1, NOW_MS - 1), node(2, NOW_MS - 9), node(3, NOW_MS + 1), node(4, None))
    desk = floor.desk
    assert [2, 1] == due(desk)
    assert [2] == due(desk, limit=1)
    assert [1] == due(desk, limit=1, but={2})
    assert [2, 1, 3] == due(desk, NOW_MS + 1)
    assert [] == due(desk, full={1})
    assert NOW_MS - 9 == desk.read(lambda tx: tx.rollovers.next_due_ms())


@pytest.mark.parametrize(
    ("phase", "tells"),
    [
        (Phase.PLANNED, False),
        (Phase.DISTRIBUTING, True),
        (Phase.SWITCHING, True),
        (Phase.GUARDING, True),
        (Phase.PAUSED, False),
        (Phase.DONE, False),
        (Phase.ABORTED, True),
    ],
)
def test_nobody_is_due_while_a_rollover_waits_or_is_done(
    floor: Floor, phase: Phase, tells: bool
) -> None:
    """An aborted one goes on telling the keys in force (row E10)."""
    add(floor.desk, node(1), draft=replace(DRAFT, phase=phase))
    assert due(floor.desk) == [1] * tells
    expected = NOW_MS if tells else None
    assert expected == floor.desk.read(lambda tx: tx.rollovers.next_due_ms())


def test_counts_tell_roles_and_states_apart(floor: Floor) -> None:
    """By one query, whatever the size of the network."""
    add(
        floor.desk,
        node(1, state=NodeState.REACHED),
        node(2, state=NodeState.REACHED),
        node(3, state=NodeState.SENT),
        node(4, role=1, state=NodeState.REFUSED),
    )
    counts = floor.desk.read(lambda tx: tx.rollovers.counts(1))
    assert (2, 1, 3) == (counts.nodes.reached, counts.nodes.sent, counts.nodes.counted)
    assert (1, 1) == (counts.border_routers.refused, counts.border_routers.counted)
    assert 1 == counts.holding_both


@pytest.mark.parametrize(
    ("role", "state", "begins"),
    [
        *((1, state, True) for state in sorted(TOLD_BY_UPDATE)),
        (1, NodeState.LEFT, False),
        (1, NodeState.MUST_JOIN, False),
        (0, NodeState.REACHED, False),
    ],
)
def test_counts_name_networks_in_which_nobody_begins(
    floor: Floor, role: int, state: NodeState, begins: bool
) -> None:
    """A 6LBR that is told does, reached or not yet; each network has its own."""
    floor.desk.network("hut", b"\xbe\xef", prefix="2001:db8:1::/64", key_domain="lab")
    add(
        floor.desk,
        node(1, state=NodeState.MUST_JOIN),
        node(2, network_id=2, state=NodeState.LEFT),
        node(3, role=role, state=state),
        node(4, network_id=2, role=1, state=NodeState.LEFT),
    )
    counts = floor.desk.read(lambda tx: tx.rollovers.counts(1))
    assert counts.without_router == (frozenset() if begins else frozenset({1}))


def test_counts_are_those_of_the_rows_in_the_midst_of_a_transaction(floor: Floor) -> None:
    """After each way to write nodes; in between they are not counted again."""
    next_generation(floor.desk, retire=True)
    record = add(floor.desk, node(1), node(2))
    end(floor.desk, record)

    def change(tx: Registry) -> list[int]:
        found = [tx.rollovers.counts(1).nodes.pending]
        tx.rollovers.save_nodes([tx.rollovers.find(1, [1])[1]._replace(state=NodeState.REACHED)])
        found.append(tx.rollovers.counts(1).nodes.pending)
        tx.rollovers.set_states(1, [NodeState.PENDING], NodeState.REACHED)
        found += [tx.rollovers.counts(1).nodes.pending, tx.rollovers.counts(1).nodes.reached]
        tx.rollovers.forget_nodes(record.domain_id, 0)
        return [*found, tx.rollovers.counts(1).nodes.reached]

    assert [2, 1, 0, 2, 0] == floor.desk.write(change)


def test_all_nodes_in_a_state_are_taken_into_another(floor: Floor) -> None:
    """Those of a role, of a network, or that were sent something alone, page by page."""
    add(
        floor.desk,
        node(1, sent_at_ms=5),
        node(2),
        node(3, state=NodeState.REACHED, sent_at_ms=5),
        node(4, role=1),
    )

    def change(**more: object) -> int:
        return floor.desk.write(
            lambda tx: tx.rollovers.set_states(
                1,
                [NodeState.PENDING],
                NodeState.LEFT,
                **more,  # type: ignore[arg-type]
            )
        )

    assert 0 == change(network_id=2)
    assert 1 == change(only_sent=True)
    assert 1 == change(role=Role.LBR)
    assert {1: "left", 2: "pending", 3: "reached", 4: "left"} == floor.states()
    assert [2, 3] == due(floor.desk)


def test_more_nodes_than_a_page_are_changed(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one once, also where those before it fall out of the query."""
    monkeypatch.setattr("jrc.store.rollover_nodes.BATCH", 2)
    add(floor.desk, *map(node, (1, 2, 3, 4)))
    states = (NodeState.PENDING,)
    moved = floor.desk.write(lambda tx: tx.rollovers.set_due(1, states, NOW_MS - 5))
    left = floor.desk.write(lambda tx: tx.rollovers.set_states(1, states, NodeState.LEFT))
    assert (4, 4) == (moved, left)
    assert {"left"} == set(floor.states().values())


def test_being_due_is_written_only_where_it_changes(floor: Floor) -> None:
    """10,000 rows that are as they should be cost no writing."""
    add(floor.desk, node(1), node(2, None))
    states = list(NodeState)
    assert 1 == floor.desk.write(lambda tx: tx.rollovers.set_due(1, states, NOW_MS))
    assert 2 == floor.desk.write(lambda tx: tx.rollovers.set_due(1, states, None))
    assert 0 == floor.desk.write(lambda tx: tx.rollovers.set_due(1, states, None))


def test_nodes_of_old_rollovers_are_forgotten(floor: Floor) -> None:
    """The last ones and a running one stay; what the older came to is in the audit log."""
    next_generation(floor.desk, retire=True)
    for _ in range(3):
        end(floor.desk, add(floor.desk, node(1), node(2)))
    add(floor.desk, node(1))
    floor.desk.write(lambda tx: tx.rollovers.forget_nodes(1, keep=2))
    query = "SELECT rollover_id, count(*) FROM rollover_node GROUP BY rollover_id ORDER BY 1"
    kept = floor.desk.sql(query)
    assert [(2, 2), (3, 2), (4, 1)] == kept


def test_nodes_of_the_rollover_that_brought_keys_in_force_are_kept(floor: Floor) -> None:
    """Until those are retired: a revocation asks who was sent them."""
    next_generation(floor.desk, retire=True)
    end(floor.desk, add(floor.desk, node(1), draft=replace(DRAFT, generation_id=2)))
    for _ in range(3):
        end(floor.desk, add(floor.desk, node(1)), Phase.ABORTED)

    def kept() -> list[tuple[object, ...]]:
        floor.desk.write(lambda tx: tx.rollovers.forget_nodes(1, keep=2))
        query = "SELECT DISTINCT rollover_id FROM rollover_node ORDER BY rollover_id"
        return floor.desk.sql(query)

    assert [(1,), (3,), (4,)] == kept()
    next_generation(floor.desk, retire=False)
    assert [(1,), (3,), (4,)] == kept()
    next_generation(floor.desk, retire=True)
    assert [(3,), (4,)] == kept()


def test_where_a_pledge_is_still_a_node(floor: Floor) -> None:
    """In what runs, and where it is to be told the keys in force again."""
    end(floor.desk, add(floor.desk, node(1), node(2, None)), Phase.ABORTED)
    end(floor.desk, add(floor.desk, node(1, None), node(2, None)))
    add(floor.desk, node(1, None), node(2))

    def of(pledge: int) -> list[int]:
        found = floor.desk.read(lambda tx: tx.rollovers.of_pledge(pledge))
        assert all(each.pledge_id == pledge for _, each in found)
        return [record.id for record, _ in found]

    assert [1, 3] == of(1)
    assert [3] == of(2)
    assert [] == of(3)


def test_places_of_reached_nodes_get_the_generation(floor: Floor) -> None:
    """The others still have what they had."""
    next_generation(floor.desk, retire=False)
    add(
        floor.desk,
        node(1, state=NodeState.REACHED),
        node(2, state=NodeState.UNREACHABLE),
        node(4, role=1, state=NodeState.REACHED),
    )
    floor.desk.write(lambda tx: tx.rollovers.place_reached(1, 2))
    assert [(1, 2), (2, 1), (3, 1), (4, 2)] == floor.desk.sql(
        "SELECT pledge_id, generation_id FROM node ORDER BY pledge_id"
    )
