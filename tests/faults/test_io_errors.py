"""I/O errors at one write after the other: no answer without a commit, and the next start is right.

strace puts an error in place of a call on the database, its log or the instance file: in the long
form of each of the first calls of each kind, as many as a short storm makes until they repeat.
``JRC_IO_POINTS`` sets the number of places.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from jrc.errors import ExitCode
from tests.daemon.site import Daemon, Site
from tests.faults.broken import program
from tests.faults.commands import Commands
from tests.faults.form import IS_LONG, SEED, figure, needs_strace
from tests.faults.storm import Storm

pytestmark = [pytest.mark.faults, needs_strace]

POINTS = figure("JRC_IO_POINTS", short=10, long=420)
BROKEN_POINTS = 12
PLEDGES = 24
FARTHEST = 40
"""Calls of the kind that are left alone before the one that fails."""
STORM_S = 0.5
PATIENCE_S = 15.0
ENDS_WITHIN_S = 5.0
LOOK_AGAIN_S = 0.05


class Point(NamedTuple):
    """The ``nth`` call of a kind fails, and those after it if ``lasts``."""

    call: str
    error: str
    nth: int
    lasts: bool

    def injection(self) -> str:
        """As strace takes it."""
        return f"inject={self.call}:error={self.error}:when={self.nth}{'+' * self.lasts}"


def points(count: int, chance: random.Random) -> list[Point]:
    """Kinds in turn: at one call after the other, or in the short form at random early ones."""
    kinds = (
        ("fdatasync", "EIO", False),
        ("pwrite64", "ENOSPC", True),
        ("pwrite64", "EIO", False),
        ("fdatasync", "ENOSPC", True),
        ("fsync", "EIO", False),
        ("rename", "EIO", False),
        ("write", "ENOSPC", False),
    )
    found = []
    for number in range(count):
        call, error, lasts = kinds[number % len(kinds)]
        in_turn = 1 + number // len(kinds)
        nth = in_turn if IS_LONG else 1 + int(FARTHEST * chance.random() ** 2)
        found.append(Point(call, error, nth, lasts))
    return found


@contextmanager
def with_errors(daemon: Daemon, point: Point) -> Iterator[None]:
    """Its files fail meanwhile, and are as they ought to be afterwards."""
    folder = daemon.site.folder
    paths = [str(folder / name) for name in ("jrc.db", "jrc.db-wal", "jrc.instance.new")]
    chosen = [word for path in (*paths, str(folder)) for word in ("-P", path)]
    failing = ("-e", f"trace={point.call}", "-e", point.injection())
    process = subprocess.Popen(
        ("strace", "-f", "-qq", "-p", str(daemon.pid), *chosen, "-o", "/dev/null", *failing),
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_traced(daemon.pid)
        yield
    finally:
        _end(process, daemon.pid)


def _end(process: "subprocess.Popen[bytes]", pid: int) -> None:
    """The tracer is gone, and nothing that it had stopped stays so.

    It ends when each thread that it follows has stopped for it, which one that waits for the disk
    or the processor does late. Killed, the kernel takes it off all of them at once.
    """
    process.send_signal(signal.SIGINT)
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _wait_until_traced(pid: int) -> None:
    """Every thread of it is held by the tracer."""
    ends_s = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < ends_s:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        if all("TracerPid:\t0\n" not in text for text in texts):
            return
        time.sleep(LOOK_AGAIN_S)
    raise AssertionError("strace does not follow the daemon")


def storm_with_errors(site: Site, storm: Storm, point: Point, fault: str | None = None) -> bool:
    """One daemon whose files fail once; whether it has ended by that."""
    with site.start(program(fault)) as daemon:
        storm.compare(daemon)
        daemon.api("PATCH", "/v1/networks/lab", json=_rate(storm))
        with (
            with_errors(daemon, point),
            Commands([site], storm.peers, storm.witness, SEED) as commands,
        ):
            commands.may_fail = True
            storm.blow([daemon], STORM_S)
        storm.listen()
        if fault is None:
            # It goes on by itself, now that its files are good again, or it ends.
            storm.settle([daemon])
        if daemon.process.poll() is None:
            assert storm.stalls == 0, (point, daemon.log[-5:])
            daemon.kill()
            return False
        storm.stalls = 0
        assert daemon.wait_for_the_end() == ExitCode.FAILED, daemon.log[-5:]
        return True


def _rate(storm: Storm) -> dict[str, object]:
    return {"join_rate_bytes_per_s": 100_000 + storm.answered, "reason": "storm"}


def made_storm(site: Site) -> Storm:
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    return Storm(devices, SEED, PATIENCE_S)


# httpx leaves the socket of a connection that breaks off as it is made to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_f04_no_answer_leaves_without_its_commit_whatever_fails(site: Site) -> None:
    """RFC 9031 §7.3.1: it goes on by itself or ends with exit code 1, and says nothing wrong."""
    storm = made_storm(site)
    ended = 0
    for point in points(POINTS, random.Random(SEED)):
        ended += storm_with_errors(site, storm, point)
        assert storm.witness.violations == [], point
    with site.start() as daemon:
        storm.settle([daemon])
        storm.compare(daemon)
    print(f"{POINTS} points, {ended} ended the daemon, {storm.answered} answers")
    assert ([], 0) == (storm.witness.violations, storm.stalls)
    assert storm.answered > POINTS


def test_a_tracer_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for threads to stop for it, and would hold the daemon for ever."""
    monkeypatch.setattr("tests.faults.test_io_errors.ENDS_WITHIN_S", LOOK_AGAIN_S)
    deaf = ("sh", "-c", "trap '' INT; echo; exec sleep 600")
    with subprocess.Popen(deaf, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _end(process, os.getpid())
        assert process.returncode == -signal.SIGKILL


def test_the_errors_show_a_daemon_that_ignores_them(site: Site) -> None:
    """A check that can't fail says nothing."""
    storm = made_storm(site)
    for nth in range(2, 2 + BROKEN_POINTS):
        point = Point("fdatasync", "EIO", nth, lasts=True)
        storm_with_errors(site, storm, point, "commit_errors_ignored")
        if storm.witness.violations:
            return
    raise AssertionError("nothing was seen")
