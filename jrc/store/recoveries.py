"""Contexts that lost their mutable half, as the operator's use cases see them (RFC 9031 §8.3.3).

A context that is lost never protects anything again: a request that verifies under it begins an
RFC 8613 App. B.2 run (``recovery_runs.py``). So it needs neither its numbers nor a window of what
came before; the window it has counts what has come since.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, exists, func, select, update

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER
from jrc.errors import StateError
from jrc.model import PledgeState, Profile
from jrc.policy.profiles import TRAITS
from jrc.service.records import KeyKind
from jrc.service.recovery_store import NOBODY, Obstacle, Recovery, RecoveryCounts
from jrc.store.credentials import WIPED
from jrc.store.recovery_runs import (
    Owner,
    derive_from,
    drop_others,
    end_runs,
    new_row,
    write_context,
)
from jrc.store.schema import (
    context,
    context_state,
    credential,
    network,
    pledge,
    pledge_network,
    recovery_run,
)
from jrc.store.scope import Scope, chunked

_LOST: Final = 1
_MAX_INTEGER: Final = 2**63 - 1

_HAS_ANOTHER = exists().where(
    context.c.pledge_id == pledge.c.id,
    context.c.credential_id == pledge.c.credential_id,
    context_state.c.context_id == context.c.id,
    context_state.c.needs_recovery != _LOST,
)
_HAS_LOST = exists().where(
    context.c.pledge_id == pledge.c.id,
    context.c.credential_id == pledge.c.credential_id,
    context_state.c.context_id == context.c.id,
    context_state.c.needs_recovery == _LOST,
)
WAITS = _HAS_LOST & ~_HAS_ANOTHER & (pledge.c.state == PledgeState.PROVISIONED.value)
"""The pledge is answered with RFC 8613 App. B.2 alone."""

_FIRST_PROFILE = (
    select(network.c.profile)
    .join(pledge_network, pledge_network.c.network_id == network.c.id)
    .where(pledge_network.c.pledge_id == pledge.c.id)
    .where(network.c.removed_at_ms.is_(None))
    .order_by(pledge_network.c.position)
    .limit(1)
    .scalar_subquery()
)
_PROFILE = func.coalesce(pledge.c.profile, _FIRST_PROFILE, Profile.RFC9031.value)


class Recoveries:
    """As ``service.recovery_store.RecoveryStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def lose_some(self, limit: int) -> int:
        """As ``RecoveryStore.lose_some``; keys that an import only holds ready count as well."""
        query = _states().where(context_state.c.needs_recovery != _LOST).limit(limit)
        lost = self._lose(query)
        self._ensure_firsts(lost)
        return len(lost)

    def lose(self, pledge_id: int) -> bool:
        """As ``RecoveryStore.lose``."""
        query = (
            select(credential.c.id, pledge.c.identifier)
            .join(pledge, pledge.c.credential_id == credential.c.id)
            .where(pledge.c.id == pledge_id)
            .where(credential.c.wrapped_secret.is_not(None))
        )
        found = self._connection.execute(query).first()
        if found is None:
            return False
        credential_id, identifier = found
        self._lose(_states().where(context.c.credential_id == credential_id))
        self._ensure_first(pledge_id, credential_id, identifier)
        return True

    def _ensure_firsts(self, context_ids: Sequence[int]) -> None:
        """As ``_ensure_first``, for whoever has lost what a run has left it.

        A device may have forgotten that run as well. One whose key was damaged has to get another.
        """
        query = (
            select(pledge.c.id, context.c.credential_id, pledge.c.identifier)
            .join(pledge, pledge.c.id == context.c.pledge_id)
            .join(credential, credential.c.id == context.c.credential_id)
            .where(context.c.id_context != pledge.c.identifier)
            .where(credential.c.wrapped_secret.is_not(None))
            .distinct()
        )
        for some in chunked(context_ids):
            for row in self._connection.execute(query.where(context.c.id.in_(some))).all():
                with suppress(StateError):
                    self._ensure_first(*row)

    def _ensure_first(self, pledge_id: int, credential_id: int, identifier: bytes) -> None:
        """A lost context under the pledge's own identifier, where a run has replaced it.

        It only ever verifies requests, so that its numbers beginning anew repeats no nonce.
        """
        first = (
            select(context.c.id)
            .where(context.c.credential_id == credential_id)
            .where(context.c.id_context == identifier)
        )
        if self._connection.scalar(first) is not None:
            return
        security = derive_from(self._scope, credential_id, identifier)
        if security is not None:
            owner = Owner(pledge_id, credential_id)
            write_context(self._scope, owner, security, new_row(needs_recovery=_LOST), [identifier])

    def _lose(self, query: Select[Any]) -> Sequence[int]:
        """The contexts that a query finds, which are lost from then on."""
        rows = self._connection.execute(query).mappings().all()
        end_runs(self._connection, [row["context_id"] for row in rows])
        for row in rows:
            self._connection.execute(
                update(context_state)
                .where(context_state.c.context_id == row["context_id"])
                .values(self._scope.mac.seal(context_state, _lost(row)))
            )
        return [row["context_id"] for row in rows]

    def confirm(self, context_id: int) -> None:
        """As ``RecoveryStore.confirm``; one that was lost itself meanwhile proves nothing."""
        query = (
            select(context.c.id)
            .join(context_state, context_state.c.context_id == context.c.id)
            .where(context.c.id == context_id)
            .where(context.c.replaces_id.is_not(None))
            .where(context_state.c.needs_recovery != _LOST)
        )
        if self._connection.scalar(query) is not None:
            drop_others(self._connection, context_id)

    # Reading

    def counts(self) -> RecoveryCounts:
        """As ``RecoveryStore.counts``; rows are counted as they are."""
        any_lost = select(context_state.c.context_id).where(context_state.c.needs_recovery == _LOST)
        if self._connection.scalar(any_lost.limit(1)) is None:
            return NOBODY
        return self._counted(WAITS)

    def if_all_were_lost(self) -> RecoveryCounts:
        """As ``RecoveryStore.if_all_were_lost``."""
        return self._counted(pledge.c.state == PledgeState.PROVISIONED.value)

    def _counted(self, condition: ColumnElement[bool]) -> RecoveryCounts:
        query = (
            select(credential.c.kind, _PROFILE, func.count())
            .select_from(pledge)
            .join(credential, credential.c.id == pledge.c.credential_id)
            .where(condition)
            .group_by(credential.c.kind, _PROFILE)
        )
        waiting = unable = 0
        for kind, profile, count in self._connection.execute(query):
            waiting += count
            unable += count if _obstacle(kind, profile) else 0
        return RecoveryCounts(waiting, unable)

    def forget_runs(self) -> None:
        """As ``RecoveryStore.forget_runs``."""
        self._connection.execute(delete(recovery_run))

    def page(self, *, after: bytes | None, limit: int) -> list[tuple[bytes, Recovery]]:
        """As ``RecoveryStore.page``."""
        query = select(pledge.c.identifier, pledge.c.id).where(WAITS)
        if after is not None:
            query = query.where(pledge.c.identifier > after)
        rows = self._connection.execute(query.order_by(pledge.c.identifier).limit(limit)).all()
        waiting = self.waiting([number for _, number in rows])
        return [(name, waiting[number]) for name, number in rows if number in waiting]

    def waiting(self, pledge_ids: Sequence[int]) -> dict[int, Recovery]:
        """As ``RecoveryStore.waiting``."""
        found: dict[int, Recovery] = {}
        for some in chunked(pledge_ids):
            found.update(self._waiting(some))
        return found

    def _waiting(self, pledge_ids: Sequence[int]) -> Iterable[tuple[int, Recovery]]:
        query = (
            select(pledge.c.id, credential.c.kind, _PROFILE)
            .join(credential, credential.c.id == pledge.c.credential_id)
            .where(pledge.c.id.in_(pledge_ids), WAITS)
        )
        runs = self._runs(pledge_ids)
        for number, kind, profile in self._connection.execute(query).all():
            count, last_ms = runs.get(number, (0, None))
            yield number, Recovery(count, last_ms, _obstacle(kind, profile))

    def obstacle(self, pledge_id: int) -> Obstacle | None:
        """As ``RecoveryStore.obstacle``."""
        query = (
            select(credential.c.kind, _PROFILE)
            .select_from(pledge)
            .join(credential, credential.c.id == pledge.c.credential_id)
            .where(pledge.c.id == pledge_id)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _obstacle(*row)

    def _runs(self, pledge_ids: Sequence[int]) -> Mapping[int, tuple[int, int | None]]:
        query = (
            select(context.c.pledge_id, func.count(), func.max(recovery_run.c.begun_at_ms))
            .join(recovery_run, recovery_run.c.context_id == context.c.id)
            .where(context.c.pledge_id.in_(pledge_ids))
            .group_by(context.c.pledge_id)
        )
        return {number: (count, last) for number, count, last in self._connection.execute(query)}


def _states() -> Select[Any]:
    """Windows of keys that were not wiped, locked in the order of their contexts."""
    return (
        select(context_state)
        .join(context, context.c.id == context_state.c.context_id)
        .where(context.c.wrapped_keys != WIPED)
        .order_by(context_state.c.context_id)
        .with_for_update(of=context_state)
    )


def _lost(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row with its window forgotten; one that was damaged is good again, for nothing of it is.

    The numbers stay, as does what tells which keys the pledge may have.
    """
    reserved = _whole(row["numbers_reserved"], MAX_SEQUENCE_NUMBER + 1)
    version = _whole(row["version"], _MAX_INTEGER - 1)
    return {
        **row,
        "highest": -1,
        "seen": 0,
        "numbers_reserved": MAX_SEQUENCE_NUMBER + 1 if reserved is None else reserved,
        "needs_recovery": _LOST,
        "request_digest": None,
        "answer": None,
        "answered_at_ms": None,
        "answer_peer": None,
        "answer_generation_id": _whole(row["answer_generation_id"], _MAX_INTEGER),
        "joined_at_ms": _whole(row["joined_at_ms"], _MAX_INTEGER),
        "version": (version or 0) + 1,
    }


def _whole(value: object, most: int) -> int | None:
    """A value that may be of any type where its row was damaged."""
    return value if type(value) is int and 0 <= value <= most else None


def _obstacle(kind: str, profile: str) -> Obstacle | None:
    if kind == KeyKind.DERIVED.value:
        return Obstacle.DERIVED_KEYS
    if profile in set(Profile) and not TRAITS[Profile(profile)].recovers_context:
        return Obstacle.PROFILE
    return None
