"""Restores that are killed, one at each point where something reaches the disk.

``python -m tests.store.dying_restore FOLDER IDENTITY NOW_MS FINAL`` checks after each what is left,
and prints the last point at which it was killed.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from jrc.model import Condition, Secret
from jrc.store import instancefile
from jrc.store.backup import restore as restoring
from jrc.store.backup.restored import RestoredFinals
from jrc.store.database import Database
from tests.desk import KEK
from tests.store.backups import Backup

STEPS = (
    (restoring, "create_private_file"),
    (restoring, "migrate"),
    (restoring, "check_foreign_keys"),
    (restoring, "sync"),
    (restoring, "mark_spent"),
    (RestoredFinals, "add"),
    (instancefile, "write"),
    (os, "rename"),
    (os, "fsync"),
    (os, "replace"),
)


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


def check_left(backup: Backup, folder: Path, *, is_final: bool) -> None:
    """What is there is whole and known, and another restore never goes on a second time."""
    is_there = (folder / "jrc.db").exists()
    if is_there:
        with closing(Database.open(f"sqlite:///{folder / 'jrc.db'}", KEK)) as new:
            expected = Condition.OPEN if is_final else Condition.QUARANTINED
            assert expected == new.instance.condition
            assert instancefile.judge(folder / "jrc.instance", new.instance).why is None
    if is_final and is_there:
        assert not backup.restored(folder, replaces=True).is_open


def main(folder: Path, identity: str, now_ms: int, *, is_final: bool) -> int:
    """The last point at which a restore was killed; an ordinary one is at every third."""
    backup = Backup(folder / "b", Secret(identity.encode()), now_ms)
    raw, point, was_killed = backup.path.read_bytes(), 0, True
    stride = 1 if is_final else 3
    while was_killed:
        point += stride
        backup.path.write_bytes(raw)
        shutil.rmtree(folder / "new", ignore_errors=True)
        was_killed = killed_at(point, backup, folder / "new")
        check_left(backup, folder / "new", is_final=is_final)
    return point - stride


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), is_final=sys.argv[4] == "1"))
