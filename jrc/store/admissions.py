"""Who was let into networks that do not admit everybody, and who waits for approval."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update

from jrc.model import PledgeState
from jrc.policy.admission import Admittance
from jrc.store.schema import admission, node, pledge
from jrc.store.scope import Scope, chunked

_SEALED = [column.name for column in admission.columns if column.name != "mac"]


class Entries(NamedTuple):
    """What rows say of one pledge; those that don't authenticate are left out, and said."""

    good: tuple[Admittance, ...]
    is_damaged: bool


class Admissions:
    """As ``service.registry.AdmissionStore``; ``entries`` serves listings."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def entries(self, pledge_ids: Sequence[int]) -> Mapping[int, Entries]:
        """The networks that have let these pledges in or that they wait for, by pledge."""
        rows: defaultdict[int, list[Mapping[Any, Any]]] = defaultdict(list)
        for numbers in chunked(pledge_ids):
            query = (
                select(admission)
                .where(admission.c.pledge_id.in_(numbers))
                .order_by(admission.c.pledge_id, admission.c.network_id)
            )
            for row in self._connection.execute(query).mappings():
                rows[row["pledge_id"]].append(row)
        return {number: self._entries(some) for number, some in rows.items()}

    def _entries(self, rows: Sequence[Mapping[Any, Any]]) -> Entries:
        good = [row for row in rows if self._scope.mac.is_intact(admission, row)]
        return Entries(tuple(map(_entry, good)), len(good) < len(rows))

    def find(self, pledge_id: int, network_id: int) -> Admittance | None:
        """Whether a pledge was let in or waits.

        Raises:
            StateError: the row does not authenticate.
        """
        query = (
            select(admission)
            .where(admission.c.pledge_id == pledge_id)
            .where(admission.c.network_id == network_id)
            .with_for_update()
        )
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        self._scope.mac.check(admission, row)
        return _entry(row)

    def admit(self, pledge_id: int, network_id: int) -> None:
        """Let a pledge in; whether it waited or not.

        Raises:
            StateError: the row that is there does not authenticate.
        """
        before = self.find(pledge_id, network_id)
        now_ms = self._scope.now_ms
        if before is None:
            self._insert([Admittance(pledge_id, network_id, None, now_ms)])
        elif before.admitted_at_ms is None:
            after = before._replace(admitted_at_ms=now_ms, version=before.version + 1)
            self._connection.execute(
                update(admission)
                .where(admission.c.pledge_id == pledge_id)
                .where(admission.c.network_id == network_id)
                .values(self._sealed(after))
            )

    def admit_joined(self, network_id: int) -> None:
        """Let in for good whoever has joined a network: it begins to choose whom it admits.

        Not those who are revoked or replaced: that ends what they were let into.
        """
        put_out = (PledgeState.REVOKED, PledgeState.SUPERSEDED)
        revoked = select(pledge.c.id).where(pledge.c.state.in_(put_out))
        known = select(admission.c.pledge_id).where(admission.c.network_id == network_id)
        query = (
            select(node.c.pledge_id)
            .where(node.c.network_id == network_id)
            .where(node.c.pledge_id.not_in(known))
            .where(node.c.pledge_id.not_in(revoked))
            .order_by(node.c.pledge_id)
        )
        now_ms = self._scope.now_ms
        self._insert(
            [
                Admittance(pledge_id, network_id, None, now_ms)
                for pledge_id in self._connection.scalars(query).all()
            ]
        )

    def _insert(self, entries: Sequence[Admittance]) -> None:
        if entries:
            self._connection.execute(insert(admission), [self._sealed(entry) for entry in entries])

    def _sealed(self, entry: Admittance) -> dict[str, object]:
        return self._scope.mac.seal(admission, dict(zip(_SEALED, entry, strict=True)))

    def forget(self, pledge_id: int, *, but: Collection[int] = ()) -> None:
        """A pledge was let into no network ``but`` these, and waits for no other."""
        self._connection.execute(
            delete(admission)
            .where(admission.c.pledge_id == pledge_id)
            .where(admission.c.network_id.not_in(list(but)))
        )

    def forget_admitted(self, pledge_id: int) -> None:
        """A pledge was let into no network; it may go on waiting for some."""
        self._connection.execute(
            delete(admission)
            .where(admission.c.pledge_id == pledge_id)
            .where(admission.c.admitted_at_ms.is_not(None))
        )

    def forget_network(self, network_id: int, *, waiting_only: bool = False) -> None:
        """Nobody was let into a network; with ``waiting_only`` nobody waits for it."""
        query = delete(admission).where(admission.c.network_id == network_id)
        if waiting_only:
            query = query.where(admission.c.admitted_at_ms.is_(None))
        self._connection.execute(query)


def _entry(row: Mapping[Any, Any]) -> Admittance:
    return Admittance(*(row[name] for name in _SEALED))
