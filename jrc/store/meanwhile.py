"""What a running rollover hears of joins, written in the joins' own transaction (row E3).

A row that was damaged keeps no pledge from joining: one that is whole takes its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from jrc.policy.rollover import NodeState
from jrc.service.join_ports import JoinedMeanwhile, NodePlace
from jrc.service.rollover_records import DAMAGED
from jrc.store.prepared import Prepared, PreparedIn, change, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import rollover_node

_NAMES = [column.name for column in rollover_node.columns]
_SEALED = _NAMES[:-1]
_KEYS = ("rollover_id", "pledge_id")
_MOST_VERSION = 1 << 62
"""A damaged row may hold any number; the version after this one still fits its column."""


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


class _Known(NamedTuple):
    """A row with the version that it has on disk; one that was damaged is as ``_doubted`` says."""

    row: Mapping[str, Any]
    version_on_disk: Any


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
        ConflictError: another transaction has changed a row.
    """
    for rollover_id in {meanwhile.rollover_id for _, meanwhile in joined}:
        entries = {who: what for who, what in joined if what.rollover_id == rollover_id}
        before = _rows(connection, mac, rollover_id, list(entries))
        new = [
            _row(who, what, 0, None, now_ms) for who, what in entries.items() if who not in before
        ]
        known = [
            _Known(_row(who, entries[who], old["version"], old["sent_at_ms"], now_ms), on_disk)
            for who, (old, on_disk) in before.items()
        ]
        _INSERT.many(connection, [_values(mac, row) for row in new])
        change(_UPDATE, connection, [_update(mac, *each) for each in known])


def note_moves(
    connection: Connection, mac: RowMac, rollover_id: int, gone: Mapping[int, NodePlace]
) -> None:
    """Write that pledges have left a rollover, those of them that are in it.

    They joined in another key domain: this one tells them nothing more, and waits for none.
    ``gone`` has where each was before.

    Raises:
        ConflictError: another transaction has changed a row.
    """
    rows = _rows(connection, mac, rollover_id, list(gone))
    left = [_Known(_left(old, gone[who]), on_disk) for who, (old, on_disk) in rows.items()]
    change(_UPDATE, connection, [_update(mac, *each) for each in left])


def _left(row: Mapping[str, Any], before: NodePlace) -> dict[str, Any]:
    return {
        "network_id": before.network_id,
        "role": before.role,
        **row,
        "state": NodeState.LEFT.value,
        "next_at_ms": None,
        "version": row["version"] + 1,
    }


def _rows(
    connection: Connection, mac: RowMac, rollover_id: int, pledge_ids: Sequence[int]
) -> Mapping[int, _Known]:
    found = {}
    for values in _SELECT.rows(connection, pledge_ids, (rollover_id,)):
        row = dict(zip(_NAMES, values, strict=True))
        good = row if mac.is_intact(rollover_node, row) else _doubted(row)
        found[row["pledge_id"]] = _Known(good, row["version"])
    return found


def _doubted(row: Mapping[str, Any]) -> dict[str, Any]:
    """In place of a row that does not authenticate: its pledge may have been sent the keys.

    Without network and role, which whoever writes it knows.
    """
    version = row["version"]
    is_version = isinstance(version, int) and 0 <= version < _MOST_VERSION
    return {
        "rollover_id": row["rollover_id"],
        "pledge_id": row["pledge_id"],
        "state": NodeState.PENDING.value,
        "attempts": 0,
        "last_error": DAMAGED,
        "sent_at_ms": 0,
        "reached_at_ms": None,
        "tried_at_ms": None,
        "next_at_ms": None,
        "version": version if is_version else 0,
    }


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


def _update(mac: RowMac, row: Mapping[str, Any], version_on_disk: Any) -> tuple[Any, ...]:
    """The values of ``_UPDATE``: what changes, then the keys with the version before."""
    *values, sealed = _values(mac, row)
    by_name = dict(zip(_SEALED, values, strict=True))
    changed = [by_name[name] for name in _CHANGED[:-1]]
    keys = [by_name[name] for name in _KEYS]
    return (*changed, row["version"], sealed, *keys, version_on_disk)
