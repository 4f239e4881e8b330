"""Slots in a database: who opens it, and a new key encryption key."""

from functools import partial
from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.service.key_records import NewSlot, SlotKind
from jrc.service.key_slots import (
    KeysReport,
    add_slot,
    remove_slot,
    restore_slot,
    rotate_kek,
    show_keys,
)
from jrc.store.database import Database
from jrc.store.keyslots import recovery_public_key
from tests.desk import ACTOR, KEK, ON_SERVER, Desk
from tests.sealed import copied_at_commits, look

SPARE, IDENTITY, FRESH = (Secret(bytes((n,)) * 32) for n in (61, 62, 63))
ANY_KIND = tuple(SlotKind)
FILES = pytest.mark.skipif(ON_SERVER, reason="looks at files of SQLite")


def added(desk: Desk, slot: NewSlot) -> KeysReport:
    return desk.write(lambda tx: add_slot(tx, KEK, slot, actor=ACTOR, reason="two are better"))


def with_spare(desk: Desk) -> KeysReport:
    return added(desk, NewSlot("spare", SlotKind.FILE, key=SPARE))


def with_paper(desk: Desk) -> KeysReport:
    public = recovery_public_key(IDENTITY)
    return added(desk, NewSlot("paper", SlotKind.RECOVERY, public_key=public))


def rotated(desk: Desk, *others: Secret, replacement: Secret | None = None) -> KeysReport:
    return desk.write(
        lambda tx: rotate_kek(tx, KEK, others=others, replacement=replacement, actor=ACTOR)
    )


def opens(desk: Desk, key: Secret) -> bool:
    """Whether a key opens what is on disk, and everything in it is whole."""
    try:
        database = Database.open(desk.url, key, kinds=ANY_KIND)
    except OperatorError as error:
        assert "slot" in error.message
        return False
    try:
        assert [] == look(database).amiss
    finally:
        database.close()
    return True


@pytest.fixture
def filled(lab: Desk) -> Desk:
    """A network and two pledges."""
    lab.pledge(1)
    lab.pledge(2)
    return lab


def test_a_new_database_has_one_slot_and_says_that_this_is_few(filled: Desk) -> None:
    """If its key is lost, so is everything."""
    report = filled.read(lambda tx: show_keys(tx, KEK))
    assert [("file", "file", True)] == [(s.name, s.kind, s.opens_here) for s in report.slots]
    assert "only key slot" in report.warnings[0]
    assert not with_paper(filled).warnings


def test_each_slot_opens_the_database(filled: Desk) -> None:
    """And no other key does."""
    with_spare(filled)
    with_paper(filled)
    assert [True] * 3 == [opens(filled, key) for key in (KEK, SPARE, IDENTITY)]
    assert not opens(filled, FRESH)


def test_the_recovery_identity_alone_does_not_start_a_registrar(filled: Desk) -> None:
    """It is for ``jrc keys restore``."""
    with_paper(filled)
    with pytest.raises(OperatorError, match="recovery identity"):
        Database.open(filled.url, IDENTITY)


@pytest.mark.parametrize(
    ("slot", "says"),
    [
        (NewSlot("file", SlotKind.FILE, key=FRESH), "already"),
        (NewSlot("Wrong name", SlotKind.FILE, key=FRESH), "no name of a slot"),
        (NewSlot("again", SlotKind.FILE, key=KEK), "opens the slot file already"),
    ],
)
def test_a_slot_that_would_be_none_is_refused(filled: Desk, slot: NewSlot, says: str) -> None:
    """Nothing is changed."""
    with pytest.raises(OperatorError, match=says):
        added(filled, slot)
    assert not opens(filled, FRESH)


def test_a_removed_slot_opens_nothing_more(filled: Desk) -> None:
    """The others do."""
    with_spare(filled)
    filled.write(lambda tx: remove_slot(tx, "spare", KEK, actor=ACTOR))
    assert [True, False] == [opens(filled, key) for key in (KEK, SPARE)]


def test_the_slot_that_a_registrar_starts_with_is_not_removed(filled: Desk) -> None:
    """Nor any where the host's own key opens none."""
    with_paper(filled)
    for name, key in (("file", KEK), ("paper", FRESH)):
        with pytest.raises(OperatorError) as caught:
            filled.write(partial(remove_slot, name=name, slot_key=key, actor=ACTOR))
        assert "jrc keys" in caught.value.hint
    with pytest.raises(OperatorError, match="there is no slot"):
        filled.write(lambda tx: remove_slot(tx, "other", KEK, actor=ACTOR))
    assert opens(filled, KEK)


def test_a_new_key_encryption_key_reaches_every_slot(filled: Desk) -> None:
    """The recovery identity is not needed for it."""
    with_paper(filled)
    with_spare(filled)
    before = filled.sql("SELECT kek_id, wrapped FROM key_slot")
    rotated(filled, SPARE)
    after = filled.sql("SELECT kek_id, wrapped FROM key_slot")
    assert not {row[0] for row in before} & {row[0] for row in after}
    assert not {row[1] for row in before} & {row[1] for row in after}
    (of_data_keys,) = {row[0] for row in filled.sql("SELECT kek_id FROM data_key")}
    assert {of_data_keys} == {row[0] for row in after}
    assert [True] * 3 == [opens(filled, key) for key in (KEK, SPARE, IDENTITY)]


def test_a_file_slot_whose_key_is_not_given_is_named(filled: Desk) -> None:
    """It would be locked out; nothing is changed."""
    with_spare(filled)
    before = filled.sql("SELECT wrapped FROM key_slot")
    with pytest.raises(OperatorError, match="spare") as caught:
        rotated(filled)
    assert "--with" in caught.value.hint
    assert before == filled.sql("SELECT wrapped FROM key_slot")


def test_a_replaced_key_opens_nothing_that_is_written_from_then_on(filled: Desk) -> None:
    """Whoever has the old file is out."""
    with_paper(filled)
    rotated(filled, replacement=FRESH)
    assert [False, True, True] == [opens(filled, key) for key in (KEK, FRESH, IDENTITY)]


def test_a_key_that_opens_a_slot_is_no_replacement(filled: Desk) -> None:
    """It would be no change."""
    with pytest.raises(OperatorError, match="no change"):
        rotated(filled, replacement=KEK)


@FILES
def test_a_kill_at_the_commit_leaves_the_old_key_or_the_new_one(
    filled: Desk, tmp_path: Path
) -> None:
    """Never none: the new file is on disk before."""
    with_paper(filled)
    (tmp_path / "at").mkdir()
    key = [KEK]

    def of_the_moment() -> Secret:
        return key.pop() if key else FRESH

    with copied_at_commits(filled, tmp_path / "at", of_the_moment) as copies:
        rotated(filled, replacement=FRESH)
        before, after = copies
        assert [True, False, True] == [opens(before, key) for key in (KEK, FRESH, IDENTITY)]
        assert [False, True, True] == [opens(after, key) for key in (KEK, FRESH, IDENTITY)]


def test_a_lost_file_is_replaced_with_the_recovery_identity(filled: Desk) -> None:
    """The lost one opens nothing more."""
    with_paper(filled)
    new = NewSlot("file", SlotKind.FILE, key=FRESH)
    report = filled.write(lambda tx: restore_slot(tx, IDENTITY, new, actor=ACTOR))
    assert ["paper", "file"] == [slot.name for slot in report.slots]
    assert [False, True, True] == [opens(filled, key) for key in (KEK, FRESH, IDENTITY)]


def test_the_key_that_was_given_is_not_lost(filled: Desk) -> None:
    """A slot is not restored by its own key, nor by one that opens nothing."""
    new = NewSlot("file", SlotKind.FILE, key=FRESH)
    with pytest.raises(OperatorError, match="is not lost"):
        filled.write(lambda tx: restore_slot(tx, KEK, new, actor=ACTOR))
    with pytest.raises(OperatorError, match="opens no slot"):
        filled.write(lambda tx: restore_slot(tx, IDENTITY, new, actor=ACTOR))
    assert opens(filled, KEK)


def test_a_public_key_that_somebody_put_there_is_not_given_the_next_key(filled: Desk) -> None:
    """Whoever can write the file would otherwise have it after the next rotation."""
    with_paper(filled)
    stranger = recovery_public_key(FRESH)
    filled.sql("UPDATE key_slot SET public_key = :key WHERE name = 'paper'", key=stranger)
    with pytest.raises(OperatorError, match="slot paper was changed") as caught:
        rotated(filled)
    assert "jrc keys remove paper" in caught.value.hint
    filled.write(lambda tx: remove_slot(tx, "paper", KEK, actor=ACTOR))
    rotated(filled)
    assert [True, False] == [opens(filled, key) for key in (KEK, FRESH)]


@FILES
def test_nothing_of_an_old_slot_is_left_in_the_files(filled: Desk) -> None:
    """SQLite overwrites what is deleted, and the log is emptied."""
    with_spare(filled)
    rows = filled.sql("SELECT wrapped FROM key_slot")
    old = [value for (value,) in rows if isinstance(value, bytes)]
    rotated(filled, SPARE)
    filled.write(lambda tx: remove_slot(tx, "spare", KEK, actor=ACTOR))
    files = [path.read_bytes() for path in filled.path.parent.glob("jrc.db*")]
    assert not [value for value in old for content in files if value in content]


def test_what_was_done_is_in_the_audit_log_without_keys(filled: Desk) -> None:
    """Who, why, and which slot."""
    with_spare(filled)
    rotated(filled, SPARE)
    filled.write(lambda tx: remove_slot(tx, "spare", KEK, actor=ACTOR))
    rows = filled.sql("SELECT kind, actor, reason, detail FROM event WHERE kind LIKE 'keys.%'")
    kinds = ["keys.slot_added", "keys.rotated", "keys.slot_removed"]
    assert kinds == [row[0] for row in rows]
    assert {ACTOR} == {row[1] for row in rows}
    assert "two are better" == rows[0][2]
    assert '{"slot":"spare","slot_kind":"file"}' == rows[0][3]
    for key in (KEK, SPARE):
        assert key.reveal().hex() not in str(rows)
