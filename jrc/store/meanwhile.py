"""What a running rollover hears of joins, written in the joins' own transaction (row E3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from jrc.policy.rollover import NodeState
from jrc.service.join_ports import JoinedMeanwhile
from jrc.store.prepared import Prepared, PreparedIn, change, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import rollover_node

_NAMES = [column.name for column in rollover_node.columns]
_SEALED = _NAMES[:-1]
_KEYS = ("rollover_id", "pledge_id")


def _select_of(listed: Sequence[str]) -> Any:
    return (
        select(rollover_node)
        .where(rollover_node.c.rollover_id == bindparam("rollover_id"))
        .where(rollover_node.c.pledge_id.in_([bindparam(name) for name in listed]))
        .with_for_update()
    )


_SELECT = PreparedIn(_select_of, ["rollover_id"])
_INSERT = Prepared(insert(rollover_node), _NAMES)
_CHANGED = [name for name in _NAMES if name not in (*_KEYS, "version")]
_UPDATE = updating(rollover_node, [*_KEYS, "version"], [*_CHANGED[:-1], "version", "mac"])


def note_joins(
    connection: Connection,
    mac: RowMac,
    joined: Sequence[tuple[int, JoinedMeanwhile]],
    now_ms: int,
) -> None:
    """Write how far these pledges are after their joins, each with its number.

    Whatever they had acknowledged before is forgotten: a device that joins may have lost it. That
    they were sent the new keys is not: it may have kept them as well.

    Raises:
        StateError: a row does not authenticate.
        ConflictError: another transaction has changed a row.
    """
    for rollover_id in {meanwhile.rollover_id for _, meanwhile in joined}:
        entries = {who: what for who, what in joined if what.rollover_id == rollover_id}
        before = _rows(connection, mac, rollover_id, list(entries))
        new = [
            _row(who, what, 0, None, now_ms) for who, what in entries.items() if who not in before
        ]
        known = [
            _row(who, what, before[who]["version"], before[who]["sent_at_ms"], now_ms)
            for who, what in entries.items()
            if who in before
        ]
        _INSERT.many(connection, [_values(mac, row) for row in new])
        change(_UPDATE, connection, [_update(mac, row) for row in known])


def _rows(
    connection: Connection, mac: RowMac, rollover_id: int, pledge_ids: Sequence[int]
) -> Mapping[int, Mapping[str, Any]]:
    found = {}
    for values in _SELECT.rows(connection, pledge_ids, (rollover_id,)):
        row = dict(zip(_NAMES, values, strict=True))
        mac.check(rollover_node, row)
        found[row["pledge_id"]] = row
    return found


def _row(
    pledge_id: int, what: JoinedMeanwhile, version: int, sent_at_ms: int | None, now_ms: int
) -> dict[str, Any]:
    reached = what.state is NodeState.REACHED
    return {
        "rollover_id": what.rollover_id,
        "pledge_id": pledge_id,
        "network_id": what.network_id,
        "role": what.role,
        "state": what.state.value,
        "attempts": 0,
        "last_error": None,
        "sent_at_ms": now_ms if what.has_new and sent_at_ms is None else sent_at_ms,
        "reached_at_ms": now_ms if reached else None,
        "tried_at_ms": None,
        "next_at_ms": now_ms if what.is_due else None,
        "version": version + 1,
    }


def _values(mac: RowMac, row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = tuple(row[name] for name in _SEALED)
    return (*values, mac.compute("rollover_node", values))


def _update(mac: RowMac, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of ``_UPDATE``: what changes, then the keys with the version before."""
    *values, sealed = _values(mac, row)
    by_name = dict(zip(_SEALED, values, strict=True))
    changed = [by_name[name] for name in _CHANGED[:-1]]
    keys = [by_name[name] for name in _KEYS]
    return (*changed, row["version"], sealed, *keys, row["version"] - 1)
