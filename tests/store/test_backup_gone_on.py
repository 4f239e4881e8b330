"""A final backup where this host's registrar has gone on from it since (RFC 8613 §7.5)."""

import os
import shutil
from pathlib import Path

from jrc.model import Condition
from jrc.service.recover import Step, quarantine, recover_step
from jrc.store import instancefile
from jrc.store.backup.restored import FINAL_WITHIN_MS
from jrc.store.database import Database
from tests.desk import ACTOR, KEK, ON_FILE, Desk
from tests.store.backups import Backup, made

pytestmark = ON_FILE


def opened_at(desk: Desk, folder: Path) -> Desk:
    """The same desk, with the database in another folder."""
    desk.database.close()
    desk.path = folder / "jrc.db"
    desk.url = f"sqlite:///{folder / 'jrc.db'}"
    desk.database = Database.open(desk.url, KEK)
    return desk


def sent(backup: Backup, to: Path) -> Backup:
    """A copy of the file on another host."""
    shutil.copy2(backup.path, to)
    return Backup(to, backup.identity, backup.now_ms)


def test_e08_a_move_back_and_the_file_of_the_first_move_again(lab: Desk, tmp_path: Path) -> None:
    """It still lies where it was made, and only its copy says that it was used."""
    here, there = tmp_path, tmp_path / "there"
    there.mkdir()
    first = made(lab, here / "move.backup", is_final=True)
    assert sent(first, there / "move.backup").restored(there).is_open
    second = made(opened_at(lab, there), there / "back.backup", is_final=True)
    assert sent(second, here / "back.backup").restored(here, replaces=True).is_open
    again = first.restored(here, replaces=True, now_ms=first.now_ms + 2000)
    assert Condition.QUARANTINED == again.instance.condition
    assert "has gone on from it" in again.instance.condition_detail


def test_k09_a_registrar_that_stayed_has_revocations_that_its_final_backup_lacks(
    lab: Desk, tmp_path: Path
) -> None:
    """RFC 9031 §9: it was set apart and recovered here, as docs/backup.md has it."""
    final = made(lab, tmp_path / "move.backup", is_final=True)
    lab.write(lambda tx: quarantine(tx, "it stays", actor=ACTOR))
    while lab.write(lambda tx: recover_step(tx, actor=ACTOR)).step is not Step.OPEN:
        pass
    instancefile.write(tmp_path / "jrc.instance", lab.database.instance)
    lab.database.close()
    again = final.restored(tmp_path, replaces=True)
    assert Condition.QUARANTINED == again.instance.condition
    assert "has gone on from it" in again.instance.condition_detail
    opened_at(lab, tmp_path)


def test_a_database_in_the_way_that_is_none_hinders_no_move(lab: Desk, tmp_path: Path) -> None:
    """Nothing tells, and the file of the backup says that it was not used."""
    final = made(lab, tmp_path / "move.backup", is_final=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "jrc.db").write_bytes(os.urandom(8192))
    assert final.restored(other, replaces=True).is_open


def test_e08_a_day_counts_from_the_end_of_the_database_and_not_from_its_last_file(
    lab: Desk, tmp_path: Path
) -> None:
    """A second final backup may be made at any time; the first one may be at work for long."""
    made(lab, tmp_path / "move.backup", is_final=True)
    lab.now_ms += FINAL_WITHIN_MS + 1
    late = made(lab, tmp_path / "late.backup", is_final=True)
    restored = late.restored(tmp_path / "there")
    assert Condition.QUARANTINED == restored.instance.condition
    assert "has ended more than a day ago" in restored.instance.condition_detail
