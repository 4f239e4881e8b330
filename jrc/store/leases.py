"""Short identifiers as the operator's use cases touch them (RFC 9031 §8.4.4)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from jrc.policy.leases import Lease, is_assignable
from jrc.store.schema import key_generation, short_identifier
from jrc.store.scope import Scope, chunked

_MAX_VERSION = 2**62
"""A row that says more was damaged there."""


class Holding(NamedTuple):
    """The short identifiers that a pledge holds, and whether any row it has does not authenticate.

    Rows of identifiers given back count: the join path reads them as well.
    """

    leases: Sequence[Lease]
    is_damaged: bool


class Leases:
    """As ``service.registry.LeaseStore``; ``of`` serves listings."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def of(self, pledge_ids: Sequence[int]) -> Mapping[int, Holding]:
        """What these pledges hold, by pledge."""
        rows: defaultdict[int, list[Mapping[Any, Any]]] = defaultdict(list)
        for numbers in chunked(pledge_ids):
            query = select(short_identifier).where(short_identifier.c.pledge_id.in_(numbers))
            for row in self._connection.execute(query).mappings():
                rows[row["pledge_id"]].append(row)
        return {pledge_id: self._holding(some) for pledge_id, some in rows.items()}

    def _holding(self, rows: Sequence[Mapping[Any, Any]]) -> Holding:
        good = [row for row in rows if self._scope.mac.is_intact(short_identifier, row)]
        held = [_lease(row) for row in good if row["released_at_ms"] is None]
        return Holding(held, is_damaged=len(good) < len(rows))

    def release(self, pledge_id: int, *, but: Collection[int] = ()) -> None:
        """Take a pledge's short identifiers back, in all domains ``but`` these.

        They are burned in every generation of keys that there is, since updates may have told their
        holder each (RFC 9031 §8.4.4.1). A row that does not authenticate is left as it is.
        """
        self.release_where(
            (short_identifier.c.pledge_id == pledge_id)
            & short_identifier.c.domain_id.not_in(list(but))
        )

    def forget_all(self, domain_id: int) -> None:
        """As ``LeaseStore.forget_all``."""
        self._connection.execute(
            delete(short_identifier).where(short_identifier.c.domain_id == domain_id)
        )

    def release_where(self, condition: ColumnElement[bool]) -> None:
        """Take back every held identifier that fits ``condition``.

        A row that does not authenticate is left as it is: its value is taken, its pledge silent.
        """
        query = (
            select(short_identifier)
            .where(condition)
            .where(short_identifier.c.released_at_ms.is_(None))
            .order_by(short_identifier.c.domain_id, short_identifier.c.value)
            .with_for_update()
        )
        newest: dict[int, int] = {}
        for row in self._connection.execute(query).mappings().all():
            if self._scope.mac.is_intact(short_identifier, row):
                domain_id = row["domain_id"]
                if domain_id not in newest:
                    newest[domain_id] = self._newest_generation(domain_id) or 0
                self._save_released(dict(row), newest[domain_id])

    def take_back(self, pledge_id: int, domain_id: int) -> None:
        """Let a pledge hold the short identifier again that was released and is still its own.

        Nobody else was given it while its keys were live (RFC 9031 §8.4.4.1).
        """
        query = (
            select(short_identifier)
            .where(short_identifier.c.pledge_id == pledge_id)
            .where(short_identifier.c.domain_id == domain_id)
            .with_for_update()
        )
        for row in self._connection.execute(query).mappings().all():
            if self._scope.mac.is_intact(short_identifier, row):
                self._save({**row, "released_at_ms": None})

    def _save_released(self, row: dict[str, Any], newest: int) -> None:
        last = max(row["last_generation"], newest)
        self._save({**row, "last_generation": last, "released_at_ms": self._scope.now_ms})

    def _newest_generation(self, domain_id: int) -> int | None:
        """The number of the newest keys of a domain, also of those that nobody has yet."""
        query = select(func.max(key_generation.c.number))
        newest: int | None = self._connection.scalar(
            query.where(key_generation.c.domain_id == domain_id)
        )
        return newest

    def _save(self, changed: Mapping[str, Any]) -> None:
        row = {**changed, "version": changed["version"] + 1}
        self._connection.execute(
            update(short_identifier)
            .where(short_identifier.c.domain_id == row["domain_id"])
            .where(short_identifier.c.value == row["value"])
            .values(self._scope.mac.seal(short_identifier, row))
        )

    def bury(self, pledge_id: int) -> None:
        """Give back what a removed pledge has in rows that do not authenticate.

        Since they may lie about when a value was used last, it is burned in the newest keys of
        its key domain (RFC 9031 §8.4.4.1).
        """
        query = select(short_identifier).where(short_identifier.c.pledge_id == pledge_id)
        for row in self._connection.execute(query.with_for_update()).mappings().all():
            if not self._scope.mac.is_intact(short_identifier, row):
                self._replace(row)

    def _replace(self, row: Mapping[Any, Any]) -> None:
        self._connection.execute(
            delete(short_identifier)
            .where(short_identifier.c.domain_id == row["domain_id"])
            .where(short_identifier.c.value == row["value"])
        )
        newest = self._newest_generation(row["domain_id"])
        value, version = row["value"], row["version"]
        if newest is None or not isinstance(value, int) or not is_assignable(value):
            return  # which nobody can hold
        is_version = type(version) is int and 0 < version < _MAX_VERSION
        buried = self._burned(
            row["domain_id"], value, newest, row["pledge_id"], version + 1 if is_version else 2
        )
        self._connection.execute(insert(short_identifier), buried)

    def burn(self, domain_id: int, generation: int, values: Collection[int]) -> None:
        """Keep values from everybody while ``generation`` lives: nodes unknown to us have them.

        What is known of them from former generations goes, whoever held them then.
        """
        for some in chunked(sorted(values)):
            self._connection.execute(
                delete(short_identifier)
                .where(short_identifier.c.domain_id == domain_id)
                .where(short_identifier.c.value.in_(some))
            )
            rows = [self._burned(domain_id, value, generation) for value in some]
            self._connection.execute(insert(short_identifier), rows)

    def _burned(
        self,
        domain_id: int,
        value: int,
        generation: int,
        pledge_id: int | None = None,
        version: int = 1,
    ) -> dict[str, object]:
        row = {
            "domain_id": domain_id,
            "value": value,
            "pledge_id": pledge_id,
            "first_generation": generation,
            "last_generation": generation,
            "lease_until_ms": None,
            "released_at_ms": self._scope.now_ms,
            "version": version,
        }
        return self._scope.mac.seal(short_identifier, row)

    def taken_over(self, domain_id: int, oldest_live_generation: int) -> int:
        """How many values of a domain are burned for nodes that are unknown to us."""
        query = (
            select(func.count())
            .select_from(short_identifier)
            .where(short_identifier.c.domain_id == domain_id)
            .where(short_identifier.c.pledge_id.is_(None))
            .where(short_identifier.c.last_generation >= oldest_live_generation)
        )
        return self._connection.scalar(query) or 0

    def used(self, domain_id: int, oldest_live_generation: int) -> int:
        """How many values of a domain are held or burned."""
        query = (
            select(func.count())
            .select_from(short_identifier)
            .where(short_identifier.c.domain_id == domain_id)
            .where(
                or_(
                    short_identifier.c.released_at_ms.is_(None),
                    short_identifier.c.last_generation >= oldest_live_generation,
                )
            )
        )
        return self._connection.scalar(query) or 0


def _lease(row: Mapping[Any, Any]) -> Lease:
    return Lease(
        value=row["value"],
        domain_id=row["domain_id"],
        pledge_id=row["pledge_id"],
        first_generation=row["first_generation"],
        last_generation=row["last_generation"],
        lease_until_ms=row["lease_until_ms"],
        released=row["released_at_ms"] is not None,
    )
