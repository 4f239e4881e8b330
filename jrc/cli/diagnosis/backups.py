"""Backups: whether there are any, and whether the newest is of late."""

from collections.abc import Iterator
from datetime import datetime

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, skipped, success, warning
from jrc.errors import OperatorError
from jrc.service.wording import duration, utc_text
from jrc.store.backup.keyfile import read_backup_key
from jrc.store.backup.shelf import Shelf

LATE_PERIODS = 2
"""One that was missed may be under way; two were not made."""
LATE_DAYS = 30
"""For those that the daemon does not make itself: nobody says when they are due."""
_MAKE_ONE = "make one: `jrc backup create FILE`, or have a timer do it (docs/backup.md)"
_LOG = "the daemon's log has `backup_failed` with the reason, and `jrc status --json` the last one"

_OTHERS_LOG = (
    "see `jrc events --kind backup.failed` and `journalctl -u jrc-backup`, then make another one:"
    " `systemctl start jrc-backup`"
)


def look_at_backups(case: Case) -> Iterator[Verdict]:
    """Those that others make, the folder of [backup], and the key they are sealed for."""
    if failed := case.daemon.text("backup_failed"):
        yield warning(f"the last backup failed, at {failed}", _OTHERS_LOG)
    section = case.settings.backup
    if section.directory is None:
        yield _by_others(case)
        return
    try:
        if section.key_file is not None:
            read_backup_key(section.key_file)
        newest_ms = Shelf(section.directory).newest_ms()
    except OperatorError as error:
        yield warning(error.message, error.hint or "see docs/backup.md")
        return
    if newest_ms is None:
        yield warning(f"{section.directory} holds no backup", _LOG)
        return
    age_s = (case.clock.now_ms() - newest_ms) / 1000
    if age_s > LATE_PERIODS * section.every_h * 3600:
        yield warning(f"the newest backup is {duration(age_s)} old: {utc_text(newest_ms)}", _LOG)
        return
    yield success(f"the newest backup is of {utc_text(newest_ms)}")


def _by_others(case: Case) -> Verdict:
    """By a timer, or by hand: the audit log has them."""
    made = case.daemon.text("backup_made")
    if not made:
        return skipped("none are made by the daemon: [backup] names no directory (docs/backup.md)")
    age_s = case.clock.now_ms() / 1000 - datetime.fromisoformat(made).timestamp()
    if age_s > LATE_DAYS * 86_400:
        return warning(f"the newest backup is {duration(age_s)} old: {made}", _MAKE_ONE)
    return success(f"the newest backup is of {made}")
