"""Who may join, over UDP: windows and approvals while the daemon runs, and what it can explain."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from jrc.errors import ExitCode
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests.daemon.site import PATIENCE_S, Daemon, Device, Site
from tests.daemon.wire import Wire

HALL, ANNEX = b"\xbe\xef", b"\x00\x07"
LOOK_AGAIN_S = 0.05


@pytest.fixture(scope="module")
def site(template: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """``lab`` admits everybody, ``hall`` in windows, ``annex`` after approval."""
    made = template.copy(tmp_path_factory.mktemp("admission") / "site")
    for name, identifier, mode in (("hall", "beef", "window"), ("annex", "0007", "approval")):
        prefix = f"fd00:{identifier}::/64"
        words = ("--network-id", identifier, "--prefix", prefix, "--admission", mode)
        made.run("network", "add", name, *words)
    return made


@pytest.fixture(scope="module")
def daemon(site: Site) -> Iterator[Daemon]:
    with site.start() as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    with Wire(daemon.address) as opened:
        yield opened


@pytest.fixture
def device(daemon: Daemon) -> Device:
    """A new pledge of all three networks."""
    return daemon.enroll(networks=["lab", "hall", "annex"])


def open_window(daemon: Daemon, most: int = 20, time_: str = "10m") -> None:
    body = {"for": time_, "max": most, "replace": True}
    daemon.api("POST", "/v1/windows/hall", json=body)


def close_window(daemon: Daemon) -> dict[str, object]:
    return daemon.api("DELETE", "/v1/windows/hall", json={})


def explained(daemon: Daemon, device: Device) -> list[tuple[str, int, bool]]:
    """Outcome, count and whether it was authenticated, of the last attempts."""
    found = daemon.api("GET", f"/v1/pledges/{device.identifier.hex()}/attempts")["attempts"]
    assert isinstance(found, list)
    return [(each["outcome"], each["count"], each["authenticated"]) for each in found]


# --- Windows -----------------------------------------------------------------------------------


def test_c06_a_window_opens_and_shuts_a_network(daemon: Daemon, wire: Wire, device: Device) -> None:
    """Outside: 4.00 with code 0, label 5 (RFC 9031 §8.4.1); who came in stays in."""
    pledge = device.pledge(HALL)
    refused = wire.refusal(pledge)
    assert ("4.00", [0, 5, HALL]) == (refused.code, cbor2.loads(refused.payload))
    open_window(daemon)
    wire.join(pledge)
    assert close_window(daemon)["admitted"] == 1
    wire.join(pledge)
    late = daemon.enroll(networks=["hall"])
    wire.refusal(late.pledge(HALL))
    assert ("window_closed", 1, True) in explained(daemon, device)
    assert explained(daemon, late) == [("window_closed", 1, True)]


def test_a_window_lets_in_no_more_than_it_may_of_a_crowd(daemon: Daemon) -> None:
    """40 at once, 12 of which may come in; the others are refused, protected."""
    crowd = [daemon.enroll(networks=["hall"]).pledge(HALL) for _ in range(40)]
    open_window(daemon, 12)
    by_token = {bytes((number,)): pledge for number, pledge in enumerate(crowd)}
    outcomes = []
    with Wire(daemon.address) as wire:
        wire.send(*(pledge.request(token=token) for token, pledge in by_token.items()))
        for _ in crowd:
            heard = wire.hear().payload
            outcomes.append(by_token[heard[4:5]].receive(heard))
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert {"Joined": 12, "Refused": 28} == {kind: kinds.count(kind) for kind in set(kinds)}
    windows = daemon.api("GET", "/v1/windows", params={"all": "1"})["windows"]
    assert isinstance(windows, list)
    assert ("count", 12) == (windows[0]["state"], windows[0]["admitted"])


def test_a_window_is_closed_when_its_time_is_over(daemon: Daemon) -> None:
    """By the daemon itself, without a request that asks; `jrc status` counts the open ones."""
    open_window(daemon, time_="1s")
    deadline = time.monotonic() + PATIENCE_S
    while not ended(daemon):
        assert time.monotonic() < deadline
        time.sleep(LOOK_AGAIN_S)
    events = daemon.api("GET", "/v1/events", params={"limit": 1})["events"]
    assert isinstance(events, list)
    assert ("window.closed", "jrc", "time") == (
        events[0]["kind"], events[0]["actor"], events[0]["detail"]["why"]
    )  # fmt: skip


def ended(daemon: Daemon) -> bool:
    """Whether the last window is closed in the database, and the daemon has none open."""
    windows = daemon.api("GET", "/v1/windows", params={"all": "1"})["windows"]
    assert isinstance(windows, list)
    status = daemon.api("GET", "/v1/status")["windows"]
    return windows[0]["closed"] is not None and status == {"open": 0}


# --- Approval ----------------------------------------------------------------------------------


def test_an_unapproved_pledge_waits_in_silence_and_joins_once_approved(
    daemon: Daemon, wire: Wire, device: Device, site: Site
) -> None:
    """Its attempt is listed, and one command lets it in."""
    pledge, name = device.pledge(ANNEX), device.identifier.hex()
    for _ in range(2):
        wire.assert_silence([pledge.request()], device_of_lab(daemon))
    (listed,) = json.loads(site.run("pledge", "list", "--state", "waiting", "--json").stdout)
    assert (listed["pledge_id"], listed["state"]) == (name, "waiting")
    assert [each["network"] for each in listed["waiting"]] == ["annex"]
    assert explained(daemon, device) == [("awaiting_approval", 2, True)]
    assert 'jrc_pledges{state="waiting"}' not in daemon.dropped()
    assert daemon.dropped()["awaiting_approval"] >= 2
    assert "approved for annex" in site.run("pledge", "approve", name).stderr
    wire.join(pledge)
    wire.join(pledge)
    assert explained(daemon, device)[0] == ("joined", 2, True)
    assert json.loads(site.run("pledge", "list", "--state", "waiting", "--json").stdout) == []


def device_of_lab(daemon: Daemon) -> SimulatedPledge:
    """A pledge whose join shows that the daemon still answers."""
    return daemon.enroll().pledge()


def test_a_waiting_pledge_waits_over_a_restart(template: Site, tmp_path: Path) -> None:
    """What it asked is in the database; what it tried is not."""
    site = template.copy(tmp_path / "site")
    site.run("network", "set", "lab", "--admission", "approval")
    (made,) = site.new_devices(1)
    site.import_devices([made])
    pledge = made.pledge()
    with site.start() as running, Wire(running.address) as wire:
        wire.send(pledge.request())
        wait_for_drops(running, "awaiting_approval", 1)
    site.run("pledge", "approve", made.identifier.hex())
    with site.start() as running, Wire(running.address) as wire:
        assert explained(running, made) == []
        wire.join(pledge)


def wait_for_drops(daemon: Daemon, reason: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while daemon.dropped().get(reason, 0) < count:
        assert time.monotonic() < deadline
        time.sleep(LOOK_AGAIN_S)


# --- Explaining --------------------------------------------------------------------------------


def test_one_command_tells_why_a_device_stays_out(daemon: Daemon, wire: Wire, site: Site) -> None:
    """A device with another key than was imported: what it tried, what it means, what to do."""
    device = daemon.enroll()
    forger = Device(device.identifier, Secret(os.urandom(16))).pledge()
    wire.assert_silence([forger.request() for _ in range(3)], device_of_lab(daemon))
    told = site.run("pledge", "explain", device.identifier.hex()).stdout
    assert "Nothing in the database keeps it from joining." in told
    assert "bad_tag: The request does not verify" in told
    (row,) = [line for line in told.splitlines() if "\tbad_tag\t" in line]
    assert row.split("\t")[2:6] == ["3", "bad_tag", "::1", "no"]


def test_a_device_that_was_never_heard_of_is_told_apart(daemon: Daemon, site: Site) -> None:
    """The fault lies before the registrar."""
    name = daemon.enroll().identifier.hex()
    told = site.run("pledge", "explain", name).stdout
    assert "nothing_heard: No request that names this identifier" in told


def test_unknown_identifiers_are_listed_with_whom_they_look_like(
    daemon: Daemon, wire: Wire, site: Site
) -> None:
    """Firmware that sends its EUI-64 in the other byte order is found by one look."""
    device = daemon.enroll()
    backwards = Device(device.identifier[::-1], device.psk).pledge()
    wire.assert_silence([backwards.request()] * 2, device_of_lab(daemon))
    found = json.loads(site.run("pledge", "explain", "--unknown", "--json").stdout)
    assert (device.identifier[::-1].hex(), 2) == (found[0]["pledge_id"], found[0]["count"])
    assert device.identifier.hex() in found[0]["looks_like"]
    told = site.run("pledge", "explain", device.identifier[::-1].hex()).stdout
    assert "unknown" in told
    assert "is provisioned, which is the same EUI-64 in another form" in told


def test_forgeries_do_not_push_out_what_a_pledge_has_tried(daemon: Daemon, wire: Wire) -> None:
    """1,500 forgeries in the names of 1,500 pledges; the one that waits is still explained."""
    waiting = daemon.enroll(networks=["annex"])
    wire.assert_silence([waiting.pledge(ANNEX).request()], device_of_lab(daemon))
    made = daemon.site.new_devices(1500)
    daemon.site.import_devices(made, network="lab")
    forged = [Device(d.identifier, Secret(os.urandom(16))).pledge() for d in made]
    for at in range(0, len(forged), 250):
        requests = [pledge.request() for pledge in forged[at : at + 250]]
        wire.assert_silence(requests, device_of_lab(daemon))
    assert explained(daemon, waiting) == [("awaiting_approval", 1, True)]
    assert explained(daemon, made[-1]) == [("bad_tag", 1, False)]


def test_without_a_daemon_the_exit_code_says_so(template: Site, tmp_path: Path) -> None:
    """The database is asked all the same."""
    site = template.copy(tmp_path / "site")
    (made,) = site.new_devices(1)
    done = site.attempt("pledge", "explain", made.identifier.hex())
    assert (done.returncode, "unknown_context: It is not provisioned." in done.stdout) == (
        ExitCode.UNREACHABLE, True
    )  # fmt: skip
