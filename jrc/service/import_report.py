"""What became of each row of an import: a line a row, for whoever wants to know all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jrc.model import PledgeId
from jrc.service.applicants import Fault, key_check_of, key_material
from jrc.service.examine import Decision
from jrc.service.import_rows import Row, RowError

REFUSED = "refused"


class RowOutcome(NamedTuple):
    """``outcome`` is one of ``examine.Outcome``, or ``refused``: then column and reason say why.

    ``pledge_id`` is hex, and empty where the row has none that can be read; ``key_check`` is empty
    for a row that is refused. A row with several faults has all of their columns and reasons, with
    ``;`` between them. In a dry run, and where a file is not stored because of other rows, the
    outcome is what would become of the row.
    """

    line: int
    pledge_id: str
    outcome: str
    key_check: str
    column: str
    reason: str


def row_outcomes(
    rows: Sequence[Row | RowError],
    judged: Mapping[int, Decision | Fault],
    faults: Sequence[RowError],
) -> Iterator[RowOutcome]:
    """The outcome of each row of a chunk, in the order of the file.

    ``judged`` by line; ``faults`` are all that were found in the chunk, in any order.
    """
    wrong: dict[int, list[RowError]] = {}
    for fault in faults:
        wrong.setdefault(fault.line, []).append(fault)
    read = {entry.line: entry for entry in rows if isinstance(entry, Row)}
    for line in sorted({entry.line for entry in rows}):
        decision = judged.get(line)
        if line in wrong:
            yield _refused(line, read.get(line), wrong[line])
        elif isinstance(decision, Decision):
            yield _taken(line, decision)


def _refused(line: int, row: Row | None, faults: Sequence[RowError]) -> RowOutcome:
    columns = ";".join(dict.fromkeys(fault.column for fault in faults if fault.column))
    reasons = "; ".join(fault.reason for fault in faults)
    return RowOutcome(line, _identifier(row), REFUSED, "", columns, reasons)


def _identifier(row: Row | None) -> str:
    try:
        return str(PledgeId.from_hex(row.fields.get("pledge_id", ""))) if row else ""
    except ValueError:
        return ""


def _taken(line: int, decision: Decision) -> RowOutcome:
    applicant = decision.applicant
    done = decision.new or decision.change
    material = done.material if done is not None else None
    value = key_check_of(material or key_material(applicant))
    return RowOutcome(line, str(applicant.identifier), decision.outcome.value, value, "", "")
