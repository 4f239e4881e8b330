"""What becomes of applicants among those that are there: new, the same as before, or a conflict.

A pledge that the operator adds and a row of an import take the same way: ``examine`` judges many
at once with a few reads, whoever calls it carries the decisions out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from jrc.errors import OperatorError
from jrc.model import Network, PledgeState, Profile
from jrc.policy.profiles import check_role
from jrc.service.applicants import (
    Applicant,
    Checked,
    Fault,
    Purpose,
    UnfitError,
    check_applicant,
    check_used_before,
    key_column,
)
from jrc.service.examine_faults import (
    DRAW_ANOTHER,
    NO_NEW_KEY,
    changes_more_than_a_key,
    conflict,
    damaged,
    gets_no_key,
    only_network,
    owned,
    under_way,
    with_key_in_force,
)
from jrc.service.key_domains import check_profile
from jrc.service.records import (
    CredentialState,
    Fingerprints,
    KeyOwner,
    NewPledge,
    PledgeChange,
    PledgeRecord,
)
from jrc.service.registry import Registry


class OnConflict(StrEnum):
    """What to do with a pledge that is there already with another key or other details."""

    FAIL = "fail"
    SKIP = "skip"
    REPLACE = "replace"


class Outcome(StrEnum):
    """What becomes of an applicant. ``returned`` was removed before and has a new key.

    ``pending``: its key waits for the next firmware.
    """

    ADDED = "added"
    RETURNED = "returned"
    REPLACED = "replaced"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done: exactly one of ``new`` and ``change`` is set, or nothing is to do."""

    applicant: Applicant
    outcome: Outcome
    network_ids: tuple[int, ...]
    new: NewPledge | None = None
    change: PledgeChange | None = None
    before: PledgeRecord | None = None


class _Known(NamedTuple):
    """A pledge that is there; ``pending`` came or was changed in the import that is under way."""

    record: PledgeRecord
    prints: Fingerprints | None
    source: str
    pending: bool


def examine(
    tx: Registry,
    applicants: Sequence[Applicant],
    on_conflict: OnConflict = OnConflict.FAIL,
    import_id: int | None = None,
    purpose: Purpose = Purpose.ENROLL,
) -> list[Decision | Fault]:
    """What becomes of each, in the same order (rows A1, A2, A3, A6, A7, A8)."""
    networks = {network.name: network for network in tx.networks.all().values()}
    checked = [check_applicant(tx, applicant, networks) for applicant in applicants]
    good = [entry for entry in checked if isinstance(entry, Checked)]
    board = _Board(tx, good, import_id, purpose)
    return [
        board.judge(entry, on_conflict, networks) if isinstance(entry, Checked) else entry
        for entry in checked
    ]


class _Board:
    """What is known of the applicants' identifiers and keys; grows as they are judged."""

    def __init__(
        self, tx: Registry, applicants: Sequence[Checked], import_id: int | None, purpose: Purpose
    ) -> None:
        self._tx = tx
        self._purpose = purpose
        self._import_id = import_id
        self._fitting: set[tuple[int, Profile]] = set()
        self._known = _known(tx, [entry.applicant.identifier.value for entry in applicants])
        self._owners = dict(tx.credentials.owners([entry.prints for entry in applicants]))
        if import_id is not None:
            self._mark_pending(tx, import_id)

    def _mark_pending(self, tx: Registry, import_id: int) -> None:
        """Take what this import has staged in earlier chunks for what is there."""
        records = {known.record.id: identifier for identifier, known in self._known.items()}
        changes = tx.imports.changed_by(import_id, list(records))
        staged = [change.credential_id for change in changes.values() if change.credential_id]
        credentials = tx.credentials.records(staged)
        for change in changes.values():
            known = self._known[records[change.pledge_id]]
            prints = known.prints
            if change.credential_id is not None:
                prints = credentials[change.credential_id].fingerprints
            record = replace(
                known.record,
                role=change.role,
                label=change.label,
                profile=change.profile,
                network_ids=change.network_ids,
            )
            self._known[record.identifier] = _Known(record, prints, change.source, pending=True)

    def judge(
        self, entry: Checked, on_conflict: OnConflict, networks: Mapping[str, Network]
    ) -> Decision | Fault:
        """The decision on one applicant, which those after it see."""
        known = self._known.get(entry.applicant.identifier.value)
        try:
            if self._purpose is Purpose.NEXT_FIRMWARE and not _is_under_way(known):
                decision = self._candidate(entry, known)
            elif known is None:
                decision = self._new(entry, networks)
            elif known.record.damaged:
                raise damaged(entry.applicant.identifier)
            elif self._is_pending(known):
                decision = _repeated(entry, known)
            elif self._may_return(known):
                decision = self._returned(entry, known, networks)
            else:
                decision = self._present(entry, known, on_conflict)
            self._check_profile(decision, networks)
            _check_used_before(decision, networks)
        except UnfitError as error:
            return error.fault
        self._remember(entry, decision)
        return decision

    def _may_return(self, known: _Known) -> bool:
        state, is_transfer = known.record.state, self._purpose is Purpose.TRANSFER
        return state is PledgeState.REMOVED or (is_transfer and state is PledgeState.TRANSFERRED)

    def _candidate(self, entry: Checked, known: _Known | None) -> Decision:
        """A key that waits beside the one in force; nothing else of the pledge changes (A5)."""
        record = with_key_in_force(
            entry.applicant.identifier, None if known is None else known.record
        )
        assert known is not None, "it has a key"
        wanted = _with_details(record, entry)
        differing = _differing(record, wanted)
        if differing:
            raise changes_more_than_a_key(entry.applicant.identifier, differing)
        if _same_key(entry.prints, known.prints) or self._waits_already(entry):
            return _nothing(entry, known, Outcome.UNCHANGED)
        self._check_unique(entry)
        return _change(entry, record, Outcome.PENDING, known)

    def _waits_already(self, entry: Checked) -> bool:
        found = [self._owners.get(value) for value in entry.prints[1:]]
        return all(
            owner is not None
            and owner.pledge == entry.applicant.identifier.value
            and owner.state is CredentialState.CANDIDATE
            for owner in found
        )

    def _is_pending(self, known: _Known) -> bool:
        """Whether the pledge is of this very import.

        Raises:
            UnfitError: it is of another one that is under way.
        """
        if known.pending or (known.record.staged and known.record.import_id == self._import_id):
            return True
        if known.record.staged:
            raise under_way(known.record)
        return False

    def _new(self, entry: Checked, networks: Mapping[str, Network]) -> Decision:
        self._check_unique(entry)
        applicant = entry.applicant
        network_ids = entry.network_ids or only_network(networks)
        new = NewPledge(
            identifier=applicant.identifier.value,
            role=applicant.role or 0,
            label=applicant.label or "",
            profile=applicant.profile,
            network_ids=network_ids,
            material=entry.material,
            provenance=applicant.provenance,
            source=applicant.source,
        )
        return Decision(
            applicant=applicant, outcome=Outcome.ADDED, network_ids=network_ids, new=new
        )

    def _returned(self, entry: Checked, known: _Known, networks: Mapping[str, Network]) -> Decision:
        """A removed pledge with a new key; nothing of what it was is taken over."""
        self._check_unique(entry)
        bare = replace(
            known.record,
            role=0,
            label="",
            profile=None,
            network_ids=entry.network_ids or only_network(networks),
        )
        return _change(entry, _with_details(bare, entry), Outcome.RETURNED, known)

    def _present(self, entry: Checked, known: _Known, on_conflict: OnConflict) -> Decision:
        same_key = _same_key(entry.prints, known.prints)
        wanted = _with_details(known.record, entry)
        differing = _differing(known.record, wanted)
        if same_key and not differing:
            return _nothing(entry, known, Outcome.UNCHANGED)
        if not same_key:
            self._check_unique(entry)
        if on_conflict is OnConflict.SKIP:
            return _nothing(entry, known, Outcome.SKIPPED)
        if known.record.state is PledgeState.TRANSFERRED:
            raise gets_no_key(entry.applicant.identifier, known.record)
        if on_conflict is OnConflict.FAIL:
            raise conflict(entry.applicant, known.source, same_key, differing)
        if same_key:
            return _change(entry, wanted, Outcome.CHANGED, known)
        if known.record.state in NO_NEW_KEY:
            raise gets_no_key(entry.applicant.identifier, known.record)
        return _change(entry, wanted, Outcome.REPLACED, known)

    def _check_unique(self, entry: Checked) -> None:
        """Refuse a key that any pledge has or had (rows A2, A6, M3)."""
        identifier = entry.applicant.identifier
        column = key_column(entry.applicant)
        for value in entry.prints:
            owner = None if value is None else self._owners.get(value)
            if owner is not None:
                raise UnfitError(
                    column,
                    owned(identifier.value, owner),
                    DRAW_ANOTHER,
                )

    def _check_profile(self, decision: Decision, networks: Mapping[str, Network]) -> None:
        """Refuse a profile whose devices can't take their role, or the keys of their networks."""
        done = decision.new or decision.change
        if done is None or done.profile is None:
            return
        try:
            check_role(done.profile, done.role)
        except OperatorError as error:
            raise UnfitError("profile", error.message, error.hint) from None
        for network in networks.values():
            if network.id in done.network_ids:
                self._check_keys(network, done.profile)

    def _check_keys(self, network: Network, profile: Profile) -> None:
        if (network.id, profile) in self._fitting:
            return
        try:
            check_profile(self._tx, network, profile)
        except OperatorError as error:
            raise UnfitError("profile", f"network {network.name}: {error}", error.hint) from None
        self._fitting.add((network.id, profile))

    def _remember(self, entry: Checked, decision: Decision) -> None:
        """Let the applicants after this one see what becomes of it."""
        if decision.new is None and decision.change is None:
            return
        applicant, done = entry.applicant, decision.new or decision.change
        assert done is not None
        before = decision.before or PledgeRecord(
            id=0, identifier=applicant.identifier.value, state=PledgeState.PROVISIONED
        )
        record = replace(
            before,
            role=done.role,
            label=done.label,
            profile=done.profile,
            network_ids=done.network_ids,
        )
        self._known[record.identifier] = _Known(record, entry.prints, applicant.source, True)
        owner = KeyOwner(
            record.identifier, CredentialState.CURRENT, applicant.source, self._import_id
        )
        self._owners.update({value: owner for value in entry.prints if value is not None})


def _check_used_before(decision: Decision, networks: Mapping[str, Network]) -> None:
    """Refuse a key that was used elsewhere, for firmware of the pledge or of its first network."""
    done = decision.new or decision.change
    if done is None or done.material is None or not decision.applicant.used_before:
        return
    profiles = {network.id: network.profile for network in networks.values()}
    of_networks = (profiles.get(number) for number in done.network_ids)
    check_used_before(decision.applicant, done.profile or next(of_networks, None))


def _known(tx: Registry, identifiers: Sequence[bytes]) -> dict[bytes, _Known]:
    records = tx.pledges.find(identifiers)
    numbers = [record.credential_id for record in records.values() if record.credential_id]
    credentials = tx.credentials.records(numbers)
    known = {}
    for identifier, record in records.items():
        held = credentials.get(record.credential_id or 0)
        prints, source = (None, "") if held is None else (held.fingerprints, held.source)
        known[identifier] = _Known(record, prints, source, pending=False)
    return known


def _with_details(record: PledgeRecord, entry: Checked) -> PledgeRecord:
    """``record`` with what the applicant says; the rest stays."""
    applicant = entry.applicant
    return replace(
        record,
        network_ids=entry.network_ids or record.network_ids,
        role=record.role if applicant.role is None else applicant.role,
        label=record.label if applicant.label is None else applicant.label,
        profile=applicant.profile or record.profile,
    )


def _is_under_way(known: _Known | None) -> bool:
    """Whether it is of an import that is not published, this one or another."""
    return known is not None and (known.pending or known.record.staged or known.record.damaged)


def _repeated(entry: Checked, known: _Known) -> Decision:
    """The same row once more does nothing; with anything else in it, it is a fault (row A1)."""
    same_key = _same_key(entry.prints, known.prints)
    differing = _differing(known.record, _with_details(known.record, entry))
    if not same_key or differing:
        raise conflict(
            entry.applicant, known.source, same_key, differing, hint="leave one of the two out"
        )
    return _nothing(entry, known, Outcome.UNCHANGED)


def _same_key(one: Fingerprints, other: Fingerprints | None) -> bool:
    """Derived keys decide, so that a PSK equals its derived form (row A6)."""
    return other is not None and one[1:] == other[1:]


def _differing(before: PledgeRecord, wanted: PledgeRecord) -> list[str]:
    pairs = {
        "network": (before.network_ids, wanted.network_ids),
        "role": (before.role, wanted.role),
        "label": (before.label, wanted.label),
        "profile": (before.profile, wanted.profile),
    }
    return [name for name, (old, new) in pairs.items() if old != new]


def _nothing(entry: Checked, known: _Known, outcome: Outcome) -> Decision:
    return Decision(
        applicant=entry.applicant,
        outcome=outcome,
        network_ids=known.record.network_ids,
        before=known.record,
    )


def _change(entry: Checked, wanted: PledgeRecord, outcome: Outcome, known: _Known) -> Decision:
    change = PledgeChange(
        pledge_id=wanted.id,
        role=wanted.role,
        label=wanted.label,
        profile=wanted.profile,
        network_ids=wanted.network_ids,
        material=None if outcome is Outcome.CHANGED else entry.material,
        provenance=entry.applicant.provenance,
        source=entry.applicant.source,
        pending=outcome is Outcome.PENDING,
    )
    return Decision(
        applicant=entry.applicant,
        outcome=outcome,
        network_ids=wanted.network_ids,
        change=change,
        before=known.record,
    )
