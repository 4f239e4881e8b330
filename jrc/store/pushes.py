"""Settings of networks by number, and which nodes are to be told them (RFC 9031 §8.4.2)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from ipaddress import IPv6Address
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from jrc.cojp import cbor
from jrc.cojp.constants import Label, Role
from jrc.model import PledgeState, Profile
from jrc.policy.profiles import TRAITS
from jrc.policy.settings import Settings
from jrc.service.push_records import DuePush, NodeRow, NodeUpdate
from jrc.store.census import VISIBLE
from jrc.store.prepared import Prepared, PreparedIn, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    import_batch,
    key_generation,
    network,
    network_settings,
    node,
    node_update,
    pledge,
    pledge_network,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.scope import Scope, chunked
from jrc.store.whereabouts import given_address

_ARRAY = 4
_NAMES = [column.name for column in node_update.columns]
assert [field.name for field in fields(NodeUpdate)] == _NAMES

_ZERO: Any = literal_column("0")
"""As an offset: left out, SQLite gets a parameter for it."""

_LATEST = select(
    network_settings.c.network_id, func.max(network_settings.c.number).label("number")
).group_by(network_settings.c.network_id)


def _quoted(words: Iterable[str]) -> list[Any]:
    return [literal_column(f"'{word}'") for word in words]


_UPDATABLE = _quoted(profile for profile in Profile if TRAITS[profile].takes_updates)
_CAN_BE_TOLD = (
    network.c.removed_at_ms.is_(None)
    & (pledge.c.state == _quoted([PledgeState.PROVISIONED.value])[0])
    & func.coalesce(pledge.c.profile, network.c.profile).in_(_UPDATABLE)
)
_IS_NOT_SCHEDULED = node_update.c.next_at_ms.is_(None)


def _candidates() -> Select[Any]:
    """Nodes that updates go to, and that nobody is about to tell."""
    return (
        select(node.c.pledge_id)
        .join(network, network.c.id == node.c.network_id)
        .join(pledge, pledge.c.id == node.c.pledge_id)
        .outerjoin(node_update, node_update.c.pledge_id == node.c.pledge_id)
        .where(_CAN_BE_TOLD, _IS_NOT_SCHEDULED)
        .limit(bindparam("most"))
        .offset(_ZERO)
    )


def _lacking_settings() -> Select[Any]:
    latest = _LATEST.subquery()
    return (
        _candidates()
        .join(latest, latest.c.network_id == node.c.network_id)
        .where(node.c.settings_number < latest.c.number)
        .where(
            node_update.c.refused_number.is_(None)
            | (node_update.c.refused_number < latest.c.number)
        )
    )


def _lacking_lease(condition: Any) -> Select[Any]:
    refused = (
        exists()
        .where(unsupported_parameter.c.pledge_id == node.c.pledge_id)
        .where(unsupported_parameter.c.label == literal_column(str(int(Label.SHORT_IDENTIFIER))))
        .where(unsupported_parameter.c.addinfo.is_(None))
    )
    return (
        _candidates()
        .join(short_identifier, short_identifier.c.pledge_id == node.c.pledge_id)
        .where(node.c.network_id == bindparam("network_id"))
        .where(short_identifier.c.domain_id == bindparam("domain_id"))
        .where(short_identifier.c.released_at_ms.is_(None))
        .where(condition, ~refused)
    )


_UNTIL = short_identifier.c.lease_until_ms
_LACKING_SETTINGS = Prepared(_lacking_settings(), ["most"])
_LACKING_TIMED = Prepared(
    _lacking_lease(_UNTIL.is_(None) | ~_UNTIL.between(bindparam("first_ms"), bindparam("last_ms"))),
    ["network_id", "domain_id", "first_ms", "last_ms", "most"],
)
_LACKING_ENDLESS = Prepared(
    _lacking_lease(_UNTIL.is_not(None)), ["network_id", "domain_id", "most"]
)


def _due(columns: Iterable[Any]) -> Select[Any]:
    return (
        select(*columns)
        .join_from(node_update, node, node.c.pledge_id == node_update.c.pledge_id)
        .order_by(node_update.c.next_at_ms)
    )


_DUE_COLUMNS = (node_update.c.pledge_id, node.c.network_id, node.c.role, node_update.c.attempts)
_DUE = Prepared(
    _due(_DUE_COLUMNS)
    .where(node_update.c.next_at_ms <= bindparam("now_ms"))
    .limit(bindparam("most"))
    .offset(_ZERO),
    ["now_ms", "most"],
)
_NEXT = Prepared(
    _due([node_update.c.next_at_ms])
    .where(node_update.c.next_at_ms.is_not(None))
    .limit(literal_column("1"))
    .offset(_ZERO),
    [],
)
_INSERT = Prepared(insert(node_update), _NAMES)
_UPDATE = updating(node_update, ["pledge_id"], _NAMES[1:])
_NUMBER = updating(node, ["pledge_id"], ["settings_number"])


def _find_of(listed: Sequence[str]) -> Executable:
    return select(node_update).where(
        node_update.c.pledge_id.in_([bindparam(name) for name in listed])
    )


_FIND = PreparedIn(_find_of)

_NODES = (
    select(
        node.c.pledge_id,
        pledge.c.identifier,
        node.c.network_id,
        node.c.role,
        pledge.c.profile,
        key_generation.c.number,
        node.c.settings_number,
        node.c.address,
        node.c.sleep_s,
    )
    .join(pledge, pledge.c.id == node.c.pledge_id)
    .outerjoin(key_generation, key_generation.c.id == node.c.generation_id)
    .join(network, network.c.id == node.c.network_id)
    .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
    .where(VISIBLE, pledge.c.state == PledgeState.PROVISIONED.value)
    .where(network.c.removed_at_ms.is_(None))
    .order_by(pledge.c.identifier)
)


class Pushes:
    """As ``service.push_records.PushStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    # Settings

    def latest(self, network_id: int) -> Settings | None:
        """As ``PushStore.latest``."""
        query = select(network_settings).where(network_settings.c.network_id == network_id)
        found = self._settings(query.order_by(network_settings.c.number.desc()).limit(1))
        return found[0] if found else None

    def since(self, network_id: int, number: int) -> list[Settings]:
        """As ``PushStore.since``."""
        query = (
            select(network_settings)
            .where(network_settings.c.network_id == network_id)
            .where(network_settings.c.number >= number)
        )
        return self._settings(query.order_by(network_settings.c.number))

    def _settings(self, query: Select[Any]) -> list[Settings]:
        found = []
        for row in self._connection.execute(query).mappings().all():
            self._scope.mac.check(network_settings, row)
            found.append(_settings(row))
        return found

    def add_settings(self, network_id: int, settings: Settings) -> None:
        """As ``PushStore.add_settings``."""
        address = settings.jrc_address
        blocked = b"".join(map(cbor.encode_bytes, settings.blocked))
        row = {
            "network_id": network_id,
            "number": settings.number,
            "join_rate": settings.join_rate_bytes_per_s,
            "jrc_address": None if address is None else str(address),
            "blocked": cbor.head(_ARRAY, len(settings.blocked)) + blocked,
            "since_ms": self._scope.now_ms,
            "version": 1,
        }
        self._connection.execute(
            insert(network_settings), self._scope.mac.seal(network_settings, row)
        )

    # Whom to tell

    def lacking_settings(self, limit: int) -> list[int]:
        """As ``PushStore.lacking_settings``."""
        return [row[0] for row in _LACKING_SETTINGS.rows(self._connection, (limit,))]

    def lacking_lease(
        self, network_id: int, domain_id: int, ends_ms: tuple[int, int] | None, limit: int
    ) -> list[int]:
        """As ``PushStore.lacking_lease``."""
        where = (network_id, domain_id)
        if ends_ms is None:
            rows = _LACKING_ENDLESS.rows(self._connection, (*where, limit))
        else:
            rows = _LACKING_TIMED.rows(self._connection, (*where, *ends_ms, limit))
        return [row[0] for row in rows]

    def schedule(self, pledge_ids: Collection[int], at_ms: int) -> None:
        """As ``PushStore.schedule``."""
        known = self.find(pledge_ids)
        new = [(pledge_id, 0) for pledge_id in pledge_ids if pledge_id not in known]
        if new:
            rows = [{"pledge_id": who, "attempts": 0, "next_at_ms": at_ms} for who, _ in new]
            self._connection.execute(insert(node_update), rows)
        for some in chunked(sorted(known)):
            self._connection.execute(
                update(node_update)
                .where(node_update.c.pledge_id.in_(some))
                .values(attempts=0, last_error=None, next_at_ms=at_ms)
            )

    def due(
        self, now_ms: int, limit: int, but: Collection[int], full: Collection[int]
    ) -> list[DuePush]:
        """As ``PushStore.due``."""
        most = limit + len(but)
        if full:
            query = _due(_DUE_COLUMNS).where(node_update.c.next_at_ms <= now_ms)
            has_room = node.c.network_id.not_in(full) | (node.c.role == Role.LBR.value)
            query = query.where(has_room).limit(most)
            rows: Sequence[Any] = self._connection.execute(query).all()
        else:
            rows = _DUE.rows(self._connection, (now_ms, most))
        return [DuePush(*row) for row in rows if row[0] not in but][:limit]

    def next_due_ms(self) -> int | None:
        """As ``PushStore.next_due_ms``."""
        rows = _NEXT.rows(self._connection, ())
        return rows[0][0] if rows else None

    def take_up(self, after_ms: int) -> None:
        """As ``PushStore.take_up``."""
        self._connection.execute(
            update(node_update)
            .where(node_update.c.next_at_ms == node_update.c.tried_at_ms + after_ms)
            .values(next_at_ms=self._scope.now_ms)
        )

    # How it goes

    def find(self, pledge_ids: Collection[int]) -> dict[int, NodeUpdate]:
        """As ``PushStore.find``."""
        return {
            row[0]: NodeUpdate(**dict(zip(_NAMES, row, strict=True)))
            for some in chunked(sorted(pledge_ids))
            for row in _FIND.rows(self._connection, some)
        }

    def save(self, updates: Iterable[NodeUpdate]) -> None:
        """As ``PushStore.save``."""
        rows = {each.pledge_id: tuple(getattr(each, name) for name in _NAMES) for each in updates}
        known = self.find(rows)
        _INSERT.many(self._connection, [row for who, row in rows.items() if who not in known])
        _UPDATE.many(
            self._connection, [(*row[1:], who) for who, row in rows.items() if who in known]
        )

    def forget(self, pledge_id: int) -> None:
        """As ``PushStore.forget``."""
        self._connection.execute(delete(node_update).where(node_update.c.pledge_id == pledge_id))

    def set_place_numbers(self, numbers: Mapping[int, int]) -> None:
        """As ``PushStore.set_place_numbers``."""
        _NUMBER.many(self._connection, [(number, who) for who, number in sorted(numbers.items())])

    def set_sleep(self, pledge_id: int, sleep_s: int | None) -> None:
        """As ``PushStore.set_sleep``."""
        self._connection.execute(
            update(node).where(node.c.pledge_id == pledge_id).values(sleep_s=sleep_s)
        )

    # Listing

    def nodes(
        self, *, after: bytes | None, limit: int, network_id: int | None = None
    ) -> list[NodeRow]:
        """As ``PushStore.nodes``."""
        query = _NODES.limit(limit)
        if after is not None:
            query = query.where(pledge.c.identifier > after)
        if network_id is not None:
            query = query.where(node.c.network_id == network_id)
        return [_node_row(row) for row in self._connection.execute(query)]

    def node(self, identifier: bytes) -> NodeRow | None:
        """As ``PushStore.node``."""
        row = self._connection.execute(_NODES.where(pledge.c.identifier == identifier)).first()
        return None if row is None else _node_row(row)


def latest_settings(connection: Connection, mac: RowMac) -> dict[int, Settings]:
    """What the nodes of each network are told now, by the network's number.

    Raises:
        StateError: a row does not authenticate.
    """
    latest = _LATEST.subquery()
    query = select(network_settings).join(
        latest,
        (latest.c.network_id == network_settings.c.network_id)
        & (latest.c.number == network_settings.c.number),
    )
    found = {}
    for row in connection.execute(query).mappings():
        mac.check(network_settings, row)
        found[row["network_id"]] = _settings(row)
    return found


def throttled_networks(connection: Connection) -> frozenset[int]:
    """Networks that a pledge with a join rate of its own belongs to."""
    query = select(pledge_network.c.network_id).join(
        node_update, node_update.c.pledge_id == pledge_network.c.pledge_id
    )
    return frozenset(connection.scalars(query.where(node_update.c.throttle.is_not(None))))


def _settings(row: Mapping[Any, Any]) -> Settings:
    address = row["jrc_address"]
    return Settings(
        row["number"],
        row["join_rate"],
        None if address is None else IPv6Address(address),
        _identifiers(row["blocked"]),
    )


def _identifiers(encoded: bytes) -> tuple[bytes, ...]:
    count, pos = cbor.read_container(encoded, 0, _ARRAY)
    found = []
    for _ in range(count):
        identifier, pos = cbor.read_bytes(encoded, pos)
        found.append(identifier)
    return tuple(found)


def _node_row(row: Sequence[Any]) -> NodeRow:
    pledge_id, identifier, network_id, role, profile, generation, number, address, sleep_s = row
    known = Profile(profile) if profile in set(Profile) else None
    return NodeRow(
        pledge_id,
        bytes(identifier),
        network_id,
        role,
        known,
        generation,
        number,
        given_address(address),
        sleep_s,
    )
