"""Starting, stopping, refusing to start, and changes that are in force when a command returns."""

import os
import shutil
import signal
import socket
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from jrc.lab.pledge import Joined, SimulatedPledge
from tests.daemon.site import BEEF, Daemon, Device, Site
from tests.daemon.wire import LOOPBACK, Wire, ciphertext_of


def rewrite(site: Site, statement: str) -> None:
    """Change the database past the program, while nobody works on it."""
    with closing(sqlite3.connect(site.database)) as connection, connection:
        connection.execute(statement)


def psk_file(site: Site, device: Device) -> str:
    path = site.folder / "psk"
    path.write_text(device.psk.reveal().hex())
    path.chmod(0o600)
    return str(path)


# --- Stopping and going on ---------------------------------------------------------------------


def test_sigterm_finishes_what_was_accepted(site: Site) -> None:
    """RFC 9031 §7.3.1: each request that was taken is on disk and answered when it ends."""
    made = site.new_devices(60)
    site.import_devices(made)
    with site.start() as daemon, Wire(daemon.address) as wire:
        pledges = [device.pledge() for device in made]
        requests = [pledge.request(token=bytes((n,))) for n, pledge in enumerate(pledges)]
        wire.send(*requests)
        wire.hear()  # the first batch is on disk; others are under way
        assert 0 == daemon.stop()
        answered = 1 + len(wire.waiting())
        stopped = daemon.events()[-1]
    assert ("stopped", answered) == (stopped["event"], stopped["joins"])
    assert answered == _joined(site)


def _joined(site: Site) -> int:
    with closing(sqlite3.connect(site.database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM node").fetchone()
        assert isinstance(count, int)
        return count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_it_in_order(site: Site, number: signal.Signals) -> None:
    """Exit code 0, the lock given back, the socket gone, the log rolled into the database."""
    with site.start(is_executed=True) as daemon:
        os.kill(daemon.pid, number)
        assert 0 == daemon.process.wait(timeout=90)
    assert b"" == site.database.with_name("jrc.db.lock").read_bytes()
    assert not (site.folder / "admin.sock").exists()
    assert not site.database.with_name("jrc.db-wal").exists()


def test_b03_a_restart_goes_on_where_it_was(site: Site) -> None:
    """RFC 9031 §7.3.1: replays stay silent, the last copy is answered, new requests are taken."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        pledge = daemon.enroll().pledge()
        older, newer = pledge.request(), pledge.request()
        wire.ask(older)
        answer = wire.ask(newer)
        assert 0 == daemon.stop()
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.assert_silence([older], daemon.enroll().pledge())
        assert ciphertext_of(answer) == ciphertext_of(wire.ask(newer))
        wire.join(pledge)
        assert {"replayed": 1} == daemon.dropped()


# --- Refusing to start -------------------------------------------------------------------------


def refused(site: Site, *words: str, code: ExitCode = ExitCode.FAILED) -> None:
    """`jrc run` says these words and opens no socket; so does a command without a daemon."""
    for command in (("run",), ("pledge", "list")):
        done = site.attempt(*command)
        assert code == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr
        assert '"ready"' not in done.stderr


def test_b03_a_second_daemon_is_refused_with_the_pid_of_the_first(site: Site) -> None:
    """RFC 9031 §7.3.1: two processes with a cache each would take one Partial IV twice."""
    with site.start() as daemon:
        done = site.attempt("run")
        assert ExitCode.UNREACHABLE == done.returncode
        assert f"process {daemon.pid}" in done.stderr


@pytest.mark.parametrize(
    ("revision", "words"),
    [("0000", ("older", "jrc db upgrade")), ("9999", ("newer", "jrc db upgrade"))],
)
def test_another_schema_is_refused(site: Site, revision: str, words: tuple[str, ...]) -> None:
    """An older or newer program could misread a replay window."""
    rewrite(site, f"UPDATE alembic_version SET version_num = '{revision}'")
    refused(site, revision, *words)


def test_a_key_file_that_others_can_read_is_refused(site: Site) -> None:
    """RFC 9031 §9: whoever has it and the database has every key."""
    (site.folder / "kek").chmod(0o644)
    refused(site, "keys.kek_file", "chmod 600")


def test_the_key_of_another_database_is_refused(site: Site, tmp_path: Path) -> None:
    """The data keys don't open, and the message names the setting."""
    other = Site.make(tmp_path / "other")
    shutil.copy(other.folder / "kek", site.folder / "kek")
    refused(site, "keys.kek_file")


def test_a_database_that_others_can_read_is_refused(site: Site) -> None:
    """RFC 9031 §9."""
    site.database.chmod(0o640)
    refused(site, "database.url", "chmod 600")


def test_a_port_in_use_is_refused_by_the_name_of_the_setting(site: Site) -> None:
    """No SO_REUSEPORT: a second registrar on the port would split the replay windows."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        site.change("[::1]:0", f"[::1]:{taken.getsockname()[1]}")
        done = site.attempt("run")
    assert (ExitCode.FAILED, True) == (done.returncode, "coap.listen" in done.stderr)


# --- The service manager -----------------------------------------------------------------------

_AS_SERVICE_MANAGER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_sockets_that_were_passed_in_are_used_and_outlive_the_daemon(site: Site) -> None:
    """sd_listen_fds(3): requests wait in the socket while no daemon runs."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as passed:
        passed.bind((LOOPBACK, 0))
        before = (sys.executable, "-c", _AS_SERVICE_MANAGER, str(passed.fileno()))
        keep = (passed.fileno(),)
        with site.start(before=before, keep=keep) as daemon, Wire(daemon.address) as wire:
            assert passed.getsockname()[1] == daemon.address[1]
            pledge = daemon.enroll().pledge()
            wire.join(pledge)
            assert 0 == daemon.stop()
            wire.send(pledge.request())
            with site.start(before=before, keep=keep):
                assert isinstance(pledge.receive(wire.hear().payload), Joined)


def test_the_service_manager_is_told_of_readiness_and_the_end(site: Site, tmp_path: Path) -> None:
    """sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with site.start(environ=environ, is_executed=True) as daemon:
            assert b"READY=1" == manager.recv(100)
            assert 0 == daemon.stop()
            assert b"STOPPING=1" == manager.recv(100)


def test_a_credential_of_the_service_manager_is_the_key(site: Site, tmp_path: Path) -> None:
    """systemd.exec(5), LoadCredential=: the key need not be a file of ours."""
    shutil.move(site.folder / "kek", tmp_path / "jrc-kek")
    site.change('kek_file = "kek"', 'credential = "jrc-kek"')
    assert "keys.credential" in site.attempt("run").stderr
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with site.start(environ=environ, is_executed=True) as daemon:
        assert 200 == daemon.get("/readyz").status_code


# --- Seen from outside -------------------------------------------------------------------------


def test_health_and_readiness_are_served(daemon: Daemon) -> None:
    """Both are 200 while joins are answered."""
    assert [200, 200] == [daemon.get(path).status_code for path in ("/healthz", "/readyz")]
    assert 1 == daemon.metrics()["jrc_ready"]


def test_status_tells_what_the_daemon_does(daemon: Daemon) -> None:
    """The pid that answers, the address it listens on, the networks it serves."""
    found = daemon.api("GET", "/v1/status")
    assert (daemon.pid, True) == (found["pid"], found["ready"])
    assert [f"[::1]:{daemon.address[1]}"] == found["listening"]
    assert 0 == daemon.site.run("status").returncode


def test_the_admin_socket_is_for_owner_and_group(daemon: Daemon) -> None:
    """Mode 0660, whatever the umask."""
    mode = (daemon.site.folder / "admin.sock").stat().st_mode
    assert (True, 0o660) == (stat.S_ISSOCK(mode), stat.S_IMODE(mode))


def test_no_daemon_is_exit_code_3(site: Site) -> None:
    """So that a script can tell it from a failure."""
    assert ExitCode.UNREACHABLE == site.attempt("status").returncode


# --- A change is in force when its command returns ---------------------------------------------


def test_a_pledge_joins_as_soon_as_it_was_added(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """One that was silent before, and one that is revoked, silent, and restored."""
    (device,) = daemon.site.new_devices(1)
    name, pledge = device.identifier.hex(), device.pledge()
    wire.assert_silence([pledge.request()], witness)
    daemon.site.run("pledge", "add", name, "--psk-file", psk_file(daemon.site, device))
    first = wire.join(pledge)
    daemon.site.run("pledge", "revoke", name, "--yes", "--reason", "stolen")
    wire.assert_silence([pledge.request()], witness)
    daemon.site.run("pledge", "restore", name, "--reason", "found")
    again = wire.join(pledge)
    assert first.keys == again.keys


def test_m03_a_restored_pledge_goes_on_with_its_window(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.5: requests from before the revocation stay replays."""
    device = daemon.enroll()
    name, pledge = device.identifier.hex(), device.pledge()
    requests = [pledge.request() for _ in range(3)]
    for request in requests:
        wire.ask(request)
    daemon.site.run("pledge", "revoke", name, "--yes")
    daemon.site.run("pledge", "restore", name)
    wire.assert_silence(requests[:2], witness)
    wire.join(pledge)


def test_m03_a_removed_key_does_not_come_back(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.5: with its window gone, old requests could be answered anew."""
    device = daemon.enroll()
    name, pledge = device.identifier.hex(), device.pledge()
    wire.join(pledge)
    daemon.site.run("pledge", "remove", name, "--yes")
    wire.assert_silence([pledge.request()], witness)
    path = psk_file(daemon.site, device)
    assert 0 != daemon.site.attempt("pledge", "add", name, "--psk-file", path).returncode


def test_a05_a_replaced_key_is_the_only_one(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §3: the old key is unusable from that instant, the new one works at once."""
    device = daemon.enroll()
    old = device.pledge()
    wire.join(old)
    renewed = Device(device.identifier, daemon.site.new_devices(1)[0].psk)
    path = psk_file(daemon.site, renewed)
    daemon.site.run(
        "pledge", "add", renewed.identifier.hex(), "--psk-file", path, "--network", "lab",
        "--on-conflict", "replace",
    )  # fmt: skip
    wire.join(renewed.pledge())
    wire.assert_silence([old.request()], witness)


def test_a_network_is_served_as_soon_as_it_was_added(daemon: Daemon, wire: Wire) -> None:
    """And a pledge may join each network it was given, and its settings as they are now."""
    daemon.site.run("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:2::/64")
    device = daemon.enroll(networks=["lab", "hall"])
    in_lab = wire.join(device.pledge())
    in_hall = wire.join(device.pledge(network=BEEF, first=10))
    assert in_lab.keys != in_hall.keys
    daemon.site.run("network", "set", "hall", "--join-rate", "70", "--lease-hours", "9")
    after = wire.join(device.pledge(network=BEEF, first=20))
    assert (70, 9) == (after.join_rate_bytes_per_s, after.lease_hours)
    assert in_hall.short_id == after.short_id


def test_an_import_is_in_force_when_it_returns(daemon: Daemon, wire: Wire) -> None:
    """Each of its pledges joins at once."""
    made = daemon.site.new_devices(10)
    daemon.site.import_devices(made, network="lab")
    assert 10 == len({wire.join(device.pledge()).short_id for device in made})
