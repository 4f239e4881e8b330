"""Importing many pledges: staged in chunks, then published or discarded as a whole.

Each step takes a transaction of its own, so that joins go on between them. What is staged can't
be looked up by anybody until the publishing transaction. A dry run is an import that is discarded.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import IO, NamedTuple

from jrc.errors import OperatorError
from jrc.model import Event
from jrc.service.applicants import Fault, Purpose
from jrc.service.condition import require_open
from jrc.service.examine import Decision, OnConflict, Outcome, examine
from jrc.service.examine_faults import key_fault
from jrc.service.handovers import Handover, check_unopened, mark_opened
from jrc.service.import_new import Usual
from jrc.service.import_prepared import Entry, PreparedRow, UnfitRow, prepare
from jrc.service.import_report import RowOutcome, row_outcomes
from jrc.service.import_rows import Row, RowError
from jrc.service.import_settling import overtaken_since, settle_some
from jrc.service.pending_keys import PendingKeys
from jrc.service.records import Fingerprints, NewPledge
from jrc.service.registry import Registry
from jrc.service.taking_over import refuse_others

CHUNK_ROWS = 100
"""Rows in the first transaction; those after it are as long as their time allows."""
CLOSER_ROWS = 50
"""The same of rows that are no new pledges on usual terms: these take ten times as long."""
AT_ONCE = 5
"""Changes of pledges that are there in the publishing transaction, milliseconds for each; others
come after it (``import_settling.py``). New ones become visible by one row, however many."""
ENTERED_KEYS = 2000
"""Keys that are entered in one transaction."""
MAX_REPORTED = 100_000
"""More than that are counted only: these take some 20 MB."""
DISCARD_ROWS = 500
READ_ENTRIES = 500
"""Entries of the audit log that are looked at in one transaction."""

_IS_WHOLE: Callable[[Entry], bool] = attrgetter("is_whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import came to; ``errors`` are the first ``MAX_REPORTED``, ``error_count`` all.

    ``published`` is False for a dry run, and where nothing was stored because of errors. While it
    is ``unsettled``, changes of it are still to come into force.
    """

    source: str
    dry_run: bool
    published: bool
    unsettled: bool
    rows: int
    added: int
    returned: int
    replaced: int
    changed: int
    unchanged: int
    skipped: int
    pending: int
    error_count: int
    errors: tuple[RowError, ...]


def chunks(
    rows: Iterable[Row | RowError], size: int = CHUNK_ROWS
) -> Iterator[list[Row | RowError]]:
    """``rows`` in lists for ``Import.stage``."""
    entries = iter(rows)
    while chunk := list(islice(entries, size)):
        yield chunk


class Staged(NamedTuple):
    """What a call of ``Import.stage`` has done.

    ``taken`` entries from the beginning are dealt with, the others are to be given again.
    ``closer`` rows of them were none of the usual ones, and took longer. ``outcomes`` are of the
    rows taken, where those were asked for.
    """

    taken: int
    closer: int
    outcomes: Sequence[RowOutcome]


class Import:
    """One import: ``begin``, ``stage`` each chunk, ``finish``; ``settle`` and ``sweep`` till False.

    Each call belongs into its own write transaction. Whoever breaks off only sweeps. ``source`` is
    the file's name; ``allow_weak`` is as for an ``Applicant``. ``is_listed``: each call of
    ``stage`` gives the outcome of each of its rows. With ``expected_rows`` a file of another number
    of rows is not stored. ``purpose`` is what the keys are for: they may wait (row A5).
    ``handover`` is the sealed file that the rows come from: they are taken once. ``room`` is a file
    for what is kept of a million rows until the last of them (``pending_keys.py``).
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
        is_listed: bool = False,
        expected_rows: int | None = None,
        purpose: Purpose = Purpose.ENROLL,
        handover: Handover | None = None,
        room: IO[bytes] | None = None,
    ) -> None:
        self.source = source
        self._actor = actor
        self._reason = reason
        self._on_conflict = on_conflict
        self._partial = partial
        self._dry_run = dry_run
        self._allow_weak = allow_weak
        self._is_listed = is_listed
        self._expected_rows = expected_rows
        self._purpose = purpose
        self._handover = handover
        self.opened: Handover | None = None
        """The sealed file, once it is used up."""
        self._import_id = 0
        self._counts: Counter[Outcome] = Counter()
        self._rows = 0
        self._last_line = 0
        self._error_count = 0
        self._errors: list[RowError] = []
        self._published = False
        self._is_unsettled = False
        self._log_read_to: int | None = None
        self._is_whole = True
        self._keys = PendingKeys(room)
        self._usual = Usual(source)

    @property
    def report(self) -> ImportReport:
        """Where the import stands; of a file with a wrong header nothing is or would be stored."""
        counts = {outcome.value: self._counts[outcome] * self._is_whole for outcome in Outcome}
        return ImportReport(
            source=self.source,
            dry_run=self._dry_run,
            published=self._published,
            unsettled=self._is_unsettled,
            rows=self._rows,
            error_count=self._error_count,
            errors=tuple(sorted(self._errors)),
            **counts,
        )

    def begin(self, tx: Registry) -> None:
        """Open the import.

        Raises:
            OperatorError: the database is not open, or the sealed file was opened before.
        """
        require_open(tx, "no pledge is imported")
        if self._handover is not None:
            check_unopened(tx, self._handover)
        self._import_id = tx.imports.begin(self.source, self._actor, self._reason)

    def stage(
        self,
        tx: Registry,
        rows: Sequence[Row | RowError | Entry],
        most_closer: int | None = None,
    ) -> Staged:
        """Judge a chunk, or its beginning, and write what is good of it, invisibly.

        Of rows that are none of the usual ones (``import_new.py``) it takes ``most_closer``.
        Whether the keys of new rows are somebody's already is found out by ``enter_keys``, or at
        once where outcomes were asked for.
        """
        entries = [
            prepare(row, allow_weak=self._allow_weak) if isinstance(row, (Row, RowError)) else row
            for row in rows
        ]
        fit = [entry for entry in entries if isinstance(entry, PreparedRow)]
        is_plain = self._purpose is Purpose.ENROLL
        new, others = self._usual.split(tx, fit, most_closer, is_plain=is_plain)
        entries = _taken(entries, fit, len(new) + len(others))
        begun = self._count_rows([entry.line for entry in entries])
        self._is_whole &= all(map(_IS_WHOLE, entries))
        faults = [
            fault for entry in entries if isinstance(entry, UnfitRow) for fault in entry.faults
        ]
        self._add(tx, new)
        judged = self._judge(tx, others, faults)
        return Staged(len(entries), len(others), self._told(tx, entries, judged, faults, begun))

    def _told(
        self,
        tx: Registry,
        entries: Sequence[Entry],
        judged: Mapping[int, Decision | Fault],
        faults: Sequence[RowError],
        begun: int,
    ) -> Sequence[RowOutcome]:
        """The outcomes of a chunk, where they were asked for: its keys are entered for that.

        ``begun`` is the line of a row that was told of with the chunk before.
        """
        if not self._is_listed:
            return ()
        late: list[RowError] = []
        while self._keys:
            late += self._enter_keys(tx, ENTERED_KEYS)
        told = row_outcomes(entries, judged, [*faults, *late])
        return [each for each in told if each.line != begun]

    def _count_rows(self, lines: Sequence[int]) -> int:
        """Count each row once; the line of one whose first faults came in the chunk before, or 0.

        Several faults of one row may be in two chunks.
        """
        last, self._last_line = self._last_line, max(lines, default=self._last_line)
        self._rows += len({*lines} - {last})
        return last

    def _judge(
        self, tx: Registry, rows: Sequence[PreparedRow], faults: list[RowError]
    ) -> dict[int, Decision | Fault]:
        """Judge these rows one by one, by line; ``faults`` are noted with those that are found."""
        judged: dict[int, Decision | Fault] = {}
        if rows:
            applicants = [row.applicant(self.source, allow_weak=self._allow_weak) for row in rows]
            found = examine(tx, applicants, self._on_conflict, self._import_id, self._purpose)
            judged = dict(zip([row.line for row in rows], found, strict=True))
            if self._handover is not None and not self._handover.takes_over:
                judged = refuse_others(tx, self._handover.builder, judged)
        faults += [
            RowError(line, *entry) for line, entry in judged.items() if isinstance(entry, Fault)
        ]
        self._write(tx, [entry for entry in judged.values() if isinstance(entry, Decision)])
        self._note(faults)
        return judged

    def _note(self, faults: Sequence[RowError]) -> None:
        self._error_count += len(faults)
        self._errors += sorted(faults)[: MAX_REPORTED - len(self._errors)]

    def _add(self, tx: Registry, new: Sequence[NewPledge]) -> None:
        if new:
            self._keys.add(tx.pledges.insert(new, self._import_id))
            self._counts[Outcome.ADDED] += len(new)

    def _write(self, tx: Registry, decisions: Sequence[Decision]) -> None:
        self._add(tx, [decision.new for decision in decisions if decision.new is not None])
        for decision in decisions:
            if decision.new is None:
                self._counts[decision.outcome] += 1
            if decision.change is not None:
                identifier = decision.applicant.identifier.value
                waits = self._purpose is Purpose.NEXT_FIRMWARE
                held = tx.imports.change(self._import_id, decision.change, identifier, waits=waits)
                if held is not None:
                    self._keys.add([held])

    def enter_keys(self, tx: Registry, most: int = ENTERED_KEYS) -> bool:
        """Enter some of the keys of staged rows, and refuse rows whose key is somebody's already.

        False when nothing is left to enter. Each call belongs into a transaction of its own.
        """
        if not self._keys:
            return False
        self._enter_keys(tx, most)
        return bool(self._keys)

    def _enter_keys(self, tx: Registry, most: int) -> Sequence[RowError]:
        taken = tx.imports.enter_keys(self._keys.take(most))
        return self._refuse(tx, taken) if taken else ()

    def _refuse(self, tx: Registry, taken: Sequence[tuple[bytes, int]]) -> Sequence[RowError]:
        """Take back the rows of these keys (rows A2, A6, M3)."""
        prints = {number: value for value, number in reversed(taken)}
        owners = tx.credentials.owners(
            [Fingerprints(None, *([value] * 2)) for value in prints.values()]
        )
        self._keys.refuse(prints)
        faults = []
        for gone in tx.imports.withdraw(self._import_id, list(prints)):
            line = int(gone.source.rpartition(":")[2])
            owner = owners[prints[gone.credential_id]]
            faults.append(RowError(line, *key_fault(gone, owner)))
            if gone.is_new:
                self._counts[Outcome.ADDED] -= 1
            elif self._purpose is Purpose.NEXT_FIRMWARE:
                self._counts[Outcome.PENDING] -= 1
            else:
                self._counts[Outcome.RETURNED if gone.returns else Outcome.REPLACED] -= 1
        self._note(faults)
        return faults

    def finish(self, tx: Registry) -> ImportReport:
        """Publish, if all is well or ``partial`` was asked for; else nothing is changed."""
        while self.enter_keys(tx):  # what is left, which is nothing if the caller has done so
            pass
        if self._expected_rows not in (None, self._rows):
            self._refuse_number()
        is_wanted = self._is_whole and (self._partial or not self._error_count)
        if is_wanted and not self._dry_run:
            if self._stored():
                self._publish(tx)
            elif not self._error_count:
                self._mark_opened(tx)
        return self.report

    def _mark_opened(self, tx: Registry) -> None:
        if self._handover is not None:
            mark_opened(
                tx,
                self._handover,
                import_id=self._import_id,
                rows=self._rows,
                actor=self._actor,
                reason=self._reason,
            )
            self.opened = self._handover

    def _refuse_number(self) -> None:
        """Whatever ended the file too early, or joined two: the rows are not the sender's."""
        self._is_whole = False
        self._error_count += 1
        reason = f"the file has {self._rows} rows, and {self._expected_rows} were announced"
        self._errors[MAX_REPORTED - 1 :] = [RowError(self._rows + 1, "", reason)]

    def _stored(self) -> int:
        idle = self._counts[Outcome.UNCHANGED] + self._counts[Outcome.SKIPPED]
        return self._counts.total() - idle

    def _publish(self, tx: Registry) -> None:
        overtaken = tx.imports.overtaken(self._import_id)
        if overtaken is not None:
            raise _changed_meanwhile(f"pledge {overtaken.hex()} was changed")
        tx.imports.publish(self._import_id, self._stored())
        counts = {outcome.value: count for outcome, count in self._counts.items() if count}
        detail = {"source": self.source, "import": self._import_id, **counts}
        tx.record(Event("import.published", self._actor, reason=self._reason, detail=detail))
        self._mark_opened(tx)
        tx.policy_changed()
        settled = settle_some(tx, AT_ONCE)
        if settled is not None and settled.import_id == self._import_id and settled.overtaken:
            raise _changed_meanwhile(settled.overtaken[0])
        if tx.imports.is_unsettled(self._import_id):
            self._is_unsettled = True
            self._log_read_to = tx.events.ends()[1].number
        self._published = True

    def settle(self, tx: Registry, most: int = AT_ONCE) -> bool:
        """Let more of what it changes come into force; False when nothing of it is left.

        Each call belongs into a transaction of its own, after ``finish``. Others may do so as well
        at the same time (``app/import_keeper.py``); a change that was overtaken by then is an error
        of its row, whoever has found it.
        """
        if self._log_read_to is None:
            return False
        self._is_unsettled = tx.imports.is_unsettled(self._import_id)
        if self._is_unsettled and settle_some(tx, most) is not None:
            return True
        # All is done; or the database was closed: it is gone on with when that is over.
        found, self._log_read_to = overtaken_since(
            tx, self._import_id, self._log_read_to, READ_ENTRIES
        )
        for late in found:
            if late.outcome is not None:
                self._counts[late.outcome] -= 1
        self._note([late.fault for late in found])
        return self._log_read_to is not None

    def sweep(self, tx: Registry, most: int = DISCARD_ROWS) -> bool:
        """Delete some of what was staged and not published; False when nothing is left."""
        if self._published or not self._import_id:
            return False
        return tx.imports.discard(self._import_id, most)


def _taken(entries: list[Entry], fit: Sequence[PreparedRow], count: int) -> list[Entry]:
    """``entries`` before the one that is no more among ``count`` rows that are ``fit``."""
    if count == len(fit):
        return entries
    return entries[: next(at for at, entry in enumerate(entries) if entry is fit[count])]


def _changed_meanwhile(what: str) -> OperatorError:
    return OperatorError(f"while the file was being imported, {what}", "import it once more")


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
