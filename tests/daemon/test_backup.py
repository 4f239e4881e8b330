"""Backups of a running registrar: joins go on, and what was answered before is in them."""

import io
import threading
import time
from pathlib import Path

import httpx

from jrc.lab.pledge import Joined
from jrc.store.backup.container import Header
from jrc.store.backup.keys import opener
from jrc.store.backup.seal import new_identity
from jrc.store.keyfile import read_key
from tests.daemon.site import Daemon, Device, Site
from tests.daemon.wire import Wire
from tests.store.backups import Backup


def join(wire: Wire, device: Device, first: int = 0) -> bool:
    """Whether the device gets in."""
    pledge = device.pledge(first=first)
    return isinstance(pledge.receive(wire.ask(pledge.request())), Joined)


def backup_of(daemon: Daemon, path: Path) -> Backup:
    """One that is streamed over the admin socket."""
    identity, recipient = new_identity()
    body = {"recipients": [recipient], "header": Header().digest.hex()}
    transport = httpx.HTTPTransport(uds=str(daemon.site.folder / "admin.sock"))
    out = io.BytesIO(Header().encoded())
    out.seek(0, io.SEEK_END)
    with (
        httpx.Client(transport=transport, base_url="http://jrc", timeout=60) as client,
        client.stream("POST", "/v1/backups", json=body) as answer,
    ):
        for piece in answer.iter_raw():
            out.write(piece)
    path.write_bytes(out.getvalue())
    return Backup(path, identity, keys=opener(read_key(daemon.site.folder / "kek")))


def test_every_join_that_was_answered_before_is_in_it(site: Site, tmp_path: Path) -> None:
    """While others join: those answered before the request are in, each with its number."""
    made = site.new_devices(60)
    site.import_devices(made)
    with site.start() as daemon, Wire(daemon.address) as wire:
        before = [join(wire, device) for device in made[:20]]
        found: list[Backup] = []
        taking = threading.Thread(target=lambda: found.append(backup_of(daemon, tmp_path / "b")))
        taking.start()
        during = [join(wire, device) for device in made[20:]]
        taking.join(timeout=60)
        assert all((*before, *during))
        seen = found[0].examined()
        assert 20 <= seen.seal.tables["node"][0] <= len(made)
        assert (0, None) == (seen.damaged_rows, seen.broken_event)
        assert daemon.stop() == 0
        assert not any("backup_broken_off" in line for line in daemon.log)


def test_a_daemon_falls_silent_with_its_final_backup(site: Site, tmp_path: Path) -> None:
    """At once, to a pledge that had joined too; on the other host that pledge rejoins."""
    device = site.new_devices(1)[0]
    site.import_devices([device])
    identity, recipient = new_identity()
    (tmp_path / "id").write_text(identity.reveal().decode())
    (tmp_path / "id").chmod(0o600)
    file = str(tmp_path / "b")
    there = site.copy(tmp_path / "there")
    for left in there.folder.glob("jrc.*"):
        left.unlink()
    with site.start() as daemon, Wire(daemon.address) as wire:
        assert join(wire, device)
        site.run("backup", "create", file, "--recipient", recipient, "--final", "--yes")
        pledge = device.pledge(first=1)
        wire.send(pledge.request())
        assert wire.is_quiet()
        assert daemon.get("/readyz").status_code == 503
        assert daemon.stop() == 0
    there.run("backup", "restore", file, "--identity-file", str(tmp_path / "id"))
    with there.start() as daemon, Wire(daemon.address) as wire:
        assert join(wire, device, first=2)


def test_the_age_of_a_backup_by_hand_is_in_the_metrics(site: Site, tmp_path: Path) -> None:
    """Also of one that was made while no daemon ran, as after a restart; nothing is scheduled."""
    name = "jrc_backup_last_success_timestamp_seconds"
    words = ("backup", "create", "--recipient", new_identity()[1])
    with site.start() as daemon:
        assert name not in daemon.metrics()
    begun_s = time.time()
    site.run(*words, str(tmp_path / "b"))
    with site.start() as daemon:
        while name not in (metrics := daemon.metrics()):
            assert time.time() < begun_s + 30, "it never knew"
        assert begun_s - 1 < metrics[name] <= time.time()
        assert not {"jrc_backup_size_bytes", "jrc_backup_failures_total"} & set(metrics)


def test_scheduled_backups_are_in_status_metrics_and_log(site: Site, tmp_path: Path) -> None:
    """The first one at the start."""
    folder = tmp_path / "backups"
    folder.mkdir()
    _, recipient = new_identity()
    with site.config.open("a") as config:
        config.write(f'[backup]\ndirectory = "{folder}"\nrecipients = ["{recipient}"]\n')
    with site.start() as daemon:
        while not any("backup_made" in line for line in daemon.log):
            assert daemon.get("/healthz").status_code == 200
        size = next(folder.iterdir()).stat().st_size
        metrics = daemon.metrics()
        assert size == metrics["jrc_backup_size_bytes"]
        assert 0 == metrics["jrc_backup_failures_total"]
        assert metrics["jrc_backup_last_success_timestamp_seconds"] > 1_700_000_000
        status = daemon.api("GET", "/v1/status")["backups"]
        assert isinstance(status, dict)
        assert (size, 0) == (status["size_bytes"], status["failures"])
