"""The files of the database are taken away under a daemon: nobody is answered from them."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.daemon.faulty_disk import said
from tests.daemon.site import Site
from tests.daemon.test_host_faults import trouble
from tests.daemon.test_mishaps import is_ready, until
from tests.daemon.wire import Wire, ciphertext_of, with_header


def unlink(site: Site) -> None:
    for end in ("", "-wal", "-shm"):
        (site.folder / f"jrc.db{end}").unlink()


def rename_over(site: Site) -> None:
    copy = site.folder / "copy"
    shutil.copyfile(site.database, copy)
    copy.chmod(0o600)
    os.replace(copy, site.database)


def unlink_log(site: Site) -> None:
    (site.folder / "jrc.db-wal").unlink()


@pytest.mark.parametrize("change", [unlink, rename_over, unlink_log])
def test_b03_nobody_is_answered_from_a_file_that_no_next_start_finds(
    site: Site, change: Callable[[Site], None]
) -> None:
    """RFC 9031 §7.3.1: neither a join nor a command, and status, metrics and log say why."""
    device, other = site.new_devices(2)
    site.import_devices([device])
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.join(device.pledge())
        change(site)
        until(lambda: trouble(daemon, "replaced") == (1.0, 1.0))
        assert not is_ready(daemon)
        assert "in its place: stop the daemon" in str(daemon.get("/readyz").json()["why"])
        assert 5 == site.attempt("status").returncode
        if change is not unlink_log:
            row = ("pledge", "add", other.identifier.hex(), "--psk-file", "-")
            added = site.attempt(*row, given=other.psk.reveal().hex() + "\n")
            assert (1, True) == (added.returncode, "while it was in use" in added.stderr)
        wire.send(device.pledge(first=40).request())
        assert wire.is_quiet()
        assert 1 == said(daemon, "joins_not_answered").count("replaced")
        daemon.kill()


def test_no_reader_makes_a_file_where_the_database_was(site: Site) -> None:
    """SQLite makes one that is empty, and that everybody may read."""
    with site.start() as daemon:
        unlink(site)
        until(lambda: not is_ready(daemon))
        site.attempt("pledge", "list")
        site.attempt("status")
        daemon.kill()
    assert not site.database.exists()
    assert 1 == site.attempt("pledge", "list").returncode
    assert not site.database.exists()


def test_e08_an_old_file_under_the_log_of_a_killed_daemon_answers_nobody(site: Site) -> None:
    """RFC 9031 §8.3.3: the newest instance row is in the log, and would vouch for old windows."""
    device, other = site.new_devices(2)
    site.import_devices([device, other])
    pledge = device.pledge()
    old = site.folder / "monday"
    shutil.copy(site.database, old)
    with site.start() as daemon, Wire(daemon.address) as wire:
        request = pledge.request()
        first = ciphertext_of(wire.ask(request))
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.join(other.pledge())
        daemon.kill()
    assert (site.folder / "jrc.db-wal").exists()
    shutil.copy(old, site.database)
    refused = site.attempt("db", "upgrade")
    assert "is an older file than the one" in refused.stderr
    with site.start() as daemon, Wire(daemon.address) as wire:
        rate = {"join_rate_bytes_per_s": 4711, "reason": "test"}
        daemon.api("PATCH", "/v1/networks/lab", json=rate)
        wire.send(with_header(request, type=1, message_id=9, token=b"\x09"))
        assert wire.is_quiet(), first
        assert daemon.dropped()["quarantined"] == 1
        daemon.kill()
