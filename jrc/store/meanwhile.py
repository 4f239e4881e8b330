"""What a running rollover hears of joins, written in the joins' own transaction (row E3).

A row that was damaged keeps no pledge from joining: what is written is whole again.
"""

from collections.abc import Mapping, Sequence

from jrc.policy.rollover import NodeState
from jrc.service.join_ports import JoinedMeanwhile, NodePlace
from jrc.service.rollover_records import DAMAGED, RolloverNode
from jrc.store.rollover_nodes import RolloverNodes
from jrc.store.scope import Scope


def note_joins(scope: Scope, joined: Sequence[tuple[int, JoinedMeanwhile]]) -> None:
    """Write how far these pledges are after their joins, each with its number.

    Whatever they had acknowledged before is forgotten: a device that joins may have lost it. That
    they were sent the new keys is not: it may have kept them as well.

    Raises:
        ConflictError: another transaction has changed a row.
    """
    rows = RolloverNodes(scope)
    for rollover_id in {meanwhile.rollover_id for _, meanwhile in joined}:
        entries = {who: what for who, what in joined if what.rollover_id == rollover_id}
        before = rows.find(rollover_id, entries)
        rows.save_nodes(
            [_joined(who, what, before.get(who), scope.now_ms) for who, what in entries.items()]
        )


def _joined(
    pledge_id: int, what: JoinedMeanwhile, before: RolloverNode | None, now_ms: int
) -> RolloverNode:
    sent_at_ms = None if before is None else before.sent_at_ms
    return RolloverNode(
        what.rollover_id,
        pledge_id,
        what.network_id,
        what.role,
        what.state,
        sent_at_ms=now_ms if what.has_new and sent_at_ms is None else sent_at_ms,
        reached_at_ms=now_ms if what.state is NodeState.REACHED else None,
        next_at_ms=now_ms if what.is_due else None,
        version=0 if before is None else before.version,
    )


def note_moves(scope: Scope, rollover_id: int, gone: Mapping[int, NodePlace]) -> None:
    """Write that pledges have left a rollover, those of them that are in it.

    They joined in another key domain: this one tells them nothing more, and waits for none.
    ``gone`` has where each was before.

    Raises:
        ConflictError: another transaction has changed a row.
    """
    rows = RolloverNodes(scope)
    found = rows.find(rollover_id, gone.keys())
    rows.save_nodes([_left(node, gone[who]) for who, node in found.items()])


def _left(node: RolloverNode, before: NodePlace) -> RolloverNode:
    if node.last_error == DAMAGED:
        # What its row says of that does not count.
        node = node._replace(network_id=before.network_id, role=before.role)
    return node._replace(state=NodeState.LEFT, next_at_ms=None)
