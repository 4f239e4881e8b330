"""OSCORE contexts as the join path finds them: by kid context, keys opened, MACs checked."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Executable, Select, and_, bindparam, literal_column, or_, select

from jrc.errors import StateError
from jrc.model import Condition, KeySetState, PledgeState, Profile
from jrc.service.join_ports import KnownContext, StoredAnswer
from jrc.store import standing
from jrc.store.context_rows import (
    IS_LEFT_OUT,
    IS_PUBLISHED,
    NOTHING,
    STATE_COLUMNS,
    left_out_in,
    network_ids_in,
    open_security,
    pledge_from_row,
    state_from_row,
)
from jrc.store.faults import readable
from jrc.store.keyring import Keyring
from jrc.store.prepared import Prepared, PreparedIn, Rows
from jrc.store.rowmac import RowMac
from jrc.store.run_lookup import RunLookup
from jrc.store.schema import (
    context,
    context_kid,
    context_state,
    import_batch,
    instance,
    key_generation,
    network,
    node,
    pledge,
    pledge_network,
    short_identifier,
    unsupported_parameter,
)
from jrc.store.server import is_closed, is_server, let_go

_CANDIDATE = [column.name for column in pledge.columns].index("candidate_id")

# Where the parts of a row of ``_FIND`` begin.
_STATE_AT = 8
_STATE_SIZE = len(STATE_COLUMNS) + 1
_PLEDGE_AT = _STATE_AT + _STATE_SIZE
_NETWORK_AT = _PLEDGE_AT + len(pledge.columns)
_LEFT_OUT_AT = _NETWORK_AT + 2
_STANDING_AT = _LEFT_OUT_AT + 1
_END = _STANDING_AT + len(standing.COLUMNS)


_IS_IN_FORCE = pledge.c.credential_id == context.c.credential_id
_HAS_KEY = and_(
    pledge.c.id == context.c.pledge_id,
    or_(_IS_IN_FORCE, pledge.c.candidate_id == context.c.credential_id),
)
"""The context's key is the pledge's, or waits for its next firmware: its row says so (row A5)."""


def _find() -> Select[Any]:
    return (
        select(
            context_kid.c.kid_context,
            context.c.id,
            instance.c.policy_revision,
            context.c.id_context,
            context.c.aead,
            context.c.wrapped_keys,
            context.c.replaces_id,
            context.c.credential_id,
            *STATE_COLUMNS,
            context_state.c.mac,
            *(column.label(f"pledge_{column.name}") for column in pledge.columns),
            pledge_network.c.network_id,
            network.c.profile.label("network_profile"),
            unsupported_parameter.c.label.label("left_out"),
            *standing.COLUMNS,
        )
        .select_from(context_kid)
        .join(instance, instance.c.id == literal_column("1"))
        .join(context, context.c.id == context_kid.c.context_id)
        .join(context_state, context_state.c.context_id == context.c.id)
        .join(pledge, _HAS_KEY)
        .outerjoin(import_batch, import_batch.c.id == pledge.c.import_id)
        .outerjoin(pledge_network, pledge_network.c.pledge_id == pledge.c.id)
        .outerjoin(
            network,
            and_(network.c.id == pledge_network.c.network_id, network.c.removed_at_ms.is_(None)),
        )
        .outerjoin(unsupported_parameter, IS_LEFT_OUT)
        .outerjoin(node, node.c.pledge_id == pledge.c.id)
        .outerjoin(short_identifier, short_identifier.c.pledge_id == pledge.c.id)
        .where(IS_PUBLISHED)
    )


def _find_of(listed: Sequence[str]) -> Select[Any]:
    return _find().where(context_kid.c.kid_context.in_([bindparam(name) for name in listed]))


def _find_by_name_of(listed: Sequence[str]) -> Executable:
    return _find_of(listed).order_by(
        context_kid.c.kid_context, context.c.id, pledge_network.c.position
    )


def _locked(query: Select[Any]) -> Executable:
    """Rows are locked in the order of their keys, so that two registrars never wait in a ring."""
    return query.order_by(
        context.c.id, context_kid.c.kid_context, pledge_network.c.position
    ).with_for_update(of=context_state)


_FIND = PreparedIn(_find_by_name_of)
_FIND_LOCKED = PreparedIn(lambda listed: _locked(_find_of(listed)))

_STORED = Prepared(
    select(
        *STATE_COLUMNS,
        context_state.c.mac,
        pledge.c.state.label("pledge_state"),
        key_generation.c.state.label("generation_state"),
        short_identifier.c.released_at_ms,
        node.c.network_id,
        network.c.addresses_changed_at_ms,
        instance.c.condition,
    )
    .select_from(context_state)
    .join(instance, instance.c.id == literal_column("1"))
    .join(context, context.c.id == context_state.c.context_id)
    .join(pledge, _HAS_KEY)
    .outerjoin(key_generation, key_generation.c.id == context_state.c.answer_generation_id)
    .outerjoin(
        short_identifier,
        and_(
            short_identifier.c.pledge_id == pledge.c.id,
            short_identifier.c.domain_id == key_generation.c.domain_id,
        ),
    )
    .outerjoin(node, node.c.pledge_id == pledge.c.id)
    .outerjoin(network, network.c.id == node.c.network_id)
    .where(context_state.c.context_id == bindparam("context_id"))
    .order_by(short_identifier.c.released_at_ms.is_not(None)),
    ["context_id"],
)

_KID_CONTEXTS = Prepared(select(context_kid.c.kid_context), ())

_OPEN = Condition.OPEN.value
_LIVE_STATES = (KeySetState.CURRENT.value, KeySetState.SCHEDULED.value)


def find_locked(
    connection: Connection, keyring: Keyring, mac: RowMac, kid_contexts: Sequence[bytes]
) -> list[KnownContext]:
    """The contexts in force under kid contexts, locked until the transaction ends.

    Raises:
        StateError: a row does not authenticate.
    """
    rows = _FIND_LOCKED.rows(connection, kid_contexts)
    return [_known(keyring, mac, group) for group in _by_context(rows)]


def _by_context(rows: Rows) -> Iterator[Rows]:
    """Rows that tell of one context under one kid context."""
    for _, group in groupby(rows, key=itemgetter(0, 1)):
        yield list(group)


def _known(keyring: Keyring, mac: RowMac, rows: Rows) -> KnownContext:
    row = rows[0]
    (
        kid_context, context_id, revision, id_context, aead, wrapped_keys, replaces_id, key_id,
    ) = row[:_STATE_AT]  # fmt: skip
    state = state_from_row(mac, row[_STATE_AT:_PLEDGE_AT])
    device = pledge_from_row(mac, row[_PLEDGE_AT:_NETWORK_AT], network_ids_in(rows, _NETWORK_AT))
    candidate_id = row[_PLEDGE_AT + _CANDIDATE]
    is_candidate = candidate_id is not None and candidate_id == key_id
    # One copy in memory of what is equal; there may be thousands of contexts.
    if kid_context == device.identifier.value:
        kid_context = device.identifier.value
    if id_context == kid_context:
        id_context = kid_context
    return KnownContext(
        context_id=context_id,
        kid_context=kid_context,
        security=open_security(keyring, context_id, aead, id_context, wrapped_keys),
        pledge=device,
        revision=revision,
        profile=device.profile or _first_profile(rows),
        # What was reported is of the firmware before.
        left_out=NOTHING if is_candidate else left_out_in(rows, _LEFT_OUT_AT),
        state=state,
        standing=standing.standing_of(mac, [part[_STANDING_AT:_END] for part in rows]),
        replaces_id=replaces_id,
        candidate_id=candidate_id if is_candidate else None,
    )


def _first_profile(rows: Rows) -> Profile:
    for row in rows:
        if row[_NETWORK_AT + 1] is not None:
            return Profile(row[_NETWORK_AT + 1])
    return Profile.RFC9031


class Lookup:
    """Reads contexts for the loop, on a connection of its own that can't write."""

    def __init__(self, connection: Connection, keyring: Keyring, mac: RowMac) -> None:
        self._connection = connection
        self._keyring = keyring
        self._mac = mac
        self.runs = RunLookup(connection, keyring, mac, self.find)

    @property
    def is_lost(self) -> bool:
        """Whether the connection to a server was lost: every look fails until ``use``."""
        return is_server(self._connection) and is_closed(self._connection)

    def use(self, connection: Connection) -> None:
        """Look there from now on; the connection before is let go of."""
        let_go(self._connection)
        self._connection = connection
        self.runs = RunLookup(connection, self._keyring, self._mac, self.find)

    def close(self) -> None:
        """Give the connection back."""
        let_go(self._connection) if self.is_lost else self._connection.close()

    def find(self, kid_context: bytes) -> list[KnownContext]:
        """As ``ContextReader.find``."""
        with readable():
            rows = _FIND.rows(self._connection, (kid_context,))
        return [_known(self._keyring, self._mac, group) for group in _by_context(rows)]

    def find_many(self, kid_contexts: Sequence[bytes]) -> dict[bytes, list[KnownContext]]:
        """As ``ContextReader.find_many``."""
        found: dict[bytes, list[KnownContext]] = {}
        with readable():
            rows = _FIND.rows(self._connection, kid_contexts)
        for group in _by_context(rows):
            with suppress(StateError):  # which ``find`` meets again, and says
                known = _known(self._keyring, self._mac, group)
                found.setdefault(known.kid_context, []).append(known)
        return found

    def stored_answer(self, context_id: int) -> StoredAnswer | None:
        """As ``ContextReader.stored_answer``."""
        with readable():
            rows = _STORED.rows(self._connection, (context_id,))
        if not rows:
            return None
        row = rows[0]
        state = state_from_row(self._mac, row[:_STATE_SIZE])
        pledge_state, generation_state, released_at_ms, place = row[_STATE_SIZE:-2]
        changed, condition = row[-2:]
        is_admitted = pledge_state == PledgeState.PROVISIONED.value and condition == _OPEN
        good = is_admitted and (
            state.answer_generation_id is None
            or (
                generation_state in _LIVE_STATES
                and released_at_ms is None
                and place is not None
                # What it says of the registrar's address still holds.
                and (changed is None or changed < (state.answered_at_ms or 0))
            )
        )
        return StoredAnswer(state, good)

    def kid_contexts(self) -> Iterator[bytes]:
        """Every kid context that can be looked up, for the filter."""
        with readable():
            for (kid_context,) in _KID_CONTEXTS.each(self._connection, ()):
                yield kid_context
