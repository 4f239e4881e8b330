"""Settings of networks by number, and which nodes are to be told them (RFC 9031 §8.4.2)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
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

from jrc.cojp.constants import Label, Role
from jrc.model import PledgeState, Profile
from jrc.policy.profiles import TRAITS
from jrc.service.network_settings import MAX_JOIN_RATE_BYTES_PER_S
from jrc.service.push_records import DuePush, NodeRow, NodeUpdate
from jrc.store.census import VISIBLE
from jrc.store.prepared import Prepared, PreparedIn, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    import_batch,
    key_generation,
    network,
    node,
    node_update,
    pledge,
    pledge_network,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.scope import chunked
from jrc.store.told_settings import HIGHEST, ToldSettings
from jrc.store.unsealed import MOST, MOST_MS, whole
from jrc.store.whereabouts import given_address

_NAMES = [column.name for column in node_update.columns]
assert [field.name for field in fields(NodeUpdate)] == _NAMES

_MOST_ATTEMPTS = 1 << 31
_BOUNDS = {
    "attempts": _MOST_ATTEMPTS,
    "tried_at_ms": MOST_MS,
    "next_at_ms": MOST_MS,
    "acknowledged_at_ms": MOST_MS,
    "refused_number": MOST,
    "lease_sent_at_ms": MOST_MS,
    "throttle": MAX_JOIN_RATE_BYTES_PER_S,
    "told_throttle": MAX_JOIN_RATE_BYTES_PER_S,
}
"""The most that each number of a row can be."""
_FAR_MS = 400 * 86_400_000
"""No node waits for so long: it sleeps for 30 days at most."""

_ZERO: Any = literal_column("0")
"""As an offset: left out, SQLite gets a parameter for it."""


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
    latest = HIGHEST.subquery()
    return (
        _candidates()
        .join(latest, latest.c.network_id == node.c.network_id)
        # Higher than the latest is damaged, as is what is no number.
        .where(node.c.settings_number != latest.c.number)
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


class Pushes(ToldSettings):
    """As ``service.push_records.PushStore``."""

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
        return [_due_push(row) for row in rows if row[0] not in but][:limit]

    def next_due_ms(self) -> int | None:
        """As ``PushStore.next_due_ms``."""
        rows = _NEXT.rows(self._connection, ())
        # Numbers come first: where there is none, nobody is due.
        return rows[0][0] if rows and isinstance(rows[0][0], int) else None

    def take_up(self, after_ms: int) -> None:
        """As ``PushStore.take_up``."""
        next_at_ms, now_ms = node_update.c.next_at_ms, self._scope.now_ms
        under_way = next_at_ms == node_update.c.tried_at_ms + after_ms
        # What was damaged into a time that never comes, or into none.
        is_never = next_at_ms > now_ms + _FAR_MS
        self._connection.execute(
            update(node_update).where(under_way | is_never).values(next_at_ms=now_ms)
        )

    # How it goes

    def find(self, pledge_ids: Collection[int]) -> dict[int, NodeUpdate]:
        """As ``PushStore.find``."""
        return {
            row[0]: _node_update(self._scope.mac, row)
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


def _node_update(mac: RowMac, row: Sequence[Any]) -> NodeUpdate:
    """The record of a row; a value that can't be meant is taken as absent."""
    values = dict(zip(_NAMES, row, strict=True))
    for name, most in _BOUNDS.items():
        values[name] = whole(mac, values[name], most, "node_update", row[0], name)
    values["attempts"] = values["attempts"] or 0
    return NodeUpdate(**values)


def _due_push(row: Sequence[Any]) -> DuePush:
    """As its row says; what is no number is none that counts."""
    pledge_id, *numbers = row
    return DuePush(pledge_id, *(each if isinstance(each, int) else 0 for each in numbers))


def throttled_networks(connection: Connection) -> frozenset[int]:
    """Networks that a pledge with a join rate of its own belongs to."""
    query = select(pledge_network.c.network_id).join(
        node_update, node_update.c.pledge_id == pledge_network.c.pledge_id
    )
    return frozenset(connection.scalars(query.where(node_update.c.throttle.is_not(None))))


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
