"""Who has joined the networks of a key domain, and so has its link-layer keys."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from jrc.model import PledgeId, PledgeState, Profile
from jrc.service.rollover_records import JoinedNode
from jrc.store.census import VISIBLE
from jrc.store.schema import import_batch, network, node, pledge, pledge_network
from jrc.store.scope import Scope
from jrc.store.whereabouts import given_address

_PLACES = (
    select(
        node.c.network_id.label("place_id"),
        node.c.role.label("place_role"),
        node.c.address,
        node.c.sleep_s,
        network.c.profile.label("network_profile"),
        *(column.label(f"pledge_{column.name}") for column in pledge.columns),
    )
    .join(network, network.c.id == node.c.network_id)
    .join(pledge, pledge.c.id == node.c.pledge_id)
    .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    .where(network.c.removed_at_ms.is_(None))
    .where(VISIBLE, pledge.c.state == PledgeState.PROVISIONED.value)
    .order_by(node.c.pledge_id)
)


def joined_nodes(scope: Scope, domain_id: int) -> list[JoinedNode]:
    """As ``RolloverStore.joined_nodes``."""
    query = _PLACES.where(network.c.domain_id == domain_id)
    rows = scope.connection.execute(query).mappings().all()
    assigned = _networks_of(scope, domain_id)
    return [
        _joined(row)
        for row in rows
        if scope.mac.is_intact(pledge, _pledge(row), assigned.get(row["pledge_id"], []))
    ]


def _pledge(row: Mapping[Any, Any]) -> Mapping[str, Any]:
    return {column.name: row[f"pledge_{column.name}"] for column in pledge.columns}


def _networks_of(scope: Scope, domain_id: int) -> Mapping[int, list[int]]:
    """The networks, in their order, of every pledge that has joined the key domain."""
    here = (
        select(node.c.pledge_id)
        .join(network, network.c.id == node.c.network_id)
        .where(network.c.domain_id == domain_id)
    )
    query = (
        select(pledge_network.c.pledge_id, pledge_network.c.network_id)
        .where(pledge_network.c.pledge_id.in_(here))
        .order_by(pledge_network.c.pledge_id, pledge_network.c.position)
    )
    found: dict[int, list[int]] = {}
    for pledge_id, network_id in scope.connection.execute(query):
        found.setdefault(pledge_id, []).append(network_id)
    return found


def _joined(row: Mapping[Any, Any]) -> JoinedNode:
    return JoinedNode(
        pledge_id=row["pledge_id"],
        identifier=PledgeId(row["pledge_identifier"]),
        network_id=row["place_id"],
        role=row["place_role"],
        profile=Profile(row["pledge_profile"] or row["network_profile"]),
        address=given_address(row["address"]),
        sleep_s=row["sleep_s"],
    )
