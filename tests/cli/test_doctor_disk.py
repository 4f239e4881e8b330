"""`jrc doctor` on the disk and the clock."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jrc.cli.diagnosis import clock, disk
from jrc.clock import Synchronisation, synchronisation
from tests.cli.examined import (
    FAILURE,
    SUCCESS,
    WARNING,
    case_of,
    findings,
    one,
)
from tests.cli.terminal import Terminal

FOLDER = Path("/var/lib/jrc")
SHARED_MEMORY = Path("/dev/shm")


# Disk


@pytest.mark.skipif(
    not os.access(SHARED_MEMORY, os.W_OK)
    or disk.file_system(SHARED_MEMORY, disk.MOUNTS.read_text()) != "tmpfs",
    reason="no tmpfs here",
)
def test_a_database_in_memory_is_warned_about_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """By its kind, and by a sync that takes no time."""
    folder = Path(os.path.relpath(tmp_path_factory.mktemp("shm"), "/"))
    place = SHARED_MEMORY / f"jrc-test-{os.getpid()}-{folder.name}"
    place.mkdir()
    try:
        terminal = Terminal(place)
        terminal.init()
        kind, speed = findings(case_of(terminal), "disk")
    finally:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
    assert (kind.status, speed.status) == (WARNING, WARNING)
    assert "in memory (tmpfs)" in kind.what
    assert "faster than any disk" in speed.what


def test_a_missing_folder_fails_and_the_database_is_skipped(terminal: Terminal) -> None:
    """The cause is told once."""
    text = terminal.config.read_text()
    terminal.config.write_text(text.replace("/jrc.db", "/gone/jrc.db"))
    assert (FAILURE, FAILURE) == (one(terminal, "disk").status, one(terminal, "space").status)
    assert "because of: disk" in one(terminal, "database").what


def test_the_time_of_a_sync_is_measured_and_the_file_goes(tmp_path: Path) -> None:
    """Each after a write; no more than it is given time for."""
    taken = disk.time_syncs(tmp_path)
    assert 0 < len(taken) <= disk.SYNCS
    assert all(seconds > 0 for seconds in taken)
    assert [] == list(tmp_path.iterdir())


def test_measuring_ends_on_a_disk_that_is_very_slow(tmp_path: Path) -> None:
    """After two seconds, whatever was measured by then."""
    moments = iter(range(0, 1000, 3))
    assert 1 == len(disk.time_syncs(tmp_path, lambda: next(moments)))


@pytest.mark.parametrize(
    ("seconds", "status"), [(2e-6, WARNING), (40e-6, SUCCESS), (0.004, SUCCESS), (0.3, WARNING)]
)
def test_the_median_of_a_sync_is_judged(seconds: float, status: object) -> None:
    """One outlier each way is none of it; nothing is claimed of what the disk keeps."""
    verdict = disk.judge_syncs(FOLDER, [1e-9, seconds, seconds, seconds, 9.0])
    assert verdict.status is status
    assert bool(verdict.hint) == (status is WARNING)


MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:40 / /srv/jrc\040data rw shared:1 - nfs4 server:/jrc rw
25 22 0:41 / /var/lib rw - xfs /dev/vdb rw
26 25 0:42 / /var/lib rw - overlay overlay rw
27 22 0:43 / /var/library rw - tmpfs tmpfs rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/lab", "ext4"),
        ("/srv/jrc data/one", "nfs4"),
        ("/var/lib/jrc", "overlay"),
        ("/var/library", "tmpfs"),
        ("/var/libexec", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    """By whole names; the later of two mounts on one folder covers the other."""
    assert kind == disk.file_system(Path(folder), MOUNTS)


@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "nfs4", "cifs", "9p", ""])
def test_a_file_system_that_is_no_place_for_it_is_warned_about(kind: str) -> None:
    """With what to do; of a local disk nothing is said."""
    (verdict,) = disk.judge_kind(FOLDER, kind)
    assert verdict.status is WARNING
    assert verdict.hint
    assert [] == list(disk.judge_kind(FOLDER, "ext4"))


@pytest.mark.parametrize(("mebibytes", "status"), [(10, FAILURE), (100, WARNING), (1000, SUCCESS)])
def test_free_space_is_judged(mebibytes: int, status: object) -> None:
    """The log alone takes 16 MiB."""
    assert disk.judge_space(FOLDER, mebibytes << 20).status is status


# Clock


def test_an_unsynchronised_clock_is_a_warning() -> None:
    """The hint names time services."""
    verdict = clock.judge_synchronisation(Synchronisation(False, 16.0), 1_796_000_000_000)
    assert verdict.status is WARNING
    assert "2026-11-30" in verdict.what
    assert "chrony" in verdict.hint
    assert clock.judge_synchronisation(Synchronisation(True, 0.02), 0).status is SUCCESS


def test_the_kernel_is_asked_without_privilege() -> None:
    """adjtimex(2); where it is not to be had, that is an OSError and no crash."""
    try:
        assert synchronisation().max_error_s >= 0
    except OSError as error:
        assert error.strerror


def test_a_kernel_that_does_not_say_is_a_warning(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some containers have no adjtimex(2)."""

    def refuse() -> Synchronisation:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(clock, "synchronisation", refuse)
    assert one(made, "clock").status is WARNING


def test_a_file_whose_pages_do_not_hang_together_fails(terminal: Terminal) -> None:
    """A MAC covers what a row says, and not whether the row is found."""
    path = terminal.folder / "jrc.db"
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'short_identifier'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    damaged = [each for each in findings(case_of(terminal), "database") if each.status == FAILURE]
    assert ["the database file is damaged"] == [each.what.partition(":")[0] for each in damaged]
    assert "restore a backup" in damaged[0].hint
