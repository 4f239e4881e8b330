"""The registrar's half of RFC 8613 App. B.2, in a join's transaction (RFC 9031 §8.3.3).

A request that verifies under a lost context gets a protected 4.01 under a context of its own, whose
keys hang on an R2 that was never used before: so its nonce, the one of the request, protects
nothing else, whatever was answered under that number before the loss. Only the request that comes
back under R2 and the pledge's own R3 is a Join Request again, in a context that never was lost.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from jrc.cojp import message, oscore
from jrc.cojp.constants import REPLAY_WINDOW_SIZE, CoapCode
from jrc.cojp.recovery import R2_BYTES, kid_contexts_of, response_option, second_id_context
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason
from jrc.model import Event, PledgeState
from jrc.policy.profiles import TRAITS
from jrc.service.join_ports import ContextState, JoinTransaction, KnownContext, RecoveryRun
from jrc.service.open_runs import RUN_LIFETIME_MS

MAX_RUNS: Final = 4
"""Of one lost context, that wait for request #2 at a time (RFC 8613 App. B.2.1)."""
MAX_LOWER_RUNS: Final = 16
"""Beside those, begun with lower numbers: by a device that has forgotten its own, while somebody
repeats what it said with higher ones, or by him with what it said with lower ones."""
ACTOR: Final = "pledge"
_ALL_SEEN: Final = (1 << REPLAY_WINDOW_SIZE) - 1
_REFUSED: Final = message.encode_inner(CoapCode.UNAUTHORIZED, (), b"")


class Verified(NamedTuple):
    """A request #1 that has verified under a lost context, as the transaction needs it."""

    number: int
    partial_iv: bytes
    digest: bytes
    peer: bytes


class Step(NamedTuple):
    """What a step of a run changes in memory once it is on disk.

    ``begun`` waits for request #2 from now on, the run of ``ended`` no more; ``kid_contexts`` name
    a context that is new, ``outdated`` is one whose rows are gone.
    """

    begun: RecoveryRun | None = None
    ended: bytes | None = None
    kid_contexts: tuple[bytes, ...] = ()
    outdated: bytes | None = None

    @property
    def option(self) -> bytes:
        """The OSCORE option of the answer: that of response #1, or of any other."""
        return b"" if self.begun is None else response_option(self.begun.r2)


def begin(
    tx: JoinTransaction, known: KnownContext, request: Verified, now_ms: int
) -> tuple[Step, ContextState] | Reason:
    """Response #1 to a request #1, and the lost context's state after it (step 2).

    Or why there is none: the pledge can't do it, or another registrar has begun a run with this.
    """
    if not TRAITS[known.profile].recovers_context or known.security.id_context is None:
        return Reason.NOT_RECOVERABLE
    r2 = tx.random(R2_BYTES)
    second = second_id_context(r2, known.security.id_context)
    security = tx.recoveries.security(known, second)
    if security is None:
        return Reason.NOT_RECOVERABLE
    _, answer = oscore.protect_response(security, b"", request.partial_iv, _REFUSED)
    run = RecoveryRun(
        r2, known.context_id, request.number, request.digest, answer, request.peer, now_ms
    )
    since_ms = now_ms - RUN_LIFETIME_MS
    rows = tx.recoveries
    if not rows.begin(known, run, most=MAX_RUNS, lower=MAX_LOWER_RUNS, since_ms=since_ms):
        return Reason.REPLAYED
    tx.record(_event("pledge.recovering", known, {"number": request.number}))
    highest = max(request.number, known.state.window.highest)
    after = known.state._replace(
        version=known.state.version + 1, window=ReplayWindow(highest, _ALL_SEEN)
    )
    return Step(begun=run), after


def complete(tx: JoinTransaction, asked: KnownContext) -> tuple[Step, KnownContext] | None:
    """The context that a request #2 has verified under, written; its request follows (step 4).

    ``None`` where the run has ended meanwhile, or the pledge is not in force any more.
    """
    run, security = asked.run, asked.security
    lost = None if run is None else tx.recoveries.lost_of(run)
    if run is None or lost is None or security.id_context is None:
        return None
    if lost.pledge.state is not PledgeState.PROVISIONED:
        return None
    context_id = tx.recoveries.replace(lost, security)
    tx.record(_event("pledge.recovered", lost, {"id_context": security.id_context}))
    known = replace(
        lost,
        context_id=context_id,
        kid_context=asked.kid_context,
        security=security,
        state=ContextState(
            1,
            ReplayWindow(),
            answer_generation_id=lost.state.answer_generation_id,
            joined_at_ms=lost.state.joined_at_ms,
        ),
        replaces_id=lost.context_id,
    )
    return Step(ended=run.r2, kid_contexts=kid_contexts_of(security.id_context)), known


def confirm(tx: JoinTransaction, known: KnownContext) -> Step:
    """A later message has verified under the new context: what it replaced is erased (step 5)."""
    tx.recoveries.confirm(known)
    return Step(outdated=known.pledge.identifier.value)


def _event(kind: str, known: KnownContext, detail: dict[str, object]) -> Event:
    return Event(kind, ACTOR, known.pledge.identifier.value, detail=detail)
