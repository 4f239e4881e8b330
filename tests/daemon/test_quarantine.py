"""A database that is an old copy: a real registrar says nothing from it, and comes back."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from jrc.clock import SystemClock
from jrc.config import load
from jrc.errors import ExitCode
from jrc.lab.pledge import Joined, Recovering
from jrc.model import Condition
from jrc.opened import Opened
from tests.daemon.moving import until
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire

STEP = {"agreed": True, "reason": "test"}


def on_the_wire(daemon: Daemon) -> AbstractContextManager[Wire]:
    return Wire(daemon.address)


def assert_silent(daemon: Daemon, wire: Wire, *datagrams: bytes) -> None:
    """Each is read and counted, and nothing comes back: no answer, no reset, no ICMP."""
    before = daemon.dropped().get("quarantined", 0)
    wire.send(*datagrams)
    assert until(lambda: daemon.dropped().get("quarantined", 0) == before + len(datagrams))
    assert wire.is_quiet()


def put_back(site: Site, copy: Path) -> None:
    """Replace the database by an older copy, as a person with `cp` does."""
    for suffix in ("-wal", "-shm"):
        site.database.with_name(site.database.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, site.database)


def test_e08_an_old_copy_is_silent_until_it_is_recovered_and_then_gives_new_keys(
    site: Site, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3; a pledge comes back by RFC 8613 App. B.2 without anybody's help."""
    copy = tmp_path / "copy.db"
    with site.start() as daemon, on_the_wire(daemon) as wire:
        pledge = daemon.enroll().pledge()
        before = wire.join(pledge)
        assert 0 == daemon.stop()
    shutil.copy(site.database, copy)
    with site.start() as daemon, on_the_wire(daemon) as wire:
        answered = pledge.request()
        assert isinstance(pledge.receive(wire.ask(answered)), Joined)
        assert 0 == daemon.stop()
    put_back(site, copy)
    with site.start() as daemon, on_the_wire(daemon) as wire:
        assert_silent(daemon, wire, answered, pledge.request(), b"garbage")
        assert 1 == daemon.metrics()["jrc_quarantined"]
        ready = daemon.get("/readyz")
        assert (503, 200) == (ready.status_code, daemon.get("/healthz").status_code)
        assert "the database is an old copy" in ready.json()["why"][0]
        assert "quarantined" == daemon.api("GET", "/v1/status")["condition"]

        site.run("recover", "--confirm-revocations", "--yes", "--reason", "the disk was replaced")
        assert (200, 0) == (daemon.get("/readyz").status_code, daemon.metrics()["jrc_quarantined"])
        report = daemon.api("GET", "/v1/recovery")
        assert (1, 0) == (report["waiting"], report["back"])
        assert isinstance(pledge.receive(wire.ask(pledge.request())), Recovering)
        after = wire.join(pledge)
        assert before.keys[0].value != after.keys[0].value
        report = daemon.api("GET", "/v1/recovery")
        assert (0, 1) == (report["waiting"], report["back"])
        assert 0 == daemon.stop()
    with site.start() as daemon, on_the_wire(daemon) as wire:
        wire.join(pledge)


def test_e08_a_recovery_that_is_killed_goes_on_and_opens_nothing_meanwhile(site: Site) -> None:
    """Kill -9 after each of its transactions."""
    with site.start() as daemon, on_the_wire(daemon) as wire:
        pledge = daemon.enroll().pledge()
        wire.join(pledge)
        daemon.api("POST", "/v1/quarantine", json={"agreed": True, "reason": "a snapshot"})
        assert_silent(daemon, wire, pledge.request())
        daemon.kill()
    steps = []
    while "open" not in steps:
        with site.start() as daemon, on_the_wire(daemon) as wire:
            assert_silent(daemon, wire, pledge.request())
            steps.append(daemon.api("POST", "/v1/recovery/step", json=STEP)["step"])
            daemon.kill()
    assert ["contexts", "keys", "open"] == steps
    with site.start() as daemon, on_the_wire(daemon) as wire:
        assert isinstance(pledge.receive(wire.ask(pledge.request())), Recovering)
        wire.join(pledge)


def test_n14_without_an_instance_file_the_daemon_runs_and_says_what_to_do(site: Site) -> None:
    """RFC 9031 §8.3.3: nothing tells an old copy."""
    (site.folder / "jrc.instance").unlink()
    with site.start() as daemon:
        events = [each for each in daemon.events() if each["event"] == "joins_not_answered"]
    assert ["quarantined"] == [each["cause"] for each in events]
    assert "jrc recover" in str(events[0]["remedy"])


def test_a_moved_database_is_not_run(site: Site) -> None:
    """Two registrars of one database would repeat its nonces."""
    opened = Opened.open(load(site.config), SystemClock())
    opened.write(lambda tx: tx.set_condition(Condition.MOVED, "to the new host"))
    opened.close()
    done = site.attempt("run")
    assert ExitCode.REFUSED == done.returncode
    assert "was moved: to the new host" in done.stderr
