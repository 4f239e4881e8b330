"""Changes of a long file: decided at once, made in short transactions, and never half of one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import pytest

from jrc.app.import_keeper import ImportKeeper
from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.imports import AT_ONCE
from jrc.service.recover import quarantine
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge
from jrc.service.transferring import transfer_out
from tests.desk import ACTOR, Desk, pledge_id
from tests.service.test_imports import Run, csv, derived_key, faults, key, line, recipient_keys

T = TypeVar("T")

COUNT = 2 * AT_ONCE + 5
ANEW = 1000


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """A network with more pledges than are changed by one transaction."""
    desk.network()
    Run(desk, csv(line(number) for number in range(1, COUNT + 1)), size=COUNT).finish()
    return desk


def replacing(desk: Desk, first: int = ANEW, **options: object) -> Run:
    """A file with another key for each of them, staged."""
    lines = (line(number, key(first + number)) for number in range(1, COUNT + 1))
    options = {"on_conflict": OnConflict.REPLACE, **options}
    return Run(desk, csv(lines), size=COUNT, **options)


def decided(run: Run) -> None:
    """Published, and no more than that: as if whoever imported had ended then."""
    while run.desk.write(run.job.enter_keys):
        pass
    run.desk.write(run.job.finish)


def keys_of(desk: Desk) -> list[list[bytes]]:
    return [recipient_keys(desk, number) for number in range(1, COUNT + 1)]


def expected(first: int, count: int = COUNT) -> list[list[bytes]]:
    """Of the first so many the keys that begin there, of the others those of the beginning."""
    return [
        [derived_key(number, key(first + number if number <= count else number))]
        for number in range(1, COUNT + 1)
    ]


def kinds(desk: Desk) -> list[object]:
    return [kind for (kind,) in desk.sql("SELECT kind FROM event ORDER BY number")]


def left(desk: Desk) -> int:
    ((count,),) = desk.sql("SELECT count(*) FROM staged_change")
    assert isinstance(count, int)
    return count


def keep(desk: Desk) -> None:
    """The daemon's part that goes on with them looks once."""

    class Office:
        async def run_read(self, work: Callable[[Registry], T]) -> T:
            return desk.read(work)

        async def run_write(self, work: Callable[[Registry], T]) -> T:
            return desk.write(work)

    def every(_period_s: float, _work: Callable[[], Awaitable[None]]) -> None:
        """Nobody repeats it here."""

    asyncio.run(ImportKeeper(Office(), every).look())


def test_a_long_file_is_decided_at_once_and_made_little_by_little(lab: Desk) -> None:
    """No transaction changes more than it was asked to; each pledge has one key throughout."""
    run = replacing(lab)
    decided(run)
    assert run.job.report.published
    assert run.job.report.unsettled
    assert (keys_of(lab), left(lab)) == (expected(ANEW, AT_ONCE), COUNT - AT_ONCE)
    assert lab.write(lambda tx: run.job.settle(tx, 3))
    assert keys_of(lab) == expected(ANEW, AT_ONCE + 3)
    report = run.finish_settling()
    assert (report.replaced, report.unsettled, faults(report)) == (COUNT, False, [])
    assert (keys_of(lab), left(lab)) == (expected(ANEW), 0)
    assert kinds(lab).count("pledge.replaced") == COUNT
    assert kinds(lab).count("import.published") == 2


def test_what_was_left_undone_is_gone_on_with(lab: Desk) -> None:
    """Under the name and for the reason of whoever imported."""
    decided(replacing(lab))
    keep(lab)
    assert (keys_of(lab), left(lab)) == (expected(ANEW), 0)
    made = lab.sql("SELECT actor, reason FROM event WHERE kind = 'pledge.replaced'")
    assert made == [(ACTOR, "new")] * COUNT
    keep(lab)
    assert kinds(lab).count("pledge.replaced") == COUNT


def test_of_two_files_the_later_word_holds(lab: Desk) -> None:
    """Whoever goes on makes the changes of the file that was published first before all others."""
    one, other = replacing(lab), replacing(lab, 2 * ANEW)
    decided(one)
    decided(other)
    other.finish_settling()
    assert (keys_of(lab), left(lab)) == (expected(2 * ANEW), 0)
    assert not lab.write(one.job.settle)


def test_a_pledge_that_is_revoked_meanwhile_stays_so(lab: Desk) -> None:
    """Its row is an error, its new key is nobody's, and the others are changed."""
    run = replacing(lab)
    decided(run)
    lab.write(lambda tx: revoke_pledge(tx, pledge_id(COUNT), actor=ACTOR))
    report = run.finish_settling()
    assert (report.replaced, faults(report)) == (COUNT - 1, [(COUNT + 1, "pledge_id")])
    assert "it is revoked by now" in report.errors[0].reason
    assert keys_of(lab)[:-1] == expected(ANEW)[:-1]
    assert kinds(lab)[-1] == "import.overtaken"
    fresh = Run(lab, csv([line(COUNT + 1, key(ANEW + COUNT))])).finish()
    assert (fresh.published, faults(fresh)) == (True, [])


@pytest.mark.parametrize("purpose", [Purpose.ENROLL, Purpose.NEXT_FIRMWARE])
def test_a_pledge_that_was_given_a_newer_key_meanwhile_keeps_it(
    lab: Desk, purpose: Purpose
) -> None:
    """As after a compromise, when a file that was published before is not through yet."""
    run = replacing(lab)
    decided(run)
    newest = Applicant(identifier=pledge_id(COUNT), keys=Secret(key(3 * ANEW)))
    lab.write(
        lambda tx: (
            add_pledge(tx, newest, actor=ACTOR, on_conflict=OnConflict.REPLACE)
            if purpose is Purpose.ENROLL
            else add_pledge(tx, newest, actor=ACTOR, purpose=purpose)
        )
    )
    before = recipient_keys(lab, COUNT)
    report = run.finish_settling()
    assert (report.replaced, faults(report)) == (COUNT - 1, [(COUNT + 1, "pledge_id")])
    assert "it was given another key meanwhile" in report.errors[0].reason
    assert derived_key(COUNT, key(3 * ANEW)) in before
    assert before == recipient_keys(lab, COUNT)


def test_what_was_damaged_meanwhile_changes_nothing(lab: Desk) -> None:
    """A staged change that was edited, and a pledge whose row was."""
    change, pledge = COUNT - 3, COUNT - 1
    run = replacing(lab)
    decided(run)
    lab.sql("UPDATE staged_change SET role = 1 WHERE pledge_id = :n", n=change)
    lab.sql("UPDATE pledge SET label = 'x' WHERE id = :n", n=pledge)
    report = run.finish_settling()
    held, row = (error.reason for error in report.errors)
    assert "what was held ready for it was damaged" in held
    assert "its row in the database was damaged" in row
    assert left(lab) == 0
    untouched = [number for number in range(1, COUNT + 1) if number not in (change, pledge)]
    assert all(recipient_keys(lab, n) == expected(ANEW)[n - 1] for n in untouched)
    assert recipient_keys(lab, change) == [derived_key(change, key(change))]


def test_a_quarantined_database_keeps_what_is_left(lab: Desk) -> None:
    """Nobody's keys change before it is known which copy this is (row E9)."""
    run = replacing(lab)
    decided(run)
    lab.write(lambda tx: quarantine(tx, "an old copy", actor="jrc"))
    assert not lab.write(run.job.settle)
    keep(lab)
    assert left(lab) == COUNT - AT_ONCE


@pytest.mark.parametrize("purpose", [Purpose.ENROLL, Purpose.NEXT_FIRMWARE])
def test_what_others_found_overtaken_is_told_by_the_command(lab: Desk, purpose: Purpose) -> None:
    """The daemon's part, or another registrar on the database, may be the one that looks last."""
    ways = {Purpose.ENROLL: OnConflict.REPLACE, Purpose.NEXT_FIRMWARE: OnConflict.FAIL}
    run = replacing(lab, purpose=purpose, on_conflict=ways[purpose])
    decided(run)
    lab.write(lambda tx: transfer_out(tx, pledge_id(COUNT), actor=ACTOR, agreed=True))
    assert lab.write(lambda tx: run.job.settle(tx, 3))
    keep(lab)
    report = run.finish_settling()
    assert (report.unsettled, report.replaced + report.pending) == (False, COUNT - 1)
    assert faults(report) == [(COUNT + 1, "pledge_id")]
    assert "it is transferred by now" in report.errors[0].reason
    assert not lab.write(run.job.settle)
    assert run.job.report.error_count == 1


def test_a_command_tells_of_its_own_file_alone(lab: Desk) -> None:
    """Whoever's changes it made on the way."""
    one, other = replacing(lab), replacing(lab, 2 * ANEW)
    decided(one)
    decided(other)
    lab.write(lambda tx: revoke_pledge(tx, pledge_id(COUNT), actor=ACTOR))
    theirs, mine = other.finish_settling(), one.finish_settling()
    assert [(each.replaced, each.error_count) for each in (mine, theirs)] == [(COUNT - 1, 1)] * 2


def test_many_that_were_overtaken_are_told_in_several_transactions(
    lab: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, none twice."""
    monkeypatch.setattr("jrc.service.imports.READ_ENTRIES", 4)
    run = replacing(lab)
    decided(run)
    for number in range(AT_ONCE + 1, COUNT + 1):
        lab.write(lambda tx, n=number: revoke_pledge(tx, pledge_id(n), actor=ACTOR))  # type: ignore[misc]
    keep(lab)
    report = run.finish_settling()
    late = [(number + 1, "pledge_id") for number in range(AT_ONCE + 1, COUNT + 1)]
    assert (report.replaced, faults(report)) == (AT_ONCE, late)


def test_a_command_whose_database_was_closed_says_what_is_left(lab: Desk) -> None:
    """And what was overtaken until then."""
    run = replacing(lab)
    decided(run)
    lab.write(lambda tx: revoke_pledge(tx, pledge_id(AT_ONCE + 1), actor=ACTOR))
    assert lab.write(lambda tx: run.job.settle(tx, 3))
    lab.write(lambda tx: quarantine(tx, "an old copy", actor="jrc"))
    report = run.finish_settling()
    assert (report.unsettled, faults(report)) == (True, [(AT_ONCE + 2, "pledge_id")])


def anew(tx: Registry, purpose: Purpose) -> object:
    """Another key for the last pledge, by hand."""
    who = Applicant(identifier=pledge_id(COUNT), keys=Secret(key(3 * ANEW)))
    on_conflict = OnConflict.REPLACE if purpose is Purpose.ENROLL else OnConflict.FAIL
    return add_pledge(tx, who, actor=ACTOR, on_conflict=on_conflict, purpose=purpose)


MEANWHILE: Mapping[str, Callable[[Registry], object]] = {
    "revoked": lambda tx: revoke_pledge(tx, pledge_id(COUNT), actor=ACTOR),
    "transferred": lambda tx: transfer_out(tx, pledge_id(COUNT), actor=ACTOR, agreed=True),
    "given a key": lambda tx: anew(tx, Purpose.ENROLL),
    "given a key that waits": lambda tx: anew(tx, Purpose.NEXT_FIRMWARE),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_nothing_is_published_if_others_were_earlier(lab: Desk, what: str) -> None:
    """All pledges are looked at, not the first ones alone that are changed at once."""
    run = replacing(lab)
    lab.write(MEANWHILE[what])
    before = keys_of(lab)
    with pytest.raises(OperatorError, match=f"pledge {pledge_id(COUNT)} was changed"):
        decided(run)
    assert (keys_of(lab), kinds(lab).count("import.published")) == (before, 1)


@pytest.mark.parametrize("end", ["removed", "transferred"])
def test_settings_of_a_pledge_that_is_gone_are_not_published(lab: Desk, end: str) -> None:
    """It keeps its key in the file, and has none any more."""
    lines = (line(number, rest=",new") for number in range(1, COUNT + 1))
    data = csv(lines, "pledge_id,psk,label")
    run = Run(lab, data, size=COUNT, on_conflict=OnConflict.REPLACE)
    if end == "removed":
        lab.write(lambda tx: remove_pledge(tx, pledge_id(COUNT), actor=ACTOR))
    else:
        lab.write(MEANWHILE[end])
    with pytest.raises(OperatorError, match=f"pledge {pledge_id(COUNT)} was changed"):
        decided(run)
