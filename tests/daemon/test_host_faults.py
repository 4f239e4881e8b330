"""Faults of the host: joins stop, and go on by themselves when it is over (docs/faults.md)."""

import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jrc.lab.pledge import Joined
from tests.daemon.faulty_disk import said
from tests.daemon.site import Daemon, Site
from tests.daemon.test_mishaps import is_ready, until
from tests.daemon.wire import Wire
from tests.unshared import run_inside

_DISK = "tests.daemon.faulty_disk"
WITHIN_S, LOOK_AGAIN_S = 60, 0.05
SILENCE_S = 1.0
"""A request that is not held back has its answer much sooner."""
STANDARD_FILES = 3
"""Which each process has; the numbers of all that it opens lie above."""
MOUNTS = ("unshare", "--mount")


def can_mount() -> bool:
    """Whether this user may mount in a namespace of its own."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    probe = ("unshare", "--mount", "mount", "-t", "tmpfs", "probe", "/mnt")
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="no file systems can be mounted here")
needs_loop = pytest.mark.skipif(
    not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None,
    reason="no loop devices here, or no mkfs.ext4",
)


def trouble(daemon: Daemon, cause: str) -> tuple[float, float]:
    """Whether it stands, and how often it has begun."""
    found = daemon.metrics()
    return found[f'jrc_trouble{{cause="{cause}"}}'], found[f'jrc_troubles_total{{cause="{cause}"}}']


@needs_mounts
def test_b03_a_full_disk_stops_the_answers_and_is_over_by_itself(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: nothing is said that is not on disk; a line says so, and one its end."""
    found = run_inside(_DISK, "full", str(tmp_path), namespace=MOUNTS)
    seen = found.pop("seen")
    assert "database or disk is full" in seen["readyz"][0]
    assert (1.0, 0.0, 200) == (seen["trouble"], seen["ready"], seen["healthz"])
    assert [5, True] == seen["status"]
    assert found.pop("code") in (0, 1)
    began, ended = found.pop("began"), found.pop("ended")
    assert sorted(set(began)) == sorted(began) == sorted(ended)
    assert {"quiet": True, "joined": [True, True], "after": True} == found


@pytest.mark.faults
@needs_mounts
@needs_loop
def test_b03_a_disk_that_breaks_ends_the_process_before_it_answers(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: whether a failed commit is on disk only a new start can tell."""
    found = run_inside(_DISK, "broken", str(tmp_path), namespace=MOUNTS)
    assert {
        "code": 1,
        "quiet": True,
        "stopping": ["disk I/O error"],
        "refused": [1, False],
        "joined": True,
    } == found


def test_a_locked_database_is_over_by_itself(site: Site) -> None:
    """Nobody has to ask to join for it to be noticed."""
    with (
        site.start() as daemon,
        Wire(daemon.address) as wire,
        closing(sqlite3.connect(site.database, isolation_level=None)) as other,
    ):
        pledge = daemon.enroll().pledge()
        other.execute("BEGIN EXCLUSIVE")
        wire.send(pledge.request())
        until(lambda: not is_ready(daemon))
        assert (1.0, 1.0) == trouble(daemon, "locked")
        assert "fuser" in daemon.get("/readyz").json()["why"][0]
        other.execute("ROLLBACK")
        until(lambda: is_ready(daemon))
        wire.send(pledge.request())
        # The first request may have waited for the lock; the device has given it up.
        joined = pledge.receive(wire.hear().payload) or pledge.receive(wire.hear().payload)
        assert isinstance(joined, Joined)
        assert (0.0, 1.0) == trouble(daemon, "locked")
        daemon.stop()
        assert ["locked"] == said(daemon, "joins_not_answered")
        assert ["locked"] == said(daemon, "joins_answered_again")


def test_a_damaged_page_holds_everybody_until_somebody_looks(site: Site) -> None:
    """A page that can't be read may be the one that says who has a short identifier."""
    made = site.new_devices(2)
    site.import_devices(made)
    damage(site, "context")
    with site.start() as daemon, Wire(daemon.address) as wire:
        for device in made:
            wire.send(device.pledge().request())
        until(lambda: not is_ready(daemon))
        assert (1.0, 1.0) == trouble(daemon, "corrupt")
        assert "restore a backup" in str(daemon.get("/readyz").json()["why"])
        daemon.stop()
        assert wire.is_quiet()
        assert ["corrupt"] == said(daemon, "joins_not_answered")
        assert [] == said(daemon, "joins_answered_again")


def damage(site: Site, table: str) -> None:
    """Overwrite the head of the page that a table begins with."""
    with closing(sqlite3.connect(site.database)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with site.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)


@contextmanager
def out_of_files(daemon: Daemon) -> Iterator[None]:
    """A daemon that may open nothing more than it has open."""
    number, kept = resource.RLIMIT_NOFILE, resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, number, (STANDARD_FILES, kept[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.pid, number, kept)


def test_a_process_that_may_open_no_file_goes_on_when_it_may(site: Site) -> None:
    """Nobody is answered whom an old copy of the database could answer again (RFC 9031 §8.3.3)."""
    with site.start(is_executed=True) as daemon, Wire(daemon.address) as wire:
        first, second = daemon.enroll().pledge(), daemon.enroll().pledge()
        wire.join(first)
        until(lambda: is_ready(daemon))
        with out_of_files(daemon):
            wire.join(second)
            until_said(daemon, "instance_file")
            wire.send(first.request())
            wire.socket.settimeout(SILENCE_S)
            with pytest.raises(TimeoutError):
                wire.hear()
        wire.socket.settimeout(WITHIN_S)
        assert isinstance(first.receive(wire.hear().payload), Joined)
        until(lambda: is_ready(daemon))
        daemon.stop()
        began = said(daemon, "joins_not_answered")
        assert {"instance_file", "open_files"} >= set(began)
        assert sorted(set(began)) == sorted(began)
        assert sorted(began) == sorted(said(daemon, "joins_answered_again"))


def until_said(daemon: Daemon, cause: str) -> None:
    """Wait until a line is in the log: it can be asked nothing meanwhile."""
    ends_s = time.monotonic() + WITHIN_S
    while cause not in said(daemon, "joins_not_answered"):
        assert time.monotonic() < ends_s
        time.sleep(LOOK_AGAIN_S)
