"""Pledges: rows sealed together with their networks; removed ones stay as tombstones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, select, update

from jrc.errors import StateError
from jrc.model import PledgeState, Profile
from jrc.service.records import (
    Fingerprints,
    JoinedNode,
    NewPledge,
    PledgeRecord,
    Standing,
    ToldKeys,
)
from jrc.store import census, toldkeys, whereabouts
from jrc.store.census import HAS_PLACE, IS_STAGED, VISIBLE, WAITS, identifier_bytes, shown
from jrc.store.leases import Leases
from jrc.store.new_pledges import insert_pledges, write_networks
from jrc.store.pledge_search import looks_like
from jrc.store.policy import blocklist
from jrc.store.prepared import PreparedIn
from jrc.store.recoveries import WAITS as WAITS_FOR_RECOVERY
from jrc.store.schema import (
    import_batch,
    network,
    node,
    pledge,
    pledge_network,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.scope import CHUNK, Scope, chunked

_ROWS = select(
    pledge, IS_STAGED.label("is_staged"), HAS_PLACE.label("has_place"), WAITS.label("waits")
).outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)


_KNOWN = PreparedIn(
    lambda listed: select(pledge.c.identifier).where(
        pledge.c.identifier.in_([bindparam(name) for name in listed])
    )
)

_STANDING = (PledgeState.JOINED, PledgeState.WAITING)
"""States that are not stored: other rows say them of a provisioned pledge."""


class Pledges:
    """As ``service.registry.PledgeStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    # Reading

    def find(self, identifiers: Sequence[bytes]) -> dict[bytes, PledgeRecord]:
        """The rows of these identifiers, tombstones and staged ones included.

        One that does not authenticate is marked ``damaged``.
        """
        found = {}
        for some in chunked(identifiers):
            for record in self._locked(pledge.c.identifier.in_(some)):
                found[record.identifier] = record
        return found

    def known(self, identifiers: Sequence[bytes]) -> set[bytes]:
        """Those of these identifiers that there is a row of, whatever it says."""
        return {
            bytes(row[0])
            for some in chunked(identifiers, 2 * CHUNK)
            for row in _KNOWN.rows(self._connection, some)
        }

    def by_id(self, pledge_id: int) -> PledgeRecord:
        """One row by its number.

        Raises:
            StateError: it does not authenticate.
        """
        (record,) = self._locked(pledge.c.id == pledge_id)
        if record.damaged:
            raise _damaged(record)
        return record

    def superseded_by(self, pledge_id: int) -> PledgeRecord | None:
        """The row of the pledge that has taken this one's place, tombstones included."""
        found = self._locked(pledge.c.supersedes_id == pledge_id)
        return max(found, key=lambda each: each.id, default=None)

    def _locked(self, condition: ColumnElement[bool]) -> list[PledgeRecord]:
        query = _ROWS.where(condition).with_for_update(of=pledge)
        return self._records(self._connection.execute(query).mappings().all())

    def page(
        self,
        *,
        after: bytes | None,
        limit: int,
        network_id: int | None = None,
        state: PledgeState | None = None,
        recovering: bool = False,
        search: str | None = None,
    ) -> list[PledgeRecord]:
        """Rows in the order of their identifiers, without tombstones and staged ones.

        ``search`` is a part of the label or of the identifier in hex.
        ``recovering`` gives those alone that wait for RFC 8613 App. B.2.
        ``state`` is what the row says, ``damaged`` gives every row; one that does not authenticate
        is marked ``damaged``.
        """
        query = _ROWS.where(VISIBLE).order_by(pledge.c.identifier).limit(limit)
        if after is not None:
            query = query.where(pledge.c.identifier > after)
        if state is not None and state is not PledgeState.DAMAGED:
            query = query.where(_is_in(state))
        if recovering:
            query = query.where(WAITS_FOR_RECOVERY)
        if search is not None:
            query = query.where(looks_like(search, self._connection.dialect.name))
        if network_id is not None:
            assigned = select(pledge_network.c.pledge_id).where(
                pledge_network.c.network_id == network_id
            )
            query = query.where(pledge.c.id.in_(assigned))
        return self._records(self._connection.execute(query).mappings().all())

    def _records(self, rows: Sequence[Mapping[Any, Any]]) -> list[PledgeRecord]:
        networks = self._network_ids([row["id"] for row in rows])
        return [self._record(row, networks[row["id"]]) for row in rows]

    def _network_ids(self, pledge_ids: Sequence[int]) -> Mapping[int, list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        for numbers in chunked(pledge_ids):
            query = (
                select(pledge_network.c.pledge_id, pledge_network.c.network_id)
                .where(pledge_network.c.pledge_id.in_(numbers))
                .order_by(pledge_network.c.pledge_id, pledge_network.c.position)
            )
            for pledge_id, network_id in self._connection.execute(query):
                found[pledge_id].append(network_id)
        return found

    def _record(self, row: Mapping[Any, Any], network_ids: list[int]) -> PledgeRecord:
        if not self._scope.mac.is_intact(pledge, row, network_ids):
            return _salvaged(row, network_ids)
        before = row["state_before_revocation"]
        return PledgeRecord(
            id=row["id"],
            identifier=row["identifier"],
            state=shown(row["state"], row["has_place"], row["waits"]),
            state_before_revocation=None if before is None else PledgeState(before),
            role=row["role"],
            label=row["label"],
            profile=None if row["profile"] is None else Profile(row["profile"]),
            credential_id=row["credential_id"],
            candidate_id=row["candidate_id"],
            import_id=row["import_id"],
            supersedes_id=row["supersedes_id"],
            created_at_ms=row["created_at_ms"],
            updated_at_ms=row["updated_at_ms"],
            version=row["version"],
            network_ids=tuple(network_ids),
            staged=bool(row["is_staged"]),
        )

    def nodes(self, network_id: int, domain_id: int) -> list[JoinedNode]:
        """Who has joined a network, has its keys and may stay, in the order of their identifiers.

        One whose row does not authenticate is left out; so is a short identifier.
        """
        here = exists().where(
            node.c.pledge_id == pledge.c.id,
            node.c.network_id == network_id,
            node.c.generation_id.is_not(None),
        )
        query = _ROWS.where(VISIBLE, here).order_by(pledge.c.identifier)
        found = self._records(self._connection.execute(query).mappings().all())
        joined = [each for each in found if each.state is PledgeState.JOINED]
        held = Leases(self._scope).of([each.id for each in joined])
        values = {
            pledge_id: lease.value
            for pledge_id, holding in held.items()
            for lease in holding.leases
            if lease.domain_id == domain_id
        }
        return [JoinedNode(each.identifier, values.get(each.id)) for each in joined]

    def standing(self, pledges: Sequence[PledgeRecord]) -> dict[int, Standing]:
        """What else is known of these pledges, by row number."""
        return whereabouts.standing(self._scope, [record.id for record in pledges])

    def reports(self, pledge_id: int) -> list[tuple[int, int, bytes | None]]:
        """The (code, label, addinfo) it has reported (RFC 9031 §8.4.5)."""
        query = (
            select(
                unsupported_parameter.c.code,
                unsupported_parameter.c.label,
                unsupported_parameter.c.addinfo,
            )
            .where(unsupported_parameter.c.pledge_id == pledge_id)
            .order_by(unsupported_parameter.c.label)
        )
        return [(row.code, row.label, row.addinfo) for row in self._connection.execute(query)]

    def counts(self) -> dict[int | None, dict[PledgeState, int]]:
        """Pledges by network and state; under None each pledge once."""
        return census.counts(self._connection)

    def assigned_only(self, network_id: int, limit: int) -> tuple[int, list[bytes]]:
        """How many pledges have no other live network, and the first of them."""
        return census.assigned_only(self._connection, network_id, limit)

    def joined(
        self, network_id: int, limit: int, *, before_ms: int | None = None
    ) -> tuple[int, list[bytes]]:
        """How many pledges have joined a network, and the first of them."""
        return census.joined(self._connection, network_id, limit, before_ms)

    def profiles(self, domain_id: int) -> set[Profile]:
        """Profiles of their own that pledges of a key domain's networks have."""
        return census.profiles(self._connection, domain_id)

    # Writing

    def insert(
        self, pledges: Sequence[NewPledge], import_id: int | None
    ) -> Sequence[tuple[int, Fingerprints]]:
        """Write new pledges with keys, contexts and windows that nothing was received in.

        Gives the numbers of their credentials and what their keys are compared by, which for an
        import is still to be entered (``Imports.enter_keys``).
        """
        return insert_pledges(self._scope, pledges, import_id)

    def save(self, record: PledgeRecord) -> None:
        """Write a changed row and its networks; its version goes up by one.

        Raises:
            StateError: it is damaged, and sealing it would make good what was changed in it.
        """
        if record.damaged:
            raise _damaged(record)
        row = _row(replace(record, updated_at_ms=self._scope.now_ms, version=record.version + 1))
        sealed = self._seal(row, record.network_ids)
        self._connection.execute(update(pledge).where(pledge.c.id == record.id).values(sealed))
        if self._network_ids([record.id])[record.id] != list(record.network_ids):
            self._connection.execute(
                delete(pledge_network).where(pledge_network.c.pledge_id == record.id)
            )
            write_networks(self._scope, [(record.id, record.network_ids)])

    def _seal(self, row: dict[str, object], network_ids: Sequence[int]) -> dict[str, object]:
        return self._scope.mac.seal(pledge, row, list(network_ids))

    def forget_place(self, pledge_id: int) -> None:
        """A pledge has to join again before it counts as joined."""
        self._connection.execute(delete(node).where(node.c.pledge_id == pledge_id))

    def set_address(self, pledge_id: int, address: IPv6Address | None) -> None:
        """Where a joined pledge is reached; None is where its identifier says."""
        text = None if address is None else str(address)
        self._connection.execute(
            update(node).where(node.c.pledge_id == pledge_id).values(address=text)
        )

    def forget_reports(self, pledge_id: int) -> None:
        """Firmware or key changed: what it could not do is no longer known."""
        self._connection.execute(
            delete(unsupported_parameter).where(unsupported_parameter.c.pledge_id == pledge_id)
        )

    def blocklist(self, network_id: int) -> tuple[Sequence[bytes], bool]:
        """The revoked pledges that a network's nodes are told of, and whether some are left out."""
        return blocklist(self._connection, self._scope.mac, network_id)

    def told_keys(self, pledge_ids: Sequence[int]) -> dict[int, frozenset[ToldKeys]]:
        """The live keys that pledges may have: all that a datagram may have left with."""
        return toldkeys.told_keys(self._scope, pledge_ids)

    def revoked_with_keys(self, domain_id: int) -> int:
        """How many revoked pledges have their place with the keys in force of a key domain."""
        return toldkeys.revoked_with_keys(self._scope, domain_id)

    def with_retired_keys(self) -> dict[int, int]:
        """How many nodes have their place with keys that are retired, by network."""
        return toldkeys.with_retired_keys(self._scope)

    def forget_answers(self, pledge_ids: Sequence[int]) -> None:
        """No copy of what these pledges have asked is answered any more (row C11).

        A row that does not authenticate is left as it is.
        """
        toldkeys.forget_answers(self._scope, pledge_ids)

    def forget_network(
        self, network_id: int, *, release: bool, joined_before_ms: int | None = None
    ) -> None:
        """Everybody in a network has to join again; ``release`` gives short identifiers back."""
        concerned = node.c.network_id == network_id
        if joined_before_ms is not None:
            concerned &= ~census.joined_since(node.c.pledge_id, joined_before_ms)
        here = select(node.c.pledge_id).where(concerned)
        if release:
            domain = select(network.c.domain_id).where(network.c.id == network_id)
            Leases(self._scope).release_where(
                short_identifier.c.pledge_id.in_(here)
                & (short_identifier.c.domain_id == domain.scalar_subquery())
            )
        self._connection.execute(delete(node).where(concerned))


def _stored(state: PledgeState) -> PledgeState:
    return PledgeState.PROVISIONED if state in _STANDING else state


def _is_in(state: PledgeState) -> ColumnElement[bool]:
    condition = pledge.c.state == _stored(state).value
    if state is PledgeState.WAITING:
        return condition & WAITS
    if state is PledgeState.JOINED:
        return condition & HAS_PLACE & ~WAITS
    if state is PledgeState.PROVISIONED:
        return condition & ~HAS_PLACE & ~WAITS
    return condition


def _salvaged(row: Mapping[Any, Any], network_ids: Sequence[int]) -> PledgeRecord:
    """What can be shown of a row that does not authenticate, whatever its columns hold."""
    label = row["label"]
    return PledgeRecord(
        id=row["id"],
        identifier=identifier_bytes(row["identifier"]),
        state=PledgeState.DAMAGED,
        role=row["role"],
        label=label if isinstance(label, str) and label.isprintable() else "",
        network_ids=tuple(network_ids),
        staged=bool(row["is_staged"]),
        damaged=True,
    )


def _damaged(record: PledgeRecord) -> StateError:
    return StateError(
        f"pledge {record.identifier.hex()} does not authenticate: its row was damaged"
    )


def _row(record: PledgeRecord) -> dict[str, object]:
    before = record.state_before_revocation
    return {
        "id": record.id,
        "identifier": record.identifier,
        "state": _stored(record.state).value,
        "state_before_revocation": None if before is None else _stored(before).value,
        "role": record.role,
        "label": record.label,
        "profile": None if record.profile is None else record.profile.value,
        "credential_id": record.credential_id,
        "candidate_id": record.candidate_id,
        "import_id": record.import_id,
        "supersedes_id": record.supersedes_id,
        "created_at_ms": record.created_at_ms,
        "updated_at_ms": record.updated_at_ms,
        "version": record.version,
    }
