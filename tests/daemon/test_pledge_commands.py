"""Commands on single pledges and the joins that follow, with and without a daemon."""

import sqlite3
from contextlib import closing

import cbor2

from jrc.lab.pledge import SimulatedPledge
from tests.daemon.site import CAFE, Daemon, Device, Site
from tests.daemon.wire import OddPledge, Wire

SHORT_IDENTIFIER = 3
"""Label of RFC 9031 §8.4.2, Table 4."""
REPORT = [1, SHORT_IDENTIFIER, None]


def is_leased(wire: Wire, odd: OddPledge, *reported: object) -> bool:
    """Whether a join gives a short identifier."""
    asked = cbor2.dumps({5: CAFE, **({8: list(reported)} if reported else {})})
    told = cbor2.loads(odd.open(wire.ask(odd.request(asked))).payload)
    return SHORT_IDENTIFIER in told


def damage(site: Site, device: Device) -> None:
    """Change its row past the program."""
    with closing(sqlite3.connect(site.database)) as connection, connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        changed = connection.execute(
            "UPDATE pledge SET label = 'x' WHERE identifier = ?", (device.identifier,)
        )
        assert changed.rowcount == 1


def add_with_new_key(site: Site, device: Device) -> Device:
    """The same device after it was given another key."""
    renewed = Device(device.identifier, site.new_devices(1)[0].psk)
    name, key = renewed.identifier.hex(), renewed.psk.reveal().hex()
    site.run("pledge", "add", name, "--psk-file", "-", "--network", "lab", given=key)
    return renewed


def test_c07_a_cleared_label_is_given_again_at_the_next_join(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 §8.4.5: in force when the command returns."""
    device = daemon.enroll()
    odd = OddPledge(device.identifier, device.psk.reveal())
    assert [False, False] == [is_leased(wire, odd, *REPORT), is_leased(wire, odd)]
    done = daemon.site.run("pledge", "clear-reports", device.identifier.hex())
    assert f"cleared its reports on label {SHORT_IDENTIFIER}" in done.stderr
    assert is_leased(wire, odd)


def test_c07_reports_are_cleared_while_no_daemon_runs(site: Site) -> None:
    """RFC 9031 §8.4.5: the same command on the database itself."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device = daemon.enroll()
        odd = OddPledge(device.identifier, device.psk.reveal())
        assert not is_leased(wire, odd, *REPORT)
    site.run("pledge", "clear-reports", device.identifier.hex(), "--reason", "firmware 2")
    with site.start() as daemon, Wire(daemon.address) as wire:
        assert is_leased(wire, odd)


def test_m03_a_damaged_pledge_is_silent_until_it_has_a_new_key(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.5: once somebody was told so, after its removal, and then for its old key."""
    device = daemon.enroll()
    name, old = device.identifier.hex(), device.pledge()
    wire.join(old)
    damage(daemon.site, device)
    assert "does not authenticate" in daemon.site.run("pledge", "show", name).stdout
    assert 0 != daemon.site.attempt("pledge", "revoke", name, "--yes").returncode
    wire.assert_silence([old.request()], witness)
    daemon.site.run("pledge", "remove", name, "--yes")
    wire.assert_silence([old.request()], witness)
    wire.join(add_with_new_key(daemon.site, device).pledge())
    wire.assert_silence([old.request()], witness)


def test_m03_a_damaged_pledge_is_removed_while_no_daemon_runs(site: Site) -> None:
    """RFC 8613 §7.5: and comes back with a new key alone."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device, witness = daemon.enroll(), daemon.enroll().pledge()
        old = device.pledge()
        wire.join(old)
    damage(site, device)
    site.run("pledge", "remove", device.identifier.hex(), "--yes")
    renewed = add_with_new_key(site, device)
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.assert_silence([old.request()], witness)
        wire.join(renewed.pledge())


def test_a_daemon_goes_on_where_a_state_is_no_word_it_knows(site: Site) -> None:
    """It counts its pledges by state once a minute, and must not end by it."""
    with site.start() as daemon:
        device, other = daemon.enroll(), daemon.enroll()
    with closing(sqlite3.connect(site.database)) as connection, connection:
        connection.execute(
            "UPDATE pledge SET state = 'qrovisioned' WHERE identifier = ?", (device.identifier,)
        )
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.join(other.pledge())
        assert {"damaged": 1, "joined": 1} == daemon.api("GET", "/v1/status")["pledges"]
        assert 1 == daemon.metrics()['jrc_pledges{state="damaged"}']
