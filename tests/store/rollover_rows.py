"""Rows of rollovers and of their nodes, written as a test wants them."""

from dataclasses import replace

from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover_records import RolloverCause, RolloverNode, RolloverRecord
from tests.desk import ACTOR, NOW_MS, Desk

DRAFT = RolloverRecord(
    id=0,
    domain_id=1,
    generation_id=1,
    former_generation_id=1,
    phase=Phase.DISTRIBUTING,
    cause=RolloverCause.OPERATOR,
    actor=ACTOR,
    reason="a leak",
    quorum_permille=950,
    deadline_s=3600,
    created_at_ms=NOW_MS,
)


def node(pledge: int, due_ms: int | None = NOW_MS, **more: object) -> RolloverNode:
    given = {"rollover_id": 1, "network_id": 1, "role": 0, "state": NodeState.PENDING, **more}
    return RolloverNode(pledge_id=pledge, next_at_ms=due_ms, **given)  # type: ignore[arg-type]


def add(desk: Desk, *nodes: RolloverNode, draft: RolloverRecord = DRAFT) -> RolloverRecord:
    return desk.write(lambda tx: tx.rollovers.add(draft, nodes))


def end(desk: Desk, record: RolloverRecord, phase: Phase = Phase.DONE) -> RolloverRecord:
    ended = replace(record, phase=phase, ended_at_ms=NOW_MS)
    return desk.write(lambda tx: tx.rollovers.save(ended))
