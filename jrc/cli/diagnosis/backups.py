"""Scheduled backups: whether there are any, and whether the newest is of late."""

from collections.abc import Iterator

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, skipped, success, warning
from jrc.errors import OperatorError
from jrc.service.wording import duration, utc_text
from jrc.store.backup.keyfile import read_backup_key
from jrc.store.backup.shelf import Shelf

LATE_PERIODS = 2
"""One that was missed may be under way; two were not made."""
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
        yield skipped("none are made by the daemon: [backup] names no directory (docs/backup.md)")
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
