"""What became of each row of an import, and files that are not what was announced."""

import pytest

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.policy.key_check import key_check
from jrc.service.enroll import remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.import_file import read_rows
from jrc.service.import_report import RowOutcome
from jrc.service.imports import Import, ImportReport, chunks
from tests.desk import ACTOR, Desk, pledge_id
from tests.service.test_imports import csv, key, line


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """A database with one network."""
    desk.network()
    return desk


def outcomes(
    desk: Desk, data: bytes, size: int = 3, **options: object
) -> tuple[list[RowOutcome], ImportReport]:
    wanted = {"is_listed": True, **options}
    job = Import("keys.csv", actor=ACTOR, **wanted)  # type: ignore[arg-type]
    desk.write(job.begin)
    found: list[RowOutcome] = []
    for chunk in chunks(read_rows([data]), size):
        found += desk.write(lambda tx, chunk=chunk: job.stage(tx, chunk).outcomes)  # type: ignore[misc]
    report = desk.write(job.finish)
    while desk.write(job.sweep):
        pass
    return found, report


def check_of(number: int, psk: bytes | None = None) -> str:
    """From the pledge's side, by the derivation itself (RFC 9031 §7.3.1)."""
    derived = derive_for_jrc(psk or key(number), pledge_id(number).value)
    return key_check(derived.recipient_key, derived.sender_key, derived.common_iv)


def test_every_row_has_its_outcome_in_the_order_of_the_file(lab: Desk) -> None:
    """Unchanged, changed, replaced, returned, added and refused; with the key check value."""
    outcomes(lab, csv([line(number) for number in (1, 2, 3, 4)]))
    lab.write(lambda tx: remove_pledge(tx, pledge_id(4), actor=ACTOR))
    new = {3: b"3".rjust(8) + key(3)[:8], 4: key(40)}
    lines = [
        line(1, rest=","), line(2, rest=",lamp"), line(3, new[3], ","), line(4, new[4], ","),
        line(5, rest=","), f"zz,{key(6).hex()},x", line(7, b"short", ",\x07"),
    ]  # fmt: skip
    data = csv(lines, "pledge_id,psk,label")
    found, report = outcomes(lab, data, on_conflict=OnConflict.REPLACE, partial=True)
    assert report.published
    assert [(each.line, each.outcome, each.key_check) for each in found] == [
        (2, "unchanged", check_of(1)),
        (3, "changed", check_of(2)),
        (4, "replaced", check_of(3, new[3])),
        (5, "returned", check_of(4, new[4])),
        (6, "added", check_of(5)),
        (7, "refused", ""),
        (8, "refused", ""),
    ]
    assert [each.pledge_id for each in found[:2]] == [str(pledge_id(1)), str(pledge_id(2))]
    assert found[5].pledge_id == ""
    assert (found[6].pledge_id, found[6].column) == (str(pledge_id(7)), "label")


def test_a_row_with_several_faults_is_one_line(lab: Desk) -> None:
    """With all of its columns and reasons."""
    (found,), report = outcomes(lab, csv([f"zz,{'0' * 3}"]))
    assert report.error_count == 2
    assert (found.outcome, found.column) == ("refused", "pledge_id;psk")
    assert found.reason.endswith("; the field is not hex")


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_row_whose_faults_come_in_two_chunks_is_one_row(lab: Desk, size: int) -> None:
    """In the count, which --rows is compared with, and in the report."""
    row = '{"pledge_id": "00", "one": 1, "two": 2, "three": 3}'
    for is_listed, told in ((True, [1, 2, 3]), (False, [])):
        data = "\n".join([row] * 3).encode()
        found, report = outcomes(lab, data, size, is_listed=is_listed, expected_rows=3)
        assert (3, 9) == (report.rows, report.error_count)
        assert told == [each.line for each in found]


def test_rows_of_an_array_on_one_line_are_told_apart(lab: Desk) -> None:
    """They have numbers; a report that knew lines alone would have one row."""
    data = ",".join(
        f'{{"pledge_id": "{pledge_id(number)}", "psk": "{key(number).hex()}"}}'
        for number in range(1, 8)
    )
    found, report = outcomes(lab, f"[{data}]".encode())
    assert [each.line for each in found] == [1, 2, 3, 4, 5, 6, 7]
    assert (report.rows, report.added) == (7, 7)


def test_outcomes_cost_nothing_where_nobody_asked(lab: Desk) -> None:
    """A million of them would take 100 MB."""
    found, report = outcomes(lab, csv([line(1)]), is_listed=False)
    assert (found, report.added) == ([], 1)


@pytest.mark.parametrize("announced", [0, 2, 4])
@pytest.mark.parametrize("partial", [False, True])
def test_a_file_of_another_number_of_rows_is_not_stored(
    lab: Desk, announced: int, partial: bool
) -> None:
    """CSV that was cut off between two rows looks whole; --partial does not help it."""
    data = csv(line(number) for number in (1, 2, 3))
    _, report = outcomes(lab, data, expected_rows=announced, partial=partial)
    assert (report.published, report.added, report.error_count) == (False, 0, 1)
    assert report.errors[0].reason == f"the file has 3 rows, and {announced} were announced"
    _, report = outcomes(lab, data, expected_rows=3, partial=partial)
    assert (report.published, report.added) == (True, 3)


def test_a_row_whose_key_has_another_check_value_is_refused(lab: Desk) -> None:
    """The builder's key and the one that arrived are not the same."""
    good, wrong = check_of(1).upper(), "00000000"
    data = csv([line(1, rest=f",{good}"), line(2, rest=f",{wrong}")], "pledge_id,psk,key_check")
    found, report = outcomes(lab, data)
    assert [each.outcome for each in found] == ["added", "refused"]
    (error,) = report.errors
    assert (error.line, error.column) == (3, "key_check")
    assert error.reason == f"is {wrong}, the key's is {check_of(2)}"
