"""Joined nodes as an update finds them: one read of what it needs of each, and no more.

The join path reads more of a context (``contexts.py``), and remembers it; a rollover reads each
node once, so this is most of what an update costs the database.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Select, and_, bindparam, literal_column, select

from jrc.service.node_store import MAX_SLEEP_S, Reachable
from jrc.store import standing
from jrc.store.context_rows import (
    IS_LEFT_OUT,
    IS_PUBLISHED,
    STATE_COLUMNS,
    left_out_in,
    network_ids_in,
    open_security,
    pledge_from_row,
    state_from_row,
)
from jrc.store.keyring import Keyring
from jrc.store.prepared import PreparedIn, Rows
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    context,
    context_kid,
    context_state,
    import_batch,
    node,
    pledge,
    pledge_network,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.server import is_server
from jrc.store.unsealed import whole
from jrc.store.whereabouts import given_address

# Where the parts of a row begin.
_STATE_AT = 4
_PLEDGE_AT = _STATE_AT + len(STATE_COLUMNS) + 1
_NETWORK_AT = _PLEDGE_AT + len(pledge.columns)
_POSITION_AT = _NETWORK_AT + 1
_LEFT_OUT_AT = _POSITION_AT + 1
_STANDING_AT = _LEFT_OUT_AT + 1
_END = _STANDING_AT + len(standing.COLUMNS)


def _found() -> Select[Any]:
    return (
        select(
            context.c.id_context,
            context.c.aead,
            context.c.wrapped_keys,
            context.c.replaces_id,
            *STATE_COLUMNS,
            context_state.c.mac,
            *(column.label(f"pledge_{column.name}") for column in pledge.columns),
            pledge_network.c.network_id,
            pledge_network.c.position,
            unsupported_parameter.c.label.label("left_out"),
            *standing.COLUMNS,
            node.c.address,
            node.c.sleep_s,
        )
        .select_from(pledge)
        .join(node, node.c.pledge_id == pledge.c.id)
        # A device is told what it can read: with the key that it has last joined with.
        .join(
            context,
            and_(
                context.c.pledge_id == pledge.c.id,
                context.c.credential_id == pledge.c.credential_id,
            ),
        )
        # The name of a context's own, of which each has one; a lost one protects nothing more.
        .join(
            context_kid,
            and_(
                context_kid.c.context_id == context.c.id,
                context_kid.c.kid_context == context.c.id_context,
            ),
        )
        .join(context_state, context_state.c.context_id == context.c.id)
        .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
        .outerjoin(pledge_network, pledge_network.c.pledge_id == pledge.c.id)
        .outerjoin(unsupported_parameter, IS_LEFT_OUT)
        .outerjoin(short_identifier, short_identifier.c.pledge_id == pledge.c.id)
        .where(IS_PUBLISHED)
        .where(context_state.c.needs_recovery == literal_column("0"))
    )


def _of(listed: Sequence[str]) -> Select[Any]:
    return _found().where(pledge.c.id.in_([bindparam(name) for name in listed]))


def _locked_of(listed: Sequence[str]) -> Executable:
    """Rows are locked in the order of their keys, so that two registrars never wait in a ring."""
    return _of(listed).order_by(context.c.id).with_for_update(of=context_state)


_REACH = PreparedIn(_of)
"""For SQLite, which has one writer: nothing is to be locked, and no order to be kept."""
_REACH_LOCKED = PreparedIn(_locked_of)


def reach_locked(
    connection: Connection, keyring: Keyring, mac: RowMac, pledge_ids: Sequence[int]
) -> list[Reachable]:
    """The contexts of pledges that are in force and not lost, locked until the transaction ends.

    They come in the order of their numbers.

    Raises:
        StateError: a row does not authenticate.
    """
    statement = _REACH_LOCKED if is_server(connection) else _REACH
    by_context: dict[int, list[Sequence[Any]]] = {}
    for row in statement.rows(connection, pledge_ids):
        by_context.setdefault(row[_STATE_AT], []).append(row)
    return [_reachable(keyring, mac, by_context[number]) for number in sorted(by_context)]


def _reachable(keyring: Keyring, mac: RowMac, rows: Rows) -> Reachable:
    """What the rows of one context say; there are several where lists of its pledge are longer."""
    row = rows[0]
    id_context, aead, wrapped_keys, replaces_id = row[:_STATE_AT]
    context_id = row[_STATE_AT]
    state = state_from_row(mac, row[_STATE_AT:_PLEDGE_AT])
    # In the order that the pledge's MAC covers.
    ordered = rows if len(rows) == 1 else sorted(rows, key=_position)
    network_ids = network_ids_in(ordered, _NETWORK_AT)
    device = pledge_from_row(mac, row[_PLEDGE_AT:_NETWORK_AT], network_ids)
    address, sleep_s = row[_END:]
    fields = (
        device,
        context_id,
        id_context,
        open_security(keyring, context_id, aead, id_context, wrapped_keys),
        state,
        standing.standing_of(mac, [part[_STANDING_AT:_END] for part in rows]),
        left_out_in(rows, _LEFT_OUT_AT),
        replaces_id,
        None if address is None else given_address(address),
        None if sleep_s is None else whole(mac, sleep_s, MAX_SLEEP_S, "node", device.id, "sleep_s"),
    )
    return tuple.__new__(Reachable, fields)


def _position(row: Sequence[Any]) -> int:
    """A damaged one may be of any type, and shows in the MAC."""
    position = row[_POSITION_AT]
    return position if isinstance(position, int) else -1
