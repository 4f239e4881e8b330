"""The writes of a batch of joins: one read of all rows it touches, one executemany a table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Table,
    bindparam,
    column,
    delete,
    insert,
    select,
    update,
    values,
)

from jrc.model import Event, Pledge
from jrc.policy import leases
from jrc.policy.leases import Lease
from jrc.service.ports import (
    ContextState,
    JoinRow,
    KnownContext,
    NetworkPolicy,
    NodePlace,
)
from jrc.store.contexts import STATE_COLUMNS, find, state_from_values, state_values
from jrc.store.keyring import Keyring
from jrc.store.ledger import Ledger
from jrc.store.prepared import Prepared, PreparedIn, Rows
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    context_state,
    node,
    short_identifier,
    unsupported_parameter,
)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


_LEASE_COLUMNS = [column for column in short_identifier.columns if column.name != "mac"]
_STATE_COUNT = len(STATE_COLUMNS)
_PLEDGE_AT = _STATE_COUNT + 1
_PLACE_AT = _PLEDGE_AT + 1
_LEASE_AT = _PLACE_AT + 3
_LEASE_COUNT = len(_LEASE_COLUMNS)
_NOBODY = 0
"""No row has this number: it fills lists up."""
_LEASE_VERSION_AT = _LEASE_AT + _LEASE_COUNT - 1


def _rows_of(listed: Sequence[str]) -> Executable:
    """Contexts come in pairs with their pledges, so that no table is read just to find these."""
    pairs: list[tuple[Any, ...]] = [
        (bindparam(context_id), bindparam(pledge_id))
        for context_id, pledge_id in zip(listed[::2], listed[1::2], strict=True)
    ]
    asked = (
        values(column("context_id", BigInteger), column("pledge_id", BigInteger), name="asked")
        .data(pairs)
        .cte("asked")
    )
    return (
        select(
            *STATE_COLUMNS,
            context_state.c.mac,
            asked.c.pledge_id,
            node.c.network_id,
            node.c.role,
            node.c.generation_id,
            *(each.label(f"lease_{each.name}") for each in _LEASE_COLUMNS),
            short_identifier.c.mac.label("lease_mac"),
        )
        .select_from(asked)
        .join(context_state, context_state.c.context_id == asked.c.context_id)
        .outerjoin(node, node.c.pledge_id == asked.c.pledge_id)
        .outerjoin(short_identifier, short_identifier.c.pledge_id == asked.c.pledge_id)
        .order_by(context_state.c.context_id)
        .with_for_update(of=context_state)
    )


def _values_of(listed: Sequence[str]) -> Executable:
    return _VALUES.where(short_identifier.c.value.in_([bindparam(name) for name in listed]))


def _updating(table: Table, keys: Sequence[str], names: Sequence[str]) -> Prepared:
    """UPDATE of ``names`` in the row of ``keys``; takes the names' values, then the keys'."""
    statement = update(table).values({table.c[name]: bindparam(f"b_{name}") for name in names})
    for key in keys:
        statement = statement.where(table.c[key] == bindparam(f"b_{key}"))
    return Prepared(statement, [f"b_{name}" for name in (*names, *keys)])


_STATE_NAMES = [
    name
    for name in _names(context_state)
    if name not in ("context_id", "numbers_reserved", "needs_recovery")
]
_LEASE_NAMES = [name for name in _names(short_identifier) if name not in ("domain_id", "value")]

_VALUES = select(*_LEASE_COLUMNS, short_identifier.c.mac).where(
    short_identifier.c.domain_id == bindparam("domain_id")
)

_SELECT_ROWS = PreparedIn(_rows_of, padding=_NOBODY)
_SELECT_VALUES = PreparedIn(_values_of, ["domain_id"])
_SELECT_ALL_VALUES = Prepared(_VALUES, ["domain_id"])
_UPDATE_STATE = _updating(context_state, ["context_id"], _STATE_NAMES)
_INSERT_LEASE = Prepared(insert(short_identifier), _names(short_identifier))
_UPDATE_LEASE = _updating(short_identifier, ["domain_id", "value"], _LEASE_NAMES)
_DELETE_LEASE = Prepared(
    delete(short_identifier)
    .where(short_identifier.c.domain_id == bindparam("b_domain_id"))
    .where(short_identifier.c.value == bindparam("b_value")),
    ["b_domain_id", "b_value"],
)
_INSERT_NODE = Prepared(insert(node), _names(node))
_UPDATE_NODE = _updating(node, ["pledge_id"], ["network_id", "role", "generation_id"])


class Authenticated:
    """Values whose MAC was right: a row that still has the same ones needs no MAC again."""

    def __init__(self, capacity: int = 10_240) -> None:
        self._capacity = capacity
        self._known: dict[int, Sequence[Any]] = {}

    def has(self, context_id: int, values: Sequence[Any]) -> bool:
        """Whether these very values were authenticated before."""
        return self._known.get(context_id) == values

    def keep(self, context_id: int, values: Sequence[Any]) -> None:
        """Remember values that were authenticated just now."""
        if len(self._known) >= self._capacity:
            self._known.clear()
        self._known[context_id] = values


class Joins:
    """One transaction of the join path, as ``ports.JoinTransaction``; ``flush`` writes it out."""

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        keyring: Keyring,
        mac: RowMac,
        policy: NetworkPolicy,
        random: Callable[[int], bytes],
        now_ms: int,
        authenticated: Authenticated,
    ) -> None:
        self._authenticated = authenticated
        self.policy = policy
        self.random = random
        self._connection = connection
        self._ledger = ledger
        self._keyring = keyring
        self._mac = mac
        self._now_ms = now_ms
        self._states: list[tuple[int, ContextState]] = []
        self._given: dict[tuple[int, int], Lease] = {}
        self._renewed: list[Lease] = []
        self._free_again: set[tuple[int, int]] = set()
        self._lease_versions: dict[tuple[int, int], int] = {}
        self._places: list[tuple[int, NodePlace]] = []
        self._placed: set[int] = set()
        self._reports: list[dict[str, object]] = []

    # Reading

    def rows(self, asked: Sequence[KnownContext]) -> dict[int, JoinRow]:
        """As ``ports.JoinTransaction.rows``."""
        cached = {known.context_id: known for known in asked}
        pairs: list[int] = []
        for context_id in sorted(cached):
            pairs += (context_id, cached[context_id].pledge.id)
        found: dict[int, JoinRow] = {}
        for row in _SELECT_ROWS.rows(self._connection, pairs):
            context_id = row[0]
            if context_id in found:
                found[context_id] = self._with_another_lease(found[context_id], row)
            else:
                state = self._state(row, cached[context_id].state)
                found[context_id] = self._join_row(state, row)
        return found

    def _state(self, row: Sequence[Any], cached: ContextState) -> ContextState | None:
        """The state in a row; None if it does not authenticate."""
        values = row[:_STATE_COUNT]
        if values == state_values(row[0], cached):
            return cached
        intact = self._mac.fits("context_state", values, row[_STATE_COUNT])
        return state_from_values(values) if intact else None

    def _join_row(self, state: ContextState | None, row: Sequence[Any]) -> JoinRow:
        place = None
        if row[_PLACE_AT] is not None:
            place = NodePlace(*row[_PLACE_AT:_LEASE_AT])
            self._placed.add(row[_PLEDGE_AT])
        entry = JoinRow(state, {}, place)
        if row[_LEASE_AT] is None:
            return entry
        standing = row[_PLEDGE_AT:]
        if self._authenticated.has(row[0], standing):
            return self._with_lease(entry, row)
        if not self._lease_fits(row):
            return entry._replace(state=None)
        self._authenticated.keep(row[0], standing)
        return self._with_lease(entry, row)

    def _with_another_lease(self, entry: JoinRow, row: Sequence[Any]) -> JoinRow:
        return self._with_lease(entry, row) if self._lease_fits(row) else entry._replace(state=None)

    def _lease_fits(self, row: Sequence[Any]) -> bool:
        leased = row[_LEASE_AT : _LEASE_AT + _LEASE_COUNT]
        return self._mac.fits("short_identifier", leased, row[_LEASE_AT + _LEASE_COUNT])

    def _with_lease(self, entry: JoinRow, row: Sequence[Any]) -> JoinRow:
        """With the short identifier of a row; one still held comes before one given back."""
        lease = _lease(row[_LEASE_AT : _LEASE_AT + _LEASE_COUNT])
        self._lease_versions[lease.domain_id, lease.value] = row[_LEASE_VERSION_AT]
        other = entry.leases.get(lease.domain_id)
        if other is None or _preference(other) <= _preference(lease):
            entry.leases[lease.domain_id] = lease
        return entry

    def reload(self, kid_context: bytes, context_id: int) -> KnownContext | None:
        """As ``ports.JoinTransaction.reload``."""
        for known in find(self._connection, self._keyring, self._mac, kid_context):
            if known.context_id == context_id:
                return known
        return None

    def taken(self, domain_id: int, values: Sequence[int], oldest_live: int) -> set[int]:
        """As ``ports.JoinTransaction.taken``."""
        if not values:
            return set()
        rows = _SELECT_VALUES.rows(self._connection, values, (domain_id,))
        return self._taken(domain_id, rows, oldest_live)

    def all_taken(self, domain_id: int, oldest_live: int) -> set[int]:
        """As ``ports.JoinTransaction.all_taken``."""
        rows = _SELECT_ALL_VALUES.rows(self._connection, (domain_id,))
        return self._taken(domain_id, rows, oldest_live)

    def _taken(self, domain_id: int, rows: Rows, oldest_live: int) -> set[int]:
        """Values of this batch, of its pledges (who may get theirs back), and of ``rows``.

        A row that does not authenticate is taken, whatever it says.
        """
        ours = (*self._given, *self._lease_versions)
        taken = {value for domain, value in ours if domain == domain_id}
        for *leased, mac in rows:
            lease = _lease(leased)
            free = leases.is_free_for_another(lease, oldest_live)
            if free and self._mac.fits("short_identifier", leased, mac):
                self._free_again.add((domain_id, lease.value))
            else:
                taken.add(lease.value)
        return taken

    # Writing

    def save_state(self, context_id: int, state: ContextState) -> None:
        """As ``ports.JoinTransaction.save_state``."""
        self._states.append((context_id, state))

    def save_lease(self, lease: Lease, *, new: bool) -> None:
        """As ``ports.JoinTransaction.save_lease``."""
        if new:
            self._given[lease.domain_id, lease.value] = lease
        else:
            self._renewed.append(lease)

    def save_place(self, device: Pledge, place: NodePlace) -> None:
        """As ``ports.JoinTransaction.save_place``."""
        self._places.append((device.id, place))

    def save_reports(
        self, device: Pledge, reports: Iterable[tuple[int, int, bytes | None]]
    ) -> None:
        """As ``ports.JoinTransaction.save_reports``."""
        self._reports += [
            {
                "pledge_id": device.id,
                "label": label,
                "code": code,
                "addinfo": addinfo,
                "reported_at_ms": self._now_ms,
            }
            for code, label, addinfo in reports
        ]

    def record(self, event: Event) -> None:
        """As ``ports.JoinTransaction.record``."""
        self._ledger.record(event)

    def flush(self) -> bool:
        """Send every collected write to the database; False if there is none.

        The commit is the caller's.
        """
        _UPDATE_STATE.many(self._connection, [self._state_row(*entry) for entry in self._states])
        self._flush_leases()
        self._flush_places()
        self._flush_reports()
        return bool(self._states)

    def _state_row(self, context_id: int, state: ContextState) -> tuple[object, ...]:
        values = state_values(context_id, state)
        mac = self._mac.compute("context_state", values)
        return (*values[1:3], *values[5:], mac, context_id)

    def _flush_leases(self) -> None:
        """New rows (in place of ones whose keys are all retired) and renewed ones."""
        reused = self._free_again.intersection(self._given)
        _DELETE_LEASE.many(self._connection, list(reused))
        _INSERT_LEASE.many(
            self._connection, [self._lease_row(lease, 1) for lease in self._given.values()]
        )
        _UPDATE_LEASE.many(self._connection, [self._renewed_row(lease) for lease in self._renewed])

    def _lease_row(self, lease: Lease, version: int) -> tuple[object, ...]:
        values = (
            lease.domain_id,
            lease.value,
            lease.pledge_id,
            lease.first_generation,
            lease.last_generation,
            lease.lease_until_ms,
            self._now_ms if lease.released else None,
            version,
        )
        return (*values, self._mac.compute("short_identifier", values))

    def _renewed_row(self, lease: Lease) -> tuple[object, ...]:
        version = self._lease_versions[lease.domain_id, lease.value] + 1
        row = self._lease_row(lease, version)
        return (*row[2:], *row[:2])

    def _flush_places(self) -> None:
        new: list[tuple[object, ...]] = []
        known: list[tuple[object, ...]] = []
        for pledge_id, place in self._places:
            if pledge_id in self._placed:
                known.append((*place, pledge_id))
            else:
                new.append((pledge_id, *place, self._now_ms, None))
        _INSERT_NODE.many(self._connection, new)
        _UPDATE_NODE.many(self._connection, known)

    def _flush_reports(self) -> None:
        for report in self._reports:
            self._connection.execute(
                delete(unsupported_parameter)
                .where(unsupported_parameter.c.pledge_id == report["pledge_id"])
                .where(unsupported_parameter.c.label == report["label"])
            )
            self._connection.execute(insert(unsupported_parameter), report)


def _lease(values: Sequence[Any]) -> Lease:
    """The record of a row's values without its MAC."""
    domain_id, value, pledge_id, first, last, until, released, _version = values
    return Lease(
        value=value,
        domain_id=domain_id,
        pledge_id=pledge_id,
        first_generation=first,
        last_generation=last,
        lease_until_ms=until,
        released=released is not None,
    )


def _preference(lease: Lease) -> tuple[bool, int]:
    return (not lease.released, lease.last_generation)
