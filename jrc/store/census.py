"""How many pledges there are, by state and network, and which of them a network's end concerns."""

from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from jrc.model import PledgeState, Profile
from jrc.store.schema import (
    admission,
    context,
    context_state,
    import_batch,
    network,
    node,
    pledge,
    pledge_network,
)

IS_STAGED = import_batch.c.state.is_not(None) & (import_batch.c.state != "published")
"""The pledge belongs to an import that is not published; with ``import_batch`` joined."""
HAS_PLACE = exists().where(node.c.pledge_id == pledge.c.id)
"""The pledge has joined a network."""
WAITS = exists().where(admission.c.pledge_id == pledge.c.id, admission.c.admitted_at_ms.is_(None))
"""The pledge has asked for a network and waits for approval."""
VISIBLE = ~IS_STAGED & (pledge.c.state != PledgeState.REMOVED.value)
"""What listings show."""


def shown(state: str, has_place: object, waits: object) -> PledgeState:
    """The state that a row means.

    Not stored are ``waiting``, of a provisioned pledge that has asked for approval, wherever else
    it has joined, and ``joined``, of one that has a place. A word that is no state was damaged.
    """
    if state == PledgeState.PROVISIONED.value and waits:
        return PledgeState.WAITING
    if state == PledgeState.PROVISIONED.value and has_place:
        return PledgeState.JOINED
    with suppress(ValueError):
        return PledgeState(state)
    return PledgeState.DAMAGED


def identifier_bytes(stored: object) -> bytes:
    """The identifier in a pledge's row, which may be of any type where it was damaged."""
    return stored if isinstance(stored, bytes) else str(stored).encode()


def counts(connection: Connection) -> dict[int | None, dict[PledgeState, int]]:
    """As ``PledgeStore.counts``; rows are counted as they are, without looking at their MACs."""
    visible = select(
        pledge.c.id, pledge.c.state, HAS_PLACE.label("has_place"), WAITS.label("waits")
    ).outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    once = visible.where(VISIBLE).subquery()
    kind = (once.c.state, once.c.has_place, once.c.waits)
    totals = select(*kind, func.count()).group_by(*kind)
    by_network = (
        select(*kind, func.count(), pledge_network.c.network_id)
        .join(once, once.c.id == pledge_network.c.pledge_id)
        .group_by(pledge_network.c.network_id, *kind)
    )
    found: defaultdict[int | None, Counter[PledgeState]] = defaultdict(Counter)
    for *said, count in connection.execute(totals):
        found[None][shown(*said)] += count
    for *said, count, network_id in connection.execute(by_network):
        found[network_id][shown(*said)] += count
    return {network_id: dict(states) for network_id, states in found.items()}


def profiles(connection: Connection, domain_id: int) -> set[Profile]:
    """As ``PledgeStore.profiles``."""
    here = select(pledge_network.c.pledge_id).join(
        network, network.c.id == pledge_network.c.network_id
    )
    own = (
        select(pledge.c.profile)
        .where(pledge.c.profile.is_not(None))
        .where(pledge.c.id.in_(here.where(network.c.domain_id == domain_id)))
        .distinct()
    )
    return {Profile(word) for word in connection.scalars(own) if word in set(Profile)}


def assigned_only(connection: Connection, network_id: int, limit: int) -> tuple[int, list[bytes]]:
    """As ``PledgeStore.assigned_only``."""
    here = exists().where(
        pledge_network.c.pledge_id == pledge.c.id, pledge_network.c.network_id == network_id
    )
    elsewhere = (
        exists()
        .where(pledge_network.c.pledge_id == pledge.c.id)
        .where(pledge_network.c.network_id == network.c.id)
        .where(network.c.id != network_id)
        .where(network.c.removed_at_ms.is_(None))
    )
    return _count_and_first(connection, here & ~elsewhere, limit)


def joined(
    connection: Connection, network_id: int, limit: int, before_ms: int | None = None
) -> tuple[int, list[bytes]]:
    """As ``PledgeStore.joined``."""
    here = exists().where(node.c.pledge_id == pledge.c.id, node.c.network_id == network_id) & (
        pledge.c.state == PledgeState.PROVISIONED.value
    )
    if before_ms is None:
        return _count_and_first(connection, here, limit)
    return _count_and_first(connection, here & ~joined_since(pledge.c.id, before_ms), limit)


def joined_since(pledge_id: ColumnElement[int], since_ms: int) -> ColumnElement[bool]:
    """Whether a pledge has joined at that time or later, under any key it had."""
    return exists().where(
        context.c.pledge_id == pledge_id,
        context_state.c.context_id == context.c.id,
        context_state.c.joined_at_ms >= since_ms,
    )


def _count_and_first(
    connection: Connection, condition: ColumnElement[bool], limit: int
) -> tuple[int, list[bytes]]:
    count = _visible(select(func.count()).select_from(pledge)).where(condition)
    first = _visible(select(pledge.c.identifier)).where(condition)
    found = connection.scalars(first.order_by(pledge.c.identifier).limit(limit))
    return connection.scalar(count) or 0, [identifier_bytes(value) for value in found]


def _visible(query: Select[Any]) -> Select[Any]:
    joined = query.outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    return joined.where(VISIBLE)
