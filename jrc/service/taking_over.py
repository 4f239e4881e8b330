"""A sealed file changes none but its own builder's pledges, unless the operator says so.

Each builder is trusted with the devices that he makes, and with no other's (docs/handover.md).
"""

from collections.abc import Mapping, Sequence

from jrc.service.applicants import Fault
from jrc.service.examine import Decision, Outcome
from jrc.service.records import CredentialRecord
from jrc.service.registry import Registry

_OVERWRITING = (Outcome.REPLACED, Outcome.CHANGED, Outcome.PENDING)
"""A pledge that was removed, and returns, has no key that somebody else has brought."""


def refuse_others(
    tx: Registry, builder: bytes, judged: Mapping[int, Decision | Fault]
) -> dict[int, Decision | Fault]:
    """``judged`` by line, with a fault for each change of a pledge that another's key is of.

    ``builder`` is the identifier of the key that signed the file.

    Raises:
        StateError: a row of a sealed file that was opened does not authenticate.
    """
    held = {
        line: _keys_of(entry)
        for line, entry in judged.items()
        if isinstance(entry, Decision) and entry.outcome in _OVERWRITING
    }
    credentials = tx.credentials.records(
        [number for numbers in held.values() for number in numbers]
    )
    imports = {found.import_id for found in credentials.values() if found.import_id is not None}
    own = {
        number
        for number, signed_by in tx.handovers.builders(imports).items()
        if signed_by == builder
    }
    faults = {
        line: _fault(numbers, credentials)
        for line, numbers in held.items()
        if not numbers or any(credentials[number].import_id not in own for number in numbers)
    }
    return {**judged, **faults}


def _keys_of(decision: Decision) -> Sequence[int]:
    """The keys that the pledge has: the one in force, and one that waits."""
    before = decision.before
    assert before is not None, "it is there"
    return [number for number in (before.credential_id, before.candidate_id) if number is not None]


def _fault(numbers: Sequence[int], credentials: Mapping[int, CredentialRecord]) -> Fault:
    came = [f"{credentials[number].provenance}, {credentials[number].source}" for number in numbers]
    whence = f" ({came[0].removesuffix(', ')})" if came else ""
    return Fault(
        "pledge_id",
        f"it is there, and its key did not come from the builder of this file{whence}",
        "ask whose device it is; if this builder's file is to change it, say --take-over",
    )
