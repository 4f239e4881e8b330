"""What became of each row of an import: a line a row, for whoever wants to know all of them."""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from jrc.service.applicants import Fault, key_check_of, key_material
from jrc.service.examine import Decision, Outcome
from jrc.service.import_prepared import Entry, PreparedRow, shown_identifier
from jrc.service.import_rows import RowError
from jrc.service.records import StoredKeys

REFUSED = "refused"


class RowOutcome(NamedTuple):
    """``outcome`` is one of ``examine.Outcome``, or ``refused``: then column and reason say why.

    ``pledge_id`` is hex, and empty where the row has none that can be read, or is refused and has
    one that may be a key; ``key_check`` is empty for a row that is refused. A row with several
    faults has all of their columns and reasons, with ``;`` between them. In a dry run, and where a
    file is not stored because of other rows, the outcome is what would become of the row.
    """

    line: int
    pledge_id: str
    outcome: str
    key_check: str
    column: str
    reason: str


def row_outcomes(
    entries: Sequence[Entry],
    judged: Mapping[int, Decision | Fault],
    faults: Sequence[RowError],
) -> Iterator[RowOutcome]:
    """The outcome of each row of a chunk, in the order of the file.

    ``judged``, by line, are those that were none of the usual ones; ``faults`` are all that were
    found in the chunk, in any order.
    """
    wrong: dict[int, list[RowError]] = {}
    for fault in faults:
        wrong.setdefault(fault.line, []).append(fault)
    told = 0
    for entry in sorted(entries, key=attrgetter("line")):
        line = entry.line
        decision = judged.get(line)
        if line in wrong:
            if line != told:
                yield _refused(entry, wrong[line])
        elif isinstance(decision, Decision):
            yield _judged(line, decision)
        elif isinstance(entry, PreparedRow):
            yield _taken(line, entry.identifier, Outcome.ADDED, entry)
        told = line


def _refused(entry: Entry, faults: Sequence[RowError]) -> RowOutcome:
    columns = ";".join(dict.fromkeys(fault.column for fault in faults if fault.column))
    reasons = "; ".join(fault.reason for fault in faults)
    identifier = shown_identifier(entry.identifier).hex()
    return RowOutcome(entry.line, identifier, REFUSED, "", columns, reasons)


def _judged(line: int, decision: Decision) -> RowOutcome:
    applicant = decision.applicant
    done = decision.new or decision.change
    material = (done.material if done is not None else None) or key_material(applicant)
    return _taken(line, applicant.identifier.value, decision.outcome, material)


def _taken(line: int, identifier: bytes, outcome: Outcome, material: StoredKeys) -> RowOutcome:
    check = key_check_of(material)
    return RowOutcome(line, identifier.hex(), outcome.value, check, "", "")
