"""`jrc doctor` on scheduled backups."""

from pathlib import Path

import pytest
from pyrage import x25519

from jrc.clock import SystemClock
from jrc.store.backup.shelf import Shelf
from tests.cli.examined import SKIPPED, SUCCESS, WARNING, FixedClock, case_of, findings, one
from tests.cli.terminal import Terminal
from tests.desk import NOW_MS

RECIPIENT = str(x25519.Identity.generate().to_public())
HOUR_MS = 3_600_000


@pytest.fixture
def folder(terminal: Terminal, tmp_path: Path) -> Path:
    """Where backups go, every six hours."""
    made = tmp_path / "backups"
    made.mkdir()
    with terminal.config.open("a") as config:
        config.write(f'[backup]\ndirectory = "{made}"\nevery_h = 6\nrecipients = ["{RECIPIENT}"]\n')
    return made


def test_none_are_made_where_none_are_set_up(made: Terminal) -> None:
    """No warning: they may be made by hand, or by a timer."""
    assert SKIPPED == one(made, "backups").status


def test_a_folder_without_a_backup_is_a_warning(terminal: Terminal, folder: Path) -> None:
    """So is one that is gone."""
    assert (WARNING, "holds no backup") == (
        one(terminal, "backups").status,
        one(terminal, "backups").what.removeprefix(f"{folder} "),
    )
    folder.rmdir()
    assert "can't be read" in one(terminal, "backups").what


@pytest.mark.parametrize(("age_h", "status"), [(11.9, SUCCESS), (12.1, WARNING)])
def test_a_backup_of_more_than_two_periods_ago_is_a_warning(
    terminal: Terminal, folder: Path, age_h: float, status: object
) -> None:
    """One that was missed may be under way."""
    Shelf(folder).place(NOW_MS).touch()
    case = case_of(terminal)
    case.clock = FixedClock(NOW_MS + int(age_h * HOUR_MS))
    (found,) = findings(case, "backups")
    assert (status, True) == (found.status, "2026-11-30T00:53:20" in found.what)


@pytest.mark.parametrize(("age_days", "status"), [(29, SUCCESS), (31, WARNING)])
def test_a_backup_by_hand_is_known_too(
    made: Terminal, tmp_path: Path, age_days: int, status: object
) -> None:
    """The audit log has it; the daemon tells, whoever made it and before which start."""
    words = ("backup", "create", str(tmp_path / "by-hand"), "--recipient", RECIPIENT)
    assert made.jrc(*words).code == 0
    with made.daemon():
        at = made.jrc("status", "--json").json["backup_made"]
        case = case_of(made)
        case.clock = FixedClock(SystemClock().now_ms() + age_days * 24 * HOUR_MS)
        (found,) = findings(case, "backups")
    assert (status, True) == (found.status, at in found.what)


def test_a_backup_that_a_timer_could_not_make_is_a_warning(made: Terminal) -> None:
    """`jrc backup failed` tells the daemon, which tells whoever looks."""
    with made.daemon():
        assert made.jrc("backup", "failed", "--reason", "no room").code == 0
        assert "the last backup failed, at " in made.jrc("status").out
        found, _ = findings(case_of(made), "backups")
    assert (WARNING, True) == (found.status, found.what.startswith("the last backup failed, at"))
    assert "backup.failed" in found.hint
