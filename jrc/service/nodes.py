"""Looking at nodes: what each is to have, what it has acknowledged, how it goes (§8.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jrc.cojp.constants import Label, Role
from jrc.errors import OperatorError
from jrc.model import Network, PledgeId, Profile
from jrc.policy import leases
from jrc.policy.addresses import global_address
from jrc.policy.leases import Lease
from jrc.policy.profiles import TRAITS
from jrc.policy.rollover_nodes import states_to_tell
from jrc.policy.settings import Settings, lowest, number_of
from jrc.service.enroll import find_pledge
from jrc.service.key_domains import current_generation
from jrc.service.network_reports import find_network
from jrc.service.push_records import NodeRow, NodeUpdate
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverNode, RolloverRecord
from jrc.service.wording import role_name, utc_text

PAGE = 500

SETTINGS, LEASE, KEYS = "settings", "lease", "keys"
"""What a node may lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """A node as listings show it; times in UTC, ``pledge_id`` and ``short_id`` in hex.

    ``lacks`` are words: settings, lease, keys; where it ``must_join``, no update brings them.
    ``attempts`` are those since it last acknowledged, ``next`` is when it is told settings and
    lease, None where it is not. ``throttle_bytes_per_s`` is a join rate of its own.
    """

    pledge_id: str
    network: str
    role: str
    short_id: str | None
    address: str | None
    sleeps_s: int | None
    takes_updates: bool
    throttle_bytes_per_s: int | None
    behind: bool
    lacks: tuple[str, ...]
    must_join: bool
    attempts: int
    last_error: str | None
    tried: str | None
    next: str | None
    acknowledged: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationReport:
    """What a node is to have, or has acknowledged (RFC 9031 §8.4.2), without key values.

    ``settings`` and ``generation`` are numbers of this registrar's. A ``blocklist`` of None was not
    told. ``lease_until`` is when the registrar takes the lease for over.
    """

    settings: int
    join_rate_bytes_per_s: int | None
    jrc_address: str | None
    blocklist: tuple[str, ...] | None
    generation: int | None
    lease_hours: int | None = None
    lease_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDetails:
    """Everything about a node; ``refused`` is the number of settings it can't act upon.

    ``lease_sent`` is when a lease went out that it has not acknowledged yet.
    """

    node: NodeReport
    wanted: ConfigurationReport
    has: ConfigurationReport
    refused: int | None
    lease_sent: str | None


class Seen(NamedTuple):
    """A node's rows, with what its network is told now."""

    row: NodeRow
    network: Network
    update: NodeUpdate
    latest: Settings | None
    lease: Lease | None
    current: int | None
    has_rollover: bool
    awaits_keys: bool
    """A rollover has still to tell it keys: the new ones, or after an abort those in force."""

    @property
    def profile(self) -> Profile:
        """The profile in force."""
        return self.row.profile or self.network.profile

    @property
    def takes_updates(self) -> bool:
        """Whether it can be told anything."""
        return TRAITS[self.profile].takes_updates

    def lacks(self, now_ms: int) -> tuple[str, ...]:
        """What it has not acknowledged."""
        return tuple(self._lacks(now_ms))

    def _lacks(self, now_ms: int) -> Iterator[str]:
        lacks_lease = self._lacks_lease(now_ms)
        # With nothing else to be told, an update that is under way says a join rate of its own.
        is_being_told = self.update.next_at_ms is not None and not lacks_lease
        if self._lacks_settings() or is_being_told:
            yield SETTINGS
        if lacks_lease:
            yield LEASE
        if self.has_other_keys or self.awaits_keys:
            yield KEYS

    def _lacks_settings(self) -> bool:
        if self.update.throttle != self.update.told_throttle:
            return True
        return self.latest is not None and self.row.place_number != self.latest.number

    def _lacks_lease(self, now_ms: int) -> bool:
        if self.lease is None:
            return False
        is_unheard = self.update.lease_sent_at_ms is not None
        return is_unheard or leases.needs_renewal(self.lease, now_ms, self.network.lease_hours)

    @property
    def has_other_keys(self) -> bool:
        """Whether it was given keys last that are not in force."""
        has = self.row.generation
        return None not in (has, self.current) and has != self.current

    def must_join(self, now_ms: int) -> bool:
        """Whether no update brings what it lacks: it is told nothing, or has keys of the past.

        Those of a rollover that runs are still good, or come from there (§8.4.3.1).
        """
        if not self.takes_updates:
            return bool(self.lacks(now_ms))
        return self.has_other_keys and not self.has_rollover


def is_to_be_told(record: RolloverRecord, node: RolloverNode) -> bool:
    """Whether a rollover has keys for a node, now or when its pause is over."""
    return node.state in states_to_tell(record.course, node.role)


class Look:
    """Networks, settings and keys for one transaction, read once for all nodes."""

    def __init__(self, tx: Registry) -> None:
        self._tx = tx
        self._latest: dict[int, Settings | None] = {}
        self._current: dict[int, int | None] = {}
        self._running: dict[int, bool] = {}

    @cached_property
    def networks(self) -> dict[int, Network]:
        """Every network by its number."""
        return dict(self._tx.networks.all())

    def at(self, rows: Sequence[NodeRow]) -> list[Seen]:
        """These nodes, as far as their networks are there."""
        tx = self._tx
        updates = tx.pushes.find([row.pledge_id for row in rows])
        records = tx.pledges.find([row.identifier for row in rows])
        standing = tx.pledges.standing(list(records.values()))
        awaiting = self._awaiting(rows)
        found = []
        for row in rows:
            network = self.networks.get(row.network_id)
            if network is None:
                continue
            held = [
                lease
                for lease in standing[row.pledge_id].leases
                if lease.domain_id == network.domain_id and not lease.released
            ]
            update = updates.get(row.pledge_id, NodeUpdate(pledge_id=row.pledge_id))
            found.append(
                Seen(
                    row,
                    network,
                    update,
                    self._latest_of(network.id),
                    held[0] if held else None,
                    self._current_of(network.domain_id),
                    self._has_rollover(network.domain_id),
                    row.pledge_id in awaiting,
                )
            )
        return found

    def _awaiting(self, rows: Sequence[NodeRow]) -> set[int]:
        """Those of these nodes whom the last rollover of their keys has still to tell something."""
        found: set[int] = set()
        domains = {
            network.domain_id
            for network in map(self.networks.get, {row.network_id for row in rows})
            if network is not None
        }
        for last in (last for each in domains for last in self._tx.rollovers.latest(each)):
            nodes = self._tx.rollovers.find(last.id, [row.pledge_id for row in rows])
            found.update(number for number, node in nodes.items() if is_to_be_told(last, node))
        return found

    def _latest_of(self, network_id: int) -> Settings | None:
        if network_id not in self._latest:
            self._latest[network_id] = self._tx.pushes.latest(network_id)
        return self._latest[network_id]

    def _has_rollover(self, domain_id: int) -> bool:
        if domain_id not in self._running:
            self._running[domain_id] = self._tx.rollovers.running(domain_id) is not None
        return self._running[domain_id]

    def _current_of(self, domain_id: int) -> int | None:
        if domain_id not in self._current:
            current = current_generation(self._tx.keysets.generations(domain_id))
            self._current[domain_id] = None if current is None else current.number
        return self._current[domain_id]


def list_nodes(
    tx: Registry,
    *,
    network: str | None = None,
    behind: bool = False,
    after: PledgeId | None = None,
    limit: int = PAGE,
) -> list[NodeReport]:
    """One page in the order of identifiers; ``behind`` leaves out who has all it is to have.

    Raises:
        OperatorError: there is no such network.
    """
    network_id = None if network is None else find_network(tx, network).id
    look = Look(tx)
    begin = None if after is None else after.value
    found: list[NodeReport] = []
    while len(found) < limit:
        rows = tx.pushes.nodes(after=begin, limit=limit, network_id=network_id)
        reports = [node_report(tx, seen) for seen in look.at(rows)]
        found += [report for report in reports if report.behind or not behind]
        if len(rows) < limit:
            break
        begin = rows[-1].identifier
    return found[:limit]


def see(tx: Registry, identifier: PledgeId) -> Seen:
    """One node.

    Raises:
        OperatorError: it is unknown, or has not joined.
    """
    record = find_pledge(tx, identifier)
    row = tx.pushes.node(record.identifier)
    seen = Look(tx).at([] if row is None else [row])
    if not seen:
        raise OperatorError(
            f"{identifier} is no node: it is {record.state.value}",
            "`jrc node list` shows who has joined, `jrc pledge explain` why a device has not",
        )
    return seen[0]


def show_node(tx: Registry, identifier: PledgeId) -> NodeDetails:
    """Everything about one node.

    Raises:
        OperatorError: it is unknown, or has not joined.
    """
    seen = see(tx, identifier)
    return NodeDetails(
        node=node_report(tx, seen),
        wanted=_wanted(seen),
        has=_has(tx, seen),
        refused=seen.update.refused_number,
        lease_sent=utc_text(seen.update.lease_sent_at_ms),
    )


def node_report(tx: Registry, seen: Seen) -> NodeReport:
    """A node as listings show it."""
    row, update = seen.row, seen.update
    lacks = seen.lacks(tx.now_ms)
    return NodeReport(
        pledge_id=row.identifier.hex(),
        network=seen.network.name,
        role=role_name(row.role),
        short_id=None if seen.lease is None else f"{seen.lease.value:04x}",
        address=_address(seen),
        sleeps_s=row.sleep_s,
        takes_updates=seen.takes_updates,
        throttle_bytes_per_s=update.throttle,
        behind=bool(lacks),
        lacks=lacks,
        must_join=seen.must_join(tx.now_ms),
        attempts=update.attempts,
        last_error=update.last_error,
        tried=utc_text(update.tried_at_ms),
        next=utc_text(update.next_at_ms) if seen.takes_updates else None,
        acknowledged=utc_text(update.acknowledged_at_ms),
    )


def _address(seen: Seen) -> str | None:
    short_id = None if seen.lease is None else seen.lease.value
    identifier = PledgeId(seen.row.identifier)
    address = seen.row.address or global_address(
        seen.network.prefix, identifier, short_id, seen.profile
    )
    return None if address is None else str(address)


def _wanted(seen: Seen) -> ConfigurationReport:
    settings = seen.latest or Settings(0, seen.network.join_rate_bytes_per_s, None, ())
    traits = TRAITS[seen.profile]
    generation = seen.current if traits.takes_keys else None
    report = _report(seen, settings, seen.update.throttle, generation)
    if Label.SHORT_IDENTIFIER in traits.labels:
        report["lease_hours"] = seen.network.lease_hours
    return ConfigurationReport(**report)  # type: ignore[arg-type]


def _has(tx: Registry, seen: Seen) -> ConfigurationReport:
    number = number_of(seen.row.place_number)
    rows = tx.pushes.since(seen.network.id, number)
    settings = rows[0] if rows else Settings(number, None, None, ())
    throttle = seen.update.told_throttle if seen.row.place_number >= 0 else None
    report = _report(seen, settings, throttle, seen.row.generation)
    if seen.row.place_number < 0 and seen.row.role != Role.LBR:
        report["blocklist"] = None
    until_ms = None if seen.lease is None else seen.lease.lease_until_ms
    return ConfigurationReport(**{**report, "lease_until": utc_text(until_ms)})  # type: ignore[arg-type]


def _report(
    seen: Seen, settings: Settings, throttle: int | None, generation: int | None
) -> dict[str, object]:
    takes_address = Label.JRC_ADDRESS in TRAITS[seen.profile].labels
    address = settings.jrc_address if takes_address else None
    blocked = settings.blocked_for(seen.row.role)
    return {
        "settings": settings.number,
        "join_rate_bytes_per_s": lowest(settings.join_rate_bytes_per_s, throttle),
        "jrc_address": None if address is None else str(address),
        "blocklist": tuple(identifier.hex() for identifier in blocked),
        "generation": generation,
    }
