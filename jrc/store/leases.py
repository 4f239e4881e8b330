"""Short identifiers as the operator's use cases touch them (RFC 9031 §8.4.4)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update

from jrc.policy.leases import Lease
from jrc.store.schema import short_identifier
from jrc.store.scope import Scope, chunked


class Leases:
    """As ``service.registry.LeaseStore``; ``of`` serves listings."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def of(self, pledge_ids: Sequence[int]) -> Mapping[int, list[Lease]]:
        """The short identifiers that these pledges hold, by pledge."""
        found: defaultdict[int, list[Lease]] = defaultdict(list)
        for numbers in chunked(pledge_ids):
            query = (
                select(short_identifier)
                .where(short_identifier.c.pledge_id.in_(numbers))
                .where(short_identifier.c.released_at_ms.is_(None))
            )
            for row in self._connection.execute(query).mappings():
                found[row["pledge_id"]].append(_lease(row))
        return found

    def release(self, pledge_id: int, *, but: Collection[int] = ()) -> None:
        """Take a pledge's short identifiers back, in all domains ``but`` these.

        They stay burned (RFC 9031 §8.4.4.1).
        """
        self.release_where(
            (short_identifier.c.pledge_id == pledge_id)
            & short_identifier.c.domain_id.not_in(list(but))
        )

    def release_where(self, condition: ColumnElement[bool]) -> None:
        """Take back every held identifier that fits ``condition``.

        Raises:
            StateError: a row does not authenticate.
        """
        query = (
            select(short_identifier)
            .where(condition)
            .where(short_identifier.c.released_at_ms.is_(None))
            .order_by(short_identifier.c.domain_id, short_identifier.c.value)
            .with_for_update()
        )
        for row in self._connection.execute(query).mappings().all():
            self._scope.mac.check(short_identifier, row)
            self._save_released(dict(row))

    def _save_released(self, row: dict[str, Any]) -> None:
        row.update(released_at_ms=self._scope.now_ms, version=row["version"] + 1)
        self._connection.execute(
            update(short_identifier)
            .where(short_identifier.c.domain_id == row["domain_id"])
            .where(short_identifier.c.value == row["value"])
            .values(self._scope.mac.seal(short_identifier, row))
        )

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
