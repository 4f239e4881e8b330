"""Rows of an import on terms that many share, and rows that are taken back: what is counted."""

import os

import pytest

from jrc.errors import OperatorError, StateError
from jrc.model import Profile
from jrc.service.enroll import remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.import_file import read_rows
from jrc.service.imports import AT_ONCE
from jrc.service.networks import remove_network
from jrc.service.pledges import list_pledges
from jrc.service.recover import quarantine
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall
from tests.service.test_import_keys import owners
from tests.service.test_imports import Run, csv, faults, key, line, numbers, run
from tests.service.test_waiting_keys_imported import Run as WaitingRun
from tests.service.test_waiting_keys_imported import states


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """A database with one network."""
    desk.network()
    return desk


def test_a_network_that_goes_meanwhile_takes_no_more_rows(lab: Desk) -> None:
    """Terms that were good for the rows before are looked at anew."""
    lab.network("den", b"\xca\xff")
    data = csv((line(number, rest=",lab;den") for number in (1, 2, 3)), "pledge_id,psk,network")
    first, *others = read_rows([data])
    step = Run(lab, csv([], "pledge_id,psk,network"), partial=True)
    lab.write(lambda tx: step.job.stage(tx, [first]))
    lab.write(lambda tx: remove_network(tx, "den", actor=ACTOR, agreed=True))
    lab.write(lambda tx: step.job.stage(tx, others))
    report = step.finish()
    assert [(3, "network"), (4, "network")] == faults(report)
    assert [("lab",)] == [each.networks for each in lab.read(list_pledges)]


def test_a_key_of_before_is_for_firmware_that_starts_a_context_anew(lab: Desk) -> None:
    """Else its numbers would be used again (RFC 8613 §7.2, Appendix B.2)."""
    rows = [line(1, rest=",yes,"), line(2, rest=",yes,openwsn"), line(3, rest=",no,openwsn")]
    report = run(lab, csv(rows, "pledge_id,psk,used_before,profile"), partial=True)
    assert [(3, "used_before")] == faults(report)
    assert [1, 3] == numbers(lab)


def test_nothing_is_imported_before_it_is_known_which_copy_this_is(lab: Desk) -> None:
    """Row E9: an old database might take a key back that another pledge has by now."""
    lab.write(lambda tx: quarantine(tx, "an old copy", actor="jrc"))
    with pytest.raises(OperatorError, match="no pledge is imported"):
        Run(lab, csv([line(1)]))


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_weak_key_is_taken_where_a_lab_asks_for_it(lab: Desk, is_listed: bool) -> None:
    """And nowhere else, with a report of each row and without."""
    data = csv([line(1, bytes(16))])
    refused = run(lab, data, is_listed=is_listed)
    assert [(2, "psk")] == faults(refused)
    assert 1 == run(lab, data, is_listed=is_listed, allow_weak=True).added


def test_a06_a_pledge_that_would_return_with_a_key_of_another_row_is_not_counted(lab: Desk) -> None:
    """The key is the first row's; the second pledge stays removed."""
    lab.pledge(2, key(2))
    lab.write(lambda tx: remove_pledge(tx, pledge_id(2), actor=ACTOR))
    report = run(lab, csv([line(1, key(8)), line(2, key(8))]), partial=True)
    assert (1, 0, [(3, "psk")]) == (report.added, report.returned, faults(report))
    assert [1] == numbers(lab)
    assert [pledge_id(1).value] == owners(lab, key(8))


def test_a05_a_key_that_waits_for_another_row_is_not_counted(hall: Hall) -> None:
    """Found when it is entered, as the rows came in two chunks."""
    shared = os.urandom(16)
    for number in (1, 2, 3):
        hall.enroll(number)
    keys = [(1, shared), (2, os.urandom(16)), (3, shared)]
    report = WaitingRun(hall.desk, keys, partial=True).finish()
    assert (2, [(4, "psk")]) == (report.pending, faults(report))


def test_a_profile_that_can_not_take_its_role_is_refused(lab: Desk) -> None:
    """As when a pledge is added by hand."""
    rows = [line(number, rest=f",{role},join-proxy") for number, role in ((1, "6ln"), (2, "6lbr"))]
    report = run(lab, csv(rows, "pledge_id,psk,role,profile"), partial=True)
    assert [(2, "profile")] == faults(report)
    assert [2] == numbers(lab)


def test_a05_of_two_files_of_keys_that_wait_the_later_ones_do(hall: Hall) -> None:
    """Never a third key: the one that waited before is wiped."""
    hall.enroll(1)
    for _ in range(2):
        assert 1 == WaitingRun(hall.desk, [(1, os.urandom(16))]).finish().pending
    assert ["candidate", "withdrawn", "current"] == states(hall.desk, 1)
    wiped = hall.desk.sql("SELECT count(*) FROM credential WHERE wrapped_secret IS NULL")
    assert [(1,)] == wiped


def test_a_key_of_before_is_looked_at_closer_where_its_networks_firmware_is_meant(
    desk: Desk,
) -> None:
    """The row says no profile: the network's firmware can't start a context anew."""
    desk.network(profile=Profile.OPENWSN)
    desk.pledge(3)
    rows = [line(1, rest=",yes"), line(2, rest=",no"), line(3, rest=",yes")]
    data = csv(rows, "pledge_id,psk,used_before")
    report = run(desk, data, partial=True, on_conflict=OnConflict.REPLACE)
    assert [(2, "used_before"), (4, "used_before")] == faults(report)
    assert {2, 3} == set(numbers(desk))


@pytest.mark.parametrize("count", [1, AT_ONCE + 5])
def test_a05_a_file_that_replaces_keys_withdraws_those_that_wait(hall: Hall, count: int) -> None:
    """Else the next firmware's key of before would be good beside the one that has come."""
    olds = [os.urandom(16) for _ in range(count)]
    for number in range(1, count + 1):
        hall.enroll(number)
    WaitingRun(hall.desk, list(enumerate(olds, 1))).finish()
    rows = [line(number, key(100 + number)) for number in range(1, count + 1)]
    report = run(hall.desk, csv(rows), on_conflict=OnConflict.REPLACE)
    assert (count, []) == (report.replaced, faults(report))
    for number in (1, count):
        assert ["current", "withdrawn", "superseded"] == states(hall.desk, number)
    hall.contexts.forget_all()
    assert hall.ask(OddPledge(pledge_id(count).value, olds[-1]).request(JOIN)) is None


def test_a_change_that_was_edited_while_it_waits_is_not_taken_for_what_was_staged(
    lab: Desk,
) -> None:
    """A later row of the same pledge is compared with it."""
    lab.pledge(1, key(1))
    first, again = read_rows([csv([line(1, key(9))] * 2)])
    step = Run(lab, csv([]), on_conflict=OnConflict.REPLACE)
    lab.write(lambda tx: step.job.stage(tx, [first]))
    lab.sql("UPDATE staged_change SET role = 1")
    with pytest.raises(StateError, match="does not authenticate"):
        lab.write(lambda tx: step.job.stage(tx, [again]))
