"""Restores that are killed, one at each point where something reaches the disk.

``python -m tests.store.dying_restore FOLDER IDENTITY NOW_MS FINAL`` checks after each what is left,
and prints the last point at which it was killed.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from jrc.model import Condition, Secret
from jrc.store import instancefile
from jrc.store.backup import placing
from jrc.store.backup import restore as restoring
from jrc.store.backup.restored import RestoredFinals
from jrc.store.database import Database
from tests import warm
from tests.at_home import at_home
from tests.desk import KEK
from tests.store.backups import Backup

STEPS = (
    (restoring, "create_private_file"),
    (restoring, "migrate"),
    (restoring, "check_foreign_keys"),
    (restoring, "sync"),
    (placing, "sync"),
    (placing, "_fold_log"),
    (restoring, "mark_spent"),
    (RestoredFinals, "add"),
    (instancefile, "write"),
    (os, "rename"),
    (os, "fsync"),
    (os, "replace"),
)

SECOND_MS = 1000
AGAIN_AT = 5
"""At every so many points a final backup is restored once more after it has gone on."""


class Countdown:
    """Kills this process at the ``left``-th step."""

    def __init__(self, left: int) -> None:
        self.left = left

    def wrapped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*given, **named)

        return run

    def arm(self) -> None:
        for owner, name in STEPS:
            setattr(owner, name, self.wrapped(getattr(owner, name)))


def killed_at(point: int, backup: Backup, folder: Path) -> bool:
    """Whether a restore in a process of its own was killed at this step, or had no such step."""
    child = os.fork()
    if child == 0:
        Countdown(point).arm()
        backup.restored(folder, replaces=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status != 0


def check_left(backup: Backup, folder: Path, before: bytes, *, is_final: bool, twice: bool) -> None:
    """The old database or the new one is there, whole and known; a final backup goes on once."""
    with closing(Database.open(f"sqlite:///{folder / 'jrc.db'}", KEK)) as found:
        instance = found.instance
    assert instancefile.judge(folder / "jrc.instance", instance).why is None
    is_new = instance.epoch != before
    if is_new:
        assert (Condition.OPEN if is_final else Condition.QUARANTINED) == instance.condition
    if is_final:
        backup.now_ms += SECOND_MS
        again = backup.restored(folder, replaces=True)
        assert again.is_open != is_new
        backup.now_ms += SECOND_MS
        assert not (twice and backup.restored(folder, replaces=True).is_open)
    assert not list(folder.glob("*.moving-*"))


def with_old_one(ordinary: Backup, folder: Path) -> bytes:
    """The epoch of a database in the way, whose log was not written into it."""
    epoch = ordinary.restored(folder).instance.epoch
    database = folder / "jrc.db"
    with closing(sqlite3.connect(database)) as left_open:
        left_open.execute("PRAGMA wal_checkpoint")
        left_open.execute("PRAGMA user_version = 7")
        left_open.commit()
        log = database.with_name("jrc.db-wal").read_bytes()
    database.with_name("jrc.db-wal").write_bytes(log)
    return epoch


def main(folder: Path, identity: str, now_ms: int, *, is_final: bool) -> int:
    """The last point at which a restore was killed; an ordinary one is at every third."""
    raw, old = (folder / "b").read_bytes(), folder / "old"
    ordinary = Backup(folder / "a", Secret((folder / "a.key").read_bytes()), now_ms)
    before = with_old_one(ordinary, old)
    point, was_killed, stride = 0, True, 1 if is_final else 3
    while was_killed:
        point += stride
        backup = Backup(folder / "b", Secret(identity.encode()), now_ms)
        backup.path.write_bytes(raw)
        shutil.rmtree(folder / "new", ignore_errors=True)
        shutil.copytree(old, folder / "new")
        at_home(folder / "new")
        was_killed = killed_at(point, backup, folder / "new")
        twice = point % AGAIN_AT == 0
        check_left(backup, folder / "new", before, is_final=is_final, twice=twice)
    return point - stride


if __name__ == "__main__":
    warm.keep()
    print(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), is_final=sys.argv[4] == "1"))
