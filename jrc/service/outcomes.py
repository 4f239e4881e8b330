"""How updates end, and when a node is tried again: what all errands have in common (§8.2, §8.3)."""

from dataclasses import dataclass
from typing import NamedTuple

from jrc.cojp import codec
from jrc.cojp.constants import CoapCode
from jrc.errors import PeerError
from jrc.policy.admission import is_stored
from jrc.policy.rollover_nodes import NodeEvent
from jrc.service.registry import Registry
from jrc.service.update_ports import Answered, UpdateError, UpdateOutcome

ACTOR = "jrc"
"""Who tells nodes, in the audit log."""
MAX_EXCHANGE_MS = 600_000
"""After so long an attempt has ended for sure, or the process that made it has (§7.2)."""
SOON_MS = 1000
"""Before a node is told that could not be, for a cause that passes by itself."""
_CALLED_OFF = frozenset(
    {UpdateError.CANCELLED, UpdateError.OUT_OF_NUMBERS, UpdateError.NUMBERS_NOT_DUE}
)


class Ref(NamedTuple):
    """What comes back with an outcome: whose it is, and the errand's own word.

    ``unproven`` is the context it was sent under, where that came of RFC 8613 App. B.2 and nothing
    has verified under it yet.
    """

    errand: str
    inner: object
    unproven: int | None = None


def ref_of(outcome: UpdateOutcome) -> Ref:
    """What went out with the update that ended so."""
    assert isinstance(outcome.ref, Ref), "a turn has made it"
    return outcome.ref


@dataclass(frozen=True, slots=True)
class Retry:
    """Seconds after a first attempt that failed in which a node is tried again, and the most."""

    first_s: float = 300.0
    most_s: float = 3600.0

    def after_ms(self, attempts: int, sleep_s: int | None) -> int:
        """Milliseconds until the next try after so many; at least as long as the node sleeps."""
        doublings = min(max(attempts - 1, 0), 32)
        wait_s = min(self.most_s, self.first_s * 2**doublings)
        return int(max(wait_s, sleep_s or 0) * 1000)


def read_outcome(tx: Registry, outcome: UpdateOutcome) -> tuple[NodeEvent | None, str | None]:
    """What an outcome means for its node, and the error in words; what it reports is stored.

    No event where the attempt was called off before anything could be heard. RFC 9031 §8.3
    """
    if outcome.answer is None:
        if outcome.error in _CALLED_OFF:
            return None, f"{outcome.error}"
        hint = "" if outcome.hint is None else f" ({outcome.hint})"
        return NodeEvent.NO_ANSWER, f"{outcome.error}{hint}"
    if outcome.answer.code == CoapCode.CHANGED:
        return NodeEvent.ACKNOWLEDGED, None
    return NodeEvent.REFUSED, _refusal(tx, outcome.node, outcome.answer)


def _refusal(tx: Registry, pledge_id: int, answer: Answered) -> str:
    code = f"{answer.code >> 5}.{answer.code & 31:02}"
    if answer.code != CoapCode.BAD_REQUEST:
        return code
    try:
        reported = codec.decode_unsupported(answer.payload)
    except PeerError:
        return code
    kept = [item for item in reported if is_stored(item)]
    if not kept:
        return code
    tx.nodes.report(pledge_id, [(item.code, item.label, item.addinfo) for item in kept])
    # What it can't take is left out of its next Configuration, whatever a join remembers of it.
    tx.policy_changed()
    labels = ", ".join(str(int(label)) for label in sorted({item.label for item in kept}))
    return f"{code} can't act upon label {labels}"
