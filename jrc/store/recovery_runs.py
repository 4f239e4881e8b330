"""RFC 8613 App. B.2 runs as rows: those that wait for request #2, and contexts that runs gave."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import cbor2
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc
from jrc.cojp.recovery import kid_contexts_of
from jrc.errors import StateError
from jrc.service.join_ports import KnownContext, RecoveryRun
from jrc.service.open_runs import OpenRun
from jrc.service.records import KeyKind
from jrc.store.keyring import Keyring, Purpose
from jrc.store.prepared import Prepared
from jrc.store.rowmac import RowMac
from jrc.store.schema import context, context_kid, context_state, credential, recovery_run
from jrc.store.scope import Scope, draw_ids

_OF_R2 = select(*recovery_run.columns).where(recovery_run.c.r2 == bindparam("b_r2"))
_RUN = Prepared(_OF_R2, ["b_r2"])
_RUN_LOCKED = Prepared(_OF_R2.with_for_update(), ["b_r2"])
_CREDENTIAL = Prepared(
    select(
        credential.c.kind, credential.c.wrapped_secret, credential.c.aead, credential.c.hkdf
    ).where(credential.c.id == bindparam("b_id")),
    ["b_id"],
)
_OWNER = Prepared(
    select(context.c.pledge_id, context.c.credential_id).where(context.c.id == bindparam("b_id")),
    ["b_id"],
)
_KID = Prepared(
    select(context_kid.c.kid_context)
    .where(context_kid.c.context_id == bindparam("b_id"))
    .order_by(context_kid.c.kid_context),
    ["b_id"],
)
_SINCE = Prepared(
    select(recovery_run.c.r2, recovery_run.c.request_digest, recovery_run.c.begun_at_ms)
    .where(recovery_run.c.begun_at_ms >= bindparam("b_since"))
    .order_by(recovery_run.c.begun_at_ms),
    ["b_since"],
)
_INSERT_RUN = Prepared(insert(recovery_run), [column.name for column in recovery_run.columns])


class Owner(NamedTuple):
    """Whose a context is, by row number."""

    pledge_id: int
    credential_id: int


def read_run(
    connection: Connection, mac: RowMac, r2: bytes, *, locked: bool = False
) -> RecoveryRun | None:
    """The run of an R2 that is still open.

    Raises:
        StateError: its row does not authenticate.
    """
    rows = (_RUN_LOCKED if locked else _RUN).rows(connection, (r2,))
    if not rows:
        return None
    *values, sealed = rows[0]
    if not mac.fits("recovery_run", values, sealed):
        raise StateError("a row of recovery_run does not authenticate: it was damaged")
    return RecoveryRun(*values[:-1])


def begin_run(scope: Scope, run: RecoveryRun) -> None:
    """Write a run whose response #1 leaves after the commit."""
    values = (*run, 1)
    _INSERT_RUN.many(scope.connection, [(*values, scope.mac.compute("recovery_run", values))])


class WaitingRun(NamedTuple):
    """An open run as it stands among others of its context; ``begun_at_ms`` is since 1970."""

    number: int
    begun_at_ms: int
    r2: bytes
    request_digest: bytes


def open_runs_of(scope: Scope, context_id: int) -> Sequence[WaitingRun]:
    """A lost context's open runs."""
    columns = (recovery_run.c[name] for name in WaitingRun._fields)
    query = select(*columns).where(recovery_run.c.context_id == context_id)
    return [WaitingRun(*row) for row in scope.connection.execute(query)]


def give_up(connection: Connection, r2s: Collection[bytes]) -> None:
    """End runs that nobody may complete any more."""
    if r2s:
        connection.execute(delete(recovery_run).where(recovery_run.c.r2.in_(r2s)))


def end_runs(connection: Connection, context_ids: Collection[int]) -> None:
    """End every run that began with one of these contexts."""
    if context_ids:
        connection.execute(delete(recovery_run).where(recovery_run.c.context_id.in_(context_ids)))


def derive_from(scope: Scope, credential_id: int, id_context: bytes) -> SecurityContext | None:
    """A pledge's context with another ID Context; ``None`` where its PSK stayed elsewhere."""
    return derive(scope.connection, scope.keyring, credential_id, id_context)


def derive(
    connection: Connection, keyring: Keyring, credential_id: int, id_context: bytes
) -> SecurityContext | None:
    """As ``derive_from``, without a transaction's scope.

    Raises:
        StateError: the wrapped PSK does not authenticate.
    """
    rows = _CREDENTIAL.rows(connection, (credential_id,))
    if not rows:
        return None
    kind, wrapped, aead, hkdf = rows[0]
    if wrapped is None or kind != KeyKind.PSK.value:
        return None
    psk = keyring.unwrap("credential", credential_id, "wrapped_secret", 1, wrapped)
    return derive_for_jrc(psk, id_context, aead, hkdf)


def owner_of(connection: Connection, context_id: int) -> Owner | None:
    """Whose a context is."""
    rows = _OWNER.rows(connection, (context_id,))
    return Owner(*rows[0]) if rows else None


def kid_context_of(connection: Connection, context_id: int) -> bytes | None:
    """A kid context that a context may be asked for by."""
    rows = _KID.rows(connection, (context_id,))
    return rows[0][0] if rows else None


def new_row(**known: object) -> dict[str, object]:
    """Values for ``context_state`` of a context under which nothing was received yet."""
    row: dict[str, object] = {column.name: None for column in context_state.columns}
    del row["mac"]
    row.update(highest=-1, seen=0, numbers_reserved=0, needs_recovery=0, version=1)
    row.update(known)
    return row


def write_context(
    scope: Scope,
    owner: Owner,
    security: SecurityContext,
    state: dict[str, object],
    kid_contexts: Sequence[bytes],
    replaces_id: int | None = None,
) -> int:
    """Write a context with its window, and how it is asked for; its number."""
    (number,) = draw_ids(scope.connection, context, 1)
    keys = (security.sender_key, security.recipient_key, security.common_iv)
    wrapped = scope.keyring.wrap(
        Purpose.CONTEXT, "context", number, "wrapped_keys", 1, cbor2.dumps(keys)
    )
    row = {
        "id": number,
        "pledge_id": owner.pledge_id,
        "credential_id": owner.credential_id,
        "id_context": security.id_context,
        "aead": security.aead,
        "wrapped_keys": wrapped,
        "created_at_ms": scope.now_ms,
        "replaces_id": replaces_id,
    }
    sealed = scope.mac.seal(context_state, {**state, "context_id": number})
    scope.connection.execute(insert(context), row)
    scope.connection.execute(insert(context_state), sealed)
    kids = [{"kid_context": kid_context, "context_id": number} for kid_context in kid_contexts]
    scope.connection.execute(insert(context_kid), kids)
    scope.learned.extend(kid_contexts)
    return number


def replace_context(scope: Scope, lost: KnownContext, security: SecurityContext) -> int:
    """Write the context that a run gave; what the same pledge's other runs gave is gone.

    Raises:
        StateError: the lost context is not there.
    """
    owner = owner_of(scope.connection, lost.context_id)
    if owner is None or security.id_context is None:
        raise StateError(f"context {lost.context_id} is not there")
    others = _others(scope.connection, owner.credential_id)
    end_runs(scope.connection, [number for number, _ in others])
    _delete(scope.connection, [number for number, is_lost in others if not is_lost])
    state = new_row(
        answer_generation_id=lost.state.answer_generation_id, joined_at_ms=lost.state.joined_at_ms
    )
    kids = kid_contexts_of(security.id_context)
    return write_context(scope, owner, security, state, kids, lost.context_id)


def drop_others(connection: Connection, context_id: int) -> None:
    """The pledge has shown that it has this context: the others of its key go, keys and all."""
    owner = owner_of(connection, context_id)
    if owner is None:
        return
    others = [number for number, _ in _others(connection, owner.credential_id)]
    _delete(connection, [number for number in others if number != context_id])
    connection.execute(update(context).where(context.c.id == context_id).values(replaces_id=None))


def _others(connection: Connection, credential_id: int) -> Sequence[tuple[int, bool]]:
    """The contexts of a credential, and whether each is lost."""
    query = (
        select(context.c.id, context_state.c.needs_recovery)
        .outerjoin(context_state, context_state.c.context_id == context.c.id)
        .where(context.c.credential_id == credential_id)
        .order_by(context.c.id)
    )
    return [(number, bool(is_lost)) for number, is_lost in connection.execute(query)]


def _delete(connection: Connection, context_ids: Sequence[int]) -> None:
    if not context_ids:
        return
    end_runs(connection, context_ids)
    for table in (context_kid, context_state):
        connection.execute(delete(table).where(table.c.context_id.in_(context_ids)))
    connection.execute(delete(context).where(context.c.id.in_(context_ids)))


def runs_since(connection: Connection, since_ms: int) -> Iterator[OpenRun]:
    """Every run begun at that time or later, in ms since 1970."""
    for row in _SINCE.each(connection, (since_ms,)):
        yield OpenRun(*row)
