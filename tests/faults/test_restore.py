"""Old states of the database, put back: nobody is answered, and no nonce comes twice afterwards.

``JRC_RESTORES`` sets the number of backups that are taken in a storm, and restored afterwards.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.site import Site
from tests.faults import restoring
from tests.faults.broken import program
from tests.faults.commands import Commands
from tests.faults.eavesdropping import Eavesdropper
from tests.faults.form import SEED, figure, needs_namespace
from tests.faults.storm import Storm

pytestmark = pytest.mark.faults

RESTORES = figure("JRC_RESTORES", short=2, long=50)
COPIES = figure("JRC_COPIES", short=3, long=50)
PLEDGES = 24
STORM_S = 0.4
PATIENCE_ROUNDS = 20
"""Of half a second and more each, on a host that has much else to do."""


def copy_database(site: Site, to: Path) -> None:
    """What somebody takes who copies the file while it is in use, as SQLite does it."""
    with (
        closing(sqlite3.connect(site.database)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


def put_copy_back(site: Site, old: Path) -> None:
    """The database file of another day, with no log beside it."""
    for name in ("jrc.db", "jrc.db-wal", "jrc.db-shm"):
        (site.folder / name).unlink(missing_ok=True)
    site.database.write_bytes(old.read_bytes())
    site.database.chmod(0o600)


def put_copy_under_log(site: Site, old: Path) -> None:
    """The database file of another day, and the log stays where a killed daemon has left it."""
    assert site.database.with_name("jrc.db-wal").stat().st_size > 0
    site.database.write_bytes(old.read_bytes())


def storm_with_backups(
    site: Site, folder: Path, count: int, take: Callable[[Site, Path], None]
) -> tuple[Storm, list[Path]]:
    """A storm in which a backup is taken now and then, and goes on after the last one."""
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    storm, taken = Storm(devices, SEED, 5.0), []
    with site.start() as daemon:
        for number in range(count + 1):
            with Commands([site], storm.peers, storm.witness, number):
                storm.blow([daemon], STORM_S)
                if number < count:
                    taken.append(folder / f"{number}.backup")
                    take(site, taken[-1])
            storm.listen()
    assert storm.witness.violations == []
    return storm, taken


def test_e08_an_old_copy_that_is_put_back_answers_nobody(site: Site, tmp_path: Path) -> None:
    """RFC 9031 §8.3.3: whichever moment of the storm it is from."""
    storm, taken = storm_with_backups(site, tmp_path, COPIES, copy_database)
    for number, old in enumerate(taken):
        other = site.copy(tmp_path / f"put-back-{number}")
        put_copy_back(other, old)
        with other.start() as daemon:
            assert Eavesdropper(storm).listen(daemon) == 0, old.name
            assert daemon.dropped()["quarantined"] > 0
            daemon.kill()


def test_e08_an_old_copy_under_the_log_of_a_newer_database_answers_nobody(
    site: Site, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3: the newest instance row is in the log, and old replay windows under it."""
    storm, taken = storm_with_backups(site, tmp_path, COPIES, copy_database)
    with site.start() as daemon:
        storm.blow([daemon], STORM_S)
        storm.listen()
        daemon.kill()
    assert storm.witness.violations == []
    for number, old in enumerate(taken):
        other = site.copy(tmp_path / f"put-under-{number}")
        put_copy_under_log(other, old)
        with other.start() as daemon:
            assert Eavesdropper(storm).listen(daemon) == 0, old.name
            assert daemon.dropped()["quarantined"] > 0
            daemon.kill()


@needs_namespace
def test_e08_b07_a_restored_backup_repeats_nothing_after_its_recovery(tmp_path: Path) -> None:
    """RFC 9031 §8.3.3, RFC 8613 App. B.2: silence until `jrc recover`, and other keys then."""
    report = restoring.Orders(restores=RESTORES, seed=SEED).carry_out(tmp_path)
    print(report)
    assert ([], RESTORES) == (report.violations, report.restores)
    assert (0, 0) == (report.missing, report.early)
    assert report.returned > 10 * RESTORES
    assert report.updates >= report.returned
    assert report.challenged > 0


def test_the_witness_sees_a_daemon_that_takes_any_database(site: Site, tmp_path: Path) -> None:
    """A check that can't fail says nothing."""
    storm, (old,) = storm_with_backups(site, tmp_path, 1, copy_database)
    put_copy_back(site, old)
    with site.start(program("restore_unnoticed")) as daemon:
        rate = {"join_rate_bytes_per_s": 4711, "reason": "test"}
        daemon.api("PATCH", "/v1/networks/lab", json=rate)
        eavesdropper = Eavesdropper(storm)
        violations = eavesdropper.witness.violations
        for _ in range(PATIENCE_ROUNDS):
            eavesdropper.listen(daemon)
            if any("two ciphertexts" in text for text in violations):
                break
        daemon.kill()
    assert any("two ciphertexts" in text for text in violations)
