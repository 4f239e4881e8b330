"""Data keys are changed while joins go on; a kill at any commit loses nothing."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select

from jrc.errors import StateError
from jrc.service import key_slots
from jrc.service.key_records import Course
from jrc.store.database import Database
from jrc.store.keyring import Purpose
from jrc.store.rotation import SEALED, WRAPPED
from jrc.store.schema import context_state, metadata, pledge
from jrc.store.sealing import ROTATED
from tests.desk import ACTOR, KEK, ON_SERVER, Desk, pledge_id
from tests.joining import Hall
from tests.rollovers import Floor
from tests.sealed import (
    begin,
    copied_at_commits,
    count_of_keys,
    furnish,
    go_on,
    joins_on,
    keys_of_values,
    look,
    rotate,
)

FILES = pytest.mark.skipif(ON_SERVER, reason="looks at files of SQLite")


@pytest.fixture
def floor(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Floor:
    """Rows of many kinds, of which a transaction looks at few."""
    monkeypatch.setattr(key_slots, "ROWS_AT_A_TIME", 12)
    floor = Floor(hall)
    furnish(floor)
    return floor


def test_every_column_with_wrapped_values_is_brought_along() -> None:
    """One that is forgotten could not be opened after the old keys are gone."""
    wrapped = {
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.startswith("wrapped_") and isinstance(column.type, LargeBinary)
    }
    assert wrapped == set(WRAPPED.values())
    assert {*WRAPPED, Purpose.ROW_MAC} == set(ROTATED)


def test_all_rows_are_brought_to_new_keys_and_the_old_are_deleted(floor: Floor) -> None:
    """Values and MACs; nothing is left that the old keys would open."""
    desk = floor.desk
    before, ids = look(desk.database), keys_of_values(desk)
    assert [] == before.amiss
    sealed = {table.name for table in metadata.sorted_tables if "mac" in table.c}
    assert sealed - {"instance"} == before.sealed  # a new table needs a row in ``furnish``
    report = rotate(desk)
    assert (0, 0) == (report.unreadable, report.damaged)
    after = look(desk.database)
    assert ([], before.values, before.sealed) == (after.amiss, after.values, after.sealed)
    assert not ids & keys_of_values(desk)
    assert len(Purpose) == count_of_keys(desk) == len(desk.database.keyring.ids)
    assert not desk.database.mac._older
    joins_on(desk, floor)


def test_a_database_is_opened_anew_after_a_rotation(floor: Floor) -> None:
    """Nothing of it is in memory alone."""
    rotate(floor.desk)
    with closing(Database.open(floor.desk.url, KEK)) as database:
        assert [] == look(database).amiss
        assert database.keyring.ids == floor.desk.database.keyring.ids


def test_joins_go_on_between_the_transactions_of_a_rotation(floor: Floor) -> None:
    """The loop's reader and the writer have the new keys at once; rows are of both kinds."""
    desk = floor.desk
    begin(desk)
    floor.hall.join(floor.pledges[1])
    new = floor.hall.enroll(9, networks=("lab",))
    course: Course | None = None
    steps = 0
    while True:
        go_on_now = partial(key_slots.go_on_rotating, course=course, actor=ACTOR)
        course, report = desk.write(go_on_now)
        for number in (1, 2, 3):
            floor.hall.join(floor.pledges[number])
        floor.hall.contexts.forget_all()
        steps += 1
        if report.is_over:
            break
    floor.hall.join(new)
    assert steps > 5
    assert [] == look(desk.database).amiss


@FILES
def test_a_kill_at_any_commit_loses_nothing_and_a_second_run_goes_on(
    floor: Floor, tmp_path: Path
) -> None:
    """Before and after each of them; the copies are finished and joined to."""
    desk = floor.desk
    values = look(desk.database).values
    with copied_at_commits(desk, tmp_path / "at", lambda: KEK) as copies:
        (tmp_path / "at").mkdir()
        rotate(desk)
        assert len(copies) > 8
        for copy in copies:
            found = look(copy.database)
            assert ([], values) == (found.amiss, found.values)
            go_on(copy)
            found = look(copy.database)
            assert ([], values) == (found.amiss, found.values)
            assert len(Purpose) == count_of_keys(copy)
        for copy in copies[::5]:
            joins_on(copy, floor)


def test_new_keys_are_not_drawn_while_a_rotation_is_under_way(floor: Floor) -> None:
    """A second run goes on with those of the first."""
    assert begin(floor.desk)
    ids = floor.desk.database.keyring.ids
    go_on(floor.desk, most=2)
    assert not begin(floor.desk)
    assert ids == floor.desk.database.keyring.ids
    assert go_on(floor.desk).is_over
    assert begin(floor.desk)


def test_a_damaged_row_is_not_made_good(floor: Floor) -> None:
    """It fits under neither key, and stays so: what was changed in it is never believed."""
    desk = floor.desk
    desk.sql("UPDATE pledge SET role = 1 WHERE id = 2")
    desk.sql("UPDATE context_state SET highest = 5 WHERE context_id = 3")
    desk.sql("UPDATE context SET wrapped_keys = substr(wrapped_keys, 1, 40) WHERE id = 1")
    report = rotate(desk)
    assert (1, 2) == (report.unreadable, report.damaged)
    with desk.database.read(desk.now_ms) as tx:
        rows = {row["id"]: row for row in tx.connection.execute(select(pledge)).mappings()}
        states = tx.connection.execute(select(context_state)).mappings().all()
        fits = [tx.mac.is_intact(pledge, rows[n], [1]) for n in (1, 2, 3)]
        whole = {row["context_id"]: tx.mac.is_intact(context_state, row) for row in states}
    assert [True, False, True] == fits
    assert (True, False) == (whole[2], whole[3])


def test_keys_that_values_are_under_are_not_deleted(floor: Floor) -> None:
    """Whatever a course says of itself."""
    desk = floor.desk
    begin(desk)
    course = Course(frozenset(), place=99, is_over=True)
    with pytest.raises(StateError, match="in use"):
        desk.write(lambda tx: tx.sealing.end_rotation(course))
    with pytest.raises(StateError, match="in use"):
        desk.write(lambda tx: tx.sealing.end_rotation(replace(course, is_over=False)))
    assert [] == look(desk.database).amiss


@pytest.mark.parametrize("purpose", Purpose)
def test_a_key_without_which_nothing_opens_is_not_deleted(floor: Floor, purpose: Purpose) -> None:
    """A row of `data_key` has no MAC: its time may be anything, and its key must stay."""
    desk = floor.desk
    begin(desk)
    desk.sql(
        "UPDATE data_key SET retired_at_ms = 1 WHERE id ="
        f" (SELECT max(id) FROM data_key WHERE purpose = '{purpose}')"
    )
    assert go_on(desk, most=100).is_over
    assert [None] * len(Purpose) == [at for (at,) in desk.sql("SELECT retired_at_ms FROM data_key")]
    assert [] == look(desk.database).amiss


def test_rows_are_not_brought_to_keys_that_are_to_go(floor: Floor) -> None:
    """A process that could not read the new keys, as its key file has gone, changes nothing."""
    desk = floor.desk
    desk.database.keyring.read_again = lambda _known: None
    begin(desk)
    with pytest.raises(StateError, match="could not be read anew"):
        go_on(desk)
    assert [] == look(desk.database).amiss


def test_a_course_of_other_keys_begins_at_the_front(floor: Floor) -> None:
    """Another registrar on the database may have begun a rotation of its own."""
    begin(floor.desk)
    stale = Course(frozenset({1}), place=len(SEALED) + len(WRAPPED), is_over=True)
    course = floor.desk.write(lambda tx: tx.sealing.rotate_rows(stale, 3))
    assert (0, 3, False) == (course.place, course.done, course.is_over)


@FILES
def test_nothing_of_an_old_data_key_is_left_in_the_files(floor: Floor) -> None:
    """SQLite overwrites what is deleted, and the log is emptied."""
    desk = floor.desk
    rows = desk.sql("SELECT wrapped FROM data_key WHERE purpose <> 'fingerprint'")
    old = [value for (value,) in rows if isinstance(value, bytes)]
    assert 4 == len(old)
    assert _found(desk, old)
    rotate(desk)
    assert not _found(desk, old)


def _found(desk: Desk, values: list[bytes]) -> list[str]:
    return [path.name for path in _files(desk) for each in values if each in path.read_bytes()]


def _files(desk: Desk) -> list[Path]:
    return [path for path in desk.path.parent.glob("jrc.db*") if not path.name.endswith("-shm")]


# Two registrars on one database


@pytest.fixture
def other(floor: Floor) -> Iterator[Database]:
    """The database as another process has it open."""
    opened = Database.open(floor.desk.url, KEK)
    yield opened
    opened.close()


def test_another_registrar_reads_and_writes_on_while_keys_are_changed(
    floor: Floor, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the new keys before it writes, since the instance row is sealed with them."""
    monkeypatch.setattr("jrc.store.keyring.LOOK_AGAIN_S", 0.0)
    desk = floor.desk
    hall = Hall(desk, other)
    begin(desk)
    go_on(desk, most=1)
    hall.contexts.learn([pledge_id(1).value])
    hall.join(floor.pledges[1])
    assert desk.database.keyring.ids == other.keyring.ids
    go_on(desk)
    hall.contexts.forget_all()
    hall.join(floor.pledges[2])
    assert desk.database.keyring.ids == other.keyring.ids
    assert [] == look(other).amiss == look(desk.database).amiss
    hall.close()
