"""Importing many pledges: staged in chunks, then published or discarded as a whole.

Each step takes a transaction of its own, so that joins go on between them. What is staged can't
be looked up by anybody until the publishing transaction. A dry run is an import that is discarded.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from jrc.errors import OperatorError
from jrc.model import Event, PledgeState
from jrc.service.applicants import Fault
from jrc.service.condition import require_open
from jrc.service.enroll import settle
from jrc.service.examine import Decision, OnConflict, Outcome, examine
from jrc.service.import_fields import applicant_of
from jrc.service.import_rows import Row, RowError
from jrc.service.pledge_facts import Networks, differences
from jrc.service.records import CredentialState, PledgeRecord, StagedChange
from jrc.service.registry import Registry

CHUNK_ROWS = 250
"""Rows in one transaction; joins wait that long at most (about 0.1 s)."""
MAX_REPORTED = 100_000
"""More than that are counted only: these take some 20 MB."""
DISCARD_ROWS = 500
_PUBLISH_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import came to; ``errors`` are the first ``MAX_REPORTED``, ``error_count`` all.

    ``published`` is False for a dry run, and where nothing was stored because of errors.
    """

    source: str
    dry_run: bool
    published: bool
    rows: int
    added: int
    returned: int
    replaced: int
    changed: int
    unchanged: int
    skipped: int
    error_count: int
    errors: tuple[RowError, ...]


def chunks(
    rows: Iterable[Row | RowError], size: int = CHUNK_ROWS
) -> Iterator[list[Row | RowError]]:
    """``rows`` in lists for ``Import.stage``."""
    entries = iter(rows)
    while chunk := list(islice(entries, size)):
        yield chunk


class Import:
    """One import: ``begin``, ``stage`` for each chunk, ``finish``, then ``sweep`` until False.

    Each call belongs into its own write transaction. Whoever breaks off only sweeps. ``source`` is
    the file's name; ``allow_weak`` is as for an ``Applicant``.
    """

    def __init__(
        self,
        source: str,
        *,
        actor: str,
        reason: str = "",
        on_conflict: OnConflict = OnConflict.FAIL,
        partial: bool = False,
        dry_run: bool = False,
        allow_weak: bool = False,
    ) -> None:
        self.source = source
        self._actor = actor
        self._reason = reason
        self._on_conflict = on_conflict
        self._partial = partial
        self._dry_run = dry_run
        self._allow_weak = allow_weak
        self._import_id = 0
        self._counts: Counter[Outcome] = Counter()
        self._rows = 0
        self._error_count = 0
        self._errors: list[RowError] = []
        self._published = False
        self._is_whole = True

    @property
    def report(self) -> ImportReport:
        """Where the import stands; of a file with a wrong header nothing is or would be stored."""
        counts = {outcome.value: self._counts[outcome] * self._is_whole for outcome in Outcome}
        return ImportReport(
            source=self.source,
            dry_run=self._dry_run,
            published=self._published,
            rows=self._rows,
            error_count=self._error_count,
            errors=tuple(self._errors),
            **counts,
        )

    def begin(self, tx: Registry) -> None:
        """Open the import.

        Raises:
            OperatorError: the database is not open.
        """
        require_open(tx, "no pledge is imported")
        self._import_id = tx.imports.begin(self.source)

    def stage(self, tx: Registry, rows: Sequence[Row | RowError]) -> None:
        """Judge a chunk and write what is good of it, invisibly."""
        self._rows += len({entry.line for entry in rows})
        faults = [entry for entry in rows if isinstance(entry, RowError)]
        lines, applicants = [], []
        for entry in rows:
            if isinstance(entry, Row):
                self._is_whole &= entry.is_whole
                applicant, wrong = applicant_of(entry, self.source)
                faults += wrong
                if applicant is not None:
                    lines.append(entry.line)
                    applicants.append(replace(applicant, allow_weak=self._allow_weak))
        judged = examine(tx, applicants, self._on_conflict, self._import_id)
        for line, decision in zip(lines, judged, strict=True):
            if isinstance(decision, Fault):
                faults.append(RowError(line, *decision))
        self._write(tx, [entry for entry in judged if isinstance(entry, Decision)])
        self._error_count += len(faults)
        self._errors += sorted(faults)[: MAX_REPORTED - len(self._errors)]

    def _write(self, tx: Registry, decisions: Sequence[Decision]) -> None:
        new = [decision.new for decision in decisions if decision.new is not None]
        if new:
            tx.pledges.insert(new, self._import_id)
        for decision in decisions:
            self._counts[decision.outcome] += 1
            if decision.change is not None:
                identifier = decision.applicant.identifier.value
                tx.imports.change(self._import_id, decision.change, identifier)

    def finish(self, tx: Registry) -> ImportReport:
        """Publish, if all is well or ``partial`` was asked for; else nothing is changed."""
        is_wanted = self._is_whole and (self._partial or not self._error_count)
        if is_wanted and not self._dry_run and self._stored():
            self._publish(tx)
        return self.report

    def _stored(self) -> int:
        idle = self._counts[Outcome.UNCHANGED] + self._counts[Outcome.SKIPPED]
        return self._counts.total() - idle

    def _publish(self, tx: Registry) -> None:
        networks = tx.networks.all()
        for change in _all_changes(tx, self._import_id):
            self._settle(tx, change, networks)
        tx.imports.clear_changes(self._import_id)
        tx.imports.publish(self._import_id, self._stored())
        counts = {outcome.value: count for outcome, count in self._counts.items() if count}
        detail = {"source": self.source, "import": self._import_id, **counts}
        tx.record(Event("import.published", self._actor, reason=self._reason, detail=detail))
        tx.policy_changed()
        self._published = True

    def _settle(self, tx: Registry, change: StagedChange, networks: Networks) -> None:
        before = tx.pledges.by_id(change.pledge_id)
        if not _is_still_due(before, change):
            raise OperatorError(
                f"pledge {before.identifier.hex()} was changed while it was being imported",
                "import the file once more",
            )
        if change.credential_id is not None:
            tx.credentials.retire(before.id, CredentialState.SUPERSEDED)
            tx.credentials.put_in_force(change.credential_id, before.identifier)
        wanted = replace(
            before,
            role=change.role,
            label=change.label,
            profile=change.profile,
            network_ids=change.network_ids,
        )
        settle(tx, before, wanted, change.credential_id)
        kind = _event_kind(before, change)
        detail = {**differences(networks, before, wanted), "source": change.source}
        tx.record(Event(kind, self._actor, before.identifier, reason=self._reason, detail=detail))

    def sweep(self, tx: Registry) -> bool:
        """Delete some of what was staged and not published; False when nothing is left."""
        if self._published or not self._import_id:
            return False
        return tx.imports.discard(self._import_id, DISCARD_ROWS)


def _all_changes(tx: Registry, import_id: int) -> Iterator[StagedChange]:
    after = 0
    while found := tx.imports.changes(import_id, after, _PUBLISH_ROWS):
        yield from found
        after = found[-1].pledge_id


def _is_still_due(before: PledgeRecord, change: StagedChange) -> bool:
    """Whether nobody has revoked or removed the pledge since the row was judged."""
    if before.state in (PledgeState.REVOKED, PledgeState.SUPERSEDED):
        return change.credential_id is None
    return before.state is not PledgeState.REMOVED or change.credential_id is not None


def _event_kind(before: PledgeRecord, change: StagedChange) -> str:
    if change.credential_id is None:
        return f"pledge.{Outcome.CHANGED.value}"
    returned = before.state is PledgeState.REMOVED
    return f"pledge.{(Outcome.RETURNED if returned else Outcome.REPLACED).value}"


BROKEN_OFF_MS = 3_600_000
"""Where several registrars share a database, an import that is older than this is nobody's."""


def discard_leftovers(tx: Registry, before_ms: int | None = None) -> bool:
    """Delete some of what a broken-off import left; False when nothing is left.

    For the start of a daemon, before anybody can begin an import.
    """
    import_id = tx.imports.leftover(before_ms)
    if import_id is None:
        return False
    tx.imports.discard(import_id, DISCARD_ROWS)
    return True
