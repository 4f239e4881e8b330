"""Who has joined the networks of a key domain, and so has its link-layer keys."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, bindparam, literal_column, select

from jrc.model import PledgeId, PledgeState, Profile
from jrc.service.rollover_records import JoinedNode
from jrc.store.context_rows import IS_PUBLISHED
from jrc.store.prepared import Prepared
from jrc.store.schema import import_batch, network, node, pledge
from jrc.store.scope import Scope

_PROVISIONED: ColumnElement[str] = literal_column(f"'{PledgeState.PROVISIONED.value}'")
_JOINED = Prepared(
    select(
        pledge.c.id,
        pledge.c.identifier,
        node.c.network_id,
        node.c.role,
        pledge.c.profile,
        network.c.profile.label("network_profile"),
        node.c.sleep_s,
    )
    .join_from(node, network, network.c.id == node.c.network_id)
    .join(pledge, pledge.c.id == node.c.pledge_id)
    .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    .where(network.c.domain_id == bindparam("b_domain_id"))
    .where(network.c.removed_at_ms.is_(None))
    .where(IS_PUBLISHED)
    .where(pledge.c.state == _PROVISIONED)
    .order_by(node.c.pledge_id),
    ["b_domain_id"],
)


def joined_nodes(scope: Scope, domain_id: int) -> Iterator[JoinedNode]:
    """As ``RolloverStore.joined_nodes``.

    No MAC is looked at: whoever tells one of these anything reads its rows again, and does.
    """
    for row in _JOINED.each(scope.connection, (domain_id,)):
        with suppress(ValueError):  # a damaged row, which would not be told anything
            yield _joined(row)


def _joined(row: Sequence[Any]) -> JoinedNode:
    pledge_id, identifier, network_id, role, own_profile, profile, sleep_s = row
    return JoinedNode(
        pledge_id,
        PledgeId(identifier),
        network_id,
        role,
        Profile(own_profile or profile),
        sleep_s,
    )
