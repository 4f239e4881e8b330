"""What a pledge has got, as rows say it: short identifiers and its place."""

from collections.abc import Iterable, Sequence
from typing import Any

from jrc.errors import StateError
from jrc.policy.leases import Lease
from jrc.policy.settings import place_number
from jrc.service.join_ports import NodePlace, Standing
from jrc.store.rowmac import RowMac
from jrc.store.schema import node, short_identifier

LEASE_COLUMNS = [column for column in short_identifier.columns if column.name != "mac"]
"""In the order that the MAC covers."""

COLUMNS = [
    node.c.network_id.label("node_network_id"),
    node.c.role.label("node_role"),
    node.c.generation_id.label("node_generation_id"),
    node.c.settings_number.label("node_settings_number"),
    *(column.label(f"lease_{column.name}") for column in short_identifier.columns),
]
"""What ``standing_of`` reads: a row for each key domain in which the pledge has an identifier."""

_PLACE_COUNT = 4
_NOTHING = Standing()


def standing_of(mac: RowMac, rows: Iterable[Sequence[Any]]) -> Standing:
    """What rows of ``COLUMNS`` say of one pledge; they may repeat themselves.

    Raises:
        StateError: a row does not authenticate.
    """
    leases: dict[int, Lease] = {}
    place: NodePlace | None = None
    for row in rows:
        if row[0] is not None:
            place = _place(mac, row[:_PLACE_COUNT])
        if row[_PLACE_COUNT] is not None:
            leases[row[_PLACE_COUNT]] = _authentic(mac, row[_PLACE_COUNT:])
    return Standing(tuple(leases.values()), place) if place or leases else _NOTHING


def _place(mac: RowMac, row: Sequence[Any]) -> NodePlace:
    """A place as its row says, which has no MAC; what its node has is told anew where in doubt."""
    network_id, role, generation_id, number = row
    if not isinstance(number, int):
        mac.say_left_out(f"node in network {network_id}: settings_number")
        number = place_number(0, says_all=False)
    return tuple.__new__(NodePlace, (network_id, role, generation_id, number))


def _authentic(mac: RowMac, row: Sequence[Any]) -> Lease:
    values = row[:-1]
    if not mac.fits("short_identifier", values, row[-1]):
        raise StateError(
            f"short_identifier {values[1]} of key domain {values[0]} does not authenticate:"
            " the row was damaged"
        )
    return lease_from_values(values)


def lease_from_values(values: Sequence[Any]) -> Lease:
    """The record of a row's values without its MAC."""
    domain_id, value, pledge_id, first, last, until, released, version = values
    fields = (value, domain_id, pledge_id, first, last, until, released is not None, version)
    return tuple.__new__(Lease, fields)


def lease_row(mac: RowMac, lease: Lease, released_at_ms: int | None) -> tuple[Any, ...]:
    """The reverse of ``lease_from_values``, and the row's MAC behind it."""
    values = (
        lease.domain_id,
        lease.value,
        lease.pledge_id,
        lease.first_generation,
        lease.last_generation,
        lease.lease_until_ms,
        released_at_ms,
        lease.version,
    )
    return (*values, mac.compute("short_identifier", values))
