"""Which live link-layer keys pledges may have, as far as any row tells of a datagram with them.

It rather says too much than too little: a row that does not authenticate counts for every live
generation of its key domain.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, select, update

from jrc.model import KeySetState, PledgeState
from jrc.service.records import ToldKeys
from jrc.store.schema import (
    context,
    context_state,
    key_generation,
    node,
    pledge,
    rollover,
    rollover_node,
    short_identifier,
)
from jrc.store.scope import Scope, chunked

LIVE = (KeySetState.SCHEDULED.value, KeySetState.CURRENT.value, KeySetState.PREVIOUS.value)
"""States of keys that somebody has a use for."""


def told_keys(scope: Scope, pledge_ids: Sequence[int]) -> dict[int, frozenset[ToldKeys]]:
    """As ``PledgeStore.told_keys``."""
    live = _live(scope)
    found: defaultdict[int, set[ToldKeys]] = defaultdict(set)
    for some in chunked(pledge_ids):
        for build in _BY_GENERATION:
            for pledge_id, generation_id in scope.connection.execute(build(some)):
                if generation_id in live:
                    found[pledge_id].add(live[generation_id][1])
        for pledge_id, told in _by_identifier(scope, some, live.values()):
            found[pledge_id].add(told)
    return {pledge_id: frozenset(found[pledge_id]) for pledge_id in pledge_ids}


def _live(scope: Scope) -> Mapping[int, tuple[int, ToldKeys]]:
    """Live generations by row number, each with its number in its key domain."""
    query = select(key_generation).where(key_generation.c.state.in_(LIVE))
    return {
        row.id: (row.number, ToldKeys(row.domain_id, KeySetState(row.state)))
        for row in scope.connection.execute(query)
    }


def _by_place(pledge_ids: Sequence[int]) -> Select[Any]:
    return select(node.c.pledge_id, node.c.generation_id).where(node.c.pledge_id.in_(pledge_ids))


def _by_answer(pledge_ids: Sequence[int]) -> Select[Any]:
    """The last answers under any key that the pledges ever had."""
    return (
        select(context.c.pledge_id, context_state.c.answer_generation_id)
        .join_from(context, context_state, context_state.c.context_id == context.c.id)
        .where(context.c.pledge_id.in_(pledge_ids))
    )


def _by_update(pledge_ids: Sequence[int]) -> Select[Any]:
    """Parameter Updates of which a datagram may have left."""
    return (
        select(rollover_node.c.pledge_id, rollover.c.generation_id)
        .join_from(rollover_node, rollover, rollover.c.id == rollover_node.c.rollover_id)
        .where(rollover_node.c.pledge_id.in_(pledge_ids))
        .where(rollover_node.c.sent_at_ms.is_not(None))
    )


_BY_GENERATION: Sequence[Callable[[Sequence[int]], Select[Any]]] = (
    _by_place,
    _by_answer,
    _by_update,
)


def _by_identifier(
    scope: Scope, pledge_ids: Sequence[int], live: Iterable[tuple[int, ToldKeys]]
) -> Iterable[tuple[int, ToldKeys]]:
    """Short identifiers are burned in each generation they go out with (RFC 9031 §8.4.4.1)."""
    query = select(short_identifier).where(short_identifier.c.pledge_id.in_(pledge_ids))
    for row in scope.connection.execute(query).mappings():
        is_intact = scope.mac.is_intact(short_identifier, row)
        for number, told in live:
            if told.domain_id == row["domain_id"] and (
                not is_intact or row["first_generation"] <= number <= row["last_generation"]
            ):
                yield row["pledge_id"], told


def revoked_with_keys(scope: Scope, domain_id: int) -> int:
    """As ``PledgeStore.revoked_with_keys``; rows are counted as they are."""
    query = (
        select(func.count())
        .select_from(node)
        .join(pledge, pledge.c.id == node.c.pledge_id)
        .join(key_generation, key_generation.c.id == node.c.generation_id)
        .where(pledge.c.state == PledgeState.REVOKED.value)
        .where(key_generation.c.domain_id == domain_id)
        .where(key_generation.c.state == KeySetState.CURRENT.value)
    )
    return scope.connection.scalar(query) or 0


def with_retired_keys(scope: Scope) -> dict[int, int]:
    """As ``PledgeStore.with_retired_keys``; rows are counted as they are."""
    query = (
        select(node.c.network_id, func.count().label("node_count"))
        .join(pledge, pledge.c.id == node.c.pledge_id)
        .join(key_generation, key_generation.c.id == node.c.generation_id)
        .where(pledge.c.state == PledgeState.PROVISIONED.value)
        .where(key_generation.c.state == KeySetState.RETIRED.value)
        .group_by(node.c.network_id)
    )
    return {row.network_id: row.node_count for row in scope.connection.execute(query)}


def forget_answers(scope: Scope, pledge_ids: Sequence[int]) -> None:
    """As ``PledgeStore.forget_answers``."""
    query = (
        select(context_state)
        .join(context, context.c.id == context_state.c.context_id)
        .where(context.c.pledge_id.in_(pledge_ids))
        .where(context_state.c.answer.is_not(None))
        .order_by(context_state.c.context_id)
        .with_for_update(of=context_state)
    )
    for row in scope.connection.execute(query).mappings().all():
        if scope.mac.is_intact(context_state, row):
            _forget_answer(scope, row)


def _forget_answer(scope: Scope, row: Mapping[Any, Any]) -> None:
    emptied = {
        **row,
        "request_digest": None,
        "answer": None,
        "answered_at_ms": None,
        "answer_peer": None,
        "version": row["version"] + 1,
    }
    scope.connection.execute(
        update(context_state)
        .where(context_state.c.context_id == row["context_id"])
        .values(scope.mac.seal(context_state, emptied))
    )
