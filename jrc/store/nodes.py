"""Joined nodes as updates need them: context, addresses, and what is on disk before one leaves."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from jrc.errors import StateError
from jrc.model import PledgeState
from jrc.policy.leases import Lease
from jrc.service.join_ports import ContextState
from jrc.service.node_store import Reachable
from jrc.store.context_rows import state_values
from jrc.store.prepared import Prepared, change, updating
from jrc.store.reaching import reach_locked
from jrc.store.schema import context_state, node, pledge, short_identifier, unsupported_parameter
from jrc.store.scope import Scope, chunked
from jrc.store.standing import lease_row

_RESERVED = updating(
    context_state, ["context_id", "version"], ["numbers_reserved", "version", "mac"]
)
_BURNED = updating(
    short_identifier,
    ["domain_id", "value", "pledge_id", "version"],
    ["first_generation", "last_generation", "lease_until_ms", "version", "mac"],
)
_FORGET = Prepared(
    delete(unsupported_parameter)
    .where(unsupported_parameter.c.pledge_id == bindparam("b_pledge_id"))
    .where(unsupported_parameter.c.label == bindparam("b_label")),
    ["b_pledge_id", "b_label"],
)
_NEVER = (
    select(unsupported_parameter.c.label)
    .where(unsupported_parameter.c.pledge_id == bindparam("b_pledge_id"))
    .where(unsupported_parameter.c.addinfo.is_(None))
)
_REPORT = Prepared(
    insert(unsupported_parameter), [column.name for column in unsupported_parameter.columns]
)


class Nodes:
    """As ``service.node_store.NodeStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def reach(self, pledge_ids: Sequence[int]) -> dict[int, Reachable]:
        """As ``NodeStore.reach``."""
        return {
            found.pledge.id: found
            for some in chunked(pledge_ids, 64)
            for found in self._reached(some)
        }

    def _reached(self, pledge_ids: Sequence[int]) -> Sequence[Reachable]:
        """Those of these pledges; where one is damaged, the others."""
        scope = self._scope
        try:
            return reach_locked(self._connection, scope.keyring, scope.mac, pledge_ids)
        except StateError:
            if len(pledge_ids) == 1:
                return []
            return [found for each in pledge_ids for found in self._reached([each])]

    def in_force(self, pledge_ids: Sequence[int]) -> set[int]:
        """As ``NodeStore.in_force``."""
        if not pledge_ids:
            return set()
        query = (
            select(node.c.pledge_id)
            .join(pledge, pledge.c.id == node.c.pledge_id)
            .where(node.c.pledge_id.in_(pledge_ids))
            .where(pledge.c.state == PledgeState.PROVISIONED.value)
        )
        return set(self._connection.scalars(query))

    def save_told(self, told: Iterable[tuple[int, ContextState, Lease | None]]) -> None:
        """As ``NodeStore.save_told``."""
        in_order = sorted(told, key=itemgetter(0))
        reserved = [self._state_row(context_id, state) for context_id, state, _ in in_order]
        change(_RESERVED, self._connection, reserved)
        burned = [lease for _, _, lease in in_order if lease is not None]
        change(_BURNED, self._connection, [self._burned_row(lease) for lease in burned])

    def _state_row(self, context_id: int, state: ContextState) -> tuple[object, ...]:
        mac = self._scope.mac.compute("context_state", state_values(context_id, state))
        return (state.numbers_reserved, state.version, mac, context_id, state.version - 1)

    def _burned_row(self, lease: Lease) -> tuple[Any, ...]:
        row = lease_row(self._scope.mac, lease, None)
        return (*row[3:6], *row[7:], *row[:3], lease.version - 1)

    def report(self, pledge_id: int, reports: Iterable[tuple[int, int, bytes | None]]) -> None:
        """As ``NodeStore.report``."""
        now_ms = self._scope.now_ms
        never = set(self._connection.scalars(_NEVER, {"b_pledge_id": pledge_id}))
        told: dict[int, tuple[int, bytes | None]] = {}
        for code, label, addinfo in reports:
            # What can't be set at all stays so, whatever is said of one value of it.
            if label not in never and told.get(label, (0, b""))[1] is not None:
                told[label] = (code, addinfo)
        _FORGET.many(self._connection, [(pledge_id, label) for label in told])
        _REPORT.many(
            self._connection,
            [(pledge_id, label, code, addinfo, now_ms) for label, (code, addinfo) in told.items()],
        )
