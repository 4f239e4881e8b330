"""Rollovers of key domains' link-layer keys, and those that are wanted next (RFC 9031 §8.4.3.1)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from jrc.errors import ConflictError, StateError
from jrc.policy.rollover import Phase
from jrc.service.rollover_records import (
    JoinedNode,
    RolloverCause,
    RolloverNode,
    RolloverRecord,
    WantedRollover,
)
from jrc.store.census import identifier_bytes
from jrc.store.joined import joined_nodes
from jrc.store.rollover_nodes import BATCH, RolloverNodes
from jrc.store.schema import key_generation, pledge, rollover, rollover_node, wanted_rollover
from jrc.store.scope import chunked, draw_ids
from jrc.store.toldkeys import LIVE

_ALL = select(rollover)
_SAME = ("id", "domain_id", "generation_id", "former_generation_id", "pause_cause", "actor",
         "reason", "deadline_s", "created_at_ms", "distributing_at_ms", "deadline_at_ms",
         "switching_at_ms", "guarding_at_ms", "ended_at_ms", "version")  # fmt: skip
"""Columns that are called as their fields, and hold the same."""


class Rollovers(RolloverNodes):
    """As ``service.rollover_store.RolloverStore``."""

    # Reading

    def running(self, domain_id: int) -> RolloverRecord | None:
        """As ``RolloverStore.running``."""
        query = _ALL.where(rollover.c.domain_id == domain_id, rollover.c.ended_at_ms.is_(None))
        return next(iter(self._found(query)), None)

    def all_running(self) -> list[RolloverRecord]:
        """As ``RolloverStore.all_running``."""
        query = _ALL.where(rollover.c.ended_at_ms.is_(None)).order_by(rollover.c.id)
        return [_record(row) for row in self._usable(rollover, query)]

    def latest(self, domain_id: int, limit: int = 1) -> list[RolloverRecord]:
        """As ``RolloverStore.latest``."""
        query = _ALL.where(rollover.c.domain_id == domain_id)
        return self._found(query.order_by(rollover.c.id.desc()).limit(limit))

    def latest_of_all(self) -> list[RolloverRecord]:
        """As ``RolloverStore.latest_of_all``."""
        last = select(func.max(rollover.c.id)).group_by(rollover.c.domain_id)
        query = _ALL.where(rollover.c.id.in_(last)).order_by(rollover.c.id)
        return [_record(row) for row in self._usable(rollover, query)]

    def by_id(self, rollover_id: int) -> RolloverRecord:
        """As ``RolloverStore.by_id``."""
        found = self._found(_ALL.where(rollover.c.id == rollover_id))
        if not found:
            raise StateError(f"there is no rollover {rollover_id}")
        return found[0]

    def of_pledge(self, pledge_id: int) -> list[tuple[RolloverRecord, RolloverNode]]:
        """As ``RolloverStore.of_pledge``."""
        telling = or_(rollover.c.ended_at_ms.is_(None), rollover_node.c.next_at_ms.is_not(None))
        query = (
            _ALL.join(rollover_node, rollover_node.c.rollover_id == rollover.c.id)
            .where(rollover_node.c.pledge_id == pledge_id)
            .where(telling)
            .order_by(rollover.c.id)
        )
        return [
            (record, self.find(record.id, [pledge_id])[pledge_id]) for record in self._found(query)
        ]

    def joined_nodes(self, domain_id: int) -> Iterator[JoinedNode]:
        """As ``RolloverStore.joined_nodes``."""
        return joined_nodes(self._scope, domain_id)

    def identifiers(self, pledge_ids: Collection[int]) -> dict[int, bytes]:
        """As ``RolloverStore.identifiers``."""
        found: dict[int, bytes] = {}
        for some in chunked(sorted(pledge_ids)):
            query = select(pledge.c.id, pledge.c.identifier).where(pledge.c.id.in_(some))
            for number, identifier in self._connection.execute(query):
                found[number] = identifier_bytes(identifier)
        return found

    def _found(self, query: Select[Any]) -> list[RolloverRecord]:
        rows = self._connection.execute(query).mappings().all()
        for row in rows:
            self._scope.mac.check(rollover, row)
        return [_record(row) for row in rows]

    def _usable(self, table: Table, query: Select[Any]) -> list[Mapping[Any, Any]]:
        """Without the damaged ones, which keep nothing from going on in other key domains."""
        rows = self._connection.execute(query).mappings().all()
        return [row for row in rows if self._scope.mac.is_usable(table, row)]

    # Writing

    def add(self, record: RolloverRecord, nodes: Iterable[RolloverNode]) -> RolloverRecord:
        """As ``RolloverStore.add``."""
        (number,) = draw_ids(self._connection, rollover, 1)
        numbered = replace(record, id=number, version=1)
        sealed = self._scope.mac.seal(rollover, _row(numbered))
        try:
            self._connection.execute(insert(rollover), sealed)
        except IntegrityError as error:
            raise ConflictError("another rollover is running") from error
        read = (each._replace(rollover_id=number) for each in nodes)
        while some := list(islice(read, BATCH)):
            self.save_nodes(some)
        return numbered

    def save(self, record: RolloverRecord) -> RolloverRecord:
        """As ``RolloverStore.save``."""
        after = replace(record, version=record.version + 1)
        result = self._connection.execute(
            update(rollover)
            .where(rollover.c.id == record.id, rollover.c.version == record.version)
            .values(self._scope.mac.seal(rollover, _row(after)))
        )
        if result.rowcount != 1:
            raise ConflictError("another transaction has changed a rollover meanwhile")
        return after

    def forget_nodes(self, domain_id: int, keep: int) -> None:
        """As ``RolloverStore.forget_nodes``."""
        ended = select(rollover.c.id).where(
            rollover.c.domain_id == domain_id, rollover.c.ended_at_ms.is_not(None)
        )
        old = ended.order_by(rollover.c.id.desc()).offset(keep).limit(1).scalar_subquery()
        # Who was sent keys that are in force is asked for when a pledge is revoked.
        live = select(key_generation.c.id).where(key_generation.c.state.in_(LIVE))
        forgotten = ended.where(rollover.c.id <= old, rollover.c.generation_id.not_in(live))
        self._counted.clear()
        self._connection.execute(
            delete(rollover_node).where(rollover_node.c.rollover_id.in_(forgotten))
        )

    # Wanted ones

    def want(self, wanted: WantedRollover) -> None:
        """As ``RolloverStore.want``."""
        if self.wanted(wanted.domain_id) is not None:
            return
        row = {
            "domain_id": wanted.domain_id,
            "cause": wanted.cause.value,
            "actor": wanted.actor,
            "reason": wanted.reason,
            "asked_at_ms": wanted.asked_at_ms,
            "version": 1,
        }
        sealed = self._scope.mac.seal(wanted_rollover, row)
        self._connection.execute(insert(wanted_rollover), sealed)

    def wanted(self, domain_id: int) -> WantedRollover | None:
        """As ``RolloverStore.wanted``."""
        query = select(wanted_rollover).where(wanted_rollover.c.domain_id == domain_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            return None
        self._scope.mac.check(wanted_rollover, row)
        return _wanted(row)

    def all_wanted(self) -> list[WantedRollover]:
        """As ``RolloverStore.all_wanted``."""
        query = select(wanted_rollover).order_by(wanted_rollover.c.domain_id)
        return [_wanted(row) for row in self._usable(wanted_rollover, query)]

    def forget_wanted(self, domain_id: int) -> None:
        """As ``RolloverStore.forget_wanted``."""
        self._connection.execute(
            delete(wanted_rollover).where(wanted_rollover.c.domain_id == domain_id)
        )


def _row(record: RolloverRecord) -> dict[str, object]:
    return {
        **{name: getattr(record, name) for name in _SAME},
        "phase": record.phase.value,
        "paused_from": None if record.paused_from is None else record.paused_from.value,
        "cause": record.cause.value,
        "quorum": record.quorum_permille,
    }


def _record(row: Mapping[Any, Any]) -> RolloverRecord:
    return RolloverRecord(
        **{name: row[name] for name in _SAME},
        phase=Phase(row["phase"]),
        paused_from=None if row["paused_from"] is None else Phase(row["paused_from"]),
        cause=RolloverCause(row["cause"]),
        quorum_permille=row["quorum"],
    )


def _wanted(row: Mapping[Any, Any]) -> WantedRollover:
    return WantedRollover(
        domain_id=row["domain_id"],
        cause=RolloverCause(row["cause"]),
        actor=row["actor"],
        reason=row["reason"],
        asked_at_ms=row["asked_at_ms"],
    )
