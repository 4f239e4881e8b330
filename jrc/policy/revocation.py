"""What a revocation does to the link-layer keys of a key domain (RFC 9031 §8.4.2, §8.4.3.1).

Only keys that the device does not have put it out of a network, so all others get new ones.
"""

from collections.abc import Collection
from enum import StrEnum

from jrc.model import KeySetState
from jrc.policy.rollover import Phase


class Rekeying(StrEnum):
    """How the keys that revoked pledges have come to their end."""

    NOT_NEEDED = "not_needed"
    """They have none of the domain's live keys."""
    STARTED = "started"
    """A rollover without them begins."""
    TAKEN_OUT = "taken_out"
    """The one that is running retires all they have; it goes on without them."""
    RESTARTED = "restarted"
    """The one that is running waits, or they have its keys: it is aborted, another one begins."""
    WANTED = "wanted"
    """They have the keys that the network has switched to: another one begins after this one."""


def rekeying_for(course: Phase | None, told: Collection[KeySetState]) -> Rekeying:
    """What is to be done in a key domain; ``told`` are the live keys that any of them may have.

    ``course`` is the phase of the rollover that is running there, or the one that it goes back to
    after its pause; None where none is running.
    """
    if not told:
        return Rekeying.NOT_NEEDED
    if course is None:
        return Rekeying.STARTED if KeySetState.CURRENT in told else Rekeying.NOT_NEEDED
    if course is Phase.PLANNED:
        # It may wait for a time that the operator gave, and a revocation doesn't.
        return Rekeying.RESTARTED
    if course is Phase.DISTRIBUTING:
        return Rekeying.RESTARTED if KeySetState.SCHEDULED in told else Rekeying.TAKEN_OUT
    return Rekeying.WANTED if KeySetState.CURRENT in told else Rekeying.TAKEN_OUT
