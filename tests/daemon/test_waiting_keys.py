"""Row A5: what a running registrar does with the key before, and with one that waits."""

import secrets

import pytest

from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.model import Secret
from tests.daemon.site import CAFE, Daemon, Device, Site
from tests.daemon.wire import Wire, with_header


def next_firmware(device: Device) -> Device:
    """The same device with the firmware that its next key is in."""
    return Device(device.identifier, Secret(secrets.token_bytes(16)))


def give(daemon: Daemon, device: Device, **how: object) -> None:
    """`jrc pledge add` with another key for a pledge."""
    body = {"pledge_id": device.identifier.hex(), "psk": device.psk.reveal().hex(), **how}
    daemon.api("POST", "/v1/pledges", json=body)


def copy(request: bytes, number: int) -> bytes:
    """A copy as a stateless Join Proxy makes it."""
    return with_header(request, type=1, message_id=number, token=bytes((0xC0, number)))


def test_a05_the_key_before_is_silent_from_the_first_join_with_the_next_one(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §3: requests and copies; until then both join, also with a daemon in between."""
    device = daemon.enroll()
    old, flashed = device.pledge(), next_firmware(device)
    wire.join(old)
    give(daemon, flashed, pending_firmware=True)
    request = old.request(token=b"\x07")
    assert isinstance(old.receive(wire.ask(request)), Joined)
    wire.ask(copy(request, 1))
    counted = daemon.metrics()["jrc_keys_changed_total"]
    new = flashed.pledge()
    wire.join(new)
    wire.assert_silence([copy(request, 2), old.request(), copy(request, 3)], witness)
    wire.join(new)
    assert 1 + counted == daemon.metrics()["jrc_keys_changed_total"]
    said = [each for each in daemon.events() if each["event"] == "pledge_key_changed"]
    assert device.identifier.hex() == said[-1]["pledge_id"]


def test_a05_the_key_before_is_silent_from_its_replacement_on(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §3: after a re-flash; whatever the registrar had in memory."""
    device = daemon.enroll()
    old, flashed = device.pledge(), next_firmware(device)
    request = old.request(token=b"\x07")
    assert isinstance(old.receive(wire.ask(request)), Joined)
    give(daemon, flashed, on_conflict="replace")
    wire.assert_silence([copy(request, 1), old.request()], witness)
    wire.join(flashed.pledge())
    wire.assert_silence([copy(request, 2), old.request()], witness)


def test_a05_a_transferred_device_is_silent_and_comes_back_with_a_new_key(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §3: from the same instant on."""
    device = daemon.enroll()
    old, flashed = device.pledge(), next_firmware(device)
    request = old.request(token=b"\x07")
    assert isinstance(old.receive(wire.ask(request)), Joined)
    path = f"/v1/pledges/{device.identifier.hex()}"
    dossier = daemon.api("POST", f"{path}/transfer-out", json={"agreed": True})["dossier"]
    wire.assert_silence([copy(request, 1), old.request()], witness)
    assert isinstance(dossier, dict)
    body = {"psk": flashed.psk.reveal().hex(), "former_key_check": dossier["key_check"]}
    assert "returned" == daemon.api("POST", f"{path}/transfer-in", json=body)["outcome"]
    wire.join(flashed.pledge())
    wire.assert_silence([copy(request, 2), old.request()], witness)


@pytest.mark.parametrize("hears", [False, True])
def test_a05_n05_a_kill_at_the_switch_leaves_one_key_or_both(site: Site, hears: bool) -> None:
    """RFC 9031 §7.3.1: what was answered is on disk; the device gets in either way, once more."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device = daemon.enroll()
        old, flashed = device.pledge(), next_firmware(device)
        wire.join(old)
        give(daemon, flashed, pending_firmware=True)
        new = flashed.pledge(CAFE)
        request = new.request(token=b"\x07")
        wire.send(request)
        if hears:
            assert isinstance(new.receive(wire.hear().payload), Joined)
        daemon.kill()
    with site.start() as daemon, Wire(daemon.address) as wire:
        states = [each["state"] for each in keys(daemon, device)]
        assert states in (["current", "superseded"], *([] if hears else [["candidate", "current"]]))
        wire.ask(copy(request, 1))
        assert ["current", "superseded"] == [each["state"] for each in keys(daemon, device)]
        wire.assert_silence([old.request()], flashed.pledge(first=9))


def keys(daemon: Daemon, device: Device) -> list[dict[str, object]]:
    found = daemon.api("GET", f"/v1/pledges/{device.identifier.hex()}")["keys"]
    assert isinstance(found, list)
    return found
