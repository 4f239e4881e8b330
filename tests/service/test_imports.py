"""Imports: staged, then visible or gone as a whole."""

import os
from collections.abc import Iterable
from hashlib import sha256

import pytest

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.import_file import read_rows
from jrc.service.imports import (
    MAX_REPORTED,
    Import,
    ImportReport,
    chunks,
    discard_leftovers,
)
from jrc.service.pledges import list_pledges
from jrc.service.revoking import revoke_pledge
from jrc.store.contexts import find_locked
from tests.desk import ACTOR, Desk, pledge_id


def key(number: int) -> bytes:
    """A key that passes for random, always the same for a number."""
    return sha256(b"%d, drawn by a fair die" % number).digest()[:16]


def line(number: int, psk: bytes | None = None, rest: str = "") -> str:
    return f"{pledge_id(number)},{(psk or key(number)).hex()}{rest}"


def csv(lines: Iterable[str], header: str = "pledge_id,psk") -> bytes:
    return "\n".join([header, *lines]).encode()


class Run:
    """One import, step by step."""

    def __init__(self, desk: Desk, data: bytes, size: int = 3, **options: object) -> None:
        self.desk = desk
        self.job = Import("keys.csv", actor=ACTOR, reason="new", **options)  # type: ignore[arg-type]
        desk.write(self.job.begin)
        for chunk in chunks(read_rows([data]), size):
            desk.write(lambda tx, chunk=chunk: self.job.stage(tx, chunk))  # type: ignore[misc]

    def finish(self) -> ImportReport:
        self.desk.write(self.job.finish)
        return self.finish_settling()

    def finish_settling(self) -> ImportReport:
        self.sweep()
        return self.job.report

    def sweep(self) -> None:
        while self.desk.write(self.job.settle):
            pass
        while self.desk.write(self.job.sweep):
            pass


def run(desk: Desk, data: bytes, **options: object) -> ImportReport:
    return Run(desk, data, **options).finish()  # type: ignore[arg-type]


def faults(report: ImportReport) -> list[tuple[int, str]]:
    return [(error.line, error.column) for error in report.errors]


def numbers(desk: Desk) -> list[int]:
    return [int(report.pledge_id[-8:], 16) for report in desk.read(list_pledges)]


def recipient_keys(desk: Desk, number: int) -> list[bytes]:
    database = desk.database
    with database.read(desk.now_ms) as tx:
        found = find_locked(
            tx.connection, database.keyring, database.mac, [pledge_id(number).value]
        )
    return [known.security.recipient_key for known in found]


def derived_key(number: int, psk: bytes) -> bytes:
    return derive_for_jrc(psk, pledge_id(number).value).recipient_key


ROW_TABLES = (
    "pledge", "pledge_network", "credential", "context", "context_kid", "context_state",
    "key_fingerprint",
)  # fmt: skip


def row_counts(desk: Desk) -> list[object]:
    return [desk.sql(f"SELECT count(*) FROM {name}")[0][0] for name in ROW_TABLES]


def test_an_import_is_invisible_until_it_is_published(lab: Desk) -> None:
    """Neither lists nor the join path see staged rows."""
    step = Run(lab, csv(line(number) for number in range(1, 8)))
    assert numbers(lab) == []
    assert recipient_keys(lab, 1) == []
    with pytest.raises(OperatorError, match="is unknown"):
        lab.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    report = step.finish()
    assert (report.published, report.rows, report.added) == (True, 7, 7)
    assert numbers(lab) == [1, 2, 3, 4, 5, 6, 7]
    assert recipient_keys(lab, 1) == [derived_key(1, key(1))]


def test_publishing_is_recorded_and_seen_by_other_readers(lab: Desk) -> None:
    """One event with the counts, one new policy revision."""
    before = lab.database.instance.policy_revision
    run(lab, csv([line(1), line(2)]))
    (event,) = lab.read(lambda tx: list_events(tx, kind="import.published"))
    assert event.detail == {"added": 2, "import": 1, "source": "keys.csv"}
    assert (event.actor, event.reason) == (ACTOR, "new")
    assert lab.database.instance.policy_revision == before + 1


def test_every_wrong_row_is_reported_and_nothing_is_stored(lab: Desk) -> None:
    """All faults of the file in one run, with line and column."""
    data = csv(
        [
            line(1, rest=",lab"),
            "xyz,00,lab",
            line(3, bytes(16), ",lab"),
            line(4, rest=",nowhere"),
            line(5, rest=""),
            line(6, rest=",lab"),
        ],
        "pledge_id,psk,network",
    )
    report = run(lab, data)
    assert faults(report) == [(3, "pledge_id"), (4, "psk"), (5, "network"), (6, "")]
    assert (report.published, report.error_count, report.rows) == (False, 4, 6)
    assert row_counts(lab) == [0] * len(ROW_TABLES)
    assert lab.read(lambda tx: list_events(tx, kind="import.published")) == []


@pytest.mark.parametrize("is_listed", [False, True])
@pytest.mark.parametrize("rest", ["", ", {", "]]", "] x", ", 7]"])
def test_an_array_that_is_not_whole_is_not_stored_in_part(
    lab: Desk, rest: str, is_listed: bool
) -> None:
    """Its sender broke off, or what follows is not known: --partial is about wrong rows."""
    row = f'{{"pledge_id": "{pledge_id(1)}", "psk": "{key(1).hex()}"}}'
    whole = run(lab, f"[{row}]".encode(), partial=True, dry_run=True)
    report = run(lab, f"[{row}{rest}".encode(), partial=True, is_listed=is_listed)
    assert (whole.added, report.published, numbers(lab)) == (1, False, [])
    assert report.error_count == 1


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_file_with_a_wrong_header_is_not_stored_in_part(lab: Desk, is_listed: bool) -> None:
    """A mistyped column would be missing in all of its rows, which are good without it."""
    data = csv((line(number, rest=",x") for number in (1, 2, 3)), "pledge_id,psk,lable")
    report = run(lab, data, partial=True, is_listed=is_listed, size=1)
    assert (report.published, report.added, numbers(lab)) == (False, 0, [])
    assert "lable" in report.errors[0].reason


def test_a_row_may_say_where_its_key_comes_from(lab: Desk) -> None:
    """But not that a person or a program of the operator's gave it: those say so themselves."""
    header = "pledge_id,psk,provenance"
    words = ("generate", "handover", "serial", "import", "")
    good = (line(number, rest=f",{word}") for number, word in enumerate(words, 1))
    assert run(lab, csv(good, header)).published
    stored = lab.sql("SELECT provenance FROM credential ORDER BY pledge_id")
    assert stored == [("generate",), ("handover",), ("serial",), ("import",), ("import",)]
    bad = (line(number, rest=f",{word}") for number, word in enumerate(("operator", "api", "x"), 6))
    assert faults(run(lab, csv(bad, header))) == [(row, "provenance") for row in (2, 3, 4)]


@pytest.mark.parametrize("partial", [False, True])
def test_a_wrong_header_hides_no_wrong_row_and_stores_none(lab: Desk, partial: bool) -> None:
    """All mistakes are told in one run; a column that is misspelt may have said whose it is."""
    lines = [line(1, rest=",lab"), line(2, rest=",lab"), line(1, key(7), ",lab"), "zz,0,lab"]
    report = run(lab, csv(lines, "pledge_id,psk,netwrok"), partial=partial)
    assert [1, 4, 5, 5] == [error.line for error in report.errors]
    assert (4, 0, False) == (report.error_count, report.added, report.published)
    assert [] == lab.read(list_pledges)


def test_partial_stores_the_good_rows(lab: Desk) -> None:
    """And reports the others."""
    report = run(lab, csv([line(1), "xyz,00", line(3)]), partial=True)
    assert (report.published, report.added, report.error_count) == (True, 2, 1)
    assert numbers(lab) == [1, 3]


def test_a_dry_run_judges_everything_and_stores_nothing(lab: Desk) -> None:
    """The counts are those that the import would have."""
    lab.pledge(1, key(1))
    before = row_counts(lab)
    report = run(lab, csv([line(1), line(2)]), dry_run=True)
    assert (report.published, report.added, report.unchanged) == (False, 1, 1)
    assert row_counts(lab) == before
    assert run(lab, csv([line(2)])).added == 1


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a01_a_pledge_that_is_twice_in_a_file_names_both_lines(lab: Desk, size: int) -> None:
    """In one chunk or in two (RFC 9031 §3); the same row once more is a no-op."""
    data = csv([line(1), line(2), line(1), line(1, key(9))])
    report = run(lab, data, size=size)
    assert faults(report) == [(5, "psk")]
    assert "(keys.csv:2)" in report.errors[0].reason
    assert (report.added, report.unchanged) == (2, 1)


@pytest.mark.parametrize("size", [1, 100])
def test_a02_a_key_that_is_twice_in_a_file_names_the_other_line(lab: Desk, size: int) -> None:
    """RFC 9031 §9."""
    report = run(lab, csv([line(1), line(2, key(1))]), size=size)
    assert faults(report) == [(3, "psk")]
    assert "(keys.csv:2)" in report.errors[0].reason


def test_a01_importing_a_file_twice_changes_nothing(lab: Desk) -> None:
    """RFC 9031 §3: the same keys are a no-op, without an event."""
    data = csv([line(1), line(2)])
    run(lab, data)
    report = run(lab, data)
    assert (report.unchanged, report.added, report.published) == (2, 0, False)
    assert len(lab.read(lambda tx: list_events(tx, kind="import.published"))) == 1


def test_a01_another_key_fails_is_skipped_or_replaces(lab: Desk) -> None:
    """As `--on-conflict` says; by default with the file and line of the one that is there."""
    run(lab, csv([line(1)]))
    data = csv([line(1, key(9)), line(2)])
    failed = run(lab, data)
    assert faults(failed) == [(2, "psk")]
    assert "another key (keys.csv:2)" in failed.errors[0].reason
    skipped = run(lab, data, on_conflict=OnConflict.SKIP)
    assert (skipped.skipped, skipped.added) == (1, 1)
    assert recipient_keys(lab, 1) == [derived_key(1, key(1))]
    replaced = run(lab, data, on_conflict=OnConflict.REPLACE)
    assert (replaced.replaced, replaced.unchanged) == (1, 1)
    assert recipient_keys(lab, 1) == [derived_key(1, key(9))]


def test_a05_the_old_key_works_until_the_publishing_transaction(lab: Desk) -> None:
    """Then it is wiped (RFC 9031 §3)."""
    lab.pledge(1, key(1))
    step = Run(lab, csv([line(1, key(9))]), on_conflict=OnConflict.REPLACE)
    assert recipient_keys(lab, 1) == [derived_key(1, key(1))]
    step.finish()
    assert recipient_keys(lab, 1) == [derived_key(1, key(9))]
    assert lab.sql("SELECT state, wrapped_secret IS NULL FROM credential ORDER BY id") == [
        ("superseded", 1), ("current", 0),
    ]  # fmt: skip
    kinds = [event.kind for event in lab.read(lambda tx: list_events(tx, pledge=pledge_id(1)))]
    assert kinds == ["pledge.added", "pledge.replaced"]


def test_a_replacement_that_is_discarded_leaves_the_pledge_as_it_was(lab: Desk) -> None:
    """A fault elsewhere in the file is enough."""
    lab.pledge(1, key(1))
    before = (row_counts(lab), lab.sql("SELECT * FROM pledge"))
    run(lab, csv([line(1, key(9)), "xyz,00"]), on_conflict=OnConflict.REPLACE)
    assert (row_counts(lab), lab.sql("SELECT * FROM pledge")) == before
    assert recipient_keys(lab, 1) == [derived_key(1, key(1))]
    assert lab.sql("SELECT count(*) FROM staged_change") == [(0,)]


def test_other_details_of_the_same_key_replace_without_a_new_context(lab: Desk) -> None:
    """Window and numbers go on."""
    lab.pledge(1, key(1))
    data = csv([line(1, rest=",6lbr,door")], "pledge_id,psk,role,label")
    assert run(lab, data, on_conflict=OnConflict.REPLACE).changed == 1
    (report,) = lab.read(list_pledges)
    assert (report.role, report.label) == ("6lbr", "door")
    assert row_counts(lab)[3] == 1


def test_m03_a_removed_pledge_returns_with_a_new_key_only(lab: Desk) -> None:
    """RFC 8613 §7.5."""
    lab.pledge(1, key(1))
    lab.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))
    assert faults(run(lab, csv([line(1)]))) == [(2, "psk")]
    assert run(lab, csv([line(1, key(9))])).returned == 1
    assert recipient_keys(lab, 1) == [derived_key(1, key(9))]


def test_a_pledge_revoked_while_it_is_imported_stays_revoked(lab: Desk) -> None:
    """Publishing fails as a whole."""
    lab.pledge(1, key(1))
    step = Run(lab, csv([line(1, key(9)), line(2)]), on_conflict=OnConflict.REPLACE)
    lab.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    with pytest.raises(OperatorError, match="was changed"):
        step.finish()
    step.sweep()
    assert [(entry.pledge_id[-1], entry.state) for entry in lab.read(list_pledges)] == [
        ("1", "revoked")
    ]


def test_a_pledge_that_came_back_meanwhile_keeps_its_new_key(lab: Desk) -> None:
    """The row was judged when it was removed, and nobody said --on-conflict replace."""
    lab.pledge(1, key(1))
    lab.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))
    step = Run(lab, csv([line(1, key(9)), line(2)]))
    who = Applicant(identifier=pledge_id(1), keys=Secret(key(10)), label="mine")
    lab.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
    with pytest.raises(OperatorError, match="was changed"):
        step.finish()
    step.sweep()
    assert recipient_keys(lab, 1) == [derived_key(1, key(10))]
    assert [report.label for report in lab.read(list_pledges)] == ["mine"]


def test_a_pledge_of_an_import_under_way_is_not_added_twice(lab: Desk) -> None:
    """Neither by hand nor by a second import."""
    step = Run(lab, csv([line(1)]))
    who = Applicant(identifier=pledge_id(1), keys=Secret(key(1)))
    with pytest.raises(OperatorError, match="an import that is under way"):
        lab.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
    assert faults(run(lab, csv([line(1)]))) == [(2, "pledge_id")]
    assert step.finish().added == 1


def test_what_a_broken_off_import_left_is_discarded_at_the_next_start(lab: Desk) -> None:
    """Afterwards the same file can be imported."""
    lab.pledge(9, key(9))
    before = row_counts(lab)
    Run(lab, csv([*map(line, range(1, 8)), line(9, key(99))]), on_conflict=OnConflict.REPLACE)
    while lab.write(discard_leftovers):
        pass
    assert row_counts(lab) == before
    assert lab.sql("SELECT state FROM import_batch") == [("discarded",)]
    assert run(lab, csv(map(line, range(1, 8)))).added == 7


def test_faults_beyond_the_bound_are_counted_only(lab: Desk) -> None:
    """The rest is counted."""
    report = run(lab, csv("xyz,00" for _ in range(MAX_REPORTED + 5)), size=500)
    assert (len(report.errors), report.error_count) == (MAX_REPORTED, MAX_REPORTED + 5)


def test_a_staged_change_that_was_edited_is_not_published(lab: Desk) -> None:
    """Its MAC covers role and networks."""
    lab.pledge(1, key(1))
    step = Run(lab, csv([line(1, key(9))]), on_conflict=OnConflict.REPLACE)
    lab.sql("UPDATE staged_change SET role = 1")
    with pytest.raises(OperatorError, match="was damaged"):
        step.finish()
    assert recipient_keys(lab, 1) == [derived_key(1, key(1))]


def test_no_key_of_an_import_is_found_in_the_file(lab: Desk) -> None:
    """Also after a dry run and a discarded one."""
    keys = [os.urandom(16) for _ in range(6)]
    run(lab, csv(line(n, keys[n]) for n in (1, 2)))
    run(lab, csv(line(n, keys[n]) for n in (3, 4)), dry_run=True)
    run(lab, csv([line(5, keys[5]), "xyz,00"]))
    stored = lab.path.read_bytes() + lab.path.with_name("jrc.db-wal").read_bytes()
    assert not any(value in stored or value.hex().encode() in stored for value in keys)
