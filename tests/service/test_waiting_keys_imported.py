"""Keys for the next firmware of many devices, from one file (row A5)."""

import os
from collections.abc import Callable, Sequence

import pytest

from jrc.errors import OperatorError
from jrc.service.applicants import Purpose
from jrc.service.enroll import remove_pledge
from jrc.service.import_file import read_rows
from jrc.service.imports import Import, ImportReport, chunks
from jrc.service.pledges import show_pledge
from jrc.service.revoking import revoke_pledge
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall


class Run:
    """An import of keys that wait, up to its publishing."""

    def __init__(self, desk: Desk, keys: Sequence[tuple[int, bytes]], **options: bool) -> None:
        self.desk = desk
        text = "\n".join(
            ["pledge_id,psk", *(f"{pledge_id(number)},{key.hex()}" for number, key in keys)]
        )
        purpose = Purpose.NEXT_FIRMWARE
        self.job = Import("next.csv", actor=ACTOR, purpose=purpose, **options)  # type: ignore[arg-type]
        desk.write(self.job.begin)
        for chunk in chunks(read_rows([text.encode()]), 2):
            desk.write(lambda tx, chunk=chunk: self.job.stage(tx, chunk))  # type: ignore[misc]

    def finish(self) -> ImportReport:
        try:
            return self.desk.write(self.job.finish)
        finally:
            while self.desk.write(self.job.sweep):
                pass


def states(desk: Desk, number: int) -> list[str]:
    return [each.state for each in desk.read(lambda tx: show_pledge(tx, pledge_id(number))).keys]


def test_a05_keys_of_a_file_wait_until_each_device_has_joined_with_its_own(hall: Hall) -> None:
    """Row A5: invisible until the file is published; the same file again changes nothing."""
    old = {number: hall.enroll(number) for number in (1, 2, 3)}
    keys = [(number, os.urandom(16)) for number in old]
    run = Run(hall.desk, keys)
    assert ["current"] == states(hall.desk, 1)
    hall.join(old[1])
    report = run.finish()
    assert (3, 0, True) == (report.pending, report.error_count, report.published)
    assert 3 == Run(hall.desk, keys).finish().unchanged
    hall.contexts.forget_all()
    hall.join(old[1])
    hall.join(OddPledge(pledge_id(1).value, keys[0][1]))
    assert ["current", "superseded"] == states(hall.desk, 1)
    assert ["candidate", "current"] == states(hall.desk, 2)
    hall.join(old[2])
    kinds = [kind for (kind,) in hall.desk.sql("SELECT kind FROM event ORDER BY number")]
    assert 3 == kinds.count("pledge.pending")


@pytest.mark.parametrize("is_listed", [False, True])
def test_a05_rows_that_no_key_may_wait_for_are_refused(hall: Hall, is_listed: bool) -> None:
    """By row: a pledge that is new, one that is revoked, and another's key; then nothing waits."""
    other = os.urandom(16)
    hall.enroll(1)
    hall.enroll(2)
    hall.enroll(3, key=other)
    hall.desk.write(lambda tx: revoke_pledge(tx, pledge_id(2), actor=ACTOR))
    rows = [(9, os.urandom(16)), (2, os.urandom(16)), (1, other), (3, os.urandom(16))]
    report = Run(hall.desk, rows, is_listed=is_listed).finish()
    assert not report.published
    assert [2, 3, 4] == [error.line for error in report.errors]
    assert "no key in force" in report.errors[0].reason
    assert "is revoked" in report.errors[1].reason
    assert "is the one of pledge" in report.errors[2].reason
    assert ["current"] == states(hall.desk, 3)


def test_a05_two_devices_with_one_key_in_a_file_are_refused(hall: Hall) -> None:
    """Row A2: also where both rows are good by themselves."""
    key = os.urandom(16)
    for number in (1, 2):
        hall.enroll(number)
    report = Run(hall.desk, [(1, key), (2, key)]).finish()
    assert not report.published
    assert 1 == report.error_count


@pytest.mark.parametrize("end", [revoke_pledge, remove_pledge])
def test_a05_a_pledge_that_is_put_out_meanwhile_ends_the_import(
    hall: Hall, end: Callable[..., object]
) -> None:
    """Nothing of the file is in force then."""
    for number in (1, 2):
        hall.enroll(number)
    run = Run(hall.desk, [(number, os.urandom(16)) for number in (1, 2)])
    hall.desk.write(lambda tx: end(tx, pledge_id(2), actor=ACTOR))
    with pytest.raises(OperatorError, match="was changed"):
        run.finish()
    assert ["current"] == states(hall.desk, 1)
    assert hall.ask(OddPledge(pledge_id(2).value, os.urandom(16)).request(JOIN)) is None
