"""How far each node is in a rollover: rows that change 64 at a time while nodes are told."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from jrc.cojp.constants import Role
from jrc.policy.rollover import TOLD_BY_UPDATE, Counts, NodeState, Phase, Tally
from jrc.service.rollover_records import DAMAGED, RolloverNode
from jrc.store.prepared import Prepared, PreparedIn, Rows, change, updating
from jrc.store.schema import (
    node,
    rollover,
    rollover_node,
)
from jrc.store.scope import Scope, chunked

_STATES = {state.value: state for state in NodeState}
_WORDS = {state: word for word, state in _STATES.items()}
_key_of = itemgetter(0, 1)
BATCH = 1000
"""Rows that are read and written at once where all nodes of a rollover change."""

_COLUMNS = [column for column in rollover_node.columns if column.name != "mac"]
_NAMES = [column.name for column in rollover_node.columns]
_KEYS = ("rollover_id", "pledge_id")
_SEALED = (*_COLUMNS, rollover_node.c.mac)
_ROWS = select(*_SEALED)

_TELLING = [
    phase.value for phase in (Phase.DISTRIBUTING, Phase.SWITCHING, Phase.GUARDING, Phase.ABORTED)
]
"""Phases in which nodes are told something; after an abort, the keys in force."""

_ZERO: ColumnElement[int] = literal_column("0")
"""As an offset: left out, SQLite gets a parameter for it."""


def _due(columns: Iterable[Any]) -> Select[Any]:
    return (
        select(*columns)
        .join_from(rollover_node, rollover, rollover.c.id == rollover_node.c.rollover_id)
        .where(rollover.c.phase.in_([literal_column(f"'{phase}'") for phase in _TELLING]))
        .order_by(rollover_node.c.next_at_ms)
    )


def _some_of(listed: Sequence[str]) -> Select[Any]:
    return _ROWS.where(rollover_node.c.rollover_id == bindparam("rollover_id")).where(
        rollover_node.c.pledge_id.in_([bindparam(name) for name in listed])
    )


_DUE = Prepared(
    _due(_SEALED)
    .where(rollover_node.c.next_at_ms <= bindparam("now_ms"))
    .limit(bindparam("most"))
    .offset(_ZERO),
    ["now_ms", "most"],
)
_NEXT = Prepared(
    _due([rollover_node.c.next_at_ms])
    .where(rollover_node.c.next_at_ms.is_not(None))
    .limit(literal_column("1"))
    .offset(_ZERO),
    [],
)
_PAGE = Prepared(
    _ROWS.where(rollover_node.c.rollover_id == bindparam("rollover_id"))
    .where(rollover_node.c.pledge_id > bindparam("after"))
    .order_by(rollover_node.c.pledge_id)
    .limit(bindparam("most"))
    .offset(_ZERO),
    ["rollover_id", "after", "most"],
)
_SOME = PreparedIn(_some_of, ["rollover_id"])
_INSERT = Prepared(insert(rollover_node), _NAMES)
_CHANGING = [name for name in _NAMES if name not in _KEYS]
_UPDATE = updating(rollover_node, [*_KEYS, "version"], _CHANGING)

_COUNTED_BY = (rollover_node.c.network_id, rollover_node.c.role, rollover_node.c.state)
_COUNTS = Prepared(
    select(*_COUNTED_BY, func.count())
    .where(rollover_node.c.rollover_id == bindparam("rollover_id"))
    .group_by(*_COUNTED_BY),
    ["rollover_id"],
)


class RolloverNodes:
    """The part of ``service.rollover_store.RolloverStore`` that is about nodes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection
        self._counted: dict[int, Counts] = {}
        """Until nodes are written: each phase is said with the counts it was decided upon."""

    # Reading

    def counts(self, rollover_id: int) -> Counts:
        """As ``RolloverStore.counts``."""
        counts = self._counted.get(rollover_id)
        if counts is None:
            counts = self._counted[rollover_id] = self._count(rollover_id)
        return counts

    def _count(self, rollover_id: int) -> Counts:
        nodes, routers = Counter[NodeState](), Counter[NodeState]()
        waiting, begun = set[int](), set[int]()
        for network_id, role, state, count in _COUNTS.rows(self._connection, (rollover_id,)):
            # A damaged word counts as one that nobody goes on without.
            word = _STATES.get(state, NodeState.PENDING)
            if role == Role.LBR.value:
                routers[word] += count
                if word in TOLD_BY_UPDATE:
                    begun.add(network_id)
            else:
                nodes[word] += count
                if word is not NodeState.LEFT:
                    waiting.add(network_id)
        tally = Tally.of(nodes)
        return Counts(
            nodes=tally,
            border_routers=Tally.of(routers),
            # Whoever was there before the switch is none of these after it (``PASSED_OVER``).
            holding_both=tally.untried,
            without_router=frozenset(waiting - begun),
        )

    def may_be_sent_with(self, rollover_id: int, network_id: int) -> bool:
        """As ``RolloverStore.may_be_sent_with``."""
        has_joined = (rollover_node.c.state == NodeState.REACHED.value) & (
            rollover_node.c.attempts == 0
        )
        found = exists().where(
            rollover_node.c.rollover_id == rollover_id,
            rollover_node.c.network_id == network_id,
            rollover_node.c.sent_at_ms.is_not(None),
            (rollover_node.c.role == Role.LBR.value) | has_joined,
        )
        return bool(self._connection.scalar(select(found)))

    def nodes(
        self,
        rollover_id: int,
        *,
        after: int = 0,
        limit: int = 500,
        states: Collection[NodeState] = (),
    ) -> list[RolloverNode]:
        """As ``RolloverStore.nodes``."""
        if not states:
            return self._nodes(_PAGE.rows(self._connection, (rollover_id, after, limit)))
        query = _all_of(rollover_id, states, None).where(rollover_node.c.pledge_id > after)
        return self._nodes(self._connection.execute(query.limit(limit)).all())

    def find(self, rollover_id: int, pledge_ids: Collection[int]) -> dict[int, RolloverNode]:
        """As ``RolloverStore.find``."""
        found: dict[int, RolloverNode] = {}
        for some in chunked(sorted(pledge_ids)):
            for each in self._nodes(_SOME.rows(self._connection, some, (rollover_id,))):
                found[each.pledge_id] = each
        return found

    def due(
        self,
        now_ms: int,
        limit: int,
        but: Collection[int] = (),
        full: Collection[int] = (),
    ) -> list[RolloverNode]:
        """As ``RolloverStore.due``."""
        rows = self._due_rows(now_ms, limit, full)
        free = [row for row in rows if row[1] not in but]
        if len(free) < len(rows):  # who is under way is due much later, but for jumps of the clock
            rows = self._due_rows(now_ms, limit + len(but), full)
            free = [row for row in rows if row[1] not in but][:limit]
        return self._nodes(free)

    def _due_rows(self, now_ms: int, most: int, full: Collection[int]) -> Rows:
        if not full:
            return _DUE.rows(self._connection, (now_ms, most))
        query = _due(_SEALED).where(rollover_node.c.next_at_ms <= now_ms)
        has_room = rollover_node.c.network_id.not_in(full)
        query = query.where(has_room | (rollover_node.c.role != Role.NODE.value))
        return self._connection.execute(query.limit(most)).all()

    def next_due_ms(self) -> int | None:
        """As ``RolloverStore.next_due_ms``."""
        rows = _NEXT.rows(self._connection, ())
        # Numbers come first: where there is none, nobody is due.
        return rows[0][0] if rows and isinstance(rows[0][0], int) else None

    def _nodes(self, rows: Rows) -> list[RolloverNode]:
        fits = self._scope.mac.fits
        found = []
        for row in rows:
            values = row[:-1]
            is_whole = fits("rollover_node", values, row[-1])
            found.append(_node(values) if is_whole else _doubted(values))
        return found

    # Writing

    def save_nodes(self, nodes: Sequence[RolloverNode]) -> None:
        """As ``RolloverStore.save_nodes``."""
        self._counted.clear()
        new, known = [], []
        compute = self._scope.mac.compute
        # In the order of their keys, so that two registrars never wait for each other in a ring.
        for each in sorted(nodes, key=_key_of):
            version = each.version
            values = (*each[:4], _WORDS[each.state], *each[5:-1], each.next_version)
            mac = compute("rollover_node", values)
            if version == 0:
                new.append((*values, mac))
            else:
                known.append((*values[2:], mac, *values[:2], version))
        _INSERT.many(self._connection, new)
        change(_UPDATE, self._connection, known)

    def set_states(
        self,
        rollover_id: int,
        before: Collection[NodeState],
        after: NodeState,
        *,
        role: int | None = None,
        network_id: int | None = None,
        only_sent: bool = False,
        next_at_ms: int | None = None,
    ) -> int:
        """As ``RolloverStore.set_states``."""
        query = _all_of(rollover_id, before, role)
        if network_id is not None:
            query = query.where(rollover_node.c.network_id == network_id)
        if only_sent:
            query = query.where(rollover_node.c.sent_at_ms.is_not(None))
        return self._change(query, lambda each: each._replace(state=after, next_at_ms=next_at_ms))

    def set_due(
        self,
        rollover_id: int,
        states: Collection[NodeState],
        next_at_ms: int | None,
        *,
        role: int | None = None,
    ) -> int:
        """As ``RolloverStore.set_due``."""
        later: ColumnElement[bool] = rollover_node.c.next_at_ms.is_not(None)
        if next_at_ms is not None:
            later = rollover_node.c.next_at_ms.is_(None) | (rollover_node.c.next_at_ms > next_at_ms)
        query = _all_of(rollover_id, states, role).where(later)
        return self._change(query, lambda each: each._replace(next_at_ms=next_at_ms))

    def take_up(self, rollover_id: int, after_ms: int) -> int:
        """As ``RolloverStore.take_up``."""
        under_way = rollover_node.c.next_at_ms == rollover_node.c.tried_at_ms + after_ms
        query = _all_of(rollover_id, list(NodeState), None).where(under_way)
        now_ms = self._scope.now_ms
        return self._change(query, lambda each: each._replace(next_at_ms=now_ms))

    def _change(self, query: Select[Any], changed: Callable[[RolloverNode], RolloverNode]) -> int:
        """Change every node that a query finds, page by page; how many."""
        count, last = 0, 0
        while True:
            page = query.where(rollover_node.c.pledge_id > last).limit(BATCH).with_for_update()
            nodes = self._nodes(self._connection.execute(page).all())
            if not nodes:
                return count
            self.save_nodes([changed(each) for each in nodes])
            count, last = count + len(nodes), nodes[-1].pledge_id

    def place_reached(self, rollover_id: int, generation_id: int) -> None:
        """As ``RolloverStore.place_reached``."""
        # Where a node is now counts: what it acknowledged elsewhere, or as another, does not.
        reached = (
            select(rollover_node.c.pledge_id, rollover_node.c.network_id, rollover_node.c.role)
            .where(rollover_node.c.rollover_id == rollover_id)
            .where(rollover_node.c.state == NodeState.REACHED.value)
        )
        self._connection.execute(
            update(node)
            .where(tuple_(node.c.pledge_id, node.c.network_id, node.c.role).in_(reached))
            .where(node.c.generation_id != generation_id)
            .values(generation_id=generation_id)
        )


def _all_of(rollover_id: int, states: Collection[NodeState], role: int | None) -> Select[Any]:
    query = (
        _ROWS.where(rollover_node.c.rollover_id == rollover_id)
        .where(rollover_node.c.state.in_([state.value for state in states]))
        .order_by(rollover_node.c.pledge_id)
    )
    return query if role is None else query.where(rollover_node.c.role == role)


def _node(values: Sequence[Any]) -> RolloverNode:
    fields = (*values[:4], _STATES[values[4]], *values[5:])
    return tuple.__new__(RolloverNode, fields)


def _doubted(values: Sequence[Any]) -> RolloverNode:
    """A node whose row does not authenticate: it may have been sent the keys, and is told anew.

    What it is told hangs on its pledge, whose row has a MAC of its own; this one gets a good MAC
    with the next word that is written into it.
    """
    rollover_id, pledge_id, network_id, role = values[:4]
    next_at_ms = values[10] if isinstance(values[10], int) else 0
    is_router = role == Role.LBR.value
    return RolloverNode(
        rollover_id,
        pledge_id,
        network_id,
        Role.LBR.value if is_router else Role.NODE.value,
        NodeState.PENDING,
        last_error=DAMAGED,
        sent_at_ms=0,
        next_at_ms=next_at_ms,
        version=values[11],
    )
