"""Keys that wait for a device's next firmware, beside the one in force (row A5, docs/adr/0019)."""

from dataclasses import replace

from jrc.service.records import CredentialState, PledgeChange, PledgeRecord
from jrc.service.registry import Registry


def let_wait(tx: Registry, before: PledgeRecord, change: PledgeChange) -> None:
    """Write a key that waits; the one that waited before is wiped."""
    record = without_waiting(tx, before)
    number = tx.credentials.add_candidate(change, before.identifier)
    tx.pledges.save(replace(record, candidate_id=number))


def let_staged_wait(tx: Registry, before: PledgeRecord, credential_id: int) -> None:
    """As ``let_wait``, of a key that an import has held ready."""
    record = without_waiting(tx, before)
    tx.credentials.put_in_force(credential_id, before.identifier)
    tx.credentials.set_state(credential_id, CredentialState.CANDIDATE)
    tx.pledges.save(replace(record, candidate_id=credential_id))


def without_waiting(tx: Registry, record: PledgeRecord) -> PledgeRecord:
    """The record without a key that waits, which is wiped; the caller saves the record."""
    if record.candidate_id is None:
        return record
    tx.credentials.wipe(record.candidate_id, CredentialState.WITHDRAWN)
    return replace(record, candidate_id=None)
