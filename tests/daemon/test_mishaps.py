"""What goes wrong around a running daemon: a locked database, a file that can't be written."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from jrc.errors import ExitCode
from jrc.lab.pledge import Joined
from tests.daemon.site import PATIENCE_S, Daemon, Device, Site
from tests.daemon.wire import Wire

STOP_S = 15
"""What SQLite waits for a lock, a few times over; a wait for each request would be 80 s."""


def until(happened: Callable[[], bool]) -> None:
    """Look, without sleeping, until it has happened: each look is a request to the daemon."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s, "it has not happened"


def is_ready(daemon: Daemon) -> bool:
    return daemon.get("/readyz").status_code == 200


def test_a_removed_pledge_joins_at_once_with_a_key_that_is_imported(site: Site) -> None:
    """Whatever its row's number is: a change is in force when the command returns."""
    old, other = site.new_devices(2)
    site.import_devices([old, other])
    site.run("pledge", "remove", old.identifier.hex(), "--yes")
    new = Device(old.identifier, site.new_devices(1)[0].psk)
    with site.start() as daemon, Wire(daemon.address) as wire:
        site.import_devices([new])
        pledge = new.pledge()
        assert isinstance(pledge.receive(wire.ask(pledge.request())), Joined)


def test_a_locked_database_does_not_hold_up_the_end(site: Site) -> None:
    """The batch is given up whole: nobody waits for the lock once more for each request."""
    made = site.new_devices(40)
    site.import_devices(made)
    with (
        site.start() as daemon,
        Wire(daemon.address) as wire,
        closing(sqlite3.connect(site.database, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        wire.send(*(device.pledge().request() for device in made))
        until(lambda: not is_ready(daemon))
        os.kill(daemon.pid, signal.SIGTERM)
        assert 0 == daemon.process.wait(timeout=STOP_S)
        assert wire.is_quiet()


def test_nobody_is_answered_while_the_instance_file_can_not_be_written(site: Site) -> None:
    """An old copy of the database could not be told any more; joins go on when it can be again."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        pledge = daemon.enroll().pledge()
        wire.join(pledge)
        in_the_way = site.folder / "jrc.instance.new"
        in_the_way.mkdir()
        daemon.enroll()
        until(lambda: not is_ready(daemon))
        assert "jrc.instance" in str(daemon.api("GET", "/v1/status")["why"])
        wire.send(pledge.request())
        assert wire.is_quiet()
        in_the_way.rmdir()
        assert isinstance(pledge.receive(wire.hear().payload), Joined)
        until(lambda: is_ready(daemon))


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE network SET prefix = 'fd00:2::/64'", "network 1 does not authenticate"),
        ("DROP TABLE context_kid", "context_kid"),
    ],
)
def test_what_joins_need_is_looked_at_before_the_daemon_is_ready(
    site: Site, statement: str, named: str
) -> None:
    """One sentence and no daemon, rather than one that is ready and answers nobody."""
    with closing(sqlite3.connect(site.database)) as connection, connection:
        connection.execute(statement)
    done = site.attempt("run")
    assert done.returncode == ExitCode.FAILED
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_in_place_of_the_database_is_one_sentence(site: Site) -> None:
    """As with any other path that can't be opened."""
    site.database.unlink()
    site.database.mkdir(mode=0o700)
    done = site.attempt("run")
    assert done.returncode == ExitCode.FAILED
    assert "database.url" in done.stderr
    assert "Traceback" not in done.stderr
