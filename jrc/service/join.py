"""The transaction's half of the join exchange (RFC 9031 §8.1): decide, encrypt, remember.

``decide`` looks at the replay window again, for another registrar or an earlier batch may have
moved it, and then fixes everything in one transaction: the window, the short identifier, the
answer itself and the audit event. An answer exists only together with the state that makes it
unique, so no request nonce ever protects two plaintexts (RFC 8613 §5.2).
"""

from collections.abc import Sequence
from typing import NamedTuple

from jrc.cojp import message, oscore
from jrc.cojp.codec import ConfigurationForm
from jrc.cojp.constants import CoapCode, Label
from jrc.cojp.envelope import Envelope
from jrc.cojp.objects import JoinRequest
from jrc.errors import Reason
from jrc.model import Event, Network, PledgeState, Profile
from jrc.policy import admission, leases
from jrc.policy.leases import Lease
from jrc.service.identifiers import FreeIdentifiers
from jrc.service.ports import (
    ContextState,
    JoinRow,
    JoinTransaction,
    KnownContext,
    LiveKeys,
    NodePlace,
    Way,
)

ADMISSIBLE = PledgeState.PROVISIONED
"""The stored state in which a pledge is answered; ``joined`` is one that has a place as well."""

_ACTOR = "pledge"


class Refusal(NamedTuple):
    """A protected answer that refuses: CoAP code, payload, and the reason that is counted."""

    code: int
    payload: bytes
    reason: Reason


class Ask(NamedTuple):
    """A verified request on its way into a transaction.

    ``digest`` names its copies (row C11); ``way`` is the way back for its answer (row C13).
    """

    known: KnownContext
    number: int
    digest: bytes
    content: JoinRequest | Refusal
    envelope: Envelope
    way: Way


class Outcome(NamedTuple):
    """What became of a request in its transaction.

    ``state`` is the context's new state with the answer in it, None for silence; ``reason`` is
    None for a Configuration. ``stale`` says that the cached context has to be read anew.
    """

    ask: Ask
    state: ContextState | None
    reason: Reason | None
    network: str = ""
    stale: bool = False


class _SilenceError(Exception):
    """The request verified, and yet nothing may be sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Answer(NamedTuple):
    code: int
    payload: bytes
    reason: Reason | None = None
    network: str = ""
    generation_id: int | None = None
    changed_pledge: bool = False


def decide(tx: JoinTransaction, asks: Sequence[Ask], now_ms: int) -> list[Outcome]:
    """What each request gets; the writes are collected in ``tx`` and not yet on disk.

    A context appears once in ``asks`` (row M2). Nothing of what comes back may be sent or cached
    before the transaction has committed (RFC 9031 §7.3.1).
    """
    rows = tx.rows([ask.known for ask in asks])
    free = FreeIdentifiers(tx, len(asks))
    return [_decide(tx, free, ask, rows.get(ask.known.context_id), now_ms) for ask in asks]


def _decide(
    tx: JoinTransaction, free: FreeIdentifiers, ask: Ask, row: JoinRow | None, now_ms: int
) -> Outcome:
    try:
        if row is None:
            raise _SilenceError(Reason.UNKNOWN_CONTEXT)
        state, known = _in_force(tx, ask, row)
    except _SilenceError as silence:
        return Outcome(ask, None, silence.reason, stale=True)
    try:
        answer = _answer(tx, free, known, ask.content, row, now_ms)
    except _SilenceError as silence:
        return _spent(tx, ask, known, state, silence.reason)
    partial_iv = ask.envelope.partial_iv
    _, protected = oscore.protect_response(
        known.security, b"", partial_iv, message.encode_inner(answer.code, (), answer.payload)
    )
    after = ContextState(
        state.version + 1,
        state.window.accept(ask.number),
        state.numbers_reserved,
        state.needs_recovery,
        ask.digest,
        protected,
        now_ms,
        ask.way.peer_address(),
        answer.generation_id,
        now_ms if answer.reason is None else state.joined_at_ms,
    )
    tx.save_state(known.context_id, after)
    stale = answer.changed_pledge or known is not ask.known
    return Outcome(ask, after, answer.reason, answer.network, stale)


def _spent(
    tx: JoinTransaction, ask: Ask, known: KnownContext, state: ContextState, reason: Reason
) -> Outcome:
    """Silence whose cause lies with us: the number is used up, so that copies cost no commit."""
    after = state._replace(
        version=state.version + 1,
        window=state.window.accept(ask.number),
        request_digest=None,
        answer=None,
        answered_at_ms=None,
        answer_peer=None,
        answer_generation_id=None,
    )
    tx.save_state(known.context_id, after)
    return Outcome(ask, None, reason, stale=True)


def _in_force(tx: JoinTransaction, ask: Ask, row: JoinRow) -> tuple[ContextState, KnownContext]:
    if row.state is None:
        raise _SilenceError(Reason.DAMAGED_STATE)
    known: KnownContext | None = ask.known
    if tx.policy.revision != ask.known.revision:
        known = tx.reload(ask.known.kid_context, ask.known.context_id)
    if known is None or known.pledge.state is not ADMISSIBLE:
        raise _SilenceError(Reason.REVOKED)
    if row.state.needs_recovery:
        raise _SilenceError(Reason.QUARANTINED)
    if not row.state.window.is_fresh(ask.number):
        raise _SilenceError(Reason.REPLAYED)
    return row.state, known


def _answer(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    known: KnownContext,
    content: JoinRequest | Refusal,
    row: JoinRow,
    now_ms: int,
) -> _Answer:
    if isinstance(content, Refusal):
        return _Answer(content.code, content.payload, content.reason)
    left_out = admission.reported_labels(known.left_out, content.unsupported)
    decision = admission.decide(content, known.pledge, tx.policy.networks, left_out)
    if isinstance(decision, admission.Refused):
        answer = _Answer(CoapCode.BAD_REQUEST, decision.payload, decision.reason)
    else:
        answer = _admit(tx, free, known, content.role, decision.network, left_out, row, now_ms)
    if _remember_reports(tx, known, content):
        return answer._replace(changed_pledge=True)
    return answer


def _remember_reports(tx: JoinTransaction, known: KnownContext, request: JoinRequest) -> bool:
    """Store what the pledge says it can't take; False where it is known (RFC 9031 §8.4.5)."""
    told: dict[int, tuple[int, int, bytes | None]] = {}
    for item in request.unsupported:
        # A parameter that can't be set at all stays so, whatever is said of one value of it.
        told_with_null = item.label in told and told[item.label][2] is None
        if admission.is_stored(item) and item.label not in known.left_out and not told_with_null:
            told[item.label] = (item.code, item.label, item.addinfo)
    if not told:
        return False
    tx.save_reports(known.pledge, told.values())
    tx.record(
        Event(
            "pledge.reported",
            _ACTOR,
            known.pledge.identifier.value,
            detail={"labels": sorted(told)},
        )
    )
    return True


def _admit(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    known: KnownContext,
    role: int,
    network: Network,
    left_out: frozenset[int],
    row: JoinRow,
    now_ms: int,
) -> _Answer:
    keys = tx.policy.keys.get(network.domain_id)
    if keys is None:
        raise _SilenceError(Reason.NO_KEYS)
    profile = known.pledge.profile or network.profile
    value = None
    if profile is not Profile.OPENWSN and Label.SHORT_IDENTIFIER not in left_out:
        value = _lease(tx, free, known.pledge.id, network, keys, row, now_ms)
    form = _form(tx, network, keys, left_out, profile, leased=value is not None)
    place = NodePlace(network.id, role, keys.generation_id)
    if row.place != place:
        tx.save_place(known.pledge, place)
    tx.record(_joined(known, network, keys, role, value))
    return _Answer(
        CoapCode.CHANGED,
        form.fill(b"" if value is None else value.to_bytes(2)),
        network=network.name,
        generation_id=keys.generation_id,
    )


def _form(
    tx: JoinTransaction,
    network: Network,
    keys: LiveKeys,
    left_out: frozenset[int],
    profile: Profile,
    *,
    leased: bool,
) -> ConfigurationForm:
    """What pledges of this kind are told, encoded once for all of them (RFC 9031 §8.4.2)."""
    kind = (network.id, left_out, profile, leased)
    form = tx.policy.forms.get(kind)
    if form is None:
        any_value = 0 if leased else None
        configuration = admission.configuration_for(
            network, (keys.current,), any_value, left_out, profile
        )
        form = tx.policy.forms[kind] = ConfigurationForm(configuration)
    return form


def _joined(
    known: KnownContext, network: Network, keys: LiveKeys, role: int, value: int | None
) -> Event:
    """The audit event of a join; its detail is written out, since it is made for each."""
    short_id = "null" if value is None else f'"{value:04x}"'
    return Event(
        "pledge.joined",
        _ACTOR,
        known.pledge.identifier.value,
        network.name,
        detail=f'{{"generation":{keys.current.generation},"role":{role},"short_id":{short_id}}}',
    )


def _lease(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    pledge_id: int,
    network: Network,
    keys: LiveKeys,
    row: JoinRow,
    now_ms: int,
) -> int:
    """The pledge's short identifier: the one it holds, or a new one (RFC 9031 §8.4.4.1).

    It is burned in the generation of keys it goes out with, before it goes out.
    """
    generation = keys.current.generation
    held = row.leases.get(network.domain_id)
    if held is not None:
        renewed = leases.renew(held, generation, now_ms, network.lease_hours)
        if renewed is not held:
            tx.save_lease(renewed, new=False)
        return held.value
    value = free.draw(network, keys.oldest_live_generation)
    if value is None:
        raise _SilenceError(Reason.NO_SHORT_IDENTIFIER)
    end = leases.lease_end_ms(now_ms, network.lease_hours)
    tx.save_lease(
        Lease(
            value=value,
            domain_id=network.domain_id,
            pledge_id=pledge_id,
            first_generation=generation,
            last_generation=generation,
            lease_until_ms=end,
        ),
        new=True,
    )
    return value
