"""Sealed files that were opened: each once, with its devices or not at all."""

import pytest

from jrc.errors import OperatorError, StateError
from jrc.service.applicants import Purpose
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.handovers import Handover, list_handovers
from jrc.service.imports import discard_leftovers
from jrc.service.pledges import list_pledges
from tests.desk import ACTOR, Desk, pledge_id
from tests.service.test_imports import Run, csv, key, line

DAY_MS = 86_400_000
BUILDER = bytes(range(16))
FILE = csv([line(1), line(2)])


def handover(desk: Desk, serial: str = "batch-7", digest: bytes = bytes(32)) -> Handover:
    return Handover(BUILDER, serial, digest, desk.now_ms + DAY_MS)


def opened(desk: Desk) -> list[tuple[str, int]]:
    found = desk.read(lambda tx: list_handovers(tx, after=0, limit=100))
    return [(each.serial, each.rows) for each in found]


def pledges(desk: Desk) -> int:
    return len(desk.read(list_pledges))


def test_a_file_is_opened_with_its_devices(lab: Desk) -> None:
    """One transaction writes both, and an event says who, whose and which."""
    running = Run(lab, FILE, handover=handover(lab))
    assert (pledges(lab), opened(lab)) == (0, [])
    assert running.finish().published
    assert (pledges(lab), opened(lab)) == (2, [("batch-7", 2)])
    (event,) = lab.read(lambda tx: list_events(tx, kind="handover.opened"))
    assert (event.actor, event.reason) == (ACTOR, "new")
    assert event.detail["builder"] == "0001-0203-0405-0607-0809-0a0b-0c0d-0e0f"
    assert event.detail["rows"] == 2
    (report,) = lab.read(lambda tx: list_handovers(tx, after=0, limit=100))
    assert (report.actor, report.builder) == (ACTOR, event.detail["builder"])


def test_a_file_that_was_opened_is_refused_before_a_row_is_read(lab: Desk) -> None:
    """By name, with when and by whom."""
    Run(lab, FILE, handover=handover(lab)).finish()
    with pytest.raises(OperatorError, match=f"was opened at .* by {ACTOR}, and is opened once"):
        Run(lab, FILE, handover=handover(lab))
    with pytest.raises(OperatorError, match="another sealed file of the builder"):
        Run(lab, FILE, handover=handover(lab, digest=b"x" * 32))
    assert Run(lab, csv([line(3)]), handover=handover(lab, "batch-8")).finish().published


def test_of_two_at_once_one_wins(lab: Desk) -> None:
    """Both have begun and staged; the second publishes nothing."""
    first = Run(lab, FILE, handover=handover(lab))
    second = Run(lab, csv([line(3)]), handover=handover(lab))
    assert first.finish().published
    with pytest.raises(OperatorError, match="and is opened once"):
        lab.write(second.job.finish)
    second.sweep()
    assert (pledges(lab), opened(lab)) == (2, [("batch-7", 2)])


def test_what_ends_the_publishing_transaction_leaves_neither(lab: Desk) -> None:
    """A kill between the two writes is a kill before both."""
    running = Run(lab, FILE, handover=handover(lab))

    class KilledError(Exception):
        pass

    def killed(tx: object) -> None:
        running.job.finish(tx)  # type: ignore[arg-type]
        raise KilledError

    with pytest.raises(KilledError):
        lab.write(killed)
    assert (pledges(lab), opened(lab)) == (0, [])
    while lab.write(discard_leftovers):
        pass
    assert Run(lab, FILE, handover=handover(lab)).finish().published
    assert (pledges(lab), opened(lab)) == (2, [("batch-7", 2)])


def test_a_dry_run_and_an_import_that_stores_nothing_use_nothing_up(lab: Desk) -> None:
    """It can be opened again."""
    Run(lab, FILE, handover=handover(lab), dry_run=True).finish()
    Run(lab, csv([line(1), line(2, b"short")]), handover=handover(lab)).finish()
    Run(lab, FILE, handover=handover(lab), expected_rows=3).finish()
    bad = csv([line(2, b"short")])
    assert not Run(lab, bad, handover=handover(lab), partial=True).finish().published
    assert (pledges(lab), opened(lab)) == (0, [])
    assert Run(lab, FILE, handover=handover(lab), expected_rows=2).finish().published


def test_one_that_changes_nothing_is_used_up(lab: Desk) -> None:
    """Else it could bring back what is removed later."""
    Run(lab, FILE).finish()
    assert not Run(lab, FILE, handover=handover(lab)).finish().published
    assert opened(lab) == [("batch-7", 2)]


def test_part_of_a_file_uses_it_up(lab: Desk) -> None:
    """The count is of its rows; who opens it again is not told that all its devices are there."""
    rows = csv([line(1), line(2, b"short")])
    assert Run(lab, rows, handover=handover(lab), partial=True).finish().published
    assert (pledges(lab), opened(lab)) == (1, [("batch-7", 2)])
    with pytest.raises(OperatorError, match="is opened once") as caught:
        Run(lab, rows, handover=handover(lab), partial=True)
    assert "what was taken of it is there (`jrc pledge list`)" in str(caught.value.hint)


def test_one_whose_devices_were_all_left_as_they_are_is_used_up(lab: Desk) -> None:
    """Somebody has said that these keys are not wanted; else they could be put in force later."""
    Run(lab, csv([line(1, key(8)), line(2, key(9))])).finish()
    skipping = Run(lab, FILE, handover=handover(lab), on_conflict=OnConflict.SKIP)
    assert (2, False) == (skipping.finish().skipped, skipping.job.report.published)
    assert opened(lab) == [("batch-7", 2)]


def test_the_registrars_clock_counts_too(lab: Desk) -> None:
    """Who opens a file may sit at a host whose clock is wrong (docs/clock.md)."""
    late = handover(lab)._replace(expires_at_ms=lab.now_ms)
    with pytest.raises(OperatorError, match="the registrar's clock says"):
        Run(lab, FILE, handover=late)


@pytest.mark.parametrize(
    "change", ["serial = 'other'", "opened_at_ms = 1", "digest = mac", "row_count = 9"]
)
def test_a_damaged_row_is_not_believed(lab: Desk, change: str) -> None:
    """It does not open the file once more, and does not say when it was opened."""
    Run(lab, FILE, handover=handover(lab)).finish()
    lab.sql(f"UPDATE handover SET {change}")
    with pytest.raises(StateError, match="handover 1 does not authenticate"):
        opened(lab)
    if "serial" not in change:
        with pytest.raises(StateError, match="handover 1 does not authenticate"):
            Run(lab, FILE, handover=handover(lab))


def test_pages_of_what_was_opened_are_in_order(lab: Desk) -> None:
    """Oldest first."""
    for number in range(5):
        rows = csv([f"{pledge_id(number)},{key(number).hex()}"])
        Run(lab, rows, handover=handover(lab, f"n{number}")).finish()
    page = lab.read(lambda tx: list_handovers(tx, after=2, limit=2))
    assert [each.serial for each in page] == ["n2", "n3"]


OTHER = bytes(range(1, 17))


def changed(desk: Desk, whose: Handover) -> tuple[int, int]:
    """Replaced and refused by a file in which pledge 1 has another key."""
    again = csv([line(1, key(77))])
    report = Run(desk, again, handover=whose, on_conflict=OnConflict.REPLACE).finish()
    return report.replaced, report.error_count


def test_a_file_changes_its_own_builders_pledges_alone(lab: Desk) -> None:
    """What another builder has sealed, and what came otherwise, is another's."""
    Run(lab, csv([line(1)]), handover=handover(lab)._replace(builder=OTHER)).finish()
    assert changed(lab, handover(lab)) == (0, 1)
    assert opened(lab) == [("batch-7", 1)]
    assert changed(lab, handover(lab)._replace(builder=OTHER, serial="batch-8")) == (1, 0)


def test_a_key_that_says_to_be_handed_over_is_nobodys_by_that(lab: Desk) -> None:
    """Every file may have the column; which file it was is what counts."""
    row = csv([line(1, rest=",handover")], "pledge_id,psk,provenance")
    Run(lab, row).finish()
    assert changed(lab, handover(lab)) == (0, 1)
    assert changed(lab, handover(lab)._replace(takes_over=True)) == (1, 0)


def test_a_waiting_key_of_another_is_not_displaced(lab: Desk) -> None:
    """The operator has drawn it; the builder's own is still in force."""
    Run(lab, csv([line(1)]), handover=handover(lab, "n1")).finish()
    Run(lab, csv([line(1, key(88))]), purpose=Purpose.NEXT_FIRMWARE).finish()
    assert changed(lab, handover(lab, "n2")) == (0, 1)
