"""The loop's half of the join exchange (RFC 9031 §8.1): from a datagram to a verified request.

It parses, finds the context, looks at the replay window, verifies the tag and decodes. Whatever is
bad ends here without a trace but a counter (RFC 9031 §7.3.2); whatever is good waits for its
transaction (``join.py``), and its answer leaves when that is on disk.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from jrc.cojp import codec, envelope, message, oscore
from jrc.cojp.constants import ENDPOINT_MAX_TOKEN_BYTES, JOIN_PATH, CoapCode, OptionNumber
from jrc.cojp.envelope import Envelope
from jrc.cojp.objects import JoinRequest
from jrc.cojp.recovery import response_option
from jrc.errors import ClosedError, JrcError, PeerError, Reason, StateError, StoreError
from jrc.policy.profiles import TRAITS
from jrc.service.attempts import Attempts, Success
from jrc.service.contexts import Contexts
from jrc.service.copies import MAX_COPY_AGE_MS, Copies
from jrc.service.join import ADMISSIBLE, Ask, Outcome, Refusal
from jrc.service.join_ports import ContextReader, ContextState, KnownContext
from jrc.service.open_runs import OpenRun
from jrc.service.ports import Arrived, Clock, Metrics, Sender, Way
from jrc.service.recovering import Step

MAX_IN_FLIGHT = 4096
"""Requests that wait for a commit; each has verified, one a context."""

_UNKNOWN = Reason.UNKNOWN_CONTEXT
_BAD_TAG = Reason.BAD_TAG
_REPLAYED = Reason.REPLAYED
_COPY_REFUSED = Reason.COPY_REFUSED
_JOINED = Success.JOINED

USUAL_PLAINTEXTS = 256
_USUAL_BYTES = 64
"""Plaintexts up to here are remembered with what they say: a network's pledges say the same."""

_UNDERSTOOD = frozenset({OptionNumber.URI_HOST, OptionNumber.URI_PORT, OptionNumber.URI_PATH})
"""Critical options of an inner request; outer host and port were looked at already."""

_UNDERSTOOD_ELSEWHERE = _UNDERSTOOD | {OptionNumber.IF_NONE_MATCH}
"""Where nothing is, this condition holds (RFC 7252 §5.10.8.2): with a GET of ``/`` under it libcoap
tries extended tokens out (RFC 8974 §2.2.2), and wants the 4.04 that says so."""


class Intake:
    """Takes datagrams; answers copies at once, and requests when their transaction is on disk."""

    def __init__(
        self,
        contexts: Contexts,
        reader: ContextReader,
        submit: Callable[[Ask], None],
        sender: Sender,
        metrics: Metrics,
        clock: Clock,
        *,
        retransmit_cache: bool = True,
        first_message_id: int = 0,
        attempts: Attempts | None = None,
        failed: Callable[[StoreError], None] = lambda _error: None,
        report: Callable[[Sequence[Outcome]], None] = lambda _outcomes: None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``report`` hears what became of requests, when their answers have left."""
        self._is_closed = False
        self._contexts = contexts
        self._reader = reader
        self._submit = submit
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._copies = Copies() if retransmit_cache else None
        self._message_id = first_message_id
        self._on_failure = failed
        self._in_flight: set[int] = set()
        attempts = attempts or Attempts()
        self._note_verified = attempts.verified.note
        self._note_claimed = attempts.claimed.note
        self._note_stranger = attempts.strangers.note
        self._now_ms: int | None = None
        self._report = report
        self._monotonic_ns = monotonic_ns
        self._arrived_ns = 0

    @property
    def in_flight(self) -> int:
        """Requests that wait for their transaction."""
        return len(self._in_flight)

    @property
    def copies_counted(self) -> int:
        """Requests whose copies are counted."""
        return 0 if self._copies is None else len(self._copies)

    def close(self, is_closed: bool) -> None:
        """Drop whatever arrives, or do so no more: the database may not be used (row E8)."""
        self._is_closed = is_closed

    def take(self, datagrams: Sequence[Arrived]) -> None:
        """Look at what has arrived.

        A good request is submitted, a copy of one answered from what is stored; anything else is
        silence and one count by reason (RFC 9031 §7.3.2).
        """
        self._metrics.received(len(datagrams))
        self._arrived_ns = self._monotonic_ns()
        if self._is_closed:
            for _ in datagrams:
                self._metrics.dropped(Reason.QUARANTINED)
            return
        requests: list[tuple[Envelope, Way]] = []
        for datagram in datagrams:
            try:
                requests.append((_open(datagram), datagram.way))
            except PeerError as error:
                self._metrics.dropped(error.reason)
        if len(requests) > 1:
            self._contexts.expect(request.kid_context for request, _ in requests)
        self._now_ms = None
        for request, way in requests:
            self._look_at(request, way)
        self._contexts.expect(())

    def _look_at(self, request: Envelope, way: Way) -> None:
        name = request.kid_context
        try:
            found = self._contexts.find(name)
            if not found:
                raise PeerError(Reason.UNKNOWN_CONTEXT)
            # After RFC 8613 App. B.2 a pledge has other kid contexts than its identifier.
            name = found[0].pledge.identifier.value
            self._take(found, request, way)
        except PeerError as error:
            reason = error.reason
            self._metrics.dropped(reason)
            now_ms = self._now_ms or self._look_at_clock()
            if reason is _UNKNOWN:
                self._note_stranger(name, reason, now_ms, way)
            elif reason is _REPLAYED or reason is _BAD_TAG or reason is _COPY_REFUSED:
                self._note_claimed(name, reason, now_ms, way)
            else:
                self._note_verified(name, reason, now_ms, way)
        except (StoreError, StateError) as error:
            reason = self._failed(error)
            self._note_claimed(name, reason, self._look_at_clock(), way)

    def _look_at_clock(self) -> int:
        """The time that all datagrams of one reading are noted with."""
        self._now_ms = now_ms = self._clock.now_ms()
        return now_ms

    def _failed(self, error: JrcError) -> Reason:
        """Count a request that our own state lets nobody answer; the reason."""
        if isinstance(error, StateError):
            self._metrics.damaged(str(error))
            return Reason.DAMAGED_STATE
        if isinstance(error, ClosedError):
            self._metrics.dropped(Reason.QUARANTINED)
            return Reason.QUARANTINED
        if isinstance(error, StoreError):
            self._on_failure(error)
        self._metrics.dropped(Reason.DATABASE)
        return Reason.DATABASE

    def _take(self, found: Sequence[KnownContext], request: Envelope, way: Way) -> None:
        number = oscore.decode_piv(request.partial_iv)
        failure = Reason.BAD_TAG
        for known in found:
            if not known.state.window.is_fresh(number):
                if self._is_copy(known, request):
                    self._answer_copy(known, number, request, way)
                    return
                failure = Reason.REPLAYED
                if not known.state.needs_recovery:
                    continue
                if self._answer_first_again(known, request, way):
                    return
                if not self._begins_lower(known, request):
                    continue
            plaintext = _unprotect(known, request)
            if plaintext is not None:
                self._contexts.keep(found)
                self._hand_on(known, number, plaintext, request, way)
                return
        raise PeerError(failure)

    def _hand_on(
        self, known: KnownContext, number: int, plaintext: bytes, request: Envelope, way: Way
    ) -> None:
        if known.pledge.state is not ADMISSIBLE:
            raise PeerError(Reason.REVOKED)
        if known.context_id in self._in_flight:
            raise PeerError(Reason.IN_FLIGHT)
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            raise PeerError(Reason.OVERLOADED)
        usual = len(plaintext) <= _USUAL_BYTES
        content = _read_usual(plaintext) if usual else read_request(plaintext)
        self._in_flight.add(known.context_id)
        digest = envelope.digest(request)
        self._submit(Ask(known, number, digest, content, request, way, self._arrived_ns))

    def _is_copy(self, known: KnownContext, request: Envelope) -> bool:
        digest = known.state.request_digest
        return (
            self._copies is not None and digest is not None and digest == envelope.digest(request)
        )

    def _answer_copy(self, known: KnownContext, number: int, request: Envelope, way: Way) -> None:
        """Send the stored answer once more, if it may be (row C11)."""
        assert self._copies is not None
        digest, first = known.state.request_digest or b"", known.state.answer_peer or b""
        now_ms = self._clock.now_ms()
        # Counted before the row is read: a flood of copies costs as little as any bad datagram.
        if not _fits(known.state, number, digest, now_ms) or not self._copies.allow(
            digest, first, way.peer_address(), now_ms
        ):
            raise PeerError(Reason.COPY_REFUSED)
        stored = self._reader.stored_answer(known.context_id)
        if stored is None or not stored.good or not _fits(stored.state, number, digest, now_ms):
            raise PeerError(Reason.COPY_REFUSED)
        self._metrics.resent()
        self._note_verified(
            known.pledge.identifier.value, Success.RESENT, now_ms, way, known.standing
        )
        self._send(known, request, b"", stored.state.answer or b"", way)

    def _answer_first_again(self, known: KnownContext, request: Envelope, way: Way) -> bool:
        """Send response #1 of RFC 8613 App. B.2 once more, if this began a run (row C11)."""
        digest = envelope.digest(request)
        r2 = self._contexts.runs.r2_for(digest)
        if r2 is None or self._copies is None:
            return False
        now_ms, stored = self._clock.now_ms(), None
        if self._copies.allow(digest, b"", way.peer_address(), now_ms):
            stored = self._reader.runs.stored(r2)
        if (
            stored is None
            or not stored.good
            or not 0 <= now_ms - stored.run.begun_at_ms <= MAX_COPY_AGE_MS
        ):
            raise PeerError(Reason.COPY_REFUSED)
        self._metrics.resent()
        self._note_verified(
            known.pledge.identifier.value, Success.RESENT, now_ms, way, known.standing
        )
        self._send(known, request, response_option(r2), stored.run.answer, way)
        return True

    def _begins_lower(self, known: KnownContext, request: Envelope) -> bool:
        """Whether a request #1 begins a run though its number is not above all seen.

        A device may have forgotten its numbers while somebody repeats what it said with higher
        ones. The run's keys hang on an R2 of its own, so that its nonce protects nothing else.
        """
        now_ms, runs = self._clock.now_ms(), self._contexts.runs
        if not runs.takes_lower(known.context_id, now_ms) or _unprotect(known, request) is None:
            return False
        runs.note_lower(known.context_id, now_ms)
        return True

    def next_message_id(self) -> int:
        """One for a message of our own: all that leaves from a port shares them."""
        self._message_id = (self._message_id + 1) & 0xFFFF
        return self._message_id

    def _send(
        self, known: KnownContext, request: Envelope, option: bytes, answer: bytes, way: Way
    ) -> None:
        self._message_id = (self._message_id + 1) & 0xFFFF
        echoed = bool(request.proxy_state) and TRAITS[known.profile].echoes_proxy_state
        datagram = envelope.close_response(
            request, self._message_id, option, answer, with_proxy_state=echoed
        )
        self._sender.send(datagram, way)

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """A transaction is on disk: its states come into force, its answers leave."""
        if outcomes:
            self._metrics.committed(len(outcomes))
        now_ms = self._clock.now_ms()
        note = self._note_verified
        for outcome in outcomes:
            known = outcome.ask.known
            self._in_flight.discard(known.context_id)
            if outcome.stale:
                self._contexts.forget(known.kid_context)
                if outcome.key_changed:
                    self._metrics.key_changed(known.pledge.identifier.value)
            if outcome.step is not None:
                self._follow(outcome.step)
            identifier, way = known.pledge.identifier.value, outcome.ask.way
            if outcome.state is None:
                reason = outcome.reason or Reason.DATABASE
                self._metrics.dropped(reason)
                note(identifier, reason, now_ms, way)
                continue
            known.state, known.standing = outcome.state, outcome.standing
            note(identifier, outcome.reason or _JOINED, now_ms, way, outcome.standing)
            self._metrics.answered(outcome.network, outcome.reason)
            self._send(known, outcome.ask.envelope, *outcome.protected, way)
        self._report(outcomes)

    def _follow(self, step: Step) -> None:
        """A step of RFC 8613 App. B.2 is on disk: what comes next is looked at accordingly."""
        if step.begun is not None:
            run = step.begun
            self._contexts.runs.add([OpenRun(run.r2, run.request_digest, run.begun_at_ms)])
        if step.ended is not None:
            self._contexts.runs.drop(step.ended)
            self._contexts.learn(step.kid_contexts)
            self._metrics.recovered()
        if step.outdated is not None:
            self._contexts.forget(step.outdated)

    def abandon(self, ask: Ask, error: JrcError) -> None:
        """A request's transaction was rolled back: nothing was changed, nothing is answered."""
        self._in_flight.discard(ask.known.context_id)
        self._contexts.forget(ask.known.kid_context)
        identifier = ask.known.pledge.identifier.value
        self._note_verified(identifier, self._failed(error), self._clock.now_ms(), ask.way)


def _open(datagram: Arrived) -> Envelope:
    if datagram.truncated:
        raise PeerError(Reason.TOO_LONG)
    if datagram.to_multicast:
        raise PeerError(Reason.MULTICAST)
    return envelope.open_request(datagram.payload, ENDPOINT_MAX_TOKEN_BYTES)


def _unprotect(known: KnownContext, request: Envelope) -> bytes | None:
    try:
        return oscore.unprotect_request(known.security, request.partial_iv, b"", request.ciphertext)
    except PeerError:
        return None


def _fits(state: ContextState, number: int, digest: bytes, now_ms: int) -> bool:
    """Whether a stored answer is still the one for this request (row C11)."""
    return (
        state.request_digest == digest
        and state.window.highest == number
        and state.answer is not None
        and state.answered_at_ms is not None
        and 0 <= now_ms - state.answered_at_ms <= MAX_COPY_AGE_MS
    )


def read_request(plaintext: bytes) -> JoinRequest | Refusal:
    """What a verified request asks for, or the protected error it gets (RFC 9031 §8.3.1).

    Raises:
        PeerError: the plaintext is no CoAP message; there is nothing to answer.
    """
    inner = message.decode_inner(plaintext)
    refusal = _screen(inner)
    if refusal is not None:
        return refusal
    try:
        return codec.decode_join_request(inner.payload)
    except PeerError as error:
        return Refusal(CoapCode.BAD_REQUEST, error.answer or b"", error.reason)


_read_usual = lru_cache(maxsize=USUAL_PLAINTEXTS)(read_request)


def _screen(inner: message.Inner) -> Refusal | None:
    """An error for whatever is no POST to ``j``: critical options first (RFC 7252 §5.4.1)."""
    path = [value for number, value in inner.options if number == OptionNumber.URI_PATH]
    understood = _UNDERSTOOD if path == [JOIN_PATH] else _UNDERSTOOD_ELSEWHERE
    for number, _ in inner.options:
        if message.is_critical(number) and number not in understood:
            return Refusal(CoapCode.BAD_OPTION, b"", Reason.BAD_OPTION)
    if path != [JOIN_PATH]:
        return Refusal(CoapCode.NOT_FOUND, b"", Reason.NOT_FOUND)
    if inner.code != CoapCode.POST:
        return Refusal(CoapCode.METHOD_NOT_ALLOWED, b"", Reason.METHOD)
    return None
