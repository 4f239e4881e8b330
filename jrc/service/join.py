"""The transaction's half of the join exchange (RFC 9031 §8.1): decide, encrypt, remember.

``decide`` looks at the replay window again and then fixes everything in one transaction: the
window, the short identifier, the answer itself and the audit event. A window from memory is as
good as one read anew, for its row is written only if it still has the version that was decided
upon: where another registrar has moved it, the transaction fails, ciphertexts and all. An answer
exists only together with the state that makes it unique, so no request nonce ever protects two
plaintexts (RFC 8613 §5.2).
"""

from collections.abc import Sequence
from typing import NamedTuple

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, Role
from jrc.cojp.envelope import Envelope
from jrc.cojp.objects import JoinRequest
from jrc.errors import Reason
from jrc.model import Admission, Event, PledgeState
from jrc.policy import admission, leases
from jrc.policy.admission import Gate
from jrc.policy.leases import Lease
from jrc.service import gates, recovering
from jrc.service.identifiers import FreeIdentifiers
from jrc.service.join_ports import (
    ContextState,
    JoinTransaction,
    KnownContext,
    NodePlace,
    Standing,
    Terms,
)
from jrc.service.join_terms import SilenceError, terms_of
from jrc.service.ports import Way
from jrc.service.recovering import Step

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
    ``arrived_ns`` is when it was read, by the monotonic clock.
    """

    known: KnownContext
    number: int
    digest: bytes
    content: JoinRequest | Refusal
    envelope: Envelope
    way: Way
    arrived_ns: int = 0


class Outcome(NamedTuple):
    """What became of a request in its transaction.

    ``state`` is the context's new state with the answer in it, None for silence, and ``standing``
    what its pledge has now; ``reason`` is None for a Configuration. ``stale`` says that the cached
    context has to be read anew; ``step`` is one of an RFC 8613 App. B.2 run. ``key_changed``: it
    has joined with a key that waited, and the one before is good for nothing any more (row A5).
    """

    ask: Ask
    state: ContextState | None
    standing: Standing
    reason: Reason | None
    network: str = ""
    stale: bool = False
    step: Step | None = None
    key_changed: bool = False

    @property
    def protected(self) -> tuple[bytes, bytes]:
        """Option value and ciphertext of the answer; there is one, for there is a ``state``."""
        if self.step is not None and self.step.begun is not None:
            return self.step.option, self.step.begun.answer
        return b"", (self.state and self.state.answer) or b""


class _Answer(NamedTuple):
    code: int
    payload: bytes
    standing: Standing
    reason: Reason | None = None
    network: str = ""
    generation_id: int | None = None
    changed_pledge: bool = False
    key_changed: bool = False


def decide(tx: JoinTransaction, asks: Sequence[Ask], now_ms: int) -> list[Outcome]:
    """What each request gets; the writes are collected in ``tx`` and not yet on disk.

    A context appears once in ``asks`` (row M2). Nothing of what comes back may be sent or cached
    before the transaction has committed (RFC 9031 §7.3.1).
    """
    current = tx.current([ask.known for ask in asks if ask.known.run is None])
    free = FreeIdentifiers(tx, len(asks))
    return [_decide(tx, free, ask, current.get(ask.known.context_id), now_ms) for ask in asks]


def _decide(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    ask: Ask,
    known: KnownContext | None,
    now_ms: int,
) -> Outcome:
    step: Step | None = None
    if ask.known.run is not None:
        completed = recovering.complete(tx, ask.known)
        if completed is None:
            return Outcome(ask, None, ask.known.standing, Reason.UNKNOWN_CONTEXT, stale=True)
        step, known = completed
    reason = _not_in_force(ask, known)
    if reason is not None or known is None:
        return Outcome(ask, None, ask.known.standing, reason, stale=True)
    if known.state.needs_recovery:
        return _begin(tx, ask, known, now_ms)
    if step is None and known.replaces_id is not None:
        step = recovering.confirm(tx, known)
    try:
        answer = _answer(tx, free, known, ask.content, now_ms)
    except SilenceError as silence:
        return _spent(tx, ask, known, silence.reason, step)
    partial_iv = ask.envelope.partial_iv
    _, protected = oscore.protect_response(
        known.security, b"", partial_iv, message.encode_inner(answer.code, (), answer.payload)
    )
    state = known.state
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
    stale = answer.changed_pledge or known is not ask.known or step is not None
    return Outcome(
        ask, after, answer.standing, answer.reason, answer.network, stale, step, answer.key_changed
    )


def _begin(tx: JoinTransaction, ask: Ask, known: KnownContext, now_ms: int) -> Outcome:
    """Response #1 of RFC 8613 App. B.2 to a pledge whose context was lost (RFC 9031 §8.3.3)."""
    envelope = ask.envelope
    request = recovering.Verified(
        ask.number, envelope.partial_iv, ask.digest, ask.way.peer_address()
    )
    begun = recovering.begin(tx, known, request, now_ms)
    if isinstance(begun, Reason):
        return Outcome(ask, None, known.standing, begun, stale=True)
    step, after = begun
    tx.save_state(known.context_id, after)
    stale = known is not ask.known
    return Outcome(ask, after, known.standing, Reason.RECOVERING, "", stale, step)


def _spent(
    tx: JoinTransaction, ask: Ask, known: KnownContext, reason: Reason, step: Step | None
) -> Outcome:
    """Silence whose cause lies with us: the number is used up, so that copies cost no commit."""
    after = known.state._replace(
        version=known.state.version + 1,
        window=known.state.window.accept(ask.number),
        request_digest=None,
        answer=None,
        answered_at_ms=None,
        answer_peer=None,
        answer_generation_id=None,
    )
    tx.save_state(known.context_id, after)
    return Outcome(ask, None, known.standing, reason, stale=True, step=step)


def _not_in_force(ask: Ask, known: KnownContext | None) -> Reason | None:
    """Why a request that verified when it came gets silence now."""
    if known is None or known.pledge.state is not ADMISSIBLE:
        return Reason.REVOKED
    # Under a lost context a request is never acted upon: a number that was used can begin a run.
    if not known.state.needs_recovery and not known.state.window.is_fresh(ask.number):
        return Reason.REPLAYED
    return None


def _answer(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    known: KnownContext,
    content: JoinRequest | Refusal,
    now_ms: int,
) -> _Answer:
    if isinstance(content, Refusal):
        return _Answer(content.code, content.payload, known.standing, content.reason)
    terms = terms_of(tx, known, content)
    if isinstance(terms, admission.Refused):
        answer = _Answer(CoapCode.BAD_REQUEST, terms.payload, known.standing, terms.reason)
    elif terms.gated:
        answer = _gated(tx, free, known, terms, content, now_ms)
    else:
        answer = _admit(tx, free, known, terms, now_ms)
    if known.candidate_id is not None and not answer.key_changed:
        return answer  # what this firmware can't do is not said of the one before
    if content.unsupported and _remember_reports(tx, known, content):
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


def _gated(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    known: KnownContext,
    terms: Terms,
    content: JoinRequest,
    now_ms: int,
) -> _Answer:
    """What a network says that does not admit everybody, or to a 6LBR, before a key leaves."""
    network = terms.network
    if network.admission is Admission.KNOWN:
        return _admit(tx, free, known, _unused(tx, known, content, terms), now_ms)
    gate = gates.look(tx, known, network, now_ms)
    if gate is Gate.SHUT:
        refused = admission.outside_window(content.network_identifier)
        code, before = CoapCode.BAD_REQUEST, known.standing
        return _Answer(code, refused.payload, before, refused.reason, network.name)
    if gate in (Gate.ASK, Gate.WAIT):
        raise SilenceError(Reason.AWAITING_APPROVAL)
    answer = _admit(tx, free, known, _unused(tx, known, content, terms), now_ms)
    if gate is Gate.COUNT:
        gates.let_in(tx, known, network, now_ms)
    return answer._replace(standing=gates.with_admission(answer.standing, network))


def _unused(tx: JoinTransaction, known: KnownContext, content: JoinRequest, terms: Terms) -> Terms:
    """The terms, with keys that were never in use for a 6LBR that joins again (row E7).

    One that is given no keys has no radio, and counts no slots.
    """
    if terms.place.role != Role.LBR or terms.place.generation_id is None:
        return terms
    if not tx.border_router_joins(terms.network, known.pledge):
        return terms
    anew = terms_of(tx, known, content)
    assert isinstance(anew, Terms), "other keys change nobody's admission"
    return anew


def _admit(
    tx: JoinTransaction, free: FreeIdentifiers, known: KnownContext, terms: Terms, now_ms: int
) -> _Answer:
    lease = _lease(tx, free, known, terms, now_ms) if terms.leased else None
    key_changed = known.candidate_id is not None
    if key_changed:
        _put_in_force(tx, known)
    tx.record(_joined(known, terms, lease))
    if terms.comes_into is not None:
        tx.save_progress(known.pledge, terms.comes_into)
    return _Answer(
        CoapCode.CHANGED,
        terms.form.fill(b"" if lease is None else lease.value.to_bytes(2)),
        _standing(tx, known, terms.place, lease),
        None,
        terms.network.name,
        _told_generation(known, terms),
        key_changed,
        key_changed,
    )


def _put_in_force(tx: JoinTransaction, known: KnownContext) -> None:
    """The device has the firmware that its key has waited for: no other is good any more (A5)."""
    tx.put_in_force(known)
    tx.record(Event("pledge.key_changed", _ACTOR, known.pledge.identifier.value))


def _told_generation(known: KnownContext, terms: Terms) -> int | None:
    """The keys that its last answers had: without any, those in force if it was told them before.

    One that takes none any more may have kept them, and nothing else may tell of it.
    """
    told, before = terms.place.generation_id, known.state.answer_generation_id
    return before if told is None and before == terms.keys.generation_id else told


def _standing(
    tx: JoinTransaction, known: KnownContext, place: NodePlace, lease: Lease | None
) -> Standing:
    """What the pledge has now; what is new of it is written."""
    before = known.standing
    leases_now = before.leases
    if lease is not None and lease is not before.lease_in(lease.domain_id):
        tx.save_lease(lease)
        others = (each for each in before.leases if each.domain_id != lease.domain_id)
        leases_now = (lease, *others)
    if place != before.place:
        tx.save_place(known.pledge, place, before.place)
    elif leases_now is before.leases:
        return before
    return Standing(leases_now, place, before.admitted)


def _joined(known: KnownContext, terms: Terms, lease: Lease | None) -> Event:
    """The audit event of a join; its detail is written out, since it is made for each."""
    short_id = "null}" if lease is None else f'"{lease.value:04x}"}}'
    identifier = known.pledge.identifier.value
    return Event(
        "pledge.joined", _ACTOR, identifier, terms.network.name, "", terms.detail + short_id
    )


def _lease(
    tx: JoinTransaction,
    free: FreeIdentifiers,
    known: KnownContext,
    terms: Terms,
    now_ms: int,
) -> Lease:
    """The pledge's short identifier: the one it holds, or a new one (RFC 9031 §8.4.4.1).

    It is burned in the generation of keys it goes out with, before it goes out.
    """
    network, keys = terms.network, terms.keys
    generation = keys.current.generation
    held = known.standing.lease_in(network.domain_id)
    if held is not None:
        return leases.renew(held, generation, now_ms, network.lease_hours)
    value = free.draw(network, keys.oldest_live_generation)
    if value is None:
        raise SilenceError(Reason.NO_SHORT_IDENTIFIER)
    return Lease(
        value=value,
        domain_id=network.domain_id,
        pledge_id=known.pledge.id,
        first_generation=generation,
        last_generation=generation,
        lease_until_ms=leases.lease_end_ms(now_ms, network.lease_hours),
    )
