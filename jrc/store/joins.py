"""The writes of a batch of joins: one executemany a table, each row only if it is as it was.

A row is changed only where it still has the version that was decided upon. So the join path
needs no reading of rows that it has in memory, and two registrars can't both move one window.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Table,
    bindparam,
    case,
    delete,
    insert,
    null,
    select,
    update,
)

from jrc.errors import ConflictError
from jrc.model import Event, Network, Pledge
from jrc.policy import leases
from jrc.policy.leases import Lease
from jrc.service.join_ports import (
    ContextState,
    JoinedMeanwhile,
    KnownContext,
    NetworkPolicy,
    NodePlace,
)
from jrc.store.candidates import contexts_beside, put_candidate_in_force
from jrc.store.context_rows import state_values
from jrc.store.contexts import find_locked
from jrc.store.gates import Gates
from jrc.store.join_recoveries import JoinRecoveries
from jrc.store.keyring import Keyring
from jrc.store.ledger import Ledger
from jrc.store.meanwhile import note_joins, note_moves
from jrc.store.policy import load_policy
from jrc.store.prepared import Prepared, PreparedIn, Rows, change, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    context_state,
    node,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.scope import Scope
from jrc.store.standing import LEASE_COLUMNS, lease_from_values, lease_row


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _values_of(listed: Sequence[str]) -> Executable:
    return _VALUES.where(short_identifier.c.value.in_([bindparam(name) for name in listed]))


_STATE_NAMES = [
    name
    for name in _names(context_state)
    if name not in ("context_id", "numbers_reserved", "needs_recovery")
]
_LEASE_NAMES = ["first_generation", "last_generation", "lease_until_ms", "released_at_ms",
                "version", "mac"]  # fmt: skip

_VALUES = select(*LEASE_COLUMNS, short_identifier.c.mac).where(
    short_identifier.c.domain_id == bindparam("domain_id")
)

_SELECT_VALUES = PreparedIn(_values_of, ["domain_id"])
_SELECT_ALL_VALUES = Prepared(_VALUES, ["domain_id"])
_UPDATE_STATE = updating(context_state, ["context_id", "version"], _STATE_NAMES)
_INSERT_LEASE = Prepared(insert(short_identifier), _names(short_identifier))
_UPDATE_LEASE = updating(
    short_identifier, ["domain_id", "value", "pledge_id", "version"], _LEASE_NAMES
)
_DELETE_LEASE = Prepared(
    delete(short_identifier)
    .where(short_identifier.c.domain_id == bindparam("b_domain_id"))
    .where(short_identifier.c.value == bindparam("b_value")),
    ["b_domain_id", "b_value"],
)
_INSERT_NODE = Prepared(insert(node), _names(node))
_SAME_NETWORK = node.c.network_id == bindparam("same_network_id")
_UPDATE_NODE = Prepared(
    update(node)
    .values(
        network_id=bindparam("b_network_id"),
        role=bindparam("b_role"),
        generation_id=bindparam("b_generation_id"),
        settings_number=bindparam("b_settings_number"),
        # One that the operator gave is of the network that the node was in.
        address=case((_SAME_NETWORK, node.c.address), else_=null()),
    )
    .where(node.c.pledge_id == bindparam("k_pledge_id")),
    [
        "b_network_id",
        "b_role",
        "b_generation_id",
        "same_network_id",
        "b_settings_number",
        "k_pledge_id",
    ],
)


class Joins:
    """One transaction of the join path, as ``join_ports.JoinTransaction``; ``flush`` writes it out.

    ``anew`` says that no context from memory is good enough: a transaction before was too late.
    ``look_at_border_router`` is asked before a 6LBR is given keys, and may put others in force.
    """

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        keyring: Keyring,
        mac: RowMac,
        policy: NetworkPolicy,
        random: Callable[[int], bytes],
        now_ms: int,
        *,
        anew: bool,
        look_at_border_router: Callable[[Network, Pledge], bool] | None = None,
    ) -> None:
        self.policy = policy
        self.random = random
        self._anew = anew
        self._connection = connection
        self._ledger = ledger
        self._keyring = keyring
        self._mac = mac
        self._now_ms = now_ms
        self._scope = Scope(connection, keyring, mac, now_ms)
        self._states: list[tuple[int, ContextState]] = []
        self._given: dict[tuple[int, int], Lease] = {}
        self._renewed: list[Lease] = []
        self._free_again: set[tuple[int, int]] = set()
        self._current: dict[int, KnownContext] = {}
        self._places: list[tuple[int, NodePlace, bool]] = []
        self._meanwhile: list[tuple[int, JoinedMeanwhile]] = []
        self._moved: dict[int, tuple[NodePlace, NodePlace]] = {}
        self._reports: list[dict[str, object]] = []
        self._gates: Gates | None = None
        self._recoveries: JoinRecoveries | None = None
        self._look_at_border_router = look_at_border_router
        self._has_written = False
        self._out_of_force: frozenset[int] = frozenset()

    @property
    def learned(self) -> Sequence[bytes]:
        """Kid contexts that can be looked up from the commit on."""
        return self._scope.learned

    @property
    def gates(self) -> Gates:
        """As ``join_ports.JoinTransaction.gates``."""
        if self._gates is None:
            seen_ms = self._ledger.instance.clock_high_water_ms
            self._gates = Gates(self._connection, self._mac, seen_ms)
        return self._gates

    @property
    def recoveries(self) -> JoinRecoveries:
        """As ``join_ports.JoinTransaction.recoveries``."""
        if self._recoveries is None:
            self._recoveries = JoinRecoveries(self._scope)
        return self._recoveries

    # Reading

    def current(self, asked: Sequence[KnownContext]) -> dict[int, KnownContext]:
        """As ``join_ports.JoinTransaction.current``."""
        good: dict[int, KnownContext] = {}
        old: dict[int, bytes] = {}
        for known in asked:
            # What waits has not seen what the pledge has got by its other key.
            is_good = known.revision == self.policy.revision and known.candidate_id is None
            if is_good and not self._anew:
                good[known.context_id] = known
            else:
                old[known.context_id] = known.kid_context
        if old:
            names = list(dict.fromkeys(old.values()))
            for known in find_locked(self._connection, self._keyring, self._mac, names):
                if known.context_id in old:
                    good[known.context_id] = known
        self._current = good
        return good

    def taken(self, domain_id: int, values: Sequence[int], oldest_live: int) -> set[int]:
        """As ``join_ports.JoinTransaction.taken``."""
        if not values:
            return set()
        rows = _SELECT_VALUES.rows(self._connection, values, (domain_id,))
        return self._taken(domain_id, rows, oldest_live)

    def all_taken(self, domain_id: int, oldest_live: int) -> set[int]:
        """As ``join_ports.JoinTransaction.all_taken``."""
        rows = _SELECT_ALL_VALUES.rows(self._connection, (domain_id,))
        return self._taken(domain_id, rows, oldest_live)

    def _taken(self, domain_id: int, rows: Rows, oldest_live: int) -> set[int]:
        """Values of this batch, of its pledges (who may get theirs back), and of ``rows``.

        A row that does not authenticate is taken, whatever it says.
        """
        taken = {value for domain, value in self._given if domain == domain_id}
        for known in self._current.values():
            held = known.standing.lease_in(domain_id)
            if held is not None:
                taken.add(held.value)
        for *leased, mac in rows:
            lease = lease_from_values(leased)
            free = leases.is_free_for_another(lease, oldest_live)
            if free and self._mac.fits("short_identifier", leased, mac):
                self._free_again.add((domain_id, lease.value))
            else:
                taken.add(lease.value)
        return taken

    # Writing

    def save_state(self, context_id: int, state: ContextState) -> None:
        """As ``join_ports.JoinTransaction.save_state``."""
        if context_id in self._out_of_force:
            raise ConflictError("its key has gone out of force in this transaction")
        self._states.append((context_id, state))

    def save_lease(self, lease: Lease) -> None:
        """As ``join_ports.JoinTransaction.save_lease``."""
        if lease.version == 1:
            self._given[lease.domain_id, lease.value] = lease
        else:
            self._renewed.append(lease)

    def save_place(self, device: Pledge, place: NodePlace, before: NodePlace | None) -> None:
        """As ``join_ports.JoinTransaction.save_place``."""
        self._places.append((device.id, place, before is None))
        if before is not None and before.network_id != place.network_id:
            self._moved[device.id] = before, place

    def border_router_joins(self, network: Network, device: Pledge) -> bool:
        """As ``join_ports.JoinTransaction.border_router_joins``."""
        if self._look_at_border_router is None:
            return False
        # It decides by rows, and those of the joins before it in the batch count.
        self._write()
        if not self._look_at_border_router(network, device):
            return False
        self.policy = load_policy(
            self._connection, self._keyring, self._mac, self.policy.revision + 1
        )
        return True

    def put_in_force(self, known: KnownContext) -> None:
        """As ``join_ports.JoinTransaction.put_in_force``."""
        former = contexts_beside(self._connection, known)
        if self._has_written or any(context_id in former for context_id, _ in self._states):
            raise ConflictError("a request under the key before shares the transaction")
        put_candidate_in_force(self._scope, known)
        self._out_of_force |= former
        self._ledger.policy_changed()

    def save_progress(self, device: Pledge, meanwhile: JoinedMeanwhile) -> None:
        """As ``join_ports.JoinTransaction.save_progress``."""
        self._meanwhile.append((device.id, meanwhile))

    def save_reports(
        self, device: Pledge, reports: Iterable[tuple[int, int, bytes | None]]
    ) -> None:
        """As ``join_ports.JoinTransaction.save_reports``."""
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
        """As ``join_ports.JoinTransaction.record``."""
        self._ledger.record(event)

    def flush(self) -> bool:
        """Send every collected write to the database; False if there is none.

        The commit is the caller's.

        Raises:
            ConflictError: a row is not as it was decided upon; nothing may be committed.
        """
        has_written = bool(self._states) or self._has_written
        self._write()
        if self._gates is not None:
            self._gates.flush()
        return has_written

    def _write(self) -> None:
        """Send what was collected since the last time, but for windows and approvals."""
        # In the order of their keys, so that two registrars never wait for each other in a ring.
        self._states.sort()
        change(_UPDATE_STATE, self._connection, [self._state_row(*entry) for entry in self._states])
        self._flush_leases()
        self._flush_places()
        if self._meanwhile:
            note_joins(self._scope, self._meanwhile)
        if self._moved:
            self._flush_moves()
        self._flush_reports()
        self._has_written = self._has_written or bool(self._states)
        for written in (
            self._states,
            self._given,
            self._renewed,
            self._free_again,
            self._places,
            self._meanwhile,
            self._moved,
            self._reports,
        ):
            written.clear()

    def _state_row(self, context_id: int, state: ContextState) -> tuple[object, ...]:
        values = state_values(context_id, state)
        mac = self._mac.compute("context_state", values)
        return (*values[1:3], *values[5:], mac, context_id, state.version - 1)

    def _flush_leases(self) -> None:
        """New rows (in place of ones whose keys are all retired) and renewed ones."""
        reused = self._free_again.intersection(self._given)
        _DELETE_LEASE.many(self._connection, list(reused))
        _INSERT_LEASE.many(
            self._connection, [self._lease_row(lease) for lease in self._given.values()]
        )
        change(_UPDATE_LEASE, self._connection, [self._renewed_row(each) for each in self._renewed])

    def _lease_row(self, lease: Lease) -> tuple[Any, ...]:
        return lease_row(self._mac, lease, self._now_ms if lease.released else None)

    def _renewed_row(self, lease: Lease) -> tuple[Any, ...]:
        row = self._lease_row(lease)
        return (*row[3:], *row[:3], lease.version - 1)

    def _flush_places(self) -> None:
        new: list[tuple[object, ...]] = []
        known: list[tuple[object, ...]] = []
        for pledge_id, place, is_new in self._places:
            *held, settings = place
            if is_new:
                new.append((pledge_id, *held, self._now_ms, None, settings, None))
            else:
                known.append((*held, place.network_id, settings, pledge_id))
        _INSERT_NODE.many(self._connection, new)
        change(_UPDATE_NODE, self._connection, known)

    def _flush_moves(self) -> None:
        """After the joins, of which one may have been where its pledge is no more."""
        networks = self.policy.networks
        for domain_id, keys in self.policy.keys.items():
            if keys.running is None:
                continue
            gone = {
                who: before
                for who, (before, place) in self._moved.items()
                if networks[place.network_id].domain_id != domain_id
            }
            if gone:
                note_moves(self._scope, keys.running.rollover_id, gone)

    def _flush_reports(self) -> None:
        for report in self._reports:
            self._connection.execute(
                delete(unsupported_parameter)
                .where(unsupported_parameter.c.pledge_id == report["pledge_id"])
                .where(unsupported_parameter.c.label == report["label"])
            )
            self._connection.execute(insert(unsupported_parameter), report)
