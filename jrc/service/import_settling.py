"""What a published import changes about pledges that were there already, in short transactions.

An import is decided as a whole, by one transaction. From there on its changes come into force
pledge by pledge, those of the import that was published first before all others; whoever looks
meanwhile finds each pledge as it was, or as it is to be. What a process that ended has left is
gone on with by whoever comes next (``app/import_keeper.py``).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from jrc.errors import StateError
from jrc.model import Event, PledgeState
from jrc.service.condition import is_open
from jrc.service.enroll import settle
from jrc.service.examine import Outcome
from jrc.service.import_rows import RowError
from jrc.service.pledge_facts import Networks, differences
from jrc.service.records import (
    CredentialState,
    ImportBatch,
    PledgeRecord,
    StagedChange,
    StoredEvent,
    Wanted,
)
from jrc.service.registry import Registry
from jrc.service.waiting_keys import let_staged_wait, without_waiting

_ENDED = (PledgeState.REVOKED, PledgeState.SUPERSEDED)


_OVERTAKEN = "import.overtaken"


class Settled(NamedTuple):
    """What a call of ``settle_some`` has done: for which import, and why others had overtaken some
    of it."""

    import_id: int
    looked_at: int
    overtaken: Sequence[str]


class Overtaken(NamedTuple):
    """A row that did not come into force after all, and what it would have come to if known."""

    outcome: Outcome | None
    fault: RowError


def settle_some(tx: Registry, most: int) -> Settled | None:
    """Let up to ``most`` changes of one published import come into force; None if there are none.

    Nor are there any while the database is not open.
    """
    found = tx.imports.unsettled(most) if is_open(tx) else None
    if found is None:
        return None
    batch, changes = found
    networks = tx.networks.all()
    overtaken = [
        why for change in changes if (why := _settle(tx, batch, change, networks)) is not None
    ]
    tx.imports.forget_changes(batch.id, [change.pledge_id for change in changes])
    tx.policy_changed()
    return Settled(batch.id, len(changes), overtaken)


def _settle(
    tx: Registry, batch: ImportBatch, change: StagedChange, networks: Networks
) -> str | None:
    """Let a change come into force, or else say why it doesn't."""
    if change.damaged:
        return _drop(tx, batch, change, None, "what was held ready for it was damaged")
    try:
        before = tx.pledges.by_id(change.pledge_id)
    except StateError:
        return _drop(tx, batch, change, None, "its row in the database was damaged")
    if not _is_still_due(before, change):
        return _drop(tx, batch, change, before, f"it is {before.state} by now")
    if _has_newer_key(before, change):
        return _drop(tx, batch, change, before, "it was given another key meanwhile")
    if change.waits and change.credential_id is not None:
        let_staged_wait(tx, before, change.credential_id)
        detail: dict[str, object] = {"source": change.source}
        _record(tx, batch, f"pledge.{Outcome.PENDING.value}", before, detail)
        return None
    after_key = before
    if change.credential_id is not None:
        after_key = without_waiting(tx, before)
        tx.credentials.retire(before.id, CredentialState.SUPERSEDED)
        tx.credentials.put_in_force(change.credential_id, before.identifier)
    wanted = replace(
        after_key,
        role=change.role,
        label=change.label,
        profile=change.profile,
        network_ids=change.network_ids,
    )
    settle(tx, after_key, wanted, change.credential_id)
    detail = {**differences(networks, after_key, wanted), "source": change.source}
    _record(tx, batch, f"pledge.{_outcome(before, change).value}", before, detail)
    return None


def _drop(
    tx: Registry, batch: ImportBatch, change: StagedChange, before: PledgeRecord | None, why: str
) -> str:
    """Take a change back that came too late, and say so."""
    if change.credential_id is not None:
        tx.imports.withdraw(batch.id, [change.credential_id])
    outcome = None if change.damaged else _outcome(before, change).value
    detail = {"source": change.source, "error": why, "import": batch.id, "outcome": outcome}
    _record(tx, batch, _OVERTAKEN, before, detail)
    return _explained(why)


def _explained(why: str) -> str:
    return f"the pledge stays as it is: {why}"


def overtaken_since(
    tx: Registry, import_id: int, number: int, limit: int
) -> tuple[Sequence[Overtaken], int | None]:
    """What others had overtaken of an import, whoever found it, from the audit log.

    Looks at entries after a number. With them comes the number from which to go on, None where
    those were the last.
    """
    entries = tx.events.page(Wanted(kind=_OVERTAKEN), after=number, limit=limit)
    found = [_read(entry) for entry in entries if entry.detail.get("import") == import_id]
    return found, entries[-1].number if len(entries) == limit else None


def _read(entry: StoredEvent) -> Overtaken:
    outcome = entry.detail["outcome"]
    line = int(str(entry.detail["source"]).rpartition(":")[2] or 0)
    fault = RowError(line, "pledge_id", _explained(str(entry.detail["error"])))
    return Overtaken(None if outcome is None else Outcome(str(outcome)), fault)


def _record(
    tx: Registry,
    batch: ImportBatch,
    kind: str,
    before: PledgeRecord | None,
    detail: dict[str, object],
) -> None:
    identifier = None if before is None else before.identifier
    tx.record(Event(kind, batch.actor, identifier, reason=batch.reason, detail=detail))


def _is_still_due(before: PledgeRecord, change: StagedChange) -> bool:
    """Whether nobody has ended the pledge's membership since the row was judged.

    ``ImportStore.overtaken`` says the same of all of them.
    """
    if before.state in _ENDED:
        return change.credential_id is None
    if before.state is PledgeState.TRANSFERRED or (change.waits and before.credential_id is None):
        return False
    return before.state is not PledgeState.REMOVED or change.credential_id is not None


def _has_newer_key(before: PledgeRecord, change: StagedChange) -> bool:
    """Whether somebody has given it a key since the row was judged: numbers of keys ascend.

    ``ImportStore.overtaken`` says the same of all of them.
    """
    if change.credential_id is None:
        return False
    return max(before.credential_id or 0, before.candidate_id or 0) > change.credential_id


def _outcome(before: PledgeRecord | None, change: StagedChange) -> Outcome:
    if change.waits:
        return Outcome.PENDING
    if change.credential_id is None:
        return Outcome.CHANGED
    returns = before is not None and before.state is PledgeState.REMOVED
    return Outcome.RETURNED if returns else Outcome.REPLACED
