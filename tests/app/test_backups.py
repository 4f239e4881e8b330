"""Scheduled backups, by a clock that is given."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import pytest

from jrc.app.backups import RETRY_S, Backups
from jrc.config import Backup
from jrc.model import Condition
from jrc.service.recover import quarantine
from jrc.service.registry import Registry
from jrc.store.backup.keyfile import BackupKey
from jrc.store.backup.seal import new_identity
from jrc.store.database import Database
from tests.desk import Desk
from tests.store.backups import Backup as Made

T = TypeVar("T")
HOUR_MS = 3_600_000


@dataclass
class Office:
    """What a part has of a daemon: an opened database, transactions, and its clock."""

    desk: Desk
    monotonic_s: float = 0.0
    done: list[str] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.desk.database

    @property
    def clock(self) -> "Office":
        return self

    def now_ms(self) -> int:
        return self.desk.now_ms

    async def run_write(self, work: Callable[[Registry], T]) -> T:
        return self.desk.write(work)

    async def run_read(self, work: Callable[[Registry], T]) -> T:
        return self.desk.read(work)

    def every(self, _period_s: float, _work: Callable[[], Awaitable[None]]) -> None:
        """The test looks by itself."""

    def passes(self, hours: float) -> None:
        self.desk.now_ms += int(hours * HOUR_MS)
        self.monotonic_s += hours * 3600


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    desk = Desk(tmp_path)
    desk.network()
    desk.pledge(1)
    yield Office(desk)
    desk.close()


def part(office: Office, folder: Path, **settings: object) -> Backups:
    """The part with a recipient of its own."""
    folder.mkdir(exist_ok=True)
    recipient = new_identity()[1]
    given = {"directory": folder, "every_h": 24.0, "recipients": (recipient,), **settings}
    section = Backup.model_validate(given)
    made = Backups(section, office, office, office.every, lambda: office.monotonic_s)  # type: ignore[arg-type]
    made._rest = lambda _seconds: None  # type: ignore[assignment,method-assign]
    return made


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def look(keeper: Backups) -> None:
    asyncio.run(keeper.look())


def test_one_is_made_when_it_is_due(office: Office, tmp_path: Path) -> None:
    """At the first look, and then by the age of the newest."""
    keeper = part(office, tmp_path / "b")
    look(keeper)
    assert ["jrc-20261130T005320Z.backup"] == files(tmp_path / "b")
    office.passes(23.9)
    look(keeper)
    assert 1 == len(files(tmp_path / "b"))
    office.passes(0.1)
    look(keeper)
    assert 2 == len(files(tmp_path / "b"))
    assert (0, None) == (keeper.status()["failures"], keeper.status()["error"])
    assert keeper.figures().newest_ms == office.desk.now_ms
    found = office.desk.sql(
        "SELECT kind, reason FROM event WHERE kind LIKE 'backup.%' ORDER BY number"
    )
    assert [("backup.begun", "scheduled"), ("backup.made", "scheduled")] * 2 == found


def test_one_that_was_missed_is_made_at_the_start(office: Office, tmp_path: Path) -> None:
    """Another process, which knows the folder alone."""
    look(part(office, tmp_path / "b"))
    office.passes(1)
    look(part(office, tmp_path / "b"))
    assert 1 == len(files(tmp_path / "b"))
    office.passes(30)
    look(part(office, tmp_path / "b"))
    assert 2 == len(files(tmp_path / "b"))


def test_a_clock_that_was_set_back_stops_no_backups(office: Office, tmp_path: Path) -> None:
    """Nor does it make one at each look."""
    keeper = part(office, tmp_path / "b")
    look(keeper)
    office.desk.now_ms -= 400 * 24 * HOUR_MS
    for hours, count in ((0, 1), (1, 1), (24, 2)):
        office.passes(hours)
        look(keeper)
        assert count == len(files(tmp_path / "b"))


def test_the_newest_are_kept(office: Office, tmp_path: Path) -> None:
    """And no others of ours."""
    keeper = part(office, tmp_path / "b", keep=2)
    for _ in range(4):
        look(keeper)
        office.passes(24)
    assert ["jrc-20261202T005320Z.backup", "jrc-20261203T005320Z.backup"] == files(tmp_path / "b")


def test_none_is_dropped_while_the_database_is_an_old_copy(office: Office, tmp_path: Path) -> None:
    """What it lacks may be in those of before: revocations, and pledges."""
    keeper = part(office, tmp_path / "b", keep=1)
    look(keeper)
    office.desk.write(lambda tx: quarantine(tx, "an old copy", actor="jrc"))
    office.passes(24)
    look(keeper)
    assert 2 == len(files(tmp_path / "b"))


def test_a_failure_is_counted_said_and_tried_again_later(office: Office, tmp_path: Path) -> None:
    """A disk that is full leaves no half file, and no old one is dropped for it."""
    keeper = part(office, tmp_path / "b", keep=1)
    look(keeper)
    office.passes(24)
    full = OSError(28, "No space left on device")
    with patch("os.fsync", side_effect=full):
        look(keeper)
        look(keeper)
    assert (1, 1) == (keeper.status()["failures"], len(files(tmp_path / "b")))
    made = office.desk.sql("SELECT count(*) FROM event WHERE kind = 'backup.made'")
    assert [(1,)] == made, "the one that failed is noted as made"
    assert "No space left" in str(keeper.status()["error"])
    look(keeper)
    assert 1 == keeper.status()["failures"]
    office.passes(RETRY_S / 3600)
    look(keeper)
    assert (None, ["jrc-20261201T010320Z.backup"]) == (
        keeper.status()["error"],
        files(tmp_path / "b"),
    )


def test_a_folder_that_is_missing_is_an_error_and_no_end(office: Office, tmp_path: Path) -> None:
    """A medium that was taken out comes back."""
    keeper = part(office, tmp_path / "b")
    (tmp_path / "b").rmdir()
    look(keeper)
    assert "backup.directory" in str(keeper.status()["error"])
    (tmp_path / "b").mkdir()
    office.passes(1)
    look(keeper)
    assert 1 == len(files(tmp_path / "b"))


def test_a_moved_database_is_backed_up_no_more(office: Office, tmp_path: Path) -> None:
    """Its folder may be another registrar's by then."""
    office.desk.write(lambda tx: tx.set_condition(Condition.MOVED, "moved"))
    look(part(office, tmp_path / "b"))
    assert [] == files(tmp_path / "b")


def test_the_end_of_the_daemon_breaks_one_off(office: Office, tmp_path: Path) -> None:
    """Nothing is left of it, and it is made at the next start."""
    keeper = part(office, tmp_path / "b")
    del keeper._rest
    asyncio.run(keeper.stop())
    keeper._thread = type(keeper._thread)(1)
    look(keeper)
    assert [] == files(tmp_path / "b")


def test_the_key_file_s_passphrase_opens_them(office: Office, tmp_path: Path) -> None:
    """Its sealed identity is in each header; the passphrase is nowhere."""
    identity, recipient = new_identity()
    sealed = b"-----BEGIN AGE ENCRYPTED FILE-----\nc2VhbGVk\n-----END AGE ENCRYPTED FILE-----\n"
    key = tmp_path / "backup.key"
    key.write_bytes(BackupKey(recipient, sealed).encoded())
    key.chmod(0o600)
    look(part(office, tmp_path / "b", key_file=key, recipients=()))
    (file,) = (tmp_path / "b").iterdir()
    found = Made(file, identity).examined()
    assert (sealed, {"provisioned": 1}, 0o600) == (
        found.header.sealed_identity,
        found.pledges,
        file.stat().st_mode & 0o777,
    )
